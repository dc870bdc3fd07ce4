"""The kubeconfig matrix: each row as kubectl treats it, seen by a server with a CA of its own
(first hour, 6 and 7).
"""

from __future__ import annotations

import base64
import json
import os
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from penstock.cli.connection import kubeconfig
from penstock.cli.connection.cluster import Cluster
from penstock.cli.connection.kubeconfig import target_of
from penstock.cli.connection.objects import CliError
from penstock.cli.connection.proxies import proxy_for
from penstock.cli.connection.transport import UnreachableError
from penstock.cli.text import to_json
from tests.support.fake_api import Api, Authority, Document, Seen, proxying, serving

RUNS = "/apis/penstock.dev/v1alpha1/namespaces/{}/pipelineruns"
REVIEW = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
PROXIES = ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "NO_PROXY", "no_proxy")


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority.new(tmp_path)


@pytest.fixture
def api(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    for name in (*PROXIES, "KUBECONFIG", "KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT"):
        monkeypatch.delenv(name, raising=False)
    with serving(authority, clients=True) as found:
        found.answers["POST", REVIEW] = reviewed
        yield found


def reviewed(seen: Seen) -> tuple[int, Document]:
    """Say who somebody is, as an API server does: whom the request acts as,
    else whose token it has.
    """
    (name,) = seen.header("Impersonate-User") or seen.header("Authorization") or ["nobody"]
    return 201, {"kind": "SelfSubjectReview", "status": {"userInfo": {"username": name}}}


def config(
    api: Api, authority: Authority, cluster: Document | None = None, user: Document | None = None
) -> Document:
    reach = {"server": api.address, "certificate-authority": str(authority.file), **(cluster or {})}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": "here",
                "cluster": {key: value for key, value in reach.items() if value is not None},
            }
        ],
        "users": [{"name": "me", "user": user or {"token": "secret"}}],
        "contexts": [
            {"name": "one", "context": {"cluster": "here", "user": "me", "namespace": "first"}}
        ],
        "current-context": "one",
    }


