"""Actions that wait for people (P-60..P-62): they have an Approval where others have a Job.

The execution of the attempt says with what the Approval was created; one that differs counts for
nothing. What people decided counts only if a live look shows that the admission policy guards it,
since the policy alone knows who wrote a decision. A decision is written into the Approval's status
before the run's, and is final there; what gives a wait up is written into the run's status first,
and then closes the Approval.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime

from penstock.api.kinds.approval import ApprovalReference, ApprovalState
from penstock.api.kinds.run import PipelineRunStatus
from penstock.api.status.executions import ActionExecution, ActionStatus
from penstock.api.times import parse_time
from penstock.engine.commands import CloseApproval, CreateApproval
from penstock.engine.definition.errors import RequestError
from penstock.engine.language.variables import Values
from penstock.engine.pods.context import TryContext
from penstock.engine.pods.request import resolved_configuration, timeout_of
from penstock.engine.snapshot import ApprovalObject
from penstock.engine.tries.approval_objects import (
    ApprovalOutcome,
    ApprovalTemplate,
    approval_manifest,
    check_quorum,
    expiry,
    frozen_hash,
    outcome_of,
    pending_status,
    settled_status,
    starters_of,
)
from penstock.engine.tries.draft import RunDraft
from penstock.engine.tries.executions import ended_execution
from penstock.engine.tries.facts import Facts
from penstock.engine.tries.refused import held_back
from penstock.engine.tries.results import TryResult

POLICY_MISSING = "ApprovalPolicyMissing"
_UNGUARDED = (
    "the ValidatingAdmissionPolicy that guards Approvals, or its binding, is missing, so anyone "
    "could decide in another's name: install the chart's and start again"
)
_OPEN = (None, ApprovalState.PENDING)


class Approvals:
    """The approvals of one run in one pass."""

    def __init__(self, draft: RunDraft) -> None:
        self._draft, self._facts, self._effects = draft, draft.facts, draft.effects

    def start(
        self, context: TryContext, execution: ActionExecution, values: Values
    ) -> ActionExecution:
        """Return the execution of a new attempt, and see to its Approval."""
        # A new execution names a Job. An approval has none, and no search by name must find one.
        execution = execution.model_copy(update={"job_name": ""})
        try:
            template = self._template(context, values)
            reference = ApprovalReference(name=template.name, spec_hash=frozen_hash(template.spec))
        except RequestError as error:
            return self._fail(context, execution, error.code, str(error))
        execution = execution.model_copy(update={"approval": reference, "token": template.token})
        return self._create(context, execution, template)

    def observe(
        self, context: TryContext, execution: ActionExecution, values: Values, *, is_abandoned: bool
    ) -> ActionExecution:
        """Return the execution after a look at people's decisions.

        If it is to be abandoned, nothing is created.
        """
        assert execution.approval is not None
        approval = self._facts.approvals.get(execution.approval.name)
        if approval is None or approval.is_deleted:
            if self._was_seen(execution.approval):
                return self._deleted(context, execution, execution.approval.name)
            return (
                execution
                if is_abandoned
                else self._create(context, execution, self._template(context, values))
            )
        if not self._is_as_created(approval, execution.approval):
            message = (
                f"the Approval {approval.name} is not as it was created: what was decided in it "
                f"does not count"
            )
            return (
                self._fail(context, execution, "ApprovalChanged", message)
                if self._is_live(approval.name)
                else execution
            )
        outcome = outcome_of(approval, self._facts.now)
        if outcome is None:
            return self._pending(execution, execution.approval, approval)
        if approval.status.state in _OPEN:
            if outcome.by and not self._is_live(approval.name):
                return execution
            if outcome.by and not self._facts.live.approvals[approval.name]:
                return self._fail(context, execution, POLICY_MISSING, _UNGUARDED)
            status = settled_status(approval, outcome, self._facts.now)
            self._effects.approval_statuses[approval.name] = status
        return self._end(context, execution, outcome)

    def _is_as_created(self, approval: ApprovalObject, reference: ApprovalReference) -> bool:
        """Whether an Approval is the one that the attempt has created, for this run."""
        # The status is written before the Approval exists, so its uid is known one pass later.
        wanted = (reference.uid or approval.uid, self._draft.run.uid, reference.spec_hash)
        found = (approval.uid, approval.owner_uid, approval.spec_hash)
        return found == wanted and approval.spec is not None

    def abandon(self, execution: ActionExecution) -> ActionExecution:
        """Return the execution with its wait given up.

        That closes the Approval, as nobody waits for it any more.
        """
        given_up = ApprovalOutcome(
            ApprovalState.ABANDONED, "Abandoned", "given up before it was decided"
        )
        return _execution_of(execution, given_up, self._facts)

    # ---- while it waits

    def _pending(
        self, execution: ActionExecution, reference: ApprovalReference, approval: ApprovalObject
    ) -> ActionExecution:
        if approval.spec and (expires := parse_time(approval.spec.expiration_time)):
            self._effects.look_again.append(expires)
        status = pending_status(approval, self._facts.now)
        if status != approval.status:
            self._effects.approval_statuses[approval.name] = status
        if reference.uid:
            return execution
        known = reference.model_copy(update={"uid": approval.uid})
        return execution.model_copy(update={"approval": known, "waiting": None})

    def _was_seen(self, reference: ApprovalReference) -> bool:
        # The uid is recorded one pass after the creation. Until then only the cache knows that the
        # Approval was there, and one that was never there is created instead of rejected.
        return (
            bool(reference.uid)
            or reference.name in self._facts.seen
            or reference.name in self._facts.approvals
        )

    def _deleted(
        self, context: TryContext, execution: ActionExecution, name: str
    ) -> ActionExecution:
        """Reject if the Approval was deleted before the decision.

        Absence is never evidence, so look it up live first.
        """
        if not self._is_live(name):
            return execution
        return self._fail(
            context, execution, "Rejected", f"the Approval {name} was deleted before the decision"
        )

    def _is_live(self, name: str) -> bool:
        """Whether the Approval was looked up for this very pass; if not, see to it."""
        if name not in self._facts.live.approvals:
            self._effects.approvals_to_confirm.add(name)
        return name in self._facts.live.approvals

    # ---- beginning and ending

    def _template(self, context: TryContext, values: Values) -> ApprovalTemplate:
        """Return what the Approval is made of; raise RequestError where that cannot be said."""
        assert context.declared.approval is not None
        request = context.declared.approval(resolved_configuration(context, values))
        excluded = starters_of(self._draft.run.spec) if request.is_starter_excluded else ()
        check_quorum(request, excluded)
        expires = expiry(context.started, timeout_of(context, self._facts.settings))
        return ApprovalTemplate(context.attempt, request, excluded, expires)

    def _create(
        self, context: TryContext, execution: ActionExecution, template: ApprovalTemplate
    ) -> ActionExecution:
        if not self._is_live(template.name):
            return execution
        if not self._facts.live.approvals[template.name]:
            return self._fail(context, execution, POLICY_MISSING, _UNGUARDED)
        held = held_back(execution, "Approval", template.name, self._facts, self._effects)
        if isinstance(held, TryResult):
            return self._fail(context, execution, held.code, held.message)
        if held is not None:
            return held
        self._effects.commands.append(CreateApproval(approval_manifest(template)))
        text = template.request.text
        self._tell(
            context,
            "ApprovalNeeded",
            f"waits for approval {template.name}{f': {text}' if text else ''}",
        )
        return execution

    def _fail(
        self, context: TryContext, execution: ActionExecution, code: str, message: str
    ) -> ActionExecution:
        return self._end(
            context, execution, ApprovalOutcome(ApprovalState.ABANDONED, code, message)
        )

    def _end(
        self, context: TryContext, execution: ActionExecution, outcome: ApprovalOutcome
    ) -> ActionExecution:
        is_approved = outcome.state is ApprovalState.APPROVED
        reason = "ApprovalSucceeded" if is_approved else "ApprovalFailed"
        said = outcome.message if is_approved else f"{outcome.code}: {outcome.message}"
        self._tell(context, reason, said, is_warning=not is_approved)
        return _execution_of(execution, outcome, self._facts)

    def _tell(
        self, context: TryContext, reason: str, said: str, *, is_warning: bool = False
    ) -> None:
        message = f"{context.attempt.stage}/{context.attempt.action}: {said}"
        self._effects.commands.append(self._draft.run.event(reason, message, is_warning=is_warning))


def _execution_of(
    execution: ActionExecution, outcome: ApprovalOutcome, facts: Facts
) -> ActionExecution:
    """Return the execution of an ended attempt; its summary is the last decision's (P-62)."""
    ended = TryResult(outcome.action_status, outcome.code, outcome.message if outcome.code else "")
    update = {"token": None, "last_updated_by": outcome.by, "summary": outcome.comment}
    return ended_execution(execution, ended, None, facts.now).model_copy(update=update)


def close_unknown(
    approvals: Iterable[ApprovalObject], statuses: Iterable[PipelineRunStatus], now: datetime
) -> Iterator[CloseApproval]:
    """Yield the end of each pending Approval that no attempt waits for.

    Otherwise people would decide in vain.

    ``approvals`` are those whose status this pass does not write otherwise.
    """
    executions = {
        state.latest.approval.name: state.latest
        for status in statuses
        for _, state in status.actions
        if state.latest and state.latest.approval
    }
    for approval in approvals:
        execution = executions.get(approval.name)
        is_open = approval.status.state in _OPEN and not approval.is_deleted
        if not is_open or (execution and execution.status is ActionStatus.IN_PROGRESS):
            continue
        details = execution.error_details if execution else None
        code, message = (
            (details.code, details.message)
            if details
            else ("Abandoned", "no run waits for it any more")
        )
        outcome = ApprovalOutcome(ApprovalState.ABANDONED, code, message)
        yield CloseApproval(approval.name, settled_status(approval, outcome, now))
