"""Admits a run that rolls a stage back to an execution that succeeded in it (X-67, X-68).

It takes over from its target what it runs with, so that nothing of the target is needed any more.
"""

from datetime import datetime

from penstock.api.kinds.pipeline import ExecutionMode
from penstock.api.kinds.rollback import ExecutionType, RollbackMetadata, RollbackRequest
from penstock.api.kinds.run import PipelineRunStatus, RunState, StageStatus
from penstock.api.status.executions import StoredArtifact
from penstock.api.times import format_time
from penstock.api.walks import no_such_stage, stage_names
from penstock.engine.definition.frozen import Definition
from penstock.engine.entry.admission import Admission, Refusal
from penstock.engine.entry.cancellation import has_structure_of
from penstock.engine.language.variables import RESERVED_NAMESPACES
from penstock.engine.pods.artifacts import artifacts_of
from penstock.engine.pods.request import values_of
from penstock.engine.snapshot import PipelineObject, RunObject, Snapshot

NOT_FOUND = "PipelineExecutionNotFound"
UNABLE = "UnableToRollbackStage"
OUTDATED = "PipelineExecutionOutdated"


def target_of(wanted: RollbackRequest, snapshot: Snapshot) -> RunObject | None:
    """Return the run that a rollback goes back to, None where there is none of this pipeline."""
    # A target may still be under way in a later stage.
    for run in (*snapshot.runs, *snapshot.targets):
        if wanted.target_run == run.name or wanted.target_pipeline_execution_id == run.uid:
            return run
    return None


def admit_rollback(
    wanted: RollbackRequest,
    pipeline: PipelineObject,
    target: RunObject | None,
    frozen: Definition | None,
    now: datetime,
) -> Admission | Refusal:
    """Return the first status of a rollback, or why it cannot be (X-68).

    ``frozen`` is the definition that the target executed.
    """
    if refused := _refusal(wanted, pipeline, target, frozen):
        return refused
    assert target is not None and frozen is not None
    status = target.status
    return Admission(
        PipelineRunStatus(
            state=RunState.IN_PROGRESS,
            pipeline_uid=pipeline.uid,
            pipeline_version=status.pipeline_version,
            revision=status.revision,
            execution_mode=frozen.execution_mode,
            execution_type=ExecutionType.ROLLBACK,
            start_time=format_time(now),
            variables=status.variables,
            artifact_revisions=status.artifact_revisions,
            rollback_metadata=_taken_over(wanted.stage_name, target, frozen),
        )
    )


def _refusal(
    wanted: RollbackRequest,
    pipeline: PipelineObject,
    target: RunObject | None,
    frozen: Definition | None,
) -> Refusal | None:
    asked = wanted.target_run or wanted.target_pipeline_execution_id
    if target is None or target.status.pipeline_uid != pipeline.uid:
        what = (
            f"pipeline {pipeline.name} has no run {asked}; one that the history limits have "
            f"deleted is no target"
        )
        return Refusal(NOT_FOUND, f"spec.rollback: {what}")
    if frozen is None:
        gone = (
            f"the ControllerRevision {target.status.revision}, which run {target.name} executed, "
            f"is gone"
        )
        return Refusal("DefinitionLost", f"spec.rollback: {gone}")
    if not has_structure_of(frozen, pipeline):
        what = (
            f"run {target.name} ran before the Pipeline was edited: go back by a new run with its "
            f"revisions (X-68)"
        )
        return Refusal(OUTDATED, f"spec.rollback: {what}")
    if unknown := no_such_stage(wanted.stage_name, frozen):
        return Refusal("StageNotFound", f"spec.rollback.stageName: {unknown}")
    why = _why_unable(frozen, target, wanted.stage_name)
    return Refusal(UNABLE, f"spec.rollback: {why}") if why else None


def _why_unable(definition: Definition, target: RunObject, stage: str) -> str | None:
    if definition.execution_mode is ExecutionMode.PARALLEL:
        return "a pipeline of mode PARALLEL has no rollback (X-39)"
    if any(
        action.action_type_id.category == "Source" for action in definition.stage(stage).actions
    ):
        return f"stage {stage} has Source actions, and cannot be rolled back (X-68)"
    if target.status.execution_type is ExecutionType.ROLLBACK:
        return f"run {target.name} is a rollback itself: name its own target (X-68)"
    state = target.status.stage(stage)
    if state and state.status is StageStatus.SUCCEEDED:
        return None
    became = state.status if state else "it has not entered it"
    return f"run {target.name} has not succeeded in stage {stage}: {became} (X-68)"


def _taken_over(stage_name: str, target: RunObject, definition: Definition) -> RollbackMetadata:
    names = stage_names(definition)
    # The stage itself runs again and makes its own; only earlier ones are taken over.
    earlier = set(names[: names.index(stage_name)])
    before = target.status.model_copy(
        update={
            "stage_states": tuple(s for s in target.status.stage_states if s.stage_name in earlier)
        }
    )
    variables: dict[str, dict[str, str]] = {}
    for reference, value in values_of(target.uid, definition, before).items():
        # The rollback is a run of its own, with its own values in the reserved namespaces.
        if reference.namespace not in RESERVED_NAMESPACES:
            variables.setdefault(reference.namespace, {})[reference.key] = value
    return RollbackMetadata(
        stage_name=stage_name,
        rollback_target_pipeline_execution_id=target.uid,
        target_run=target.name,
        artifacts=tuple(
            StoredArtifact(**item._asdict()) for item in artifacts_of(target.uid, before).values()
        ),
        output_variables=variables,
    )
