"""kubectl is the oracle of the kubeconfig: both read the same file, and the
same must arrive at a local server.

Each row of the first hour's matrix (6, 7), and what lies beside it. Neither talks to the cluster.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.cluster import load
from tests.support.fake_api import Api, Authority, Document, Proxy, proxying, serving

PATH = "/apis/penstock.dev/v1alpha1/namespaces/default/pipelines/x"
EXEC = {
    "apiVersion": "client.authentication.k8s.io/v1",
    "command": "./plugin.sh",
    "interactiveMode": "Never",
}
PLUGIN = """#!/bin/sh
echo '{"kind": "ExecCredential", "apiVersion": "client.authentication.k8s.io/v1",'
echo ' "status": {"token": "plugged"}}'
"""
CERTIFICATE = {"client-certificate": "carol.crt", "client-key": "carol.key"}
ELSEWHERE = {"server": "https://203.0.113.1:6443", "tls-server-name": "127.0.0.1"}


def id_token(expires: int) -> str:
    part = base64.urlsafe_b64encode(json.dumps({"exp": expires}).encode()).decode().rstrip("=")
    return f"eyJhbGciOiJub25lIn0.{part}.x"


def oidc(expires: int) -> Document:
    config = {
        "id-token": id_token(expires),
        "idp-issuer-url": "https://issuer.invalid",
        "client-id": "c",
    }
    return {"auth-provider": {"name": "oidc", "config": config}}


@dataclass
class Servers:
    """A server with a certificate for 127.0.0.1, one for api.internal, one in the clear, and a
    proxy to the first.
    """

    folder: Path
    api: Api
    named: Api
    plain: Api
    proxy: Proxy

    def sees(
        self, command: list[str], document: Document, environment: dict[str, str]
    ) -> tuple[Any, ...] | None:
        """Run a command with the kubeconfig; return what arrived, None for nothing."""
        (self.folder / "config").write_text(json.dumps(document))
        for api in (self.api, self.named, self.plain):
            api.seen.clear()
        self.proxy.asked.clear()
        kept = {key: value for key, value in os.environ.items() if "proxy" not in key.lower()}
        given = {
            **kept,
            "KUBECONFIG": str(self.folder / "config"),
            "HOME": str(self.folder),
            **environment,
        }
        subprocess.run(command, env=given, capture_output=True, timeout=60, check=False)
        arrived = [seen for api in (self.api, self.named, self.plain) for seen in api.seen]
        if not arrived:
            return None
        first = arrived[0]
        wanted = [(key.lower(), value) for key, value in first.headers]
        who = sorted(
            pair
            for pair in wanted
            if pair[0] == "authorization" or pair[0].startswith("impersonate")
        )
        return who, first.client, first.server_name, self.proxy.asked[:1]


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    folder = tmp_path_factory.mktemp("kubeconfig")
    authority = Authority.new(folder)
    authority.issue("carol")
    (folder / "token").write_text("from a file\n")
    (folder / "plugin.sh").write_text(PLUGIN)
    (folder / "plugin.sh").chmod(0o755)
    with (
        serving(authority, clients=True) as api,
        serving(authority, "api.internal") as named,
        serving(None) as plain,
        proxying(api.address) as proxy,
    ):
        for server in (api, named, plain):
            server.put(PATH, {"kind": "Pipeline"})
        yield Servers(folder, api, named, plain, proxy)


ROWS: dict[str, tuple[Document, Document, dict[str, str]]] = {
    "token": ({}, {"token": "t"}, {}),
    "as": (
        {},
        {
            "token": "t", "as": "alice ü", "as-uid": "7", "as-groups": ["a", "b"],
            "as-user-extra": {"Scopes": ["x", "y"], "example.com/a b%": ["ü"]},
        },
        {},
    ),
    "as-groups alone": ({}, {"token": "t", "as-groups": ["a"]}, {}),
    "token and tokenFile": ({}, {"token": "t", "tokenFile": "token"}, {}),
    "tokenFile": ({}, {"tokenFile": "token"}, {}),
    "password": ({}, {"username": "u", "password": "p:ü"}, {}),
    "user without a password": ({}, {"username": "u"}, {}),
    "token and password": ({}, {"token": "t", "username": "u", "password": "p"}, {}),
    "in the clear": ({"server": "PLAIN"}, {"token": "t", "as": "alice"}, {}),
    "certificate": ({}, CERTIFICATE, {}),
    "certificate and token": ({}, {**CERTIFICATE, "token": "t"}, {}),
    "certificate without a key": ({}, {"client-certificate": "carol.crt"}, {}),
    "tls-server-name": ({"server": "NAMED", "tls-server-name": "api.internal"}, {"token": "t"}, {}),
    "name of another": ({"server": "NAMED"}, {"token": "t"}, {}),
    "unknown authority": ({"certificate-authority": ""}, {"token": "t"}, {}),
    "insecure": ({"certificate-authority": "", "insecure-skip-tls-verify": True}, {"token": "t"},
    {}),
    "insecure with an authority": ({"insecure-skip-tls-verify": True}, {"token": "t"}, {}),
    "proxy-url": ({"proxy-url": "http://u:p%40@PROXY"}, {"token": "t"}, {"NO_PROXY": "*"}),
    "HTTPS_PROXY and a local server": ({}, {"token": "t"}, {"HTTPS_PROXY": "PROXY"}),
    "HTTPS_PROXY": (ELSEWHERE, {"token": "t"}, {"HTTPS_PROXY": "PROXY"}),
    "https_proxy": (ELSEWHERE, {"token": "t"}, {"https_proxy": "http://PROXY"}),
    "HTTPS_PROXY with a password": (ELSEWHERE, {"token": "t"}, {"HTTPS_PROXY": "http://u:p@PROXY"}),
    "NO_PROXY of others": (ELSEWHERE, {"token": "t"},
    {"HTTPS_PROXY": "PROXY", "NO_PROXY": "203.0.113.2,example.com"}),
    "NO_PROXY of another port": (ELSEWHERE, {"token": "t"},
    {"HTTPS_PROXY": "PROXY", "NO_PROXY": "203.0.113.1:443"}),
    "oidc": ({}, oidc(9_999_999_999), {}),
    "exec": ({}, {"exec": EXEC}, {}),
    "exec and token": ({}, {"exec": EXEC, "token": "t"}, {}),
    "exec and certificate": ({}, {"exec": EXEC, **CERTIFICATE}, {}),
    "exec without interactiveMode": ({}, {"exec": {**EXEC, "interactiveMode": ""}}, {}),
    "exec that is not there": ({}, {"exec": {**EXEC, "command": "./nowhere"}}, {}),
}  # fmt: skip
NOTHING_ARRIVES = {
    "as-groups alone", "token and password", "certificate without a key", "name of another",
    "unknown authority",
    "insecure with an authority", "exec without interactiveMode", "exec that is not there",
}  # fmt: skip


@pytest.mark.parametrize("row", ROWS)
def test_first_hour_kubeconfig_is_read_as_by_kubectl(servers: Servers, row: str) -> None:
    cluster, user, environment = ROWS[row]
    names = {
        "PLAIN": servers.plain.address,
        "NAMED": servers.named.address,
        "PROXY": servers.proxy.address,
    }

    def filled(value: Any) -> Any:
        for name, address in names.items():
            value = value.replace(name, address) if isinstance(value, str) else value
        return value

    reach = {"server": servers.api.address, "certificate-authority": "ca.crt", **cluster}
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": "here",
                "cluster": {key: filled(value) for key, value in reach.items() if value},
            }
        ],
        "users": [{"name": "me", "user": user}],
        "contexts": [{"name": "one", "context": {"cluster": "here", "user": "me"}}],
        "current-context": "one",
    }
    given = {key: filled(value) for key, value in environment.items() if value}
    kubectl = servers.sees([f"{load().bin_dir}/kubectl", "get", "--raw", PATH], document, given)
    ours = servers.sees([sys.executable, "-m", "penstock.cli", "start", "x"], document, given)
    assert ours == kubectl
    assert (kubectl is None) is (row in NOTHING_ARRIVES)
