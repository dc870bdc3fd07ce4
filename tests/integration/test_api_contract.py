"""The real API server behaves as the fake one does in tests/unit/controller/test_fake_server.py."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from penstock.cluster.client import Client
from penstock.cluster.credentials import credentials_here
from tests.support.api_contract import BEHAVIOURS, Behaviour
from tests.support.kube import Kube


@pytest.fixture
async def client(kube: Kube, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Client]:
    """The operator's own client, with an admin's rights."""
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    monkeypatch.setenv("KUBECONFIG", kube.kubeconfig)
    async with Client(credentials_here(), write_timeout=30.0) as client:
        yield client


def name_of(shown: Callable[..., Any]) -> str:
    return shown.__name__


@pytest.mark.parametrize("shown", BEHAVIOURS, ids=name_of)
async def test_api_server_keeps_the_contract(
    client: Client, namespace: str, shown: Behaviour
) -> None:
    await shown(client, namespace)
