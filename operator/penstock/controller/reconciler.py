"""One pass over one pipeline: gather -> plan -> apply, and what to do when that fails.

The theory of operation. A pass reads everything from the cache, so that it costs no request when
nothing changed. The cache may be behind; that is harmless, since every write carries the version
that it read and a stale one is refused. What the cache cannot prove is that something does not
exist. So a pass reads live, by name, whatever would end something by its absence: what the plan
asks to confirm, a Pipeline that its runs outlived, runs and definitions that a status names. Then
it plans again, a few rounds at most.
"""

import logging
import re
from collections.abc import AsyncIterator, Callable, Collection, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

from penstock.actions.declaration import declarations
from penstock.api.meta import LABEL_RUN_UID
from penstock.api.status.executions import ActionStatus
from penstock.api.text import shorten
from penstock.cluster.approval_policy import approval_policy_is_enforced
from penstock.cluster.client import Client
from penstock.cluster.errors import ConflictError, NotFoundError
from penstock.cluster.resources import (
    APPROVALS,
    BUILD_PROJECTS,
    CORE_EVENTS,
    JOBS,
    PIPELINES,
    PODS,
    REVISIONS,
    RUNS,
    Resource,
)
from penstock.controller.action_types import fetch_missing
from penstock.controller.apply import Applier
from penstock.controller.cache.cache import Cache
from penstock.controller.cache.identity import (
    Document,
    PipelineKey,
    controlled,
    controller_of,
    of_pipeline,
)
from penstock.controller.gather import Gatherer
from penstock.controller.planner import Pace, Planner
from penstock.engine.commands import Plan
from penstock.engine.snapshot import Live, Snapshot

log = logging.getLogger(__name__)

LABEL_JOB = "batch.kubernetes.io/job-name"

_DNS = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")
_LIVE_ROUNDS = 3
_SHOWN_UNDER_WAY = ("InProgress", "Stopping")
_SELECTED = (JOBS, PODS, REVISIONS)
"""Kinds that are watched and listed by a label, which can be taken off."""


def utc_now() -> datetime:
    """Return the time."""
    return datetime.now(UTC)


@dataclass(slots=True)
class _Memory:
    """The memory of a pipeline between passes. Losing it costs a request, never an effect."""

    pipeline_status_written: datetime | None = None
    conflicts: int = 0
    pace: Pace = field(default_factory=Pace)


