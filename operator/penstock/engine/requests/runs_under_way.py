"""RunsUnderWay takes runs as far as their requests, their definition and their Pipeline allow.

One run's turn has three parts: its tries are observed, what people ask of it is answered by that,
and it goes on: it proceeds in its stage, or it stops, or it is cancelled.
"""

from dataclasses import replace

from penstock.api.kinds.retry import RefusedRequest
from penstock.api.kinds.run import RunState, StageStatus
from penstock.engine.definition.frozen import Definition
from penstock.engine.entry.admission import Refusal
from penstock.engine.entry.cancellation import Cancellation, cancellation_of
from penstock.engine.requests.answers import UserRequests, has_unanswered, is_answered_anew
from penstock.engine.requests.new_runs import NewRuns
from penstock.engine.requests.retries import LIMIT_EXCEEDED, cancelled_since
from penstock.engine.requests.stop import (
    NOT_STOPPABLE,
    answer,
    go_on_stopping,
    is_too_late,
    refusal,
)
from penstock.engine.run.advance import RunAdvance
from penstock.engine.run.rollback import Rollbacks
from penstock.engine.snapshot import RunObject, status_refusal
from penstock.engine.tries.draft import RunDraft


class RunsUnderWay:
    """The turns of one pass.

    Their decisions go into the ``statuses`` and ``events`` that ``new_runs`` holds for the pass.
    """

    def __init__(self, new_runs: NewRuns, requests: UserRequests, rollbacks: Rollbacks) -> None:
        self._new_runs, self._requests, self._rollbacks = new_runs, requests, rollbacks
        self._snapshot, self._facts = new_runs.snapshot, new_runs.facts
        self._statuses, self._events = new_runs.statuses, new_runs.events

    def advance(self, run: RunObject) -> RunAdvance | None:
        """Read the results of a run and let it go on. None if it cannot go on now."""
        status = self._statuses[run.name]
        if run.spec is None and status.state is RunState.IN_PROGRESS and not status.stage_states:
            # What it was asked to run with is not known: it does not begin with anything else.
            self._new_runs.refuse(run, Refusal("InvalidRun", run.unreadable))
            return None
        if status.state is None or (status.state.is_terminal and not has_unanswered(run, status)):
            return None
        definition = self._new_runs.thaw(status)
        if definition is None and not status.state.is_terminal:
            gone = (
                f"the ControllerRevision {status.revision}, which the run executes, is gone: start "
                f"a new run"
            )
            self._new_runs.refuse(run, Refusal("DefinitionLost", gone))
            return None
        advance = self._advance_of(replace(run, status=status), definition) if definition else None
        # Observe first: an answer depends on what has ended, and a failure seen now may be retried
        # now.
        if advance and not status.state.is_terminal:
            advance.observe()
        blocked_by = self._blocked_by(advance) if advance else None
        answered = self._requests.answer(
            run, advance.status if advance else status, definition, blocked_by
        )
        if advance is None or (status.state.is_terminal and answered.state is status.state):
            self._statuses[run.name] = answered
            return None
        # From here on the run acts on its answers, which are written in the same status.
        advance.draft.status = answered
        # A resumed run counts again among those that the Pipeline's limit bounds.
        if status.state.is_terminal and advance.is_parallel:
            self._new_runs.concurrency.take()
        if answered.state and not answered.state.is_terminal:
            self._go_on(advance)
        return advance

    def as_it_stands(self, run: RunObject) -> RunAdvance | None:
        """Return a run that does not go on: it holds what its written status holds.

        None if it holds nothing. The pass comes back when the server may take its status.
        """
        refused = self._facts.refusal_now(status_refusal(run.uid))
        if refused:
            self._new_runs.look_again.append(self._facts.again_at(refused))
        if run.status.state is None or run.status.state.is_terminal:
            return None
        definition = self._new_runs.thaw(run.status)
        return self._advance_of(run, definition) if definition else None

    def answer_late_stop(self, run: RunObject) -> None:
        """X-55: tell what was asked of a run that has ended that it comes too late."""
        before = self._statuses[run.name]
        # What was answered in this very pass is of this generation already.
        if (
            is_answered_anew(run.status, before)
            or (answered := answer(run, before, self._facts.now)) is None
        ):
            return
        self._statuses[run.name] = answered
        if is_too_late(run, before):
            self._events.append(run.event(NOT_STOPPABLE, refusal(before), is_warning=True))

    def cancellation(self, advance: RunAdvance) -> Cancellation | None:
        """Return why a run is cancelled, None where it may go on."""
        return cancellation_of(
            advance, self._snapshot.pipeline, is_pipeline_absent=self._snapshot.is_pipeline_absent
        )

    def _advance_of(self, run: RunObject, definition: Definition) -> RunAdvance:
        return RunAdvance(RunDraft(run, definition, self._facts, run.status), self._rollbacks)

    def _blocked_by(self, advance: RunAdvance) -> RefusedRequest | None:
        """Return the refusal of a retry that the Pipeline would cancel at once (X-63).

        So too if the retry would exceed the Pipeline's limit.
        """
        if cancelled := self.cancellation(advance):
            return cancelled_since(cancelled)
        pipeline, state = self._snapshot.pipeline, advance.status.state
        is_one_more = advance.is_parallel and state is not None and state.is_terminal
        return (
            LIMIT_EXCEEDED
            if is_one_more and pipeline and self._new_runs.concurrency.is_full(pipeline)
            else None
        )

    def _go_on(self, advance: RunAdvance) -> None:
        advance.give_up_overridden()
        # A stop wins over an edit: it was asked of this very run.
        if advance.stop:
            go_on_stopping(advance, advance.stop, self._facts.now)
        elif not self.cancellation(advance):
            advance.proceed()
        # Nobody will read how it ends: its Jobs go now, its stage is free when their containers
        # end.
        elif advance.run.is_deleted:
            advance.abandon()
            advance.close_current(StageStatus.CANCELLED)
            advance.end(RunState.CANCELLED)
        else:
            advance.abandon_waits()
            if not advance.has_running_actions() and not advance.remains():
                advance.close_current(StageStatus.CANCELLED)
                advance.end(RunState.CANCELLED)
