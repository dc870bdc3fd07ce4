"""The Approval of one attempt: its content, the outcome of its decisions, its status."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from penstock.actions.declaration import ApprovalRequest
from penstock.api import meta
from penstock.api.contract.contracts import Attempt
from penstock.api.kinds.approval import (
    ApprovalSpec,
    ApprovalState,
    ApprovalStatus,
    Approvers,
    Decision,
)
from penstock.api.kinds.run import PipelineRunSpec
from penstock.api.names import approval_name, approval_token
from penstock.api.status.conditions import Condition, ConditionType, merge
from penstock.api.status.executions import ActionStatus
from penstock.api.text import printable, shorten
from penstock.api.times import format_seconds, parse_time
from penstock.engine.definition.errors import RequestError
from penstock.engine.definition.frozen import spec_hash
from penstock.engine.pods.metadata import annotations_of, labels_of, owner_of
from penstock.engine.snapshot import ApprovalObject

# Characters of a question, with its variables put in.
_TEXT_LENGTH = 10_000
# The trigger types of runs that a person started; all others were started by a process.
_BY_PEOPLE = (None, "StartPipelineExecution", "ManualRollback")


@dataclass(frozen=True, slots=True)
class ApprovalTemplate:
    """The content of an Approval: the waiting attempt, the question, limits on the answer.

    The limits are who may not answer, and until when one may.
    """

    attempt: Attempt
    request: ApprovalRequest
    excluded: tuple[str, ...]
    expires: datetime

    @property
    def name(self) -> str:
        """The name of the attempt's Approval."""
        return approval_name(*self._identity)

    @property
    def token(self) -> str:
        """The token of the attempt's Approval (P-61)."""
        return approval_token(*self._identity)

    @property
    def spec(self) -> dict[str, Any]:
        """Its spec but for the decisions; RequestError where a text is too long."""
        attempt, request = self.attempt, self.request
        for key, text in (("CustomData", request.text), ("ExternalEntityLink", request.link)):
            if len(text) > _TEXT_LENGTH:
                message = (
                    f"configuration.{key}: more than {_TEXT_LENGTH} characters once its variables "
                    f"are resolved"
                )
                raise RequestError("ConfigurationTooLarge", message)
        approvers = Approvers(users=request.users, groups=request.groups)
        return ApprovalSpec(
            pipeline_name=attempt.pipeline,
            pipeline_execution_id=attempt.run_uid,
            run=attempt.run,
            stage_name=attempt.stage,
            action_name=attempt.action,
            attempt=attempt.attempt,
            token=self.token,
            custom_data=request.text or None,
            external_entity_link=request.link or None,
            approvers=approvers if approvers.users or approvers.groups else None,
            excluded_users=self.excluded,
            quorum=request.quorum,
            expiration_time=format_seconds(self.expires),
        ).to_dict()

    @property
    def _identity(self) -> tuple[str, str, str, int]:
        attempt = self.attempt
        return attempt.run_uid, attempt.stage, attempt.action, attempt.attempt


def starters_of(spec: PipelineRunSpec | None) -> tuple[str, ...]:
    """Return who started a run, as far as a person did; raise RequestError where that is not known.

    The admission policy sees to it that ``requestedBy`` is true, and that only triggers name a
    trigger of theirs.
    """
    if spec is None or (spec.trigger and spec.trigger.trigger_type not in _BY_PEOPLE):
        return ()
    if spec.requested_by is None:
        message = (
            "configuration.ExcludeStarter: who started the run is not known; start it with "
            "spec.requestedBy"
        )
        raise RequestError("StarterUnknown", message)
    return (spec.requested_by,)


def check_quorum(request: ApprovalRequest, excluded: Collection[str]) -> None:
    """Raise RequestError where those who are left could never be as many as must approve."""
    left = set(request.users) - set(excluded)
    # Members of a group are unknown here: only named users can be counted.
    if request.users and not request.groups and len(left) < request.quorum:
        who = f"without {', '.join(excluded)}, who started the run, ApproverUsers names {len(left)}"
        raise RequestError(
            "NoApproverLeft",
            f"configuration.ExcludeStarter: {who}, and {request.quorum} must approve",
        )


def approval_manifest(template: ApprovalTemplate) -> dict[str, Any]:
    """Return the Approval; the same order always gives the same manifest."""
    attempt = template.attempt
    return {
        "apiVersion": meta.API_VERSION,
        "kind": meta.APPROVAL,
        "metadata": {
            "name": template.name,
            "namespace": attempt.namespace,
            "labels": labels_of(attempt),
            "annotations": annotations_of(attempt),
            "ownerReferences": [owner_of(attempt)],
        },
        # An empty list, so that a JSON patch can add to it.
        "spec": {**template.spec, "decisions": []},
    }


def frozen_hash(spec: Mapping[str, Any]) -> str:
    """Return the hash of a stored Approval's spec without its decisions."""
    # People add decisions to the spec; the hash covers the part that nobody may change.
    return spec_hash({key: value for key, value in spec.items() if key != "decisions"})


# ---- what was decided


@dataclass(frozen=True, slots=True)
class ApprovalOutcome:
    """The outcome of an Approval. ``by`` decided it.

    ``code`` is the code of the action's error, empty for none.
    """

    state: ApprovalState
    code: str = ""
    message: str = ""
    by: str | None = None
    comment: str | None = None

    @property
    def action_status(self) -> ActionStatus:
        """What becomes of the action: T-05, P-62."""
        if self.state is ApprovalState.APPROVED:
            return ActionStatus.SUCCEEDED
        return ActionStatus.ABANDONED if self.code == "Abandoned" else ActionStatus.FAILED


