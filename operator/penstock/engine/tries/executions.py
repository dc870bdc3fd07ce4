"""The executions in a run's status: tries begun, tries ended, pinned sources (X-85, X-29)."""

from datetime import datetime

from penstock.api.contract import contracts
from penstock.api.contract.contracts import ActionResult
from penstock.api.kinds.pipeline import Action
from penstock.api.kinds.run import ArtifactRevision
from penstock.api.names import job_name
from penstock.api.status.executions import (
    ActionExecution,
    ActionState,
    ActionStatus,
    BuildReport,
    ErrorDetails,
    FailedTest,
    StoredArtifact,
)
from penstock.api.text import shorten
from penstock.api.times import format_time
from penstock.engine.objects.workloads import PodObject
from penstock.engine.tries.results import TryResult

# Bytes of an action's summary in the status: a thousand actions must fit 900 KB.
_SUMMARY_LENGTH = 1_000


def new_execution(
    run_uid: str, stage: str, action: str, *, attempt: int, try_: int, now: datetime
) -> ActionExecution:
    """Return the execution of a try that starts now; its Job's name follows from who it is."""
    return ActionExecution(
        attempt=attempt,
        try_=try_,
        status=ActionStatus.IN_PROGRESS,
        job_name=job_name(run_uid, stage, action, attempt, try_),
        start_time=format_time(now),
    )


def ended_execution(
    execution: ActionExecution, verdict: TryResult, pod: PodObject | None, now: datetime
) -> ActionExecution:
    """Return the execution of an ended try. Only a success leaves variables and artifacts."""
    result = verdict.result or ActionResult(version=1, status="")
    started = (
        min((c.started for c in pod.containers.values() if c.started), default=None)
        if pod
        else None
    )
    is_success = verdict.status is ActionStatus.SUCCEEDED
    return execution.model_copy(
        update={
            "status": verdict.status,
            "waiting": None,
            "completion_time": format_time(now),
            "pod_uid": pod.uid if pod else execution.pod_uid,
            "pod_name": pod.name if pod else execution.pod_name,
            "running_time": format_time(started) if started else execution.running_time,
            "error_details": ErrorDetails(code=verdict.code, message=verdict.message)
            if verdict.code
            else None,
            "summary": result.summary or None,
            "external_execution_id": result.external_execution_id or None,
            "external_execution_url": result.external_execution_url or None,
            "percent_complete": result.percent_complete,
            "output_variables": dict(result.variables) if is_success else {},
            "output_artifacts": _stored(result) if is_success else (),
            "reports": tuple(_report(report) for report in result.reports),
            "has_log": True if result.log else None,
        }
    )


def abandoned(execution: ActionExecution, pod: PodObject | None, now: datetime) -> ActionExecution:
    """Return the execution of a try that was given up while it ran (X-54)."""
    what = "the run was stopped while the action ran; what it had done by then is not undone"
    ended = ended_execution(
        execution, TryResult(ActionStatus.ABANDONED, "Abandoned", what), pod, now
    )
    # Only an ended container has `started`, and those of an abandoned try still run.
    since = (
        next((c.running_since for c in pod.containers.values() if c.running_since), None)
        if pod
        else None
    )
    return ended.model_copy(
        update={"running_time": format_time(since) if since else ended.running_time}
    )


def lost_for_good(execution: ActionExecution, *, is_stopping: bool) -> ActionExecution:
    """Return the execution of the last try of an attempt that may not be made again."""
    why = execution.error_details.message if execution.error_details else ""
    tries = f"after {execution.try_} tries" if execution.try_ > 1 else "and it may not be run again"
    tries = "and it is not run again, as the run is stopping" if is_stopping else tries
    details = ErrorDetails(code="ExecutionLost", message=f"its pod was lost {tries}: {why}")
    return execution.model_copy(update={"status": ActionStatus.FAILED, "error_details": details})


def with_latest(state: ActionState, execution: ActionExecution) -> ActionState:
    """Return the action's state with its latest try replaced, or with its first."""
    return state.model_copy(update={"executions": (*state.executions[:-1], execution)})


def revision_of(action: Action, result: ActionResult | None) -> ArtifactRevision | None:
    """Return what a source action pinned for its output artifact, None for any other action."""
    if result is None or result.revision is None or not action.output_artifacts:
        return None
    return ArtifactRevision(
        name=action.output_artifacts[0].name,
        action_name=action.name,
        revision_id=result.revision.id,
        revision_summary=shorten(result.revision.summary, _SUMMARY_LENGTH) or None,
        revision_url=result.revision.url or None,
        created=result.revision.created or None,
    )


def _report(report: contracts.SuiteReport) -> BuildReport:
    return BuildReport(
        name=report.name,
        total=report.total,
        passed=report.passed,
        failed=report.failed,
        errors=report.errors,
        skipped=report.skipped,
        duration_seconds=report.duration_seconds,
        failed_tests=tuple(
            FailedTest(suite=test.suite or None, name=test.name, message=test.message or None)
            for test in report.failed_tests
        ),
        key=report.key or None,
    )


def _stored(result: ActionResult) -> tuple[StoredArtifact, ...]:
    return tuple(
        StoredArtifact(name=item.name, size=item.size, sha256=item.sha256, format=item.format)
        for item in result.outputs
    )
