"""A simulator: the engine, run by an operator that dies, in a cluster that is late, busy and unkind.

A story is a list of steps drawn from a seed. The operator sees the cluster through a cache that lags behind, object by
object; its writes fail where its cache is stale, and it may die after any of them. Laws are checked after each step
(`test_simulator.py`).
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from penstock.api.contracts import ActionResult
from penstock.api.run import ActionExecution, PipelineRunStatus
from penstock.engine.observed import Container, Pod
from penstock.engine.plan import plan_pipeline
from penstock.engine.snapshot import (
    CreateJob,
    CreateRun,
    DeleteJob,
    DeleteJobsOfRuns,
    DeleteRevision,
    DeleteRun,
    EmitEvent,
    Plan,
)
from tests.unit.engine.simulation import World

_LIVE_ROUNDS = 5


class Death(Exception):
    """The operator's process ended."""


class Conflict(Exception):
    """A write was refused, since the cache was stale."""


@dataclass
class Cluster(World):
    """The truth: objects as the API server has them, and a kubelet that a story leads.

    ``effects`` counts, for each try, how often it had an outside effect; ``pod_number`` makes pods' names.
    """

    effects: Counter[str] = field(default_factory=Counter)
    pod_number: int = 0
    created_without_row: list[str] = field(default_factory=list)

    def start(self, name: str = "run-1", **spec: Any) -> str:
        """Create a run; the server knows its time of creation to the second."""
        super().start(name, **spec)
        self.runs[name] = replace(self.runs[name], created=self.now.replace(microsecond=0))
        return name

    def create_job(self, manifest: CreateJob) -> None:
        """Create a Job unless one of its name exists."""
        name = manifest.manifest["metadata"]["name"]
        if name not in {row.job_name for run in self.runs.values() for row in rows_of(run.status)}:
            self.created_without_row.append(name)
        is_new = name not in self.jobs
        self._carry_out(manifest)
        if is_new:
            # Another Job than one of that name before.
            self.pod_number += 1
            self.jobs[name] = replace(self.jobs[name], uid=f"job-{name}-{self.pod_number}")

    def remove_job(self, name: str, uid: str = "") -> None:
        """Delete a Job; its pods are told to end, and end in their own time."""
        job = self.jobs.get(name)
        if job is None or (uid and job.uid != uid):
            return
        del self.jobs[name]
        self.deleted_jobs.add(name)
        for pod in [pod for pod in self.pods.values() if pod.job == name]:
            self.pods[pod.name] = replace(pod, is_deleted=True)

    # ---- what the kubelet does

    def start_pod(self, job: str) -> None:
        """Start a Job's pod; its agent claims the try, and has its effect unless another pod had it."""
        template = self.manifests[job]["spec"]["template"]
        labels = template["metadata"]["labels"]
        self.pod_number += 1
        name = f"{job}-{self.pod_number}"
        containers = {c["name"]: Container(running_since=self.now) for c in template["spec"]["containers"]}
        self.pods[name] = Pod(
            name=name,
            uid=f"uid-{name}",
            job=job,
            run_uid=labels["penstock.dev/run-uid"],
            stage_label=labels["penstock.dev/stage"],
            created=self.now,
            phase="Running",
            reason="",
            message="",
            is_deleted=False,
            containers=containers,
        )
        if self.effects[job]:
            self.end(name, ActionResult(1, "Lost", pod_uid=f"uid-{name}", code="DuplicateExecution", message="before"))
        else:
            self.effects[job] += 1

    def end(self, name: str, result: ActionResult | None, *, exit_code: int = 0) -> None:
        """End both containers of a pod; without a result it was killed."""
        pod = self.pods[name]
        message, code = (
            ("", 137) if result is None else (result.encode() or "", 0 if result.status == "Succeeded" else 1)
        )
        agent = Container(is_terminated=True, exit_code=code, message=message, started=self.now, finished=self.now)
        action = Container(is_terminated=True, exit_code=exit_code, started=self.now, finished=self.now)
        containers = {key: agent if key == "agent" else action for key in pod.containers}
        self.pods[name] = replace(pod, containers=containers)

    def finish(self, name: str, *, is_success: bool) -> None:
        """End a pod as its action ends."""
        uid = self.pods[name].uid
        if is_success:
            self.end(name, ActionResult(1, "Succeeded", pod_uid=uid, exit_code=0))
        else:
            failed = ActionResult(1, "Failed", pod_uid=uid, code="JobFailed", message="no", exit_code=1)
            self.end(name, failed, exit_code=1)

    def end_agent(self, name: str) -> None:
        """End a pod's agent alone, without a word."""
        pod = self.pods[name]
        gone = Container(is_terminated=True, exit_code=137, reason="OOMKilled", started=self.now, finished=self.now)
        self.pods[name] = replace(pod, containers={**pod.containers, "agent": gone})

    def evict(self, name: str) -> None:
        """Evict a pod: its containers end without a result."""
        self.end(name, None)
        self.pods[name] = replace(self.pods[name], phase="Failed", reason="Evicted", message="disk pressure")

    def running(self) -> list[str]:
        """Return the pods whose containers run."""
        return sorted(pod.name for pod in self.pods.values() if pod.may_run)

    def jobs_without_pod(self) -> list[str]:
        """Return the Jobs that have no pod."""
        with_pod = {pod.job for pod in self.pods.values()}
        return sorted(name for name in self.jobs if name not in with_pod)


