"""Every label, annotation, owner reference and finalizer of every object of ours is changed by
hand, at every state.

Nothing hangs, nothing happens twice, nothing lies: the run ends as it would have, or says in its
own words what was done to it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.cluster import Cluster
from tests.e2e.conftest import Team, stage
from tests.e2e.effects import Effects, tries_of
from tests.e2e.gates import Gate
from tests.support.kube import Document, Kube, KubeError, eventually

FOREIGN = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "name": "none",
    "uid": "11111111-1111-1111-1111-111111111111",
}
OURS = (
    "pipeline",
    "run-uid",
    "stage",
    "action",
    "run",
    "attempt",
    "try",
    "spec-hash",
    "request",
    "not-after",
)


def relabelled(value: str | None) -> Document:
    words = {f"penstock.dev/{word}": value for word in OURS}
    labels = {**words, "app.kubernetes.io/managed-by": value}
    return {"labels": {k: v for k, v in labels.items() if "request" not in k}, "annotations": words}


CHANGES: dict[str, Document] = {
    "changed": relabelled("other"),
    "removed": relabelled(None),
    "labels": {"labels": {"penstock.dev/run-uid": None}},
    "owners": {"ownerReferences": None},
    "finalizers": {"finalizers": ["example.com/mine"]},
}


@pytest.fixture
def effects(cluster: Cluster) -> Effects:
    return Effects(cluster)


def change(kube: Kube, plural: str, document: Document, meta: Document) -> None:
    """Write metadata as somebody with the right to edit does; what is gone,
    or may not be changed, is left.
    """
    where = document["metadata"]
    with contextlib.suppress(KubeError):
        kube.patch(plural, where["namespace"], where["name"], {"metadata": meta})


@pytest.fixture
def tampered(team: Team) -> Iterator[Callable[[str, str], None]]:
    """Change the metadata of the objects that belong to a change's pipeline: all of their names
    begin with its name.

    Finalizers are taken off at the end, lest the namespace hang.
    """

    def tamper(plural: str, what: str) -> None:
        for document in team.kube.objects(plural, team.namespace):
            if document["metadata"]["name"].startswith(what):
                change(team.kube, plural, document, CHANGES[what])

    yield tamper
    for plural in ("jobs", "pods", "controllerrevisions", "pipelineruns", "pipelines"):
        for document in team.kube.objects(plural, team.namespace):
            change(team.kube, plural, document, {"finalizers": None})


def tries(team: Team, *runs: str) -> dict[str, int]:
    """Return each try of the runs with the one effect that it may have."""
    return dict.fromkeys((name for run in runs for name in tries_of(team.run(run))), 1)


def start_all(team: Team, effects: Effects, suffix: str) -> list[str]:
    """Start a run for each change and wait until the first action of all of
    them is in the middle.
    """
    before = len(effects.keys())
    runs = [team.start(what, f"{what}-{suffix}") for what in CHANGES]
    eventually(
        lambda: len(effects.keys()) >= before + len(CHANGES),
        90,
        "the first action of every run is under way",
    )
    return runs


@pytest.mark.parametrize(
    "plural", ["jobs", "pods", "pipelineruns", "pipelines", "controllerrevisions"]
)
def test_attack_04_what_is_changed_by_hand_while_it_runs_changes_nothing(
    team: Team, effects: Effects, tampered: Callable[[str, str], None], plural: str
) -> None:
    """One pipeline for each change, all at once, and another run that meets
    whatever the first has left behind.
    """
    gate = Gate(team.cluster)
    for what in CHANGES:
        first, second = effects.action(f"{what}-a", after=gate), effects.action(f"{what}-b")
        team.pipeline(what, stage("Build", first), stage("Prod", second), wait=False)
    runs: list[str] = []
    for suffix in ("1", "2") if plural in ("jobs", "pods") else ("1",):
        started = start_all(team, effects, suffix)
        runs += started
        for what in CHANGES:
            tampered(plural, what)
        gate.open()
        states = {run: team.ended(run, 120)["state"] for run in started}
        assert states == dict.fromkeys(started, "Succeeded")
        gate.close()

    assert effects.per_try() == tries(team, *runs)


def is_over(team: Team, pod: str) -> bool:
    found = team.kube.find("pods", team.namespace, pod)
    return found is None or found["status"].get("phase") in ("Succeeded", "Failed")


def test_attack_08_pod_that_looks_like_the_jobs_own_has_no_say(
    team: Team, effects: Effects
) -> None:
    """Whoever may create pods and read runs makes a pod with a Job's labels
    that reports success.
    """
    gate = Gate(team.cluster)
    team.pipeline(
        "web", stage("Build", effects.action("A", after=gate)), stage("Prod", effects.action("B"))
    )
    team.start("web")
    job = eventually(lambda: team.execution("A").get("jobName"), 20, "the first action has a Job")
    (real,) = eventually(lambda: team.kube.objects("pods", team.namespace), 20, "its pod")
    message = '{"version":1,"status":"Succeeded","exitCode":0,"variables":{"Forged":"yes"}}'
    script = f"echo '{message}' > /dev/termination-log"
    container = {
        "image": "docker.io/library/busybox:1.35",
        "imagePullPolicy": "Never",
        "command": ["sh", "-c", script],
    }
    owner = {**real["metadata"]["ownerReferences"][0], "uid": FOREIGN["uid"]}
    for index, owners in enumerate(([], [owner])):
        body: dict[str, Any] = {
            "metadata": {
                "name": f"{job}-aaaa{index}",
                "labels": {
                    k: v for k, v in real["metadata"]["labels"].items() if "controller-uid" not in k
                },
                "annotations": {
                    k: v for k, v in real["metadata"]["annotations"].items() if "penstock.dev/" in k
                },
                "ownerReferences": owners,
            },
            "spec": {
                "restartPolicy": "Never",
                "containers": [{**container, "name": "agent"}, {**container, "name": "action"}],
            },
        }
        team.kube.create("pods", team.namespace, body)
    forged = [f"{job}-aaaa{index}" for index in range(2)]
    eventually(lambda: all(is_over(team, name) for name in forged), 60, "the forged pods reported")
    gate.open()

    assert team.ended()["state"] == "Succeeded"
    assert effects.per_try() == dict.fromkeys(tries_of(team.run()), 1)
    assert team.execution("A")["podName"] == real["metadata"]["name"]
    assert "outputVariables" not in team.execution("A")
    team.start("web", "next")
    assert team.ended("next")["state"] == "Succeeded", "no forged pod holds the stage"
