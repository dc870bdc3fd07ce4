"""Carries out a Plan: definitions first, then run statuses, then commands. Law: status first.

Every effect can be repeated: names are deterministic, statuses are guarded by resourceVersion, and
an object that is already there counts only if it is the one we meant.
"""

import logging
from collections.abc import Coroutine, Mapping
from itertools import islice
from typing import Any

from penstock.api.document import Document
from penstock.api.meta import LABEL_RUN_UID
from penstock.cluster.client import Client
from penstock.cluster.errors import AlreadyExistsError, ClusterError, ConflictError, NotFoundError
from penstock.cluster.resources import APPROVALS, EVENTS, JOBS, REVISIONS, RUNS, Resource
from penstock.controller.cache.cache import Cache
from penstock.controller.cache.identity import kept_of
from penstock.controller.clock import Clock, utc_now
from penstock.controller.events import event_manifest
from penstock.controller.refusals import NameTakenError, PassRefusals, Refusals, refusal_of
from penstock.controller.status_writes import StatusWriter, open_stages
from penstock.engine.commands import (
    CloseApproval,
    Command,
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
from penstock.engine.objects.workloads import job_of
from penstock.engine.snapshot import Snapshot, status_refusal
from penstock.engine.tries.approval_objects import frozen_hash

log = logging.getLogger(__name__)

# A pass of a pipeline with hundreds of runs must not keep the others waiting.
_WRITES_PER_PASS = 50


class Applier:
    """Writes to the cluster, and what the cluster answers into the cache."""

    def __init__(
        self,
        client: Client,
        cache: Cache,
        refusals: Refusals,
        instance: str,
        clock: Clock = utc_now,
    ) -> None:
        self._client, self._cache, self._refusals = client, cache, refusals
        self._instance, self._clock = instance, clock
        self._statuses = StatusWriter(client, cache)

    async def apply(self, snapshot: Snapshot, plan: Plan) -> float | None:
        """Carry out the plan; raise ConflictError where the snapshot was stale.

        What the server refuses is noted, and the next pass says so on the run that wanted it; all
        else goes on. Returns in how many seconds there is more to do: 0 where something was refused
        for the first time, or the pass would have written too much at once.
        """
        refused = PassRefusals()
        for revision in plan.revisions:
            manifest = dict(revision)
            await self._try(
                refused, snapshot, manifest["metadata"]["name"], self._ensure_revision(manifest)
            )
        if refused.names:
            # No status may name a definition that is not there; the next pass does without it.
            return 0.0
        # What was decided is final in the Approval; the run only takes it over.
        for name, status in plan.approval_statuses.items():
            await self._statuses.save_approval(snapshot, name, status)
        unwritten = await self._save_runs(snapshot, plan, refused)
        if len(plan.run_statuses) > _WRITES_PER_PASS:
            # What follows belongs to statuses that are not yet written: the next pass plans it
            # again.
            return 0.0
        try:
            is_cut_off = await self._carry_out(snapshot, plan, refused, unwritten)
        finally:
            # It only tells what the runs' statuses decided: no Job waits for it, and no failing Job
            # keeps it back.
            await self._statuses.save_pipeline(snapshot, plan)
        if is_cut_off:
            return 0.0
        return refused.again_s if refused.names else None

    async def _carry_out(
        self, snapshot: Snapshot, plan: Plan, refused: PassRefusals, unwritten: set[str]
    ) -> bool:
        """Carry out the commands of runs whose status is written; return whether some are left."""
        left, is_cut_off = _WRITES_PER_PASS - len(plan.run_statuses), False
        for command in plan.commands:
            # The next pass plans other commands again, but never the Events of what is written.
            if left <= 0 and not isinstance(command, EmitEvent):
                is_cut_off = True
                continue
            if not self._is_of(snapshot.namespace, command, unwritten):
                await self._try(refused, snapshot, name_of(command), self._run(snapshot, command))
            left -= 1
        return is_cut_off

    async def _try(
        self, refused: PassRefusals, snapshot: Snapshot, name: str, work: Coroutine[Any, Any, None]
    ) -> None:
        """Do something for a run and note a refusal; raise only errors not about the run."""
        try:
            await work
        except (ClusterError, NameTakenError) as error:
            refusal = refusal_of(error, self._clock())
            if refusal is None:
                raise
            log.warning(
                "Refused: %s", error, extra={"namespace": snapshot.namespace, "object": name}
            )
            is_new = name not in self._refusals.of(snapshot.namespace)
            self._refusals.add(snapshot.namespace, name, refusal)
            refused.add(name, is_new=is_new)
        else:
            self._refusals.forget(snapshot.namespace, name)

    async def _save_runs(self, snapshot: Snapshot, plan: Plan, refused: PassRefusals) -> set[str]:
        """Write the runs' statuses, up to the limit of a pass.

        Return the uids of the runs whose status was refused, or waits for one that was.
        """
        runs = {item.name: item for item in (*snapshot.runs, *snapshot.late)}
        unwritten: set[str] = set()
        held: set[str] = set()
        for name, status in islice(plan.run_statuses.items(), _WRITES_PER_PASS):
            run, known = runs[name], len(refused.names)
            # A run whose status was refused has not left its stage: nobody enters that now.
            if held & open_stages(status):
                unwritten.add(run.uid)
                continue
            work = self._statuses.save(RUNS, snapshot.namespace, name, run.status, status)
            await self._try(refused, snapshot, status_refusal(run.uid), work)
            if len(refused.names) > known:
                unwritten.add(run.uid)
                held |= open_stages(run.status)
        return unwritten

    def _is_of(self, namespace: str, command: Command, run_uids: set[str]) -> bool:
        """Whether a command belongs to one of the runs: it may not come before their statuses."""
        match command:
            case CreateJob(manifest) | CreateApproval(manifest):
                return manifest["metadata"]["ownerReferences"][0]["uid"] in run_uids
            # A rollback's run has no owner reference, so it waits for every refused status.
            case CreateRun():
                return bool(run_uids)
            case EmitEvent():
                return command.uid in run_uids
            case DeleteJob(name, _):
                return bool(run_uids) and name in self._cache.jobs_of_runs(namespace, run_uids)
            case _:
                return False

    async def _ensure_revision(self, manifest: Document) -> None:
        namespace = manifest["metadata"]["namespace"]
        try:
            self._cache.put(REVISIONS, await self._client.create(REVISIONS, namespace, manifest))
        except AlreadyExistsError:
            name = manifest["metadata"]["name"]
            document = await self._client.get(REVISIONS, namespace, name)
            # Its name is a hash of its data: with other data somebody else has made it.
            if document.get("data") != manifest["data"]:
                taken = (
                    f"ControllerRevision {namespace}/{name} exists with other data than ours: "
                    f"delete it"
                )
                raise NameTakenError(taken) from None
            self._cache.put(REVISIONS, document)

    async def _run(self, snapshot: Snapshot, command: Command) -> None:
        namespace = snapshot.namespace
        match command:
            case CreateApproval(manifest):
                await self._create_approval(namespace, manifest)
            case CloseApproval(name, status):
                await self._statuses.save_approval(snapshot, name, status)
            case CreateJob(manifest):
                await self._create_job(namespace, manifest)
            case CreateRun(manifest):
                await self._create_run(namespace, manifest)
            case DeleteJob(name, uid):
                await self._delete(JOBS, namespace, name, uid)
            case DeleteRun(name, uid):
                await self._delete(RUNS, namespace, name, uid)
            case DeleteRevision(name):
                await self._delete(REVISIONS, namespace, name, "")
            case DeleteJobsOfRuns(run_uids):
                selector = f"{LABEL_RUN_UID} in ({','.join(run_uids)})"
                await self._client.delete_collection(JOBS, namespace, selector)
                for job in self._cache.jobs_of_runs(namespace, set(run_uids)):
                    self._cache.mark_deleted(JOBS, namespace, job)
            case EmitEvent():
                await self._emit(namespace, command)

    async def _create_job(self, namespace: str, manifest: Mapping[str, Any]) -> None:
        name = manifest["metadata"]["name"]
        try:
            self._cache.put(JOBS, await self._client.create(JOBS, namespace, manifest))
            log.info("Created Job", extra={"namespace": namespace, "job": name})
        except AlreadyExistsError:
            document = await self._client.get(JOBS, namespace, name)
            # `job_of` reads what the server has made, and a manifest has no uid yet.
            wanted = job_of({**manifest, "metadata": {**manifest["metadata"], "uid": ""}})
            # As the cache reads it: by its template, as anybody may edit the Job's own annotations.
            live = job_of(kept_of(JOBS, document, None))
            if (live.owner_uid, live.spec_hash) != (wanted.owner_uid, wanted.spec_hash):
                taken = (
                    f"Job {namespace}/{name} exists and is not controlled by this run: delete or "
                    f"rename it"
                )
                raise NameTakenError(taken) from None
            self._cache.put(JOBS, document)

    async def _create_approval(self, namespace: str, manifest: Mapping[str, Any]) -> None:
        meta = manifest["metadata"]
        try:
            self._cache.put(APPROVALS, await self._client.create(APPROVALS, namespace, manifest))
            log.info("Created Approval", extra={"namespace": namespace, "approval": meta["name"]})
        except AlreadyExistsError:
            document = await self._client.get(APPROVALS, namespace, meta["name"])
            owners = [owner["uid"] for owner in document["metadata"].get("ownerReferences", ())]
            is_ours = owners == [owner["uid"] for owner in meta["ownerReferences"]]
            if not is_ours or frozen_hash(document["spec"]) != frozen_hash(manifest["spec"]):
                taken = f"Approval {namespace}/{meta['name']} exists and is not ours: delete it"
                raise NameTakenError(taken) from None
            self._cache.put(APPROVALS, document)

    async def _create_run(self, namespace: str, manifest: Mapping[str, Any]) -> None:
        """Create a run; the run that asked for it reports an obstacle after a while."""
        name = manifest["metadata"]["name"]
        try:
            self._cache.put(RUNS, await self._client.create(RUNS, namespace, manifest))
            log.info("Created PipelineRun", extra={"namespace": namespace, "run": name})
        except AlreadyExistsError:
            document = await self._client.get(RUNS, namespace, name)
            if document["spec"] != manifest["spec"]:
                taken = (
                    f"PipelineRun {namespace}/{name} exists and is not the one that was to be "
                    f"created: delete or rename it"
                )
                raise NameTakenError(taken) from None
            self._cache.put(RUNS, document)

    async def _delete(self, resource: Resource, namespace: str, name: str, uid: str) -> None:
        try:
            await self._client.delete(resource, namespace, name, uid=uid)
        except NotFoundError:
            # The event of its deletion may never come: without this each pass would ask again.
            if known := self._cache.get(resource, namespace, name):
                self._cache.remove(resource, known, is_absent=True)
            return
        except ConflictError:
            # Another object has its name.
            return
        self._cache.mark_deleted(resource, namespace, name)
        log.info("Deleted %s", resource.kind, extra={"namespace": namespace, "object": name})

    async def _emit(self, namespace: str, event: EmitEvent) -> None:
        """Events are for people: one that cannot be recorded is logged, and stops nothing."""
        try:
            await self._client.create(
                EVENTS, namespace, event_manifest(namespace, event, self._instance)
            )
        except AlreadyExistsError:
            return
        except ClusterError as error:
            log.warning("Could not record an Event: %s", error)


def name_of(command: Command) -> str:
    """Return the name of the object that a command is about."""
    match command:
        case CreateJob(manifest) | CreateApproval(manifest) | CreateRun(manifest):
            return str(manifest["metadata"]["name"])
        case DeleteJobsOfRuns(run_uids):
            return f"Jobs of {len(run_uids)} runs"
        case _:
            return command.name