@dataclass(slots=True)
class Reconciler:
    """The whole I/O story of a pipeline on one screen."""

    client: Client
    cache: Cache
    gatherer: Gatherer
    applier: Applier
    planner: Planner
    approval_policy: str = ""
    clock: Callable[[], datetime] = utc_now
    _memories: dict[PipelineKey, _Memory] = field(default_factory=dict)

    async def reconcile(self, key: PipelineKey) -> float | None:
        """Do one pass; return the seconds until the next, or None to wait for an event."""
        memory = self._memories.setdefault(key, _Memory())
        snapshot, plan = await self._plan(key, memory)
        try:
            more_s = await self.applier.apply(snapshot, plan)
        except ConflictError:
            memory.conflicts += 1
            if memory.conflicts > 1:
                await self._read_live(key)
            raise
        memory.conflicts = 0
        if plan.pipeline_status:
            memory.pipeline_status_written = self.clock()
        if not self.cache.get(PIPELINES, *key) and not snapshot.runs:
            self._memories.pop(key, None)
        wait_s = (
            max(0.0, (plan.look_again - self.clock()).total_seconds()) if plan.look_again else None
        )
        return min((s for s in (more_s, wait_s) if s is not None), default=None)

    async def _plan(self, key: PipelineKey, memory: _Memory) -> tuple[Snapshot, Plan]:
        """Plan, and plan again with what live requests confirmed: absence is never evidence."""
        is_pipeline_absent = await self._is_pipeline_absent(key)
        await self._fetch_definitions(key)
        await self._fetch_projects(key)
        await fetch_missing(self.client, self.cache, key)
        gone_runs = await self._gone_runs(key)
        jobs: dict[str, str] = {}
        approvals: dict[str, bool] = {}
        for _ in range(_LIVE_ROUNDS):
            snapshot = self.gatherer.snapshot(
                key,
                is_pipeline_absent=is_pipeline_absent,
                live=Live(jobs, approvals),
                gone_runs=gone_runs,
                pipeline_status_written=memory.pipeline_status_written,
            )
            plan = await self.planner.plan(snapshot, self.clock(), memory.pace)
            if not plan.needs_confirmation:
                break
            if plan.approvals_to_confirm:
                approvals |= await self._look_up_approvals(key, plan.approvals_to_confirm)
            for job in sorted(plan.to_confirm):
                jobs[job] = await self._look_up(key, job)
        return snapshot, plan

    async def _is_pipeline_absent(self, key: PipelineKey) -> bool:
        if self.cache.get(PIPELINES, *key) or not any(True for _ in self.cache.of(RUNS, key)):
            return False
        return not await self._exists(PIPELINES, *key)

    async def _gone_runs(self, key: PipelineKey) -> frozenset[str]:
        """Return name and uid of each run that exists no more, but the Pipeline shows under way.

        The Pipeline's status shows it.
        """
        status = (self.cache.get(PIPELINES, *key) or {}).get("status", {})
        shown = [stage.get("latestExecution", {}) for stage in status.get("stageStates", ())]
        wanted = {
            item["run"]: item["pipelineExecutionId"]
            for item in shown
            if item.get("status") in _SHOWN_UNDER_WAY
        }
        last = [
            c
            for c in status.get("conditions", ())
            if c["type"] == "LastRunSucceeded" and c["status"] == "Unknown"
        ]
        if last and (name := status.get("lastRun")):
            wanted.setdefault(name, "")
        found: set[str] = set()
        for name, uid in wanted.items():
            if not self.cache.get(RUNS, key[0], name) and not await self._exists(
                RUNS, key[0], name
            ):
                found |= {name, uid}
        return frozenset(found - {""})

    async def _fetch_definitions(self, key: PipelineKey) -> None:
        """Read the definitions of unfinished runs if the cache lacks them.

        Revisions are listed, not watched.
        """
        runs = list(self.cache.of(RUNS, key))
        targets = {
            target
            for run in runs
            if "state" not in run.get("status", {})
            for target in _targets_of(run)
        }
        for run in runs:
            status, meta = run.get("status", {}), run["metadata"]
            is_at_rest = (
                "completionTime" in status and meta["generation"] == status["observedGeneration"]
            )
            is_at_rest = is_at_rest and not targets & {meta["name"], meta["uid"]}
            names = {status.get("revision"), *_frozen_objects(status)} if not is_at_rest else set()
            for name in names:
                if name and not self.cache.get(REVISIONS, key[0], name):
                    await self._exists(REVISIONS, key[0], name)

    async def _fetch_projects(self, key: PipelineKey) -> None:
        """Read the BuildProjects of a pipeline with unfinished runs if the cache lacks them.

        They may be new.
        """
        pipeline = self.cache.get(PIPELINES, *key) or {}
        stages = pipeline.get("spec", {}).get("stages", ())
        wanted = [
            item for stage in stages for item in (*stage.get("actions", ()), *_rules_of(stage))
        ]
        configurations = [item.get("configuration", {}) for item in wanted]
        keys = {declared.project.name for declared in declarations() if declared.project}
        names = {item[key] for item in configurations for key in keys if key in item}
        missing = {
            name
            for name in names
            if _DNS.fullmatch(name) and not self.cache.get(BUILD_PROJECTS, key[0], name)
        }
        if missing and any(
            "completionTime" not in run.get("status", {}) for run in self.cache.of(RUNS, key)
        ):
            for name in sorted(missing):
                await self._exists(BUILD_PROJECTS, key[0], name)

    async def _look_up(self, key: PipelineKey, job: str) -> str:
        """Read a Job and its Pods from the server into the cache; return their last warning."""
        known = self.cache.get(JOBS, key[0], job)
        if not await self._exists(JOBS, key[0], job) and known:
            self.cache.remove(JOBS, known, is_absent=True)
        before = {pod["metadata"]["uid"] for pod in self.cache.of(PODS, key) if _job_of(pod) == job}
        await self.compare(
            PODS, self.client.list(PODS, key[0], selector=f"{LABEL_JOB}={job}"), before
        )
        await self._look_up_lost_pods(key, job)
        pods = [pod["metadata"]["name"] for pod in self.cache.of(PODS, key) if _job_of(pod) == job]
        return await self._warning(key[0], [job, *pods])

    async def _look_up_lost_pods(self, key: PipelineKey, job: str) -> None:
        """Read the Pods of a Job that are gone from sight or named in a run's status.

        They are read by name and compared by uid.
        """
        runs = list(self.cache.of(RUNS, key))
        for uid, name in self.cache.unconfirmed_pods(
            {run["metadata"]["uid"] for run in runs}, job
        ).items():
            if not await self._exists(PODS, key[0], name, uid):
                self.cache.confirm_deleted(uid)
        tries = [
            item
            for run in runs
            for item in _under_way(run.get("status", {}))
            if item.get("jobName") == job
        ]
        for name, uid in {(item["podName"], item["podUid"]) for item in tries if "podUid" in item}:
            known = self.cache.get(PODS, key[0], name)
            pod = None if known else await self._read(PODS, key[0], name)
            if pod and pod["metadata"]["uid"] == uid:
                # Only the operator writes the status: it vouches for the pod, also where its Job is
                # not known.
                owner = self.cache.get(JOBS, key[0], job) or {"metadata": {"uid": f"unknown-{job}"}}
                self.cache.put(
                    PODS, of_pipeline(key[1], controlled(PODS, pod, job, owner["metadata"]["uid"]))
                )

    async def compare(
        self, resource: Resource, listed: AsyncIterator[Document], before: set[str]
    ) -> set[PipelineKey]:
        """Take over a LIST object by object; return the pipelines that changed.

        This way the whole LIST is never in memory at once.

        ``before`` are the uids known when it began. What it lacks of those is read by its name
        where the LIST goes by a label: it may only have lost that.
        """
        changed: set[PipelineKey] = set()
        present: set[str] = set()
        async for document in listed:
            present.add(document["metadata"]["uid"])
            changed |= self.cache.replace(resource, (document,), set())
        for document in self.cache.missing(resource, before, present):
            meta = document["metadata"]
            name, uid = meta["name"], meta["uid"]
            is_there = resource in _SELECTED and await self._exists(
                resource, meta["namespace"], name, uid
            )
            if not is_there and (key := self.cache.remove(resource, document, is_absent=True)):
                changed.add(key)
        return changed

    async def _look_up_approvals(self, key: PipelineKey, names: Collection[str]) -> dict[str, bool]:
        """Read Approvals from the server into the cache.

        Return for each whether the admission policy guards it.
        """
        for name in sorted(names):
            if not await self._exists(APPROVALS, key[0], name) and (
                known := self.cache.get(APPROVALS, key[0], name)
            ):
                self.cache.remove(APPROVALS, known)
        return dict.fromkeys(
            names, await approval_policy_is_enforced(self.client, self.approval_policy)
        )

    async def _warning(self, namespace: str, names: list[str]) -> str:
        """Return the text of the last warning among the Events of these objects.

        It has at most 500 characters.
        """
        found: list[tuple[str, str]] = []
        for name in names:
            fields = f"involvedObject.name={name},type=Warning"
            async for event in self.client.list(CORE_EVENTS, namespace, fields=fields):
                when = (
                    event.get("lastTimestamp")
                    or event.get("eventTime")
                    or event["metadata"]["creationTimestamp"]
                )
                found.append((when, shorten(" ".join(event.get("message", "").split()), 500)))
        return max(found)[1] if found else ""

    async def _exists(self, resource: Resource, namespace: str, name: str, uid: str = "") -> bool:
        """Read an object into the cache; return whether it exists.

        If ``uid`` is given, it must be that very object.
        """
        if (found := await self._read(resource, namespace, name)) is None:
            return False
        self.cache.put(resource, found)
        return uid in ("", found["metadata"]["uid"])

    async def _read(self, resource: Resource, namespace: str, name: str) -> Document | None:
        try:
            return await self.client.get(resource, namespace, name)
        except NotFoundError:
            return None

    async def _read_live(self, key: PipelineKey) -> None:
        """Read this pipeline's objects from the server: after two conflicts, distrust the cache."""
        namespace = key[0]
        if not await self._exists(PIPELINES, *key) and (known := self.cache.get(PIPELINES, *key)):
            self.cache.remove(PIPELINES, known, is_absent=True)
        kinds = ((RUNS, ""), (APPROVALS, ""), (JOBS, LABEL_RUN_UID), (PODS, LABEL_RUN_UID))
        for resource, selector in kinds:
            before = {d["metadata"]["uid"] for d in self.cache.of(resource, key)}
            await self.compare(
                resource, self.client.list(resource, namespace, selector=selector), before
            )


