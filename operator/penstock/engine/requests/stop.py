"""Stops runs as their spec asks for it (X-53..X-58), and refuses what is asked too late (X-55).

Waiting, a run is Stopping until the actions under way have ended by themselves; abandoning, until
the containers of what was abandoned have ended. Either way it holds its stage until then: locks
follow containers.
"""

from datetime import datetime

from penstock.api.kinds.run import PipelineRunStatus, RunState
from penstock.api.kinds.stop import StopRequest, StopTrigger
from penstock.api.text import one_line
from penstock.api.times import format_time
from penstock.engine.run.advance import RunAdvance
from penstock.engine.snapshot import RunObject, is_trigger_of
from penstock.engine.status.run_conditions import as_seen, with_conditions, with_refusal
from penstock.engine.status.summary import stopped_summary

NOT_STOPPABLE = "PipelineExecutionNotStoppable"


def go_on_stopping(advance: RunAdvance, request: StopRequest, now: datetime) -> None:
    """Stop a run as far as this pass can: at once where nothing of it is under way (X-56)."""
    trigger = advance.status.stop_trigger
    # A trigger of this very request stays as it is: it tells when the stop was seen first.
    if trigger is None or not is_trigger_of(trigger, request) or trigger.resumed_time:
        trigger = stop_trigger_of(request, now)
    advance.begin_stop(trigger)
    if trigger.abandon:
        advance.abandon()
    if not advance.has_running_actions() and not advance.remains():
        advance.stopped()


def stop_trigger_of(request: StopRequest, now: datetime) -> StopTrigger:
    """Return what the status keeps of a request: its texts on one line."""
    return StopTrigger(
        abandon=bool(request.abandon),
        reason=one_line(request.reason),
        requested_by=one_line(request.requested_by),
        after_retries=request.after_retries,
        time=format_time(now),
    )


def with_late_stop_over(
    run: RunObject, status: PipelineRunStatus, now: datetime
) -> PipelineRunStatus:
    """Return the status of an ended run that is about to go on.

    A stop that came too late must not end it now.

    One that counts the retry which was just answered is meant for what the retry resumes.
    """
    request = run.stop_under(status)
    if request is None or (request.after_retries or 0) >= max(len(status.retries), 1):
        return status
    return status.model_copy(update={"stop_trigger": stop_trigger_of(request, now)})


def stopped_before_start(run: RunObject, request: StopRequest, now: datetime) -> PipelineRunStatus:
    """Return the status of a run stopped before it began (X-56).

    It stops at once, whatever it waits for.
    """
    moment = format_time(now)
    ended = {"state": RunState.STOPPED, "start_time": moment, "completion_time": moment}
    status = run.status.model_copy(update={**ended, "stop_trigger": stop_trigger_of(request, now)})
    return with_conditions(
        status,
        generation=run.generation,
        now=now,
        reason=RunState.STOPPED,
        message=stopped_summary(status),
    )


def is_too_late(run: RunObject, status: PipelineRunStatus) -> bool:
    """Whether a run has ended without following what its spec asks for."""
    request, trigger = (run.spec.stop if run.spec else None), status.stop_trigger
    if status.state is None or not status.state.is_terminal or request is None:
        return False
    return trigger is None or not is_trigger_of(trigger, request)


def answer(run: RunObject, status: PipelineRunStatus, now: datetime) -> PipelineRunStatus | None:
    """Return the status of an ended run with the condition that refuses what was asked too late.

    None where there is nothing to answer. Each answer is given once for each
    generation of the spec.
    """
    if status.state is None or not status.state.is_terminal:
        return None
    if not is_too_late(run, status):
        return (
            None
            if status.observed_generation == run.generation
            else as_seen(status, run.generation)
        )
    return with_refusal(status, run.generation, NOT_STOPPABLE, refusal(status), now)


def refusal(status: PipelineRunStatus) -> str:
    """Return the sentence that refuses a stop."""
    return (
        f"spec.stop: the run had ended before, as {status.state}; only a run under way can be "
        f"stopped (X-55)"
    )
