"""The operator's one port: health says nothing but yes or no, metrics want a
token that may read them.
"""

from __future__ import annotations

import base64
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import yaml

from penstock.cluster.client import Client
from penstock.cluster.credentials import Credentials
from penstock.controller.metrics import OperatorMetrics
from penstock.runtime.endpoints import Endpoints
from tests.support.install import SYSTEM
from tests.support.kube import Kube


def credentials_of(kube: Kube, token: str) -> Credentials:
    """Return credentials of a service account, for the operator's own client."""
    server = yaml.safe_load(Path(kube.kubeconfig).read_text())["clusters"][0]["cluster"]
    data = server.get("certificate-authority-data")
    if data is None:
        data = base64.b64encode(Path(server["certificate-authority"]).read_bytes()).decode()
    return Credentials(server=server["server"], ca_data=data, token=token)


@pytest.fixture
async def port(kube: Kube) -> AsyncIterator[int]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        number = int(free.getsockname()[1])
    async with Client(credentials_of(kube, kube.token_of(SYSTEM, "penstock"))) as client:
        client.fence = _no_lease
        endpoints = Endpoints(client, OperatorMetrics(), lambda: HEALTHY[0])
        await endpoints.start("127.0.0.1", number)
        yield number
        await endpoints.stop()


HEALTHY = [True]


def _no_lease() -> None:
    raise AssertionError(
        "a replica that does not lead asked for a token's rights as if it were an effect"
    )


async def get(port: int, path: str, token: str = "") -> tuple[int, str]:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with (
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session,
        session.get(f"http://127.0.0.1:{port}{path}", headers=headers) as response,
    ):
        return response.status, await response.text()


@pytest.mark.parametrize(("is_healthy", "status"), [(True, 200), (False, 500)])
async def test_health_answers_yes_or_no_and_nothing_else(
    port: int, is_healthy: bool, status: int
) -> None:
    HEALTHY[0] = is_healthy
    assert await get(port, "/healthz") == (status, "")


async def test_metrics_without_a_good_token_are_refused(port: int) -> None:
    assert await get(port, "/metrics") == (401, "")
    assert await get(port, "/metrics", "nonsense") == (401, "")


async def test_metrics_want_the_right_to_read_them(kube: Kube, namespace: str, port: int) -> None:
    kube.create("serviceaccounts", namespace, {"metadata": {"name": "prometheus"}})
    token = kube.token_of(namespace, "prometheus")
    assert (await get(port, "/metrics", token))[0] == 401

    rbac = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": namespace}
    role = {
        "metadata": {"name": namespace},
        "rules": [{"nonResourceURLs": ["/metrics"], "verbs": ["get"]}],
    }
    subject = {"kind": "ServiceAccount", "name": "prometheus", "namespace": namespace}
    binding = {"metadata": {"name": namespace}, "roleRef": rbac, "subjects": [subject]}
    path = "/apis/rbac.authorization.k8s.io/v1"
    kube.request("POST", f"{path}/clusterroles", role)
    kube.request("POST", f"{path}/clusterrolebindings", binding)
    account = f"system:serviceaccount:{namespace}:prometheus"
    kube.await_right(account, nonResourceAttributes={"path": "/metrics", "verb": "get"})
    try:
        # Another token of the same account: that this one was refused is remembered for a minute.
        status, text = await get(port, "/metrics", kube.token_of(namespace, "prometheus"))
    finally:
        for plural in ("clusterrolebindings", "clusterroles"):
            kube.request("DELETE", f"{path}/{plural}/{namespace}")
    assert status == 200
    assert "penstock_reconcile_total" in text
    assert "penstock_leader" in text


async def test_nothing_else_is_served(port: int) -> None:
    assert (await get(port, "/"))[0] == 404
    assert (await get(port, "/debug"))[0] == 404
