"""Selects the runs to cancel: their Pipeline is gone, or was edited (X-40..X-43).

A cancelled run starts nothing any more and is Cancelled once the actions
under way have ended by themselves.
"""

from typing import NamedTuple

from penstock.api.kinds.pipeline import ExecutionMode, OnUpdate
from penstock.engine.definition.frozen import Definition
from penstock.engine.run.advance import RunAdvance
from penstock.engine.snapshot import PipelineObject

PIPELINE_DELETED = "PipelineDeleted"
PIPELINE_UPDATED = "PipelineUpdated"


class Cancellation(NamedTuple):
    """Why a run is cancelled: the reason of its conditions, and a sentence."""

    reason: str
    message: str


_RUN_DELETED = Cancellation("RunDeleted", "the run was deleted while it was under way")
_DELETED = Cancellation(PIPELINE_DELETED, "the Pipeline was deleted while the run was under way")
_UPDATED = Cancellation(
    PIPELINE_UPDATED,
    "the Pipeline was edited while the run was under way; start a new run (spec.onUpdate: Cancel)",
)


def cancellation_of(
    advance: RunAdvance, pipeline: PipelineObject | None, *, is_pipeline_absent: bool
) -> Cancellation | None:
    """Return why a run is to be cancelled, None where it may go on."""
    if advance.run.is_deleted:
        return _RUN_DELETED
    if pipeline is None:
        # The cache alone does not prove that a Pipeline is gone; a live look does.
        return _DELETED if is_pipeline_absent else None
    # A Pipeline that was made anew under the same name is another one.
    if pipeline.uid != advance.status.pipeline_uid:
        return _DELETED
    return _UPDATED if is_outdated(advance.draft.definition, pipeline) else None


def is_outdated(definition: Definition, pipeline: PipelineObject) -> bool:
    """Return whether a Pipeline's change since the start cancels a run of this definition.

    An edit that is not valid changes nothing, as AWS would have refused it. PARALLEL runs finish on
    what they started with (X-41, X-42), all others only where the Pipeline says so.
    """
    if pipeline.spec is None or pipeline.definition is None or definition is pipeline.definition:
        return False
    if (
        definition.execution_mode is ExecutionMode.PARALLEL
        or pipeline.spec.on_update is OnUpdate.FINISH
    ):
        return False
    return not has_structure_of(definition, pipeline)


def has_structure_of(definition: Definition, pipeline: PipelineObject) -> bool:
    """Whether a run of this definition executes what the Pipeline says now."""
    if pipeline.definition is None:
        return False
    return _structure(definition, pipeline) == _structure(pipeline.definition, pipeline)


def _structure(definition: Definition, pipeline: PipelineObject) -> Definition:
    """Return the part of a definition that its author wrote.

    A change of the default store is the installation's edit.
    """
    has_own_store = pipeline.spec is not None and pipeline.spec.store is not None
    return definition if has_own_store else definition.model_copy(update={"artifact_store": None})
