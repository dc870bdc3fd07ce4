"""Says in one reason and one sentence what a run does, what it waits for, or why it ended."""

from penstock.api.kinds.run import PipelineRunStatus, RunState
from penstock.api.status.executions import ActionStatus
from penstock.engine.entry.cancellation import Cancellation
from penstock.engine.entry.inbound import Inbound
from penstock.engine.run.advance import RunAdvance
from penstock.engine.status.run_conditions import reason_and_summary


def summarize(
    advance: RunAdvance, inbound: Inbound, cancelled: Cancellation | None
) -> tuple[str, str]:
    """Return the reason of the run's conditions, and its summary."""
    status = advance.status
    if cancelled and status.state in (RunState.CANCELLED, RunState.IN_PROGRESS):
        return cancelled
    if status.state is RunState.SUPERSEDED:
        return "Superseded", inbound.why_superseded(advance)
    if status.state is RunState.STOPPING:
        return status.state, stopping_summary(advance)
    if status.state is RunState.STOPPED:
        return status.state, stopped_summary(status)
    if advance.kept_by and status.state is RunState.IN_PROGRESS:
        return status.state, f"{status.stage_states[-1].stage_name}: {waiting_for(advance.kept_by)}"
    if advance.is_between_stages:
        return inbound.why_waiting(advance)
    return reason_and_summary(status)


def has_news(advance: RunAdvance, message: str, *, is_cancelled: bool) -> bool:
    """Whether a run that waits has something else to say than before."""
    is_waiting = (
        advance.is_between_stages or advance.status.state is RunState.STOPPING or is_cancelled
    )
    return (is_waiting or bool(advance.kept_by)) and advance.status.status_summary != message


def stopping_summary(advance: RunAdvance) -> str:
    """Return who stops a run and why, and what it still waits for."""
    running = list(_actions(advance.status, ActionStatus.IN_PROGRESS))
    if running:
        return f"stopping, {asked_by(advance.status)}; waiting for {', '.join(running)} to end"
    return f"stopping, {asked_by(advance.status)}; {waiting_for(advance.remains())}"


def waiting_for(remains: list[str]) -> str:
    """Return the message that a run waits for Jobs and Pods to end.

    It says what to do about a Pod that never will.
    """
    # Only a Pod's own kubelet confirms its end, and that of a lost node never does.
    lost = "".join(
        f"; if its node is lost: kubectl delete {what} --force"
        for what in remains
        if what[:4] == "pod "
    )
    return f"waiting for {', '.join(remains)} to end{lost}"


def stopped_summary(status: PipelineRunStatus) -> str:
    """Return who stopped a run and why, and what did not end well by then."""
    parts = [f"stopped, {asked_by(status)}"]
    for state, words in ((ActionStatus.ABANDONED, "abandoned"), (ActionStatus.FAILED, "failed")):
        if actions := list(_actions(status, state)):
            parts.append(f"{words}: {', '.join(actions)}")
    return "; ".join(parts)


def asked_by(status: PipelineRunStatus) -> str:
    """Return by whom a stop was asked for, and why, as far as the request says."""
    trigger = status.stop_trigger
    who = f" by {trigger.requested_by}" if trigger and trigger.requested_by else ""
    return f"as asked{who}" + (f": {trigger.reason}" if trigger and trigger.reason else "")


def _actions(status: PipelineRunStatus, wanted: ActionStatus) -> list[str]:
    return [
        f"{stage.stage_name}/{action.action_name}"
        for stage, action in status.actions
        if action.latest and action.latest.status is wanted
    ]
