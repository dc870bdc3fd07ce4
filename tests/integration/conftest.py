"""Integration tests talk to the real API server; no pod runs, and a test that
needs one plays kubelet.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import pytest

from tests.cluster import Cluster, load
from tests.support.install import install_chart
from tests.support.kube import Kube
from tests.support.once import once


@pytest.fixture(scope="session")
def cluster() -> Cluster:
    return load()


@pytest.fixture(scope="session")
def kube(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory, testrun_uid: str) -> Kube:
    found = Kube(cluster.kubeconfig)
    once(tmp_path_factory, testrun_uid, "chart", lambda: install_chart(cluster, found))
    return found


@pytest.fixture
def namespace(kube: Kube) -> Iterator[str]:
    with kube.namespace(f"it-{secrets.token_hex(4)}") as name:
        yield name
