"""Many pipelines of one namespace that are brought to the same state
together, and then each to its end.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from tests.e2e.conftest import stage
from tests.support.approvals import acting_as, approval_action, decide, let_edit
from tests.support.kube import Document, Kube, eventually
from tests.support.kubelet import Node, keep_pods_pending, rows_of

HEADER = {"apiVersion": "penstock.dev/v1alpha1"}
WORDS = {
    "labels": {"app.kubernetes.io/instance": "shop", "penstock.dev/started-by": "somebody"},
    "annotations": {"penstock.dev/source-revision": "1", "argocd.argoproj.io/tracking-id": "shop"},
}
"""What a tool that declares objects, and a trigger, write on them."""
ACTIONS = ("Src", "A", "Ok", "B")
STATES = ("pending", "running", "second", "waiting", "held", "stopping", "ended", "idle")
_BEFORE = {
    "begun": (),
    "second": ("Src", "A", "Ok"),
    "waiting": ("Src", "A"),
    "held": ("Src", "A", "Ok"),
    "ended": ACTIONS,
}
"""The actions that have ended in a state; in those not named here only the source has."""
_SOURCE = [{"name": "Source", "key": "k", "size": 1, "sha256": "0" * 64, "format": "tar.zst"}]
_LAST = "the-last"
_OVER = ("Succeeded", "Failed", "Stopped", "Cancelled", "Superseded")


def plant(kube: Kube, namespace: str, name: str, *, is_held: bool = False) -> None:
    """Create a pipeline that has one of everything, and what it needs, all by that name.

    Its actions are a source of an ActionType, a build of a BuildProject, an approval, and one of a
    ClusterActionType in front of which stands a StageTransition.
    """
    meta = {"name": name, **WORDS}

    def create(kind: str, plural: str, spec: Document, where: str | None = namespace) -> None:
        kube.create(plural, where, {**HEADER, "kind": kind, "metadata": meta, "spec": spec})

    create("ActionType", "actiontypes", _type(name, "Source", outputs=1))
    create("ClusterActionType", "clusteractiontypes", _type(name, "Deploy"), None)
    create("BuildProject", "buildprojects", {"image": "debian:12", "buildspec": "version: 0.2"})
    switch = {"pipelineName": name, "stageName": "Prod", "enabled": not is_held, "reason": "held"}
    create("StageTransition", "stagetransitions", switch)
    create("Pipeline", "pipelines", {"stages": _stages(name)})


def _type(name: str, category: str, outputs: int = 0) -> Document:
    return {
        "category": category,
        "provider": name,
        "inputArtifactDetails": {"minimumCount": 0, "maximumCount": 0},
        "outputArtifactDetails": {"minimumCount": outputs, "maximumCount": outputs},
        "template": {"image": "debian:12", "commands": ["true"]},
    }


def _stages(name: str) -> list[Document]:
    def action(action_name: str, category: str, provider: str, **fields: Any) -> Document:
        owner = "AWS" if provider == "CodeBuild" else "Custom"
        type_id = {"category": category, "owner": owner, "provider": provider, "version": "1"}
        return {"name": action_name, "actionTypeId": type_id, **fields}

    artifact = [{"name": "Source"}]
    build = action(
        "A", "Build", "CodeBuild", configuration={"ProjectName": name}, inputArtifacts=artifact
    )
    return [
        stage("Source", action("Src", "Source", name, outputArtifacts=artifact)),
        stage("Build", build),
        stage("Gate", approval_action("Ok")),
        stage("Prod", action("B", "Deploy", name)),
    ]


@dataclass
class SideBySide:
    """The runs of a namespace, and the node of their pods."""

    kube: Kube
    namespace: str
    node: Node = field(init=False)
    approver: Kube = field(init=False)
    told: set[str] = field(default_factory=set)
    """The uids of pods and Approvals that have had their answer."""

    def __post_init__(self) -> None:
        self.node = Node(self.kube, self.namespace)
        let_edit(self.kube, self.namespace, "alice")
        self.approver = acting_as(self.kube, "alice")
        keep_pods_pending(self.kube, self.namespace)

    def runs(self) -> dict[str, Document]:
        """Return the runs by name."""
        return {
            run["metadata"]["name"]: run
            for run in self.kube.objects("pipelineruns", self.namespace)
        }

    def start(self, name: str, pipeline: str) -> None:
        """Create a run."""
        meta, spec = {"name": name, **WORDS}, {"pipelineRef": {"name": pipeline}}
        body = {**HEADER, "kind": "PipelineRun", "metadata": meta, "spec": spec}
        self.kube.create("pipelineruns", self.namespace, body)

    def bring(self, names: Iterable[str], state: str) -> None:
        """Bring runs to a state; fail when one of them does not come there."""
        wanted = set(names)
        actions = _BEFORE.get(state, ("Src",))

        def are_there() -> bool:
            self.play(actions)
            runs = self.runs()
            return all(self._is_there(runs.get(name, {}), state) for name in wanted)

        eventually(are_there, 180, f"{len(wanted)} runs {state}", pause=0.3)
        if state in ("running", "stopping", "recorded"):
            self.node.run(self.pods(wanted))
        if state == "recorded":
            eventually(
                lambda: self._are_recorded(wanted), 60, "the pods of all runs in their statuses"
            )
        if state == "stopping":
            for name in wanted:
                self.kube.patch(
                    "pipelineruns", self.namespace, name, {"spec": {"stop": {"reason": "enough"}}}
                )
            eventually(lambda: self._states(wanted) == {"Stopping"}, 30, "all stopping")

    def _are_recorded(self, names: Iterable[str]) -> bool:
        runs = self.runs()
        return all("podUid" in dict(rows_of(runs[name]))["A"] for name in names)

    def _states(self, names: Iterable[str]) -> set[str]:
        runs = self.runs()
        return {runs[name]["status"]["state"] for name in names}

    def _is_there(self, run: Document, state: str) -> bool:
        latest = dict(rows_of(run))
        if state == "ended":
            return is_over(run)
        if state == "held":
            return latest.get("Ok", {}).get("status") == "Succeeded"
        action = {"begun": "Src", "second": "B", "waiting": "Ok"}.get(state, "A")
        row = latest.get(action, {})
        if state == "waiting":
            return bool(row.get("approval", {}).get("uid"))
        return row.get("status") == "InProgress" and row.get("jobName") in self.node.claims

    def pods(self, names: Iterable[str]) -> list[Document]:
        """Return the pods of what is under way."""
        runs = self.runs()
        rows = [row for name in names if name in runs for _, row in rows_of(runs[name])]
        return list(self.node.pods_of(row for row in rows if row["status"] == "InProgress"))

    def play(self, actions: Iterable[str]) -> None:
        """Let every try that is under way come to its end, and every Approval
        be approved, of these actions.
        """
        wanted = set(actions)
        rows = [
            item
            for run in self.runs().values()
            for item in rows_of(run)
            if item[1]["status"] == "InProgress"
        ]
        list(self.node.pods_of(row for _, row in rows))  # who comes first has the try
        sources = [row for action, row in rows if action == "Src" and action in wanted]
        self._succeed(sources, outputs=_SOURCE)
        self._succeed([row for action, row in rows if action != "Src" and action in wanted])
        for action, row in rows:
            if "approval" in row and action in wanted:
                self._approve(row["approval"]["name"])

    def _succeed(self, rows: list[Document], **result: Any) -> None:
        pods = [pod for pod in self.node.pods_of(rows) if pod["metadata"]["uid"] not in self.told]
        self.node.succeed(pods, **result)
        self.told |= {pod["metadata"]["uid"] for pod in pods}

    def _approve(self, name: str) -> None:
        found = self.kube.find("approvals", self.namespace, name)
        is_open = found is not None and found.get("status", {}).get("state") == "Pending"
        if found and is_open and found["metadata"]["uid"] not in self.told:
            decide(self.approver, self.namespace, name, "Approved")
            self.told.add(found["metadata"]["uid"])

    def play_out(self, names: Iterable[str]) -> dict[str, str]:
        """Bring runs to their ends; return what became of each, also of those
        that do not get there.
        """
        wanted = set(names)

        def is_done() -> bool:
            runs = self.runs()
            self.play(ACTIONS)
            return all(name not in runs or is_over(runs[name]) for name in wanted)

        with contextlib.suppress(AssertionError):
            eventually(is_done, 180, "all runs are over", pause=0.3)
        runs = self.runs()
        return {name: outcome_of(runs.get(name)) for name in wanted}


def is_over(run: Document) -> bool:
    """Whether a run has ended."""
    return run.get("status", {}).get("state") in _OVER


def outcome_of(run: Document | None) -> str:
    """Return what became of a run and of each of its tries, in one line."""
    if run is None:
        return "gone"
    told = [run.get("status", {}).get("state", "nothing")]
    for action, row in rows_of(run):
        number = "" if row["attempt"] == row["try"] == 1 else f"#{row['attempt']}.{row['try']}"
        code = row.get("errorDetails", {}).get("code", "")
        told.append(f"{action}{number}={row['status']}{f'({code})' if code else ''}")
    return " ".join(told)


class CreatedJobs:
    """Every Job that is ever created in a namespace, from now on: name to uids."""

    def __init__(self, kube: Kube, namespace: str) -> None:
        self._kube, self._namespace = kube, namespace
        self._is_over = threading.Event()
        self.uids: dict[str, set[str]] = {}
        self._watched = kube.watch("jobs", namespace, 600)
        threading.Thread(target=self._follow, daemon=True).start()

    def _follow(self) -> None:
        for document in self._watched:
            meta = document["metadata"]
            if meta["name"] == _LAST:
                self._is_over.set()
                return
            self.uids.setdefault(meta["name"], set()).add(meta["uid"])

    def until_now(self) -> dict[str, set[str]]:
        """Return what was created, once a Job that is created now has been seen; nothing is
        followed after that.
        """
        container = {"name": "none", "image": "none"}
        spec = {
            "suspend": True,
            "template": {"spec": {"restartPolicy": "Never", "containers": [container]}},
        }
        self._kube.create("jobs", self._namespace, {"metadata": {"name": _LAST}, "spec": spec})
        assert self._is_over.wait(60), "the watch of the Jobs has ended"
        return self.uids
