"""An operator for the simulator: it reads from a cache that lags behind, and
may die after any of its writes.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

from penstock.api.kinds.approval import ApprovalStatus
from penstock.engine.commands import (
    CloseApproval,
    CreateApproval,
    CreateJob,
    CreateRun,
    DeleteJob,
    DeleteJobsOfRuns,
    DeleteRevision,
    DeleteRun,
    EmitEvent,
    Plan,
)
from penstock.engine.plan import plan_pipeline
from tests.unit.engine.simulation import World
from tests.unit.engine.simulator import Cluster

_LIVE_ROUNDS = 3
"""As many as the controller makes."""


class Death(Exception):
    """The operator's process ended."""


class Conflict(Exception):
    """A write was refused, since the cache was stale."""


class Operator:
    """One process: its cache, and passes as the controller makes them:
    definitions, statuses, commands.
    """

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.cache: World = copy.copy(cluster)
        self._conflicts = 0
        self._read_all()
        # What was deleted before this process began left no tombstone.
        self.cache.deleted_jobs, self.cache.deleted_uids, self.cache.confirmed = set(), set(), {}

    def _read_all(self) -> None:
        for kind in ("runs", "revisions", "jobs", "pods", "approvals", "manifests"):
            setattr(self.cache, kind, dict(getattr(self.cluster, kind)))
        self.cache.pipeline = self.cluster.pipeline

    def late(self) -> list[tuple[str, str]]:
        """Return the objects whose latest event has not arrived."""
        found = [("pipeline", "")] if self.cache.pipeline is not self.cluster.pipeline else []
        for kind in ("runs", "jobs", "pods", "approvals"):
            known, truth = getattr(self.cache, kind), getattr(self.cluster, kind)
            found += [
                (kind, name)
                for name in {**known, **truth}
                if known.get(name) is not truth.get(name)
            ]
        return sorted(found)

    def hear(self, kind: str, name: str) -> None:
        """Take in the latest event of one object; to hear it twice changes nothing."""
        if kind == "pipeline":
            self.cache.pipeline = self.cluster.pipeline
            return
        known, truth = getattr(self.cache, kind), getattr(self.cluster, kind)
        if name in truth:
            known[name] = truth[name]
        elif (gone := known.pop(name, None)) and kind in ("jobs", "approvals"):
            self.cache.deleted_jobs.add(name)
            self.cache.deleted_uids.add(gone.uid)

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
        self.cache.confirmed, self.cache.guarded = {}, {}
        for _ in range(_LIVE_ROUNDS):
            plan = plan_pipeline(self.cache.snapshot(), self.cache.settings, now=self.cluster.now)
            if not plan.needs_confirmation:
                return plan
            for job in plan.to_confirm:
                self._look_up(job)
            for name in plan.approvals_to_confirm:
                self.hear("approvals", name)
                self.cache.guarded[name] = True
        raise AssertionError("a pass looks things up without end")

    def _look_up(self, job: str) -> None:
        """Read a Job and its pods live."""
        self.hear("jobs", job)
        names = [
            pod.name
            for pod in (*self.cache.pods.values(), *self.cluster.pods.values())
            if pod.job == job
        ]
        for name in names:
            self.hear("pods", name)
        self.cache.confirmed[job] = ""

    def _writes(self, plan: Plan) -> Iterator[Callable[[], None]]:
        for revision in plan.revisions:
            name = revision["metadata"]["name"]
            yield partial(self._both, "revisions", name, dict(revision))
        for name, decided in plan.approval_statuses.items():
            yield partial(self._save_approval, name, decided)
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

    def _save_approval(self, name: str, status: ApprovalStatus) -> None:
        known, truth = self.cache.approvals.get(name), self.cluster.approvals.get(name)
        if known is None or known is not truth:
            raise Conflict
        self._both("approvals", name, replace(known, status=status))

    def _save_pipeline(self, plan: Plan) -> None:
        if self.cache.pipeline is not self.cluster.pipeline or self.cluster.pipeline is None:
            raise Conflict
        assert plan.pipeline_status
        changed = self.cluster.pipeline.with_status(plan.pipeline_status)
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
            case CreateApproval(manifest):
                self.cluster.create_approval(command)
                self.hear("approvals", manifest["metadata"]["name"])
            case CloseApproval(name, status):
                self._save_approval(name, status)
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
