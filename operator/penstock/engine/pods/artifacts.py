"""The artifacts that a run can read, and where they are stored (A-03)."""

from penstock.api.contract.contracts import ArtifactLocation, Attempt
from penstock.api.contract.keys import artifact_key
from penstock.api.kinds.run import PipelineRunStatus
from penstock.api.status.executions import ActionStatus, StoredArtifact


def artifacts_of(run_uid: str, status: PipelineRunStatus) -> dict[str, ArtifactLocation]:
    """Return the artifacts of this very run by name.

    The run made them, or took them over from a rollback's target.

    Keys are made here and not read from what a pod reported: no pod can pass another's artifact off
    as its own, and a status does not grow by them.
    """
    found: dict[str, ArtifactLocation] = {}
    # These have the keys of the target's run. What this run makes itself replaces them.
    for artifact in status.rollback_metadata.artifacts if status.rollback_metadata else ():
        found[artifact.name] = _located(artifact, "")
    executions = (
        (stage.stage_name, state.action_name, execution)
        for stage, state in status.actions
        for execution in state.executions
        if execution.status is ActionStatus.SUCCEEDED
    )
    for stage_name, action_name, execution in executions:
        uid = status.pipeline_uid or ""
        attempt = Attempt(
            "", "", uid, "", run_uid, stage_name, action_name, execution.attempt, execution.try_
        )
        # Executions stand in order, so the artifact of a retry replaces the one before.
        for artifact in execution.output_artifacts:
            found[artifact.name] = _located(
                artifact, artifact_key(attempt, execution.pod_uid or "", artifact.name)
            )
    return found


def _located(artifact: StoredArtifact, key: str) -> ArtifactLocation:
    return ArtifactLocation(
        artifact.name, artifact.key or key, artifact.size, artifact.sha256, artifact.format
    )