def outcome_of(approval: ApprovalObject, now: datetime) -> ApprovalOutcome | None:
    """Return what an Approval has come to, None while it is pending.

    What its status says is final. One rejection rejects; what is decided after the expiry comes too
    late, and as nothing tells when a decision was made, so does what is seen after it.
    """
    spec = approval.spec
    assert spec is not None
    if (state := approval.status.state) not in (None, ApprovalState.PENDING):
        return _recorded(approval.status, state)
    expires = parse_time(spec.expiration_time)
    if expires and now >= expires:
        return ApprovalOutcome(
            ApprovalState.EXPIRED, "TimedOut", f"nobody decided until {spec.expiration_time} (T-05)"
        )
    counted = list(_counted(spec))
    if rejection := next((d for d in counted if d.decision == "Rejected"), None):
        said = f": {printable(rejection.comment)}" if rejection.comment else ""
        message = f"rejected by {printable(rejection.user)}{said}"
        return ApprovalOutcome(
            ApprovalState.REJECTED, "Rejected", message, rejection.user, rejection.comment
        )
    if len(counted) < spec.quorum:
        return None
    comments = [
        f"{d.user}: {d.comment}" if len(counted) > 1 else d.comment for d in counted if d.comment
    ]
    names = ", ".join(printable(d.user) for d in counted)
    comment = shorten("; ".join(comments), 1000) or None
    return ApprovalOutcome(
        ApprovalState.APPROVED, "", f"approved by {names}", counted[-1].user, comment
    )


def _recorded(status: ApprovalStatus, state: ApprovalState | None) -> ApprovalOutcome:
    assert state is not None
    condition = next((c for c in status.conditions if c.type == ConditionType.APPROVED), None)
    reason, message = (condition.reason, condition.message) if condition else (state.value, "")
    is_approved = state is ApprovalState.APPROVED
    # With the code Abandoned `action_status` would report a wait that the run itself gave up.
    code = "" if is_approved else "ApprovalClosed" if reason == "Abandoned" else reason
    return ApprovalOutcome(state, code, message, status.last_updated_by, status.summary)


def _counted(spec: ApprovalSpec) -> Iterator[Decision]:
    """Yield the decisions of those who may decide; only the admission policy knows groups."""
    named = spec.approvers or Approvers()
    for decision in spec.decisions:
        # Where groups are named everybody counts: the policy has let in their members alone.
        is_named = decision.user in named.users or named.groups or not named.users
        if is_named and decision.user not in spec.excluded_users:
            yield decision


# ---- its status


def pending_status(approval: ApprovalObject, now: datetime) -> ApprovalStatus:
    """Return the status of an Approval that waits."""
    spec = approval.spec
    assert spec is not None
    # One rejection ends the wait, so all decisions of a pending Approval are approvals.
    approved = [decision.user for decision in _counted(spec)]
    count = f"{len(approved)}/{spec.quorum}"
    message = (
        f"waiting for {_who(spec, approved)}, {count} have approved; expires at "
        f"{spec.expiration_time}"
    )
    return _status(approval, ApprovalOutcome(ApprovalState.PENDING, "Pending", message), count, now)


def settled_status(
    approval: ApprovalObject, outcome: ApprovalOutcome, now: datetime
) -> ApprovalStatus:
    """Return the status of an Approval that is over."""
    counted = (
        len([d for d in _counted(approval.spec) if d.decision == "Approved"])
        if approval.spec
        else 0
    )
    count = f"{counted}/{approval.spec.quorum}" if approval.spec else None
    status = _status(approval, outcome, count, now)
    return status.model_copy(
        update={"last_updated_by": outcome.by, "completion_time": format_seconds(now)}
    )


def _status(
    approval: ApprovalObject, outcome: ApprovalOutcome, count: str | None, now: datetime
) -> ApprovalStatus:
    values = {ApprovalState.PENDING: "Unknown", ApprovalState.APPROVED: "True"}
    condition = Condition.model_validate(
        {
            "type": ConditionType.APPROVED,
            "status": values.get(outcome.state, "False"),
            "reason": outcome.code or outcome.state.value,
            "message": shorten(outcome.message, 1000),
            "observedGeneration": approval.generation,
        }
    )
    return ApprovalStatus(
        observed_generation=approval.generation,
        state=outcome.state,
        approvals=count,
        summary=outcome.comment or shorten(outcome.message, 1000),
        conditions=merge(approval.status.conditions, (condition,), now),
    )


def _who(spec: ApprovalSpec, approved: Collection[str]) -> str:
    """Return who may still decide, as people read it."""
    named = spec.approvers or Approvers()
    users = [
        name for name in named.users if name not in approved and name not in spec.excluded_users
    ]
    groups = [f"group {name}" for name in named.groups]
    shown = [*users[:5], *groups[:5]]
    more = len(users) + len(groups) - len(shown)
    text = ", ".join(shown) or "anybody who may change Approvals here"
    return f"{text} and {more} more" if more else text


def expiry(started: datetime, seconds: float) -> datetime:
    """Return when an Approval expires: in whole seconds, as the API writes times."""
    return (started + timedelta(seconds=seconds)).replace(microsecond=0)
