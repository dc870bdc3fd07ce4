"""What `kubectl get` shows of runs, at the real API server."""

from __future__ import annotations

from tests.e2e.kube import Kube, eventually
from tests.integration.kubelet import keep_pods_pending
from tests.integration.test_refusals import action, pipeline, run


def columns(kube: Kube, namespace: str) -> dict[str, list[str]]:
    """Return the first columns of each run by its name."""
    lines = kube.kubectl("-n", namespace, "get", "pipelineruns", "--no-headers").splitlines()
    return {line.split()[0]: line.split()[1:4] for line in lines}


def test_run_that_waits_for_its_turn_is_shown_as_queued_and_never_as_none(kube: Kube, namespace: str) -> None:
    keep_pods_pending(kube, namespace)
    pipeline(kube, namespace, "p", action("Make"), maxConcurrentExecutions=1)
    for name in ("r1", "r2"):
        run(kube, namespace, name)
        eventually(lambda: columns(kube, namespace)[name][1] != "<none>", 20, f"the state of {name}")  # noqa: B023
    run(kube, namespace, "lost", of="absent")
    eventually(lambda: columns(kube, namespace)["lost"][1] != "<none>", 20, "the state of the one without a Pipeline")
    assert columns(kube, namespace) == {
        "r1": ["p", "InProgress", "InProgress"],
        "r2": ["p", "Queued", "Queued"],
        "lost": ["absent", "Pending", "PipelineNotFound"],
    }
