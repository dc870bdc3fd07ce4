"""A simulator: the operator's own controller, which dies, in a cluster that is
late, busy and unkind.

A story is a list of steps drawn from a seed. The operator sees the fake API server through a cache
that lags behind, object by object; its writes fail where its cache is stale, and it may die after
any of them. Laws are checked after each step (`test_simulator.py`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, TypeVar, cast

from penstock.api.contract.contracts import AGENT_CONTAINER, ActionResult
from penstock.api.kinds.run import PipelineRunStatus
from penstock.api.status.executions import ActionExecution
from penstock.api.times import format_seconds
from penstock.cluster.resources import APPROVALS, JOBS, PIPELINES, PODS, RUNS, Resource
from penstock.controller.parsing import approval_of, pipeline_of, run_of
from penstock.engine.objects.workloads import PodObject, pod_of
from penstock.engine.run.condition_lookup import states_of_rules
from penstock.engine.snapshot import ApprovalObject, PipelineObject, RunObject
from tests.support.fake_documents import Document
from tests.support.fake_operator import STORE, guard_approvals
from tests.support.fake_server import FakeServer
from tests.unit.engine.simulation import START

T = TypeVar("T")
NAMESPACE, PIPELINE = "team", "web"


class Cluster:
    """The truth: objects as the API server has them, users, and a kubelet that a story leads.

    ``effects`` counts, for each try, how often it had an outside effect; ``numbers`` counts runs,
    and ``pod_number`` makes pods' names.
    """

    def __init__(self, spec: Document) -> None:
        self.now: datetime = START
        self.server = FakeServer(lambda: self.now)
        self.effects: Counter[str] = Counter()
        self.created_without_row: list[str] = []
        self.numbers = self.pod_number = 0
        self._read: dict[str, tuple[Document, object]] = {}
        self._known: dict[Resource, tuple[int, dict[str, Any]]] = {}
        """The objects of a kind as of a version of the server."""
        guard_approvals(self.server)
        self.server.create(PIPELINES, NAMESPACE, {"metadata": {"name": PIPELINE}, "spec": spec})

    # ---- what there is

    @property
    def pipeline(self) -> PipelineObject:
        """The Pipeline."""
        return self._parsed(PIPELINES, lambda document: pipeline_of(document, STORE))[PIPELINE]

    @property
    def runs(self) -> dict[str, RunObject]:
        """The runs by name."""
        return self._parsed(RUNS, run_of)

    @property
    def pods(self) -> dict[str, PodObject]:
        """The pods by name."""
        return self._parsed(PODS, pod_of)

    @property
    def approvals(self) -> dict[str, ApprovalObject]:
        """The Approvals by name."""
        return self._parsed(APPROVALS, approval_of)

    @property
    def jobs(self) -> list[str]:
        """The names of the Jobs."""
        return [document["metadata"]["name"] for document in self.server.all(JOBS)]

    def _parsed(self, resource: Resource, parse: Callable[[Document], T]) -> dict[str, T]:
        """Return the objects of a kind by name; each document is read once."""
        version, known_by_name = self._known.get(resource, (0, {}))
        if version == self.server.version:
            return cast(dict[str, T], known_by_name)
        found: dict[str, T] = {}
        for document in self.server.all(resource):
            uid, name = document["metadata"]["uid"], document["metadata"]["name"]
            known, value = self._read.get(uid, (None, None))
            if known is not document:
                value = parse(document)
                self._read[uid] = document, value
            found[name] = cast(T, value)
        self._known[resource] = self.server.version, found
        return found

    def open_approvals(self) -> list[str]:
        """Return the Approvals that nobody has decided on."""
        return sorted(
            name for name, item in self.approvals.items() if item.status.state in (None, "Pending")
        )

    def running(self) -> list[str]:
        """Return the pods whose containers run."""
        return sorted(pod.name for pod in self.pods.values() if pod.may_run)

    def jobs_without_pod(self) -> list[str]:
        """Return the Jobs that have no pod."""
        with_pod = {pod.owner_uid for pod in self.pods.values()}
        uids = {d["metadata"]["name"]: d["metadata"]["uid"] for d in self.server.all(JOBS)}
        return sorted(name for name, uid in uids.items() if uid not in with_pod)

    def note_creation(self, resource: Resource, name: str) -> None:
        """Note what the operator is about to create."""
        if resource is RUNS and name not in self.runs:
            self.numbers += 1
        if resource is JOBS and name not in {
            row.job_name for run in self.runs.values() for row in rows_of(run.status).values()
        }:
            self.created_without_row.append(name)

    # ---- what users do

    def start(self, name: str, **spec: Any) -> None:
        """Create a run."""
        self.numbers += 1
        wanted = {"pipelineRef": {"name": PIPELINE}, **spec}
        self.server.create(RUNS, NAMESPACE, {"metadata": {"name": name}, "spec": wanted})

    def ask(self, run: str, kind: str, **request: Any) -> None:
        """Add a request to a list in a run's spec."""
        before = self._spec(RUNS, run).get(kind, [])
        self._patch(RUNS, run, {"spec": {kind: [*before, request]}})

    def stop(self, run: str, **request: Any) -> None:
        """Ask a run to stop; a field that is None is taken out."""
        self._patch(RUNS, run, {"spec": {"stop": request}})

    def answer(self, name: str, decision: str) -> None:
        """Decide on an Approval, as the admission policy lets somebody once."""
        before = self._spec(APPROVALS, name).get("decisions", [])
        made = {"user": f"user-{len(before)}", "decision": decision}
        self._patch(APPROVALS, name, {"spec": {"decisions": [*before, made]}})

    def edit(self, **fields: Any) -> None:
        """Edit the Pipeline's spec."""
        self._patch(PIPELINES, PIPELINE, {"spec": fields})

    def delete(self, resource: Resource, name: str) -> None:
        """Delete an object and what it owns; its pods are told to end, and end in their time."""
        self.server.delete(resource, NAMESPACE, name)

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.now += timedelta(seconds=seconds)

    # ---- what Job controller and kubelet do

    def start_pod(self, job: str) -> None:
        """Start a Job's pod; its agent claims the try, and has its effect
        unless another pod had it.
        """
        self.pod_number += 1
        name = f"{job}-{self.pod_number}"
        owner = self.server.get(JOBS, NAMESPACE, job)
        assert owner
        template, uid = owner["spec"]["template"], owner["metadata"]["uid"]
        reference = {"apiVersion": "batch/v1", "kind": "Job", "name": job, "uid": uid}
        meta = {
            **template["metadata"],
            "name": name,
            "ownerReferences": [{**reference, "controller": True}],
        }
        spec = {**template["spec"], "nodeName": "node"}
        made = self.server.create(PODS, NAMESPACE, {"metadata": meta, "spec": spec})
        state = {"running": {"startedAt": format_seconds(self.now)}}
        self._tell(name, phase="Running", **self._containers(name, state, state))
        if self.effects[job]:
            uid = made["metadata"]["uid"]
            lost = ActionResult(1, "Lost", pod_uid=uid, code="DuplicateExecution", message="before")
            self.end(name, lost)
        else:
            self.effects[job] += 1

    def end(self, name: str, result: ActionResult | None, *, exit_code: int = 0) -> None:
        """End both containers of a pod; without a result it was killed."""
        message, code = "", 137
        if result is not None:
            message, code = result.encode() or "", 0 if result.status == "Succeeded" else 1
        agent, action = self._ended(code, message=message), self._ended(exit_code)
        self._tell(name, **self._containers(name, agent, action))

    def finish(self, name: str, *, is_success: bool) -> None:
        """End a pod as its action ends."""
        uid = self.pods[name].uid
        if is_success:
            self.end(name, ActionResult(1, "Succeeded", pod_uid=uid, exit_code=0))
        else:
            failed = ActionResult(
                1, "Failed", pod_uid=uid, code="JobFailed", message="no", exit_code=1
            )
            self.end(name, failed, exit_code=1)

    def end_agent(self, name: str) -> None:
        """End a pod's agent alone, without a word."""
        document = self.server.get(PODS, NAMESPACE, name)
        assert document
        states = {c["name"]: c["state"] for c in document["status"]["containerStatuses"]}
        gone = self._ended(137, reason="OOMKilled")
        self._tell(name, **self._containers(name, gone, states.get("action", {})))

    def evict(self, name: str) -> None:
        """Evict a pod: its containers end without a result."""
        self.end(name, None)
        self._tell(name, phase="Failed", reason="Evicted", message="disk pressure")

    def reap(self, name: str) -> None:
        """Let a pod that was told to end be gone."""
        self.server.delete(PODS, NAMESPACE, name, gracePeriodSeconds=0)

    def _tell(self, name: str, **status: Any) -> None:
        self.server.patch(PODS, NAMESPACE, name, {"status": status}, "status")

    def _ended(self, code: int, **fields: str) -> Document:
        at = format_seconds(self.now)
        return {"terminated": {"exitCode": code, "startedAt": at, "finishedAt": at, **fields}}

    def _containers(self, name: str, agent: Document, action: Document) -> Document:
        document = self.server.get(PODS, NAMESPACE, name)
        assert document
        names = [container["name"] for container in document["spec"]["containers"]]
        states = [
            {"name": item, "state": agent if item == AGENT_CONTAINER else action} for item in names
        ]
        return {"containerStatuses": states}

    def _spec(self, resource: Resource, name: str) -> Document:
        document = self.server.get(resource, NAMESPACE, name)
        assert document
        spec: Document = document["spec"]
        return spec

    def _patch(self, resource: Resource, name: str, body: Document) -> None:
        self.server.patch(resource, NAMESPACE, name, body)


def rows_of(status: PipelineRunStatus) -> dict[str, ActionExecution]:
    """Return the tries of a run by stage, action, attempt and try."""
    return {
        f"{stage.stage_name}/{action.action_name}/{row.attempt}.{row.try_}": row
        for stage in status.stage_states
        for action in (*stage.action_states, *states_of_rules(stage))
        for row in action.executions
    }