def rows_of(status: PipelineRunStatus) -> Iterator[ActionExecution]:
    """Yield the tries of a run."""
    for stage in status.stage_states:
        for action in stage.action_states:
            yield from action.executions


class Operator:
    """One process: its cache, and passes as the controller makes them: definitions, statuses, commands."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.cache: World = copy.copy(cluster)
        self._conflicts = 0
        self._read_all()
        # What was deleted before this process began left no tombstone.
        self.cache.deleted_jobs, self.cache.confirmed = set(), {}

    def _read_all(self) -> None:
        for kind in ("runs", "revisions", "jobs", "pods", "manifests"):
            setattr(self.cache, kind, dict(getattr(self.cluster, kind)))
        self.cache.pipeline = self.cluster.pipeline

    def late(self) -> list[tuple[str, str]]:
        """Return the objects whose latest event has not arrived."""
        found = [("pipeline", "")] if self.cache.pipeline is not self.cluster.pipeline else []
        for kind in ("runs", "jobs", "pods"):
            known, truth = getattr(self.cache, kind), getattr(self.cluster, kind)
            found += [(kind, name) for name in {**known, **truth} if known.get(name) is not truth.get(name)]
        return sorted(found)

    def hear(self, kind: str, name: str) -> None:
        """Take in the latest event of one object; to hear it twice changes nothing."""
        if kind == "pipeline":
            self.cache.pipeline = self.cluster.pipeline
            return
        known, truth = getattr(self.cache, kind), getattr(self.cluster, kind)
        if name in truth:
            known[name] = truth[name]
        elif known.pop(name, None) and kind == "jobs":
            self.cache.deleted_jobs.add(name)

    def hear_all(self) -> None:
        """Take in everything."""
        for kind, name in self.late():
            self.hear(kind, name)

    def turn(self, dies_after: int | None = None) -> bool:
        """Make one pass; return whether it did anything. Raise Death after so many writes."""
        self.cache.now = self.cluster.now
        plan = self._plan()
        left = dies_after
        try:
            for write in self._writes(plan):
                if left == 0:
                    raise Death
                write()
                left = None if left is None else left - 1
        except Conflict:
            self._conflicts += 1
            if self._conflicts > 1:
                self._read_all()
            return True
        self._conflicts = 0
        return not plan.is_empty

    def _plan(self) -> Plan:
        self.cache.confirmed = {}
        for _ in range(_LIVE_ROUNDS):
            plan = plan_pipeline(self.cache.snapshot(), self.cache.settings, now=self.cluster.now)
            if not plan.look_up:
                return plan
            for job in plan.look_up:
                self._look_up(job)
        return replace(plan, look_up=frozenset())

    def _look_up(self, job: str) -> None:
        """Read a Job and its pods live."""
        self.hear("jobs", job)
        names = [pod.name for pod in (*self.cache.pods.values(), *self.cluster.pods.values()) if pod.job == job]
        for name in names:
            self.hear("pods", name)
        self.cache.confirmed[job] = ""

    def _writes(self, plan: Plan) -> Iterator[Callable[[], None]]:
        for revision in plan.revisions:
            name = revision["metadata"]["name"]
            yield partial(self._both, "revisions", name, dict(revision))
        for name, status in plan.run_statuses.items():
            yield partial(self._save, name, status)
        for command in plan.commands:
            if not isinstance(command, EmitEvent):
                yield partial(self._carry_out, command)
        if plan.pipeline_status and self.cache.pipeline:
            yield partial(self._save_pipeline, plan)

    def _save(self, name: str, status: object) -> None:
        known, truth = self.cache.runs.get(name), self.cluster.runs.get(name)
        if known is None or known is not truth:
            raise Conflict
        self._both("runs", name, replace(known, status=status))  # type: ignore[arg-type]

    def _save_pipeline(self, plan: Plan) -> None:
        if self.cache.pipeline is not self.cluster.pipeline or self.cluster.pipeline is None:
            raise Conflict
        assert plan.pipeline_status
        changed = replace(self.cluster.pipeline, status=plan.pipeline_status)
        self.cluster.pipeline = self.cache.pipeline = changed

    def _both(self, kind: str, name: str, value: object) -> None:
        """Write an object; the answer enters the cache at once."""
        getattr(self.cluster, kind)[name] = getattr(self.cache, kind)[name] = value

    def _carry_out(self, command: object) -> None:
        match command:
            case CreateJob(manifest):
                self.cluster.create_job(command)
                name = manifest["metadata"]["name"]
                self.cache.jobs[name] = self.cluster.jobs[name]
            case CreateRun(manifest):
                name = manifest["metadata"]["name"]
                if name not in self.cluster.runs:
                    self.cluster.start(name, **manifest["spec"])
                self.hear("runs", name)
            case DeleteJob(name, uid):
                self.cluster.remove_job(name, uid)
                self.hear("jobs", name)
            case DeleteJobsOfRuns(uids):
                for name in [job.name for job in self.cluster.jobs.values() if job.run_uid in uids]:
                    self.cluster.remove_job(name)
                    self.hear("jobs", name)
            case DeleteRevision(name):
                self.cluster.revisions.pop(name, None)
                self.cache.revisions.pop(name, None)
            case DeleteRun(name, _):
                self.cluster.runs.pop(name, None)
                self.hear("runs", name)
            case _:
                raise AssertionError(f"the simulator does not know {command}")
