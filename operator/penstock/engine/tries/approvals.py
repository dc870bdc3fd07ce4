"""Actions that wait for people (P-60..P-62): they have an Approval where others have a Job.

The row of the attempt says with what the Approval was created; one that differs counts for nothing. What people
decided counts only if a live look shows that the admission policy guards it, since the policy alone knows who
wrote a decision. A decision is written into the Approval's status before the run's, and is final there; what gives
a wait up is written into the run's status first, and then closes the Approval.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime

from penstock.api.kinds.approval import ApprovalReference, ApprovalState
from penstock.api.kinds.run import PipelineRunStatus
from penstock.api.status.executions import ActionExecution, ActionStatus
from penstock.api.times import format_seconds, parse_time
from penstock.engine.commands import CloseApproval, CreateApproval
from penstock.engine.definition.errors import RequestError
from penstock.engine.language.variables import Values
from penstock.engine.pods.context import Subject
from penstock.engine.pods.request import resolved_configuration, timeout_of
from penstock.engine.snapshot import ApprovalObject, RunObject
from penstock.engine.tries.approval_objects import (
    Order,
    Outcome,
    approval_manifest,
    check_quorum,
    expiry,
    frozen_hash,
    outcome_of,
    pending_status,
    settled_status,
    starters_of,
)
from penstock.engine.tries.effects import Findings
from penstock.engine.tries.executions import ended_execution
from penstock.engine.tries.facts import World
from penstock.engine.tries.refused import held_back
from penstock.engine.tries.results import Ended

POLICY_MISSING = "ApprovalPolicyMissing"
_UNGUARDED = (
    "the ValidatingAdmissionPolicy that guards Approvals, or its binding, is missing, so anyone could decide in "
    "another's name: install the chart's and start again"
)
_OPEN = (None, ApprovalState.PENDING)


class Approvals:
    """The approvals of one run in one pass."""

    def __init__(self, run: RunObject, world: World, findings: Findings) -> None:
        self._run, self._world, self._findings = run, world, findings

    def start(self, subject: Subject, row: ActionExecution, values: Values) -> ActionExecution:
        """Return the row of a new attempt, and see to its Approval."""
        row = row.model_copy(update={"job_name": ""})
        try:
            order = self._order(subject, values)
            reference = ApprovalReference(name=order.name, spec_hash=frozen_hash(order.spec))
        except RequestError as error:
            return self._fail(subject, row, error.code, str(error))
        row = row.model_copy(update={"approval": reference, "token": order.token})
        return self._create(subject, row, order)

    def observe(self, subject: Subject, row: ActionExecution, values: Values, *, is_abandoned: bool) -> ActionExecution:
        """Return the row after a look at what people decided; nothing is created where it is to be abandoned."""
        assert row.approval is not None
        approval = self._world.approvals.get(row.approval.name)
        if approval is None or approval.is_deleted:
            if self._was_seen(row.approval):
                return self._deleted(subject, row, row.approval.name)
            return row if is_abandoned else self._create(subject, row, self._order(subject, values))
        wanted = (row.approval.uid or approval.uid, self._run.uid, row.approval.spec_hash)
        if (approval.uid, approval.owner_uid, approval.spec_hash) != wanted or approval.spec is None:
            message = f"the Approval {approval.name} is not as it was created: what was decided in it does not count"
            return self._fail(subject, row, "ApprovalChanged", message) if self._is_live(approval.name) else row
        outcome = outcome_of(approval, self._world.now)
        if outcome is None:
            return self._pending(row, row.approval, approval)
        if approval.status.state in _OPEN:
            if outcome.by and not self._is_live(approval.name):
                return row
            if outcome.by and not self._world.guarded[approval.name]:
                return self._fail(subject, row, POLICY_MISSING, _UNGUARDED)
            status = settled_status(approval, outcome, format_seconds(self._world.now))
            self._findings.approval_statuses[approval.name] = status
        return self._end(subject, row, outcome)

    def abandon(self, row: ActionExecution) -> ActionExecution:
        """Return the row with its wait given up; that closes the Approval, as nobody waits for it any more."""
        given_up = Outcome(ApprovalState.ABANDONED, "Abandoned", "given up before it was decided")
        return _row_of(row, given_up, self._world)

    # ---- while it waits

    def _pending(self, row: ActionExecution, reference: ApprovalReference, approval: ApprovalObject) -> ActionExecution:
        if approval.spec and (expires := parse_time(approval.spec.expiration_time)):
            self._findings.look_again.append(expires)
        status = pending_status(approval, format_seconds(self._world.now))
        if status != approval.status:
            self._findings.approval_statuses[approval.name] = status
        if reference.uid:
            return row
        known = reference.model_copy(update={"uid": approval.uid})
        return row.model_copy(update={"approval": known, "waiting": None})

    def _was_seen(self, reference: ApprovalReference) -> bool:
        return bool(reference.uid) or reference.name in self._world.seen or reference.name in self._world.approvals

    def _deleted(self, subject: Subject, row: ActionExecution, name: str) -> ActionExecution:
        """Deleted before the decision is rejected; absence is never evidence, and looked up live first."""
        if not self._is_live(name):
            return row
        return self._fail(subject, row, "Rejected", f"the Approval {name} was deleted before the decision")

    def _is_live(self, name: str) -> bool:
        """Whether the Approval was looked up for this very pass; if not, see to it."""
        if name not in self._world.guarded:
            self._findings.look_up_approvals.add(name)
        return name in self._world.guarded

    # ---- beginning and ending

    def _order(self, subject: Subject, values: Values) -> Order:
        """Return what the Approval is made of; raise RequestError where that cannot be said."""
        assert subject.declared.question is not None
        question = subject.declared.question(resolved_configuration(subject, values))
        excluded = starters_of(self._run.spec) if question.is_starter_excluded else ()
        check_quorum(question, excluded)
        expires = expiry(subject.started, timeout_of(subject, self._world.settings))
        return Order(subject.attempt, question, excluded, expires)

    def _create(self, subject: Subject, row: ActionExecution, order: Order) -> ActionExecution:
        if not self._is_live(order.name):
            return row
        if not self._world.guarded[order.name]:
            return self._fail(subject, row, POLICY_MISSING, _UNGUARDED)
        held = held_back(row, "Approval", order.name, self._world, self._findings)
        if isinstance(held, Ended):
            return self._fail(subject, row, held.code, held.message)
        if held is not None:
            return held
        self._findings.commands.append(CreateApproval(approval_manifest(order)))
        text = order.question.text
        self._tell(subject, "ApprovalNeeded", f"waits for approval {order.name}{f': {text}' if text else ''}")
        return row

    def _fail(self, subject: Subject, row: ActionExecution, code: str, message: str) -> ActionExecution:
        return self._end(subject, row, Outcome(ApprovalState.ABANDONED, code, message))

    def _end(self, subject: Subject, row: ActionExecution, outcome: Outcome) -> ActionExecution:
        is_approved = outcome.state is ApprovalState.APPROVED
        reason = "ApprovalSucceeded" if is_approved else "ApprovalFailed"
        said = outcome.message if is_approved else f"{outcome.code}: {outcome.message}"
        self._tell(subject, reason, said, is_warning=not is_approved)
        return _row_of(row, outcome, self._world)

    def _tell(self, subject: Subject, reason: str, said: str, *, is_warning: bool = False) -> None:
        message = f"{subject.attempt.stage}/{subject.attempt.action}: {said}"
        self._findings.commands.append(self._run.event(reason, message, is_warning=is_warning))


def _row_of(row: ActionExecution, outcome: Outcome, world: World) -> ActionExecution:
    """Return the row of an attempt that is over; its summary is what the last to decide said (P-62)."""
    ended = Ended(outcome.action_status, outcome.code, outcome.message if outcome.code else "")
    update = {"token": None, "last_updated_by": outcome.by, "summary": outcome.comment}
    return ended_execution(row, ended, None, world.now).model_copy(update=update)


def close_unknown(
    approvals: Iterable[ApprovalObject], statuses: Iterable[PipelineRunStatus], now: datetime
) -> Iterator[CloseApproval]:
    """Yield the end of each pending Approval that no attempt waits for: nobody shall decide in vain.

    ``approvals`` are those whose status this pass does not write otherwise.
    """
    rows = {
        state.latest.approval.name: state.latest
        for status in statuses
        for stage in status.stage_states
        for state in stage.action_states
        if state.latest and state.latest.approval
    }
    for approval in approvals:
        row = rows.get(approval.name)
        is_open = approval.status.state in _OPEN and not approval.is_deleted
        if not is_open or (row and row.status is ActionStatus.IN_PROGRESS):
            continue
        details = row.error_details if row else None
        code, message = (details.code, details.message) if details else ("Abandoned", "no run waits for it any more")
        outcome = Outcome(ApprovalState.ABANDONED, code, message)
        yield CloseApproval(approval.name, settled_status(approval, outcome, format_seconds(now)))
