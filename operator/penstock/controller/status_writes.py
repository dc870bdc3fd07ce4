"""StatusWriter writes a status as what has changed, with the version that the pass has read."""

from typing import Any

from penstock.api.document import Document
from penstock.api.kinds.approval import ApprovalStatus
from penstock.api.kinds.pipeline import ExecutionMode
from penstock.api.kinds.run import PipelineRunStatus
from penstock.api.model import Model
from penstock.cluster.client import Client
from penstock.cluster.errors import ConflictError, NotFoundError
from penstock.cluster.resources import APPROVALS, PIPELINES, Resource
from penstock.controller.cache.cache import Cache
from penstock.engine.commands import Plan
from penstock.engine.snapshot import Snapshot


class StatusWriter:
    """The statuses of one operator: a stale one is refused, and the pass planned again."""

    def __init__(self, client: Client, cache: Cache) -> None:
        self._client, self._cache = client, cache

    async def save(
        self, resource: Resource, namespace: str, name: str, old: Model, new: Model
    ) -> None:
        """Write what has changed of a status; raise ConflictError where its object has too."""
        known = self._cache.get(resource, namespace, name)
        if known is None:
            return
        # A patch leaves alone what others own in the same status, as triggers do in a Pipeline's.
        wanted = new.to_dict()
        patch = merge_patch(old.to_dict(), wanted)
        seen = wanted.get("observedGeneration")
        if known.get("status", {}).get("observedGeneration") != seen:
            patch["observedGeneration"] = seen
        version = known["metadata"]["resourceVersion"]
        try:
            written = await self._client.patch_status(resource, namespace, name, patch, version)
        except NotFoundError as error:
            # It was deleted a moment ago: what was planned with it is planned again without it.
            self._cache.remove(resource, known, is_absent=True)
            raise ConflictError(error.what, error.message, error.status) from error
        self._cache.put(resource, written)

    async def save_approval(self, snapshot: Snapshot, name: str, status: ApprovalStatus) -> None:
        """Write the status of one of the snapshot's Approvals."""
        before = next(item.status for item in snapshot.approvals if item.name == name)
        await self.save(APPROVALS, snapshot.namespace, name, before, status)

    async def save_pipeline(self, snapshot: Snapshot, plan: Plan) -> None:
        """Write the Pipeline's status where the plan has one."""
        if plan.pipeline_status and snapshot.pipeline:
            before = snapshot.pipeline.status
            await self.save(
                PIPELINES, snapshot.namespace, snapshot.name, before, plan.pipeline_status
            )


def merge_patch(old: Any, new: Any) -> Any:
    """Return the JSON merge patch from old to new.

    It has the changed keys, and null for each key that disappears.
    """
    if not isinstance(old, dict) or not isinstance(new, dict):
        return new
    patch: Document = {key: None for key in old if key not in new}
    for key, value in new.items():
        if key not in old:
            patch[key] = value
        elif old[key] != value:
            patch[key] = merge_patch(old[key], value)
    return patch


def open_stages(status: PipelineRunStatus) -> set[str]:
    """Return the stages that a run holds; a PARALLEL one holds none (X-38)."""
    if status.execution_mode is ExecutionMode.PARALLEL:
        return set()
    return {state.stage_name for state in status.stage_states if state.status.is_open}