@pytest.fixture
def use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return what writes documents as the files of KUBECONFIG."""

    def write(*documents: Document) -> None:
        files = []
        for number, document in enumerate(documents):
            file = tmp_path / f"config-{number}"
            file.write_text(json.dumps(document))
            files.append(str(file))
        monkeypatch.setenv("KUBECONFIG", ":".join(files))

    return write


def last(api: Api) -> Seen:
    return api.seen[-1]


def test_first_hour_06_context_brings_its_own_namespace(
    api: Api, authority: Authority, use: Any
) -> None:
    document = config(api, authority)
    document["contexts"].append(
        {"name": "two", "context": {"cluster": "here", "user": "me", "namespace": "second"}}
    )
    document["contexts"].append({"name": "bare", "context": {"cluster": "here", "user": "me"}})
    use(document)
    assert Cluster(None, None).namespace == "first"
    assert Cluster("two", None).namespace == "second"
    assert Cluster("bare", None).namespace == "default"
    assert Cluster("two", "given").namespace == "given"


def test_first_hour_06_as_acts_as_that_user_everywhere_and_requested_by_is_their_name(
    api: Api, authority: Authority, use: Any
) -> None:
    extra = {"scopes": ["view", "edit"], "example.com/a b": ["ü"]}
    user = {
        "token": "secret",
        "as": "alice",
        "as-uid": "7",
        "as-groups": ["ops", "devs"],
        "as-user-extra": extra,
    }
    use(config(api, authority, user=user))
    cluster = Cluster(None, None)
    assert cluster.whoami() == "alice"
    seen = last(api)
    assert seen.header("Authorization") == ["Bearer secret"]
    assert seen.header("Impersonate-User") == ["alice"]
    assert seen.header("Impersonate-Uid") == ["7"]
    assert seen.header("Impersonate-Group") == ["ops", "devs"]
    assert seen.header("Impersonate-Extra-scopes") == ["view", "edit"]
    assert seen.header("Impersonate-Extra-example.com%2Fa%20b") == ["ü".encode().decode("latin-1")]


@pytest.mark.parametrize(
    "more", [{"as-uid": "7"}, {"as-groups": ["ops"]}, {"as-user-extra": {"a": ["b"]}}]
)
def test_first_hour_06_parts_of_an_impersonation_without_a_user_are_refused(
    api: Api, authority: Authority, use: Any, more: Document
) -> None:
    use(config(api, authority, user={"token": "secret", **more}))
    with pytest.raises(CliError, match='need an "as"'):
        Cluster(None, None)


def test_first_hour_06_context_that_is_not_there_is_named(
    api: Api, authority: Authority, use: Any
) -> None:
    use(config(api, authority))
    with pytest.raises(CliError, match=r'context "onee" is not in .*did you mean "one"'):
        Cluster("onee", None)


def asked_of(api: Api) -> Seen:
    """Make the command ask for something; return what arrived."""
    assert Cluster(None, None).whoami()
    return last(api)


def test_first_hour_07_proxy_url_is_used_with_its_password_and_whatever_no_proxy_says(
    api: Api, authority: Authority, use: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "*")
    with proxying(api.address) as proxy:
        use(config(api, authority, {"proxy-url": f"http://user:p%40ss@{proxy.address}"}))
        asked_of(api)
    told = "Basic " + base64.b64encode(b"user:p@ss").decode()
    assert proxy.asked == [(f"CONNECT {api.address.removeprefix('https://')}", told)]


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy"])
def test_first_hour_07_https_proxy_is_used_and_no_proxy_excludes(
    authority: Authority, use: Any, monkeypatch: pytest.MonkeyPatch, variable: str, api: Api
) -> None:
    """The server is on another machine, as Go knows it; the proxy leads to
    ours, which has its certificate.
    """
    server = {"server": "https://203.0.113.1:6443", "tls-server-name": "127.0.0.1"}
    with proxying(api.address) as proxy:
        monkeypatch.setenv(variable, proxy.address)
        use(config(api, authority, server))
        asked_of(api)
        assert proxy.asked == [("CONNECT 203.0.113.1:6443", None)]
        monkeypatch.setenv("NO_PROXY", "203.0.113.0/24")
        monkeypatch.setattr("penstock.cli.connection.transport.CONNECT_S", 0.01)
        with pytest.raises(UnreachableError):
            Cluster(None, None).whoami()
    assert len(proxy.asked) == 1


@pytest.mark.parametrize(
    "proxy", ["socks5://127.0.0.1:1", "socks5://user:secret@127.0.0.1:1", "ftp://x"]
)
def test_first_hour_07_proxy_that_cannot_be_used_is_refused_by_name(
    api: Api, authority: Authority, use: Any, proxy: str
) -> None:
    use(config(api, authority, {"proxy-url": proxy}))
    with pytest.raises(
        CliError, match=r"proxy-url is .*: an http or https proxy is needed"
    ) as raised:
        Cluster(None, None).whoami()
    assert "secret" not in str(raised.value)
    assert api.seen == []


@pytest.mark.parametrize(
    ("address", "environment", "proxy"),
    [
        ("https://api.example.com", {}, None),
        ("https://api.example.com", {"HTTPS_PROXY": "http://p:1"}, "http://p:1"),
        ("https://api.example.com", {"https_proxy": "p:1"}, "http://p:1"),
        (
            "https://api.example.com",
            {"HTTPS_PROXY": "http://upper", "https_proxy": "http://lower"},
            "http://upper",
        ),
        ("https://api.example.com", {"HTTP_PROXY": "http://p:1", "ALL_PROXY": "http://p:1"}, None),
        ("http://api.example.com", {"HTTP_PROXY": "http://p:1"}, "http://p:1"),
        ("http://api.example.com", {"HTTP_PROXY": "http://p:1", "REQUEST_METHOD": "GET"}, None),
        ("https://localhost:6443", {"HTTPS_PROXY": "http://p:1"}, None),
        ("https://127.0.0.9:6443", {"HTTPS_PROXY": "http://p:1"}, None),
        ("https://[::1]:6443", {"HTTPS_PROXY": "http://p:1"}, None),
    ],
)
def test_first_hour_07_proxy_of_the_environment_is_chosen_as_by_go(
    address: str, environment: dict[str, str], proxy: str | None
) -> None:
    assert proxy_for(address, environment) == proxy


@pytest.mark.parametrize(
    ("excluded", "address", "is_direct"),
    [
        ("*", "https://api.example.com", True),
        ("example.com", "https://api.example.com", True),
        ("example.com", "https://example.com", True),
        ("example.com", "https://badexample.com", False),
        (".example.com", "https://api.example.com", True),
        (".example.com", "https://example.com", False),
        ("*.example.com", "https://api.example.com", True),
        ("*.example.com", "https://example.com", False),
        (" other , API.Example.COM ", "https://api.example.com", True),
        ("example.com:443", "https://api.example.com", True),
        ("example.com:6443", "https://api.example.com", False),
        ("example.com:6443", "https://api.example.com:6443", True),
        ("10.0.0.0/8", "https://10.1.2.3:6443", True),
        ("10.0.0.0/8", "https://11.1.2.3:6443", False),
        ("10.0.0.0/8", "https://api.example.com", False),
        ("10.1.2.3", "https://10.1.2.3:6443", True),
        ("10.1.2.3:6443", "https://10.1.2.3:6443", True),
        ("10.1.2.3:443", "https://10.1.2.3:6443", False),
        ("2.3", "https://10.1.2.3", False),
        ("fd00::1", "https://[fd00::1]:6443", True),
        ("[fd00::1]:6443", "https://[fd00::1]:6443", True),
        ("fd00::/8", "https://[fd00::1]:6443", True),
        ("nonsense/99", "https://api.example.com", False),
        ("", "https://api.example.com", False),
    ],
)
def test_first_hour_07_no_proxy_is_read_as_by_go(
    excluded: str, address: str, is_direct: bool
) -> None:
    environment = {"HTTPS_PROXY": "http://p:1", "NO_PROXY": excluded}
    assert (proxy_for(address, environment) is None) is is_direct


def test_first_hour_07_tls_server_name_is_asked_for_and_checked(
    authority: Authority, use: Any, api: Api, tmp_path: Path
) -> None:
    with serving(authority, "api.internal") as other:
        other.answers["POST", REVIEW] = reviewed
        use(config(other, authority, {"tls-server-name": "api.internal"}))
        assert asked_of(other).server_name == "api.internal"
        for wrong in (None, "another.internal"):
            use(config(other, authority, {"tls-server-name": wrong}))
            with pytest.raises(
                UnreachableError, match=r"certificate verify failed|CERTIFICATE_VERIFY_FAILED"
            ):
                Cluster(None, None).whoami()


def test_insecure_skip_tls_verify_works_and_says_nothing(
    api: Api, authority: Authority, use: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    use(config(api, authority, {"certificate-authority": None, "insecure-skip-tls-verify": True}))
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        asked_of(api)
    assert capfd.readouterr() == ("", "")


def test_server_of_an_unknown_authority_and_two_opposite_wishes_are_refused(
    api: Api, authority: Authority, use: Any
) -> None:
    use(config(api, authority, {"certificate-authority": None}))
    with pytest.raises(UnreachableError, match="CERTIFICATE_VERIFY_FAILED"):
        Cluster(None, None).whoami()
    use(config(api, authority, {"insecure-skip-tls-verify": True}))
    with pytest.raises(
        CliError, match="insecure-skip-tls-verify and a certificate-authority exclude"
    ):
        Cluster(None, None)
    assert api.seen == []


def test_first_hour_07_pod_without_a_file_uses_its_service_account(
    api: Api, authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "account"
    folder.mkdir()
    (folder / "ca.crt").write_bytes(authority.file.read_bytes())
    (folder / "namespace").write_text("team\n")
    (folder / "token").write_text("one\n")
    monkeypatch.setattr(kubeconfig, "IN_POD", folder)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", api.address.rpartition(":")[2])
    cluster = Cluster(None, None)
    assert (cluster.namespace, cluster.whoami()) == ("team", "Bearer one")
    (folder / "token").write_text("two\n")
    assert cluster.whoami() == "Bearer two"
    assert Cluster(None, "other").namespace == "other"
    with pytest.raises(CliError, match='context "x"'):
        Cluster("x", None)
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST")
    with pytest.raises(
        CliError, match=r"no cluster to talk to: .*\.kube/config is not there; set KUBECONFIG"
    ):
        Cluster(None, None)


def test_several_files_are_merged_and_the_first_that_says_something_wins(
    api: Api, authority: Authority, use: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    whole = config(api, authority)
    first = {"users": [{"name": "me", "user": {"token": "first"}}], "clusters": None}
    later = {"current-context": "two", "contexts": [{"name": "one", "context": {"cluster": "x"}}]}
    use(first, whole, later)
    monkeypatch.setenv("KUBECONFIG", f"{tmp_path}/missing::{os.environ['KUBECONFIG']}")
    assert asked_of(api).header("Authorization") == ["Bearer first"]


def test_paths_are_relative_to_their_file(
    api: Api, authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "token").write_text("from a file\n")
    document = config(api, authority, {"certificate-authority": "ca.crt"}, {"tokenFile": "token"})
    (tmp_path / "config").write_text(to_json(document))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))
    monkeypatch.chdir("/")
    assert asked_of(api).header("Authorization") == ["Bearer from a file"]


def test_certificate_in_the_file_or_beside_it_is_shown_to_the_server(
    api: Api, authority: Authority, use: Any
) -> None:
    certificate, key = authority.issue("carol")
    data = {f"client-{kind}-data": base64.b64encode(file.read_bytes()).decode() for kind, file in
            (("certificate", certificate), ("key", key))}  # fmt: skip
    for user in ({"client-certificate": str(certificate), "client-key": str(key)}, data):
        use(config(api, authority, user=user))
        assert asked_of(api).client == "carol"
    use(config(api, authority, user={"client-certificate": str(certificate)}))
    with pytest.raises(CliError, match="client-certificate and client-key belong together"):
        Cluster(None, None).whoami()


PLUGIN = """\
import json, os, pathlib, sys
count = pathlib.Path(sys.argv[1])
number = int(count.read_text()) + 1 if count.exists() else 1
count.write_text(str(number))
info = json.loads(os.environ["KUBERNETES_EXEC_INFO"])
assert info["spec"]["cluster"]["server"].startswith("https://"), info
status = {"token": f"{os.environ['GREETING']}-{number}", **json.loads(sys.argv[2])}
print(json.dumps({"kind": "ExecCredential", "apiVersion": info["apiVersion"], "status": status}))
"""


def plugin(tmp_path: Path, **status: str) -> Document:
    script = tmp_path / "plugin.py"
    script.write_text(PLUGIN)
    return {
        "exec": {
            "apiVersion": "client.authentication.k8s.io/v1",
            "command": sys.executable,
            "args": [str(script), str(tmp_path / "count"), json.dumps(status)],
            "env": [{"name": "GREETING", "value": "hi"}],
            "provideClusterInfo": True,
            "interactiveMode": "IfAvailable",
            "installHint": "install it",
        }
    }


def test_exec_plugin_is_asked_once_until_it_expires_or_is_refused(
    api: Api, authority: Authority, use: Any, tmp_path: Path
) -> None:
    use(config(api, authority, user=plugin(tmp_path)))
    cluster = Cluster(None, None)
    assert [cluster.whoami(), cluster.whoami()] == ["Bearer hi-1", "Bearer hi-1"]
    api.answers["POST", REVIEW] = lambda seen: (
        (401, {"kind": "Status"})
        if seen.header("Authorization") == ["Bearer hi-1"]
        else reviewed(seen)
    )
    assert cluster.whoami() == "Bearer hi-2"
    use(config(api, authority, user=plugin(tmp_path, expirationTimestamp="2020-01-01T00:00:00Z")))
    cluster = Cluster(None, None)
    assert [cluster.whoami(), cluster.whoami()] == ["Bearer hi-3", "Bearer hi-4"]


def test_exec_plugin_may_print_a_certificate(
    api: Api, authority: Authority, use: Any, tmp_path: Path
) -> None:
    certificate, key = authority.issue("dave")
    status = {"clientCertificateData": certificate.read_text(), "clientKeyData": key.read_text()}
    use(config(api, authority, user=plugin(tmp_path, **status)))
    assert asked_of(api).client == "dave"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"command": "/nowhere/to/be/found"}, "cannot be run: .*\ninstall it"),
        ({"command": "false"}, "failed with exit code 1"),
        ({"command": "echo"}, "printed no ExecCredential"),
        ({"interactiveMode": "Always"}, "needs a terminal"),
        ({"interactiveMode": ""}, "interactiveMode must be Never, IfAvailable or Always"),
        ({"interactiveMode": "Sometimes"}, "interactiveMode must be Never, IfAvailable or Always"),
        ({"apiVersion": "v1"}, "an apiVersion of client.authentication.k8s.io"),
    ],
)
def test_exec_plugin_that_does_not_do_its_work_is_named(
    api: Api, authority: Authority, use: Any, tmp_path: Path, change: Document, message: str
) -> None:
    user = plugin(tmp_path)
    user["exec"].update(change)
    use(config(api, authority, user=user))
    with pytest.raises(CliError, match=message):
        Cluster(None, None).whoami()
    assert api.seen == []


def id_token(expires: int) -> str:
    part = base64.urlsafe_b64encode(json.dumps({"exp": expires}).encode()).decode().rstrip("=")
    return f"x.{part}.x"


def test_auth_provider_oidc_is_honoured_as_far_as_it_can_be_and_others_are_refused(
    api: Api, authority: Authority, use: Any
) -> None:
    def user(name: str, token: str) -> Document:
        return {"auth-provider": {"name": name, "config": {"id-token": token}}}

    use(config(api, authority, user=user("oidc", id_token(9_999_999_999))))
    assert asked_of(api).header("Authorization") == [f"Bearer {id_token(9_999_999_999)}"]
    for name, token, message in (
        ("oidc", id_token(1), "has expired; any command of kubectl renews it"),
        ("oidc", "", "no usable id-token"),
        ("gcp", "x", 'auth-provider "gcp" is no more'),
    ):
        use(config(api, authority, user=user(name, token)))
        with pytest.raises(CliError, match=message):
            Cluster(None, None).whoami()


@pytest.mark.parametrize(
    "user", [{"token": "se\ncret"}, {"token": "se→cret"}, {"token": "x", "as": "secret\r\nX: y"}]
)
def test_value_that_cannot_stand_in_a_header_is_refused_and_not_shown(
    api: Api, authority: Authority, use: Any, user: Document
) -> None:
    use(config(api, authority, user=user))
    with pytest.raises(CliError, match="cannot stand in a request's header") as raised:
        Cluster(None, None).whoami()
    assert "cret" not in str(raised.value)
    assert api.seen == []


def test_authority_is_read_whatever_stands_beside_its_certificates(
    api: Api, authority: Authority, use: Any, tmp_path: Path
) -> None:
    bundle = tmp_path / "bundle.crt"
    bundle.write_text(f"# Größe\n{authority.file.read_text()}\n# Ende\n")
    use(config(api, authority, {"certificate-authority": str(bundle)}))
    asked_of(api)
    for text, message in (("nothing", "holds no certificate"), ("", "holds no certificate")):
        bundle.write_text(text)
        with pytest.raises(CliError, match=message):
            Cluster(None, None).whoami()


def test_nothing_secret_is_sent_in_the_clear(use: Any, authority: Authority, api: Api) -> None:
    with serving(None) as plain:
        plain.answers["POST", REVIEW] = reviewed
        use(config(plain, authority, user={"token": "secret", "as": "alice"}))
        seen = asked_of(plain)
    assert (seen.header("Authorization"), seen.header("Impersonate-User")) == ([], ["alice"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("clusters: [", "cannot be read"),
        ("- a", "it is no map"),
        ("{current-context: a, clusters: [{name: a, cluster: {server: 1}}]}", "clusters: server: "),
        ("{contexts: [{context: {}}]}", "contexts: KeyError 'name'"),
        ("{contexts: [{name: a, context: {}}, {name: a, context: {}}]}", 'two of the name "a"'),
        (
            "{contexts: [{name: a, context: {cluster: x}}]}",
            "no current-context: choose one with --context: a",
        ),
        (
            "{current-context: a, contexts: [{name: a, context: {cluster: x}}]}",
            'cluster "x" is not there',
        ),
        (
            "{current-context: a, contexts: [{name: a, context: {cluster: x, user: y}}], clusters: "
            "[{name: x, cluster: {server: 'https://x'}}]}",
            'user "y" is not there',
        ),
        (
            "{current-context: a, contexts: [{name: a, context: {cluster: x}}], clusters: [{name: "
            "x, cluster: {}}]}",
            "no http or https address",
        ),
    ],
)
def test_kubeconfig_that_leads_nowhere_says_why(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "config"
    file.write_text(text)
    with pytest.raises(CliError, match=message):
        target_of(None, None, {"KUBECONFIG": str(file)})
