"""Carries out a Plan: definitions first, then the runs' statuses, then commands (law: status first).

Every effect can be repeated: names are deterministic, statuses are guarded by resourceVersion, and an object
that is already there counts only if it is the one we meant.
"""

import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from penstock.api.approval import ApprovalStatus
from penstock.api.meta import API_VERSION, FIELD_MANAGER, LABEL_RUN_UID
from penstock.api.model import Model
from penstock.api.names import hash_of
from penstock.cluster.client import Client
from penstock.cluster.errors import AlreadyExistsError, ClusterError, ForbiddenError, InvalidError, NotFoundError
from penstock.cluster.resources import APPROVALS, EVENTS, JOBS, PIPELINES, REVISIONS, RUNS, Resource
from penstock.controller.cache import Cache
from penstock.engine.approval_objects import frozen_hash
from penstock.engine.observed import job_of
from penstock.engine.snapshot import (
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
    Snapshot,
)

log = logging.getLogger(__name__)

Document = dict[str, Any]


_WRITES_PER_PASS = 50


class NameTakenError(Exception):
    """A Job's name is taken by an object that is not the one we meant."""


class Applier:
    """Writes to the cluster, and what the cluster answers into the cache."""

    def __init__(self, client: Client, cache: Cache, instance: str) -> None:
        self._client, self._cache, self._instance = client, cache, instance

    async def apply(self, snapshot: Snapshot, plan: Plan) -> bool:
        """Carry out the plan; raise ConflictError where the snapshot was stale.

        Returns False when the pass was cut short because it would have written too much at once.
        """
        left = _WRITES_PER_PASS
        for revision in plan.revisions:
            await self._ensure_revision(snapshot.namespace, dict(revision))
        # What was decided is final in the Approval; the run only takes it over.
        for name, status in plan.approval_statuses.items():
            await self._save_approval(snapshot, name, status)
        before = {item.name: item.status for item in (*snapshot.runs, *snapshot.late)}
        for run, new in plan.run_statuses.items():
            if left <= 0:
                # What follows belongs to statuses that are not yet written: the next pass plans it again.
                return False
            await self._save(RUNS, snapshot.namespace, run, before[run], new)
            left -= 1
        try:
            for command in plan.commands:
                if left <= 0 and not isinstance(command, EmitEvent):
                    return False
                await self._run(snapshot, command)
                left -= 1
        finally:
            # It only tells what the runs' statuses decided: no Job waits for it, and no failing Job keeps it back.
            await self._save_pipeline(snapshot, plan)
        return True

    async def _save_approval(self, snapshot: Snapshot, name: str, status: ApprovalStatus) -> None:
        before = next(item.status for item in snapshot.approvals if item.name == name)
        await self._save(APPROVALS, snapshot.namespace, name, before, status)

    async def _save_pipeline(self, snapshot: Snapshot, plan: Plan) -> None:
        if plan.pipeline_status and snapshot.pipeline:
            before = snapshot.pipeline.status
            await self._save(PIPELINES, snapshot.namespace, snapshot.name, before, plan.pipeline_status)

    async def _save(self, resource: Resource, namespace: str, name: str, old: Model, new: Model) -> None:
        known = self._cache.get(resource, namespace, name)
        if known is None:
            return
        patch = merge_patch(old.to_dict(), new.to_dict())
        if known.get("status", {}).get("observedGeneration") != new.to_dict().get("observedGeneration"):
            patch["observedGeneration"] = new.to_dict().get("observedGeneration")
        version = known["metadata"]["resourceVersion"]
        self._cache.put(resource, await self._client.patch_status(resource, namespace, name, patch, version))

    async def _ensure_revision(self, namespace: str, manifest: Document) -> None:
        try:
            self._cache.put(REVISIONS, await self._client.create(REVISIONS, namespace, manifest))
        except AlreadyExistsError:
            name = manifest["metadata"]["name"]
            self._cache.put(REVISIONS, await self._client.get(REVISIONS, namespace, name))

    async def _run(self, snapshot: Snapshot, command: Command) -> None:
        namespace = snapshot.namespace
        match command:
            case CreateApproval(manifest):
                await self._create_approval(namespace, manifest)
            case CloseApproval(name, status):
                await self._save_approval(snapshot, name, status)
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
            wanted, live = job_of({**manifest, "metadata": {**manifest["metadata"], "uid": ""}}), job_of(document)
            if (live.owner_uid, live.spec_hash) != (wanted.owner_uid, wanted.spec_hash):
                raise NameTakenError(f"Job {namespace}/{name} exists and is not ours: delete or rename it") from None
            self._cache.put(JOBS, document)
        except InvalidError as error:
            # The next pass ends the try with it; what else this pass was to do is planned again.
            self._cache.mark_refused(namespace, name, str(error))
            raise

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
        """Create a run; what hinders it is logged, as the run that asked for it says so after a while."""
        name = manifest["metadata"]["name"]
        try:
            self._cache.put(RUNS, await self._client.create(RUNS, namespace, manifest))
            log.info("Created PipelineRun", extra={"namespace": namespace, "run": name})
        except AlreadyExistsError:
            document = await self._client.get(RUNS, namespace, name)
            self._cache.put(RUNS, document)
            if document["spec"] != manifest["spec"]:
                log.warning("PipelineRun %s/%s exists and is not the one that was to be created", namespace, name)
        except (ForbiddenError, InvalidError) as error:
            log.warning("Could not create PipelineRun %s/%s: %s", namespace, name, error)

    async def _delete(self, resource: Resource, namespace: str, name: str, uid: str) -> None:
        try:
            await self._client.delete(resource, namespace, name, uid=uid)
        except NotFoundError:
            return
        self._cache.mark_deleted(resource, namespace, name)
        log.info("Deleted %s", resource.kind, extra={"namespace": namespace, "object": name})

    async def _emit(self, namespace: str, event: EmitEvent) -> None:
        """Events are for people: one that cannot be recorded is logged, and stops nothing."""
        try:
            await self._client.create(EVENTS, namespace, self._event(namespace, event))
        except AlreadyExistsError:
            return
        except ClusterError as error:
            log.warning("Could not record an Event: %s", error)

    def _event(self, namespace: str, event: EmitEvent) -> Document:
        return {
            "apiVersion": "events.k8s.io/v1",
            "kind": "Event",
            "metadata": {
                "namespace": namespace,
                "name": f"{event.name[:200]}.{hash_of(event.uid, event.reason, event.message)}",
            },
            "eventTime": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "type": "Warning" if event.is_warning else "Normal",
            "reason": event.reason,
            "note": event.message,
            "action": event.reason,
            "regarding": {
                "apiVersion": API_VERSION,
                "kind": event.kind,
                "name": event.name,
                "namespace": namespace,
                "uid": event.uid,
            },
            "reportingController": FIELD_MANAGER,
            "reportingInstance": self._instance,
        }


def merge_patch(old: Any, new: Any) -> Any:
    """Return the JSON merge patch from old to new: changed keys, and null for each key that disappears."""
    if not isinstance(old, dict) or not isinstance(new, dict):
        return new
    patch: Document = {key: None for key in old if key not in new}
    for key, value in new.items():
        if key not in old:
            patch[key] = value
        elif old[key] != value:
            patch[key] = merge_patch(old[key], value)
    return patch


__all__ = ["Applier", "ForbiddenError", "InvalidError", "NameTakenError", "merge_patch"]
