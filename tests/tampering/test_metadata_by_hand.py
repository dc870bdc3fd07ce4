"""Every label, annotation, owner and finalizer of every object of ours is
changed by hand, at every state of a run.

Nothing hangs, doubles or lies: the run comes to the end that it would have had, each try has one
Job, and the next run of the same pipeline does as well. All cases of a state go on together, each
with a pipeline of its own.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count
from typing import Any

import pytest

from tests.support.kube import Document, Kube, KubeError, eventually
from tests.support.kubelet import rows_of
from tests.tampering.changes import DELETED, MINE, ORPHANED, Change, changes_of
from tests.tampering.side_by_side import ACTIONS, STATES, CreatedJobs, SideBySide, plant

PLURALS = {
    "Pipeline": "pipelines",
    "PipelineRun": "pipelineruns",
    "Job": "jobs",
    "Pod": "pods",
    "Definition": "controllerrevisions",
    "FrozenProject": "controllerrevisions",
    "FrozenType": "controllerrevisions",
    "Approval": "approvals",
    "BuildProject": "buildprojects",
    "StageTransition": "stagetransitions",
    "ActionType": "actiontypes",
    "ClusterActionType": "clusteractiontypes",
}
DATA = {"Definition": "stages", "FrozenProject": "buildProject", "FrozenType": "actionType"}
ALWAYS = (
    "Pipeline",
    "Definition",
    "StageTransition",
    "BuildProject",
    "ActionType",
    "ClusterActionType",
)
"""The kinds that are there without a run."""
COSTS_A_LIFE = {
    ("Job", DELETED),
    ("Job", ORPHANED),
    ("Pod", DELETED),
    ("Pod", ORPHANED),
    ("PipelineRun", DELETED),
}
"""What may change the end of a run, so that nothing else is changed in it."""
RUNNING = {"pending": "A", "running": "A", "stopping": "A", "second": "B", "waiting": "Ok"}
"""The action that is under way in a state."""

AGAIN = "Unknown(PodLost) A#1.2=Succeeded"
"""The end of an action whose pod was lost, and that was tried again."""

Changes = dict[str, list[Change]]


@dataclass(frozen=True)
class Case:
    """A pipeline, and a run of the same name; of each kind of its objects it
    is said how they are changed.
    """

    name: str
    changes: dict[str, Change]

    @property
    def kinds(self) -> set[tuple[str, str]]:
        """The kinds that are changed, each with how."""
        return {(kind, change.name) for kind, change in self.changes.items()}

    def __str__(self) -> str:
        return "; ".join(f"{kind}: {change.name}" for kind, change in self.changes.items())


def cases_of(changes: Changes, state: str) -> Iterator[Case]:
    """Yield cases that hold every change of every kind there is in a state,
    those of different kinds together.
    """
    names = (f"{state}-{number}-{secrets.token_hex(3)}" for number in count())
    left: Changes = {}
    for kind, of_kind in changes.items():
        if kind in ALWAYS or state != "idle":
            left[kind] = [change for change in of_kind if (kind, change.name) not in COSTS_A_LIFE]
            yield from (
                Case(next(names), {kind: c}) for c in of_kind if (kind, c.name) in COSTS_A_LIFE
            )
    while any(left.values()):
        yield Case(next(names), {kind: rest.pop() for kind, rest in left.items() if rest})


@pytest.fixture(scope="module")
def carried(kube: Kube) -> dict[str, list[Document]]:
    """Objects of each kind as runs leave them behind: what changes there are, they show."""
    with kube.namespace(f"it-{secrets.token_hex(4)}") as namespace:
        runs, names = (
            SideBySide(kube, namespace),
            [f"one-{secrets.token_hex(3)}", f"two-{secrets.token_hex(3)}"],
        )
        for name in names:
            plant(kube, namespace, name)
            runs.start(name, name)
        runs.bring(names, "ended")
        found = {
            kind: [item for name in names for item in objects_of(runs, kind, name)]
            for kind in PLURALS
        }
        for name in names:
            kube.delete("clusteractiontypes", None, name)
        return found


@pytest.fixture
def changes(kube: Kube, namespace: str, carried: dict[str, list[Document]]) -> Iterator[Changes]:
    """The changes of each kind; what finalizers keep is let go at the end."""
    bystander = kube.create("configmaps", namespace, {"metadata": {"name": "bystander"}})
    yield {
        kind: list(changes_of(kind, found[0], found[-1], bystander))
        for kind, found in carried.items()
    }
    for plural in dict.fromkeys(PLURALS.values()):
        for item in kube.objects(plural, None if plural == "clusteractiontypes" else namespace):
            let_go(kube, plural, item)


def let_go(kube: Kube, plural: str, item: Document) -> None:
    """Take our finalizer off an object, and delete it where its namespace would not do it."""
    meta = item["metadata"]
    if MINE in meta.get("finalizers", ()):
        rest = [name for name in meta["finalizers"] if name != MINE]
        kube.patch(plural, meta.get("namespace"), meta["name"], {"metadata": {"finalizers": rest}})
    if "namespace" not in meta and meta["name"].partition("-")[0] in STATES:
        kube.delete(plural, None, meta["name"])


def objects_of(runs: SideBySide, kind: str, name: str) -> list[Document]:
    """Return the objects of a kind that belong to a pipeline and its run, both of this name."""
    kube, namespace, plural = runs.kube, runs.namespace, PLURALS[kind]
    if kind in DATA:
        found = [item for item in kube.objects(plural, namespace) if DATA[kind] in item["data"]]
        return [item for item in found if item["metadata"]["ownerReferences"][0]["name"] == name]
    if kind in ("Job", "Pod", "Approval"):
        rows = [row for _, row in rows_of(kube.get("pipelineruns", namespace, name))]
        wanted = {row["approval"]["name"] if "approval" in row else row["jobName"] for row in rows}
        return [item for item in kube.objects(plural, namespace) if _of_try(kind, item) in wanted]
    document = kube.find(plural, None if kind == "ClusterActionType" else namespace, name)
    return [document] if document else []


def _of_try(kind: str, document: Document) -> str:
    name: str = document["metadata"]["name"]
    return name.rpartition("-")[0] if kind == "Pod" else name


def each(work: Callable[[Any], Any], items: Iterable[Any]) -> None:
    """Do something for each item, several at a time."""
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, items))


@dataclass
class Story:
    """The cases of a state, from their pipelines to the end of their runs."""

    runs: SideBySide
    state: str
    cases: list[Case]

    @property
    def names(self) -> list[str]:
        """The names of the pipelines, and of their runs."""
        return [case.name for case in self.cases]

    def begin(self) -> None:
        """Bring all cases to the state."""
        kube, namespace = self.runs.kube, self.runs.namespace
        each(lambda name: plant(kube, namespace, name, is_held=self.state == "held"), self.names)
        if self.state == "idle":
            eventually(lambda: self.ready() >= set(self.names), 60, "every Pipeline is ready")
        else:
            each(lambda name: self.runs.start(name, name), self.names)
            self.runs.bring(self.names, self.state)

    def ready(self) -> set[str]:
        """Return the Pipelines that have a definition."""
        found = self.runs.kube.objects("pipelines", self.runs.namespace)
        return {item["metadata"]["name"] for item in found if "revision" in item.get("status", {})}

    def change(self) -> None:
        """Change everything that is to be changed."""
        objects = [
            (kind, change, live)
            for case in self.cases
            for kind, change in case.changes.items()
            for live in objects_of(self.runs, kind, case.name)
        ]
        each(lambda item: self._change(*item), objects)

    def _change(self, kind: str, change: Change, live: Document) -> None:
        """Only the policy of Approvals refuses, and only what says whose one is."""
        is_refused = False
        try:
            change.apply(self.runs.kube, PLURALS[kind], live)
        except KubeError as error:
            is_refused = (
                "cannot be changed" in error.message or "can only be taken off" in error.message
            )
            assert is_refused, f"{kind}: {change.name}: {error}"
        assert is_refused == (kind == "Approval" and change.is_guarded(live)), (
            f"{kind}: {change.name}"
        )

    def let_in(self) -> None:
        """Enable what was held."""
        kube, namespace = self.runs.kube, self.runs.namespace
        enabled = {"spec": {"enabled": True}}
        each(lambda name: kube.patch("stagetransitions", namespace, name, enabled), self.names)

    def start_again(self) -> None:
        """Start another run of each pipeline, and see it begin, or end where none was before."""
        again = [f"{name}-2" for name in self.names]
        each(lambda name: self.runs.start(f"{name}-2", name), self.names)
        if self.state in ("ended", "idle"):
            assert set(self.runs.play_out(again).values()) == {outcome("Succeeded")}
        else:
            self.runs.bring(again, "begun")

    def expected(self, case: Case) -> set[str]:
        """Return the ends that a run may come to: more than one only where its pod is deleted.

        Then it matters whether the status names the pod already: if not, the
        Job's next pod is as good.
        """
        changed = case.kinds
        running = RUNNING.get(self.state, "")
        is_stopping = self.state == "stopping"
        if ("Job", ORPHANED) in changed and running in ("A", "B"):
            return {outcome("Stopped" if is_stopping else "Failed", running, "Failed(JobDeleted)")}
        if ("PipelineRun", DELETED) in changed and self.state not in ("stopping", "ended"):
            return {
                outcome(
                    "Cancelled", running or "Ok", "Abandoned(Abandoned)" if running else "Succeeded"
                )
            }
        ends = {outcome("Stopped", "A") if is_stopping else outcome("Succeeded")}
        if ("Pod", ORPHANED) in changed and is_stopping:
            ends.add(outcome("Stopped", "A", "Failed(ExecutionLost)"))
        elif ("Pod", ORPHANED) in changed:
            ends.add(
                outcome("Failed", "B", "Failed(ExecutionLost)")
                if running == "B"
                else outcome("Succeeded", a=AGAIN)
            )
        return ends


def outcome(state: str, last: str = "B", end: str = "Succeeded", a: str = "Succeeded") -> str:
    """Return how a run ends in a state: all actions before the last one have
    succeeded, A as is said.
    """
    told = {**dict.fromkeys(ACTIONS, "Succeeded"), "A": a, last: end}
    return " ".join(
        [state, *(f"{action}={told[action]}" for action in ACTIONS[: ACTIONS.index(last) + 1])]
    )


@pytest.mark.parametrize("state", STATES)
def test_attack_04_whatever_is_changed_by_hand_nothing_hangs_doubles_or_lies(
    kube: Kube, namespace: str, changes: Changes, state: str
) -> None:
    jobs, runs = CreatedJobs(kube, namespace), SideBySide(kube, namespace)
    story = Story(runs, state, list(cases_of(changes, state)))
    story.begin()
    story.change()
    if state == "held":
        story.let_in()
    if state != "idle":
        ends = runs.play_out(story.names)
        wrong = {
            str(case): end
            for case in story.cases
            if (end := ends[case.name]) not in story.expected(case)
        }
        assert wrong == {}
    story.start_again()

    created = jobs.until_now()
    rows = [row for run in runs.runs().values() for _, row in rows_of(run)]
    assert {name: len(uids) for name, uids in created.items()} == {
        r["jobName"]: 1 for r in rows if "jobName" in r
    }
