"""What `kubectl get` shows of runs, at the real API server."""

from __future__ import annotations

from tests.integration.test_refusals import action, pipeline, run
from tests.support.kube import Kube, eventually
from tests.support.kubelet import keep_pods_pending


def states(kube: Kube, namespace: str) -> dict[str, str]:
    """Return what stands in the column STATE for each run."""
    head, *lines = kube.kubectl("-n", namespace, "get", "pipelineruns").splitlines()
    begin, end = head.index("STATE"), head.index("REASON")
    return {line.split()[0]: line[begin:end].strip() for line in lines}


def test_run_that_waits_for_its_turn_is_shown_as_queued_and_never_as_none(
    kube: Kube, namespace: str
) -> None:
    keep_pods_pending(kube, namespace)
    pipeline(kube, namespace, "p", action("Make"), maxConcurrentExecutions=1)
    for name, of in {"r1": "p", "r2": "p", "lost": "absent"}.items():
        run(kube, namespace, name, of)
        eventually(lambda: all(states(kube, namespace).values()), 20, f"the state of {name}")
    assert states(kube, namespace) == {"r1": "InProgress", "r2": "Queued", "lost": "Pending"}
