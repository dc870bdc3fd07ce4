"""Says in one reason and one sentence what a run does, what it waits for, or why it ended."""

from penstock.api.run import RunState
from penstock.engine.cancellation import Cancellation
from penstock.engine.inbound import Inbound
from penstock.engine.run import RunAdvance
from penstock.engine.run_conditions import reason_and_summary
from penstock.engine.stop import stopped_summary, stopping_summary, waiting_for


def explain(advance: RunAdvance, inbound: Inbound, cancelled: Cancellation | None) -> tuple[str, str]:
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


def is_news(advance: RunAdvance, message: str, *, is_cancelled: bool) -> bool:
    """Whether a run that waits has something else to say than before."""
    is_waiting = advance.is_between_stages or advance.status.state is RunState.STOPPING or is_cancelled
    return (is_waiting or bool(advance.kept_by)) and advance.status.status_summary != message