def _rules_of(stage: Document) -> Iterator[Document]:
    """Yield the rules of a stage's conditions."""
    for place in ("beforeEntry", "onSuccess", "onFailure"):
        for condition in stage.get(place, {}).get("conditions", ()):
            yield from condition.get("rules", ())


def _frozen_objects(status: Document) -> Iterator[str]:
    """Yield the frozen revisions that tries under way were started with.

    They are ControllerRevisions of BuildProjects and ActionTypes.
    """
    for execution in _under_way(status):
        yield from (
            execution[kind]["revision"]
            for kind in ("buildProject", "actionType")
            if kind in execution
        )


def _under_way(status: Document) -> Iterator[Document]:
    """Yield the executions of a run that are under way."""
    for stage in status.get("stageStates", ()):
        conditions = (
            stage.get(f"{kind}ConditionState", {})
            for kind in ("beforeEntry", "onSuccess", "onFailure")
        )
        rules = [rule for condition in conditions for rule in condition.get("ruleStates", ())]
        for state in (*stage.get("actionStates", ()), *rules):
            for execution in state.get("executions", ()):
                if execution["status"] == ActionStatus.IN_PROGRESS:
                    yield execution


def _targets_of(run: Document) -> Iterator[str]:
    """Yield the name or the uid of the run that a rollback goes back to."""
    wanted = run.get("spec", {}).get("rollback", {})
    yield from (wanted[key] for key in ("targetRun", "targetPipelineExecutionId") if key in wanted)


def _job_of(pod: Document) -> str:
    controller = controller_of(PODS, pod)
    return str(controller["name"]) if controller else ""
