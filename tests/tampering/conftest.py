"""The cluster of the integration tests: a real API server, on which no pod runs."""

from tests.integration.conftest import cluster, kube, namespace

__all__ = ["cluster", "kube", "namespace"]
