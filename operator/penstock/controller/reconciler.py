"""One pass over one pipeline: gather -> plan -> apply, and what to do when that fails.

The theory of operation. A pass reads everything from the cache, so that it costs no request when
nothing changed. The cache may be behind; that is harmless, since every write carries the version
that it read and a stale one is refused. What the cache cannot prove is that something does not
exist. So a pass reads live, by name, whatever would end something by its absence: what the plan
asks to confirm, a Pipeline that its runs outlived, runs and definitions that a status names. Then
it plans again, a few rounds at most.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from penstock.actions.declaration import declarations
from penstock.actions.git.hosts.connections import is_known
from penstock.api.document import Document
from penstock.cluster.client import Client
from penstock.cluster.errors import ConflictError
from penstock.cluster.resources import BUILD_PROJECTS, CONNECTIONS, PIPELINES, REVISIONS, RUNS
from penstock.controller.action_types import fetch_missing
from penstock.controller.apply import Applier
from penstock.controller.cache.cache import Cache
from penstock.controller.cache.identity import PipelineKey
from penstock.controller.clock import Clock, utc_now
from penstock.controller.gather import Gatherer
from penstock.controller.live_reads import LiveReads, tries_under_way
from penstock.controller.planner import Pace, Planner
from penstock.engine.commands import Plan
from penstock.engine.snapshot import Live, Snapshot

_DNS = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")
# A look at one try may lead to the next one; after three rounds the pass ends as it is.
_LIVE_ROUNDS = 3
_SHOWN_UNDER_WAY = ("InProgress", "Stopping")


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
    live: LiveReads
    gatherer: Gatherer
    applier: Applier
    planner: Planner
    clock: Clock = utc_now
    _memories: dict[PipelineKey, _Memory] = field(default_factory=dict)

    async def reconcile(self, key: PipelineKey) -> float | None:
        """Do one pass; return the seconds until the next, or None to wait for an event."""
        memory = self._memories.setdefault(key, _Memory())
        snapshot, plan = await self._plan(key, memory)
        try:
            more_s = await self.applier.apply(snapshot, plan)
        except ConflictError:
            # One conflict means an event on its way; after two in a row the cache itself is in
            # doubt.
            memory.conflicts += 1
            if memory.conflicts > 1:
                await self.live.read_again(key)
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
        await self._fetch_named(key)
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
                approvals |= await self.live.look_up_approvals(key, plan.approvals_to_confirm)
            for job in sorted(plan.to_confirm):
                jobs[job] = await self.live.look_up(key, job)
        return snapshot, plan

    async def _is_pipeline_absent(self, key: PipelineKey) -> bool:
        if self.cache.get(PIPELINES, *key) or not any(True for _ in self.cache.of(RUNS, key)):
            return False
        return not await self.live.exists(PIPELINES, *key)

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
        # A run that has not entered a stage yet is shown by this condition alone.
        if last and (name := status.get("lastRun")):
            wanted.setdefault(name, "")
        found: set[str] = set()
        for name, uid in wanted.items():
            if not self.cache.get(RUNS, key[0], name) and not await self.live.exists(
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
            # Nothing is planned of a run at rest, so nobody needs its definition.
            is_at_rest = (
                "completionTime" in status and meta["generation"] == status["observedGeneration"]
            )
            is_at_rest = is_at_rest and not targets & {meta["name"], meta["uid"]}
            names = {status.get("revision"), *_frozen_objects(status)} if not is_at_rest else set()
            for name in names:
                if name and not self.cache.get(REVISIONS, key[0], name):
                    await self.live.exists(REVISIONS, key[0], name)

    async def _fetch_named(self, key: PipelineKey) -> None:
        """Read what the actions of a pipeline with unfinished runs name, if the cache lacks it.

        They are BuildProjects and Connections, which may be new.
        """
        if all("completionTime" in run.get("status", {}) for run in self.cache.of(RUNS, key)):
            return
        stages = (self.cache.get(PIPELINES, *key) or {}).get("spec", {}).get("stages", ())
        items = [
            item for stage in stages for item in (*stage.get("actions", ()), *_rules_of(stage))
        ]
        configurations = [item.get("configuration", {}) for item in items]
        projects = {declared.project.name for declared in declarations() if declared.project}
        for name in sorted({c[k] for c in configurations for k in projects if k in c}):
            # A text with a reference in it is no object's name yet.
            if _DNS.fullmatch(name) and not self.cache.get(BUILD_PROJECTS, key[0], name):
                await self.live.exists(BUILD_PROJECTS, key[0], name)
        connections = {item.connection for item in declarations() if item.connection}
        if arns := {c[k] for c in configurations for k in connections if k in c}:
            await self._fetch_connections(key[0], arns)

    async def _fetch_connections(self, namespace: str, arns: set[str]) -> None:
        known = self.gatherer.connections(namespace)
        if not all(is_known(known, arn) for arn in arns):
            # Which one an ARN means stands in the objects: only the list tells.
            before = {item.uid for item in known}
            listed = self.live.client.list(CONNECTIONS, namespace)
            await self.live.compare(CONNECTIONS, listed, before)


def _rules_of(stage: Document) -> Iterator[Document]:
    """Yield the rules of a stage's conditions."""
    for place in ("beforeEntry", "onSuccess", "onFailure"):
        for condition in stage.get(place, {}).get("conditions", ()):
            yield from condition.get("rules", ())


def _frozen_objects(status: Document) -> Iterator[str]:
    """Yield the frozen revisions that tries under way were started with.

    They are ControllerRevisions of BuildProjects, ActionTypes and Connections.
    """
    for execution in tries_under_way(status):
        yield from (
            execution[kind]["revision"]
            for kind in ("buildProject", "actionType", "connection")
            if kind in execution
        )


def _targets_of(run: Document) -> Iterator[str]:
    """Yield the name or the uid of the run that a rollback goes back to."""
    wanted = run.get("spec", {}).get("rollback", {})
    yield from (wanted[key] for key in ("targetRun", "targetPipelineExecutionId") if key in wanted)
