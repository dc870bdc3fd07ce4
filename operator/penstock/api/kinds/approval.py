"""The Approval object: a manual approval that waits for people to decide (P-60..P-62)."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from penstock.api.fields import CodePipelineName, DnsName
from penstock.api.model import ATOMIC, Model, list_map, rule, rules
from penstock.api.status.conditions import Condition

UserName = Annotated[str, StringConstraints(min_length=1, max_length=253)]


class ApprovalState(StrEnum):
    """What became of an Approval; every state but Pending is final."""

    PENDING = "Pending"
    APPROVED = "Approved"
    REJECTED = "Rejected"
    EXPIRED = "Expired"
    ABANDONED = "Abandoned"


class Approvers(Model):
    """Who may decide: these users and the members of these groups, as the API server knows them.

    Where none is named, everyone may who has the right to change Approvals of
    the namespace (P-63: IAM's part).
    """

    users: Annotated[tuple[UserName, ...], Field(max_length=100, json_schema_extra=ATOMIC)] = ()
    groups: Annotated[tuple[UserName, ...], Field(max_length=100, json_schema_extra=ATOMIC)] = ()


class Decision(Model):
    """The decision of one person. ``user`` must be the name of whoever writes it.

    The admission policy demands that.
    """

    user: UserName
    decision: Literal["Approved", "Rejected"]
    comment: Annotated[str, StringConstraints(max_length=512)] | None = None
    token: Annotated[str, StringConstraints(max_length=64)] | None = None
    """The token of the Approval, optional. A wrong token is refused (InvalidApprovalToken)."""


_FROZEN = (
    "pipelineName", "pipelineExecutionId", "run", "stageName", "actionName", "attempt", "token",
    "customData",
    "externalEntityLink", "approvers", "excludedUsers", "quorum", "expirationTime",
)  # fmt: skip


def _frozen(field: str) -> dict[str, str]:
    same = (
        f"has(self.{field}) == has(oldSelf.{field}) && (!has(self.{field}) || self.{field} == "
        f"oldSelf.{field})"
    )
    return rule(
        same, "cannot be changed: only decisions are written to an Approval", field_path=f".{field}"
    )


class ApprovalSpec(Model):
    """The question, the people who may answer it, and their decisions.

    The operator writes it once. People add to ``decisions``.
    """

    model_config = {"json_schema_extra": rules(*(_frozen(name) for name in _FROZEN))}

    pipeline_name: DnsName
    pipeline_execution_id: Annotated[str, StringConstraints(max_length=64)]
    """The uid of the run."""
    run: DnsName
    stage_name: CodePipelineName
    action_name: CodePipelineName
    attempt: Annotated[int, Field(ge=1)]
    token: Annotated[str, StringConstraints(max_length=64)]
    custom_data: Annotated[str, StringConstraints(max_length=10_000)] | None = None
    """The text for those who decide, its variables resolved (P-60)."""
    external_entity_link: Annotated[str, StringConstraints(max_length=10_000)] | None = None
    approvers: Approvers | None = None
    excluded_users: Annotated[
        tuple[UserName, ...], Field(max_length=100, json_schema_extra=ATOMIC)
    ] = ()
    """Who may not decide: with ExcludeStarter, who started the run."""
    quorum: Annotated[int, Field(ge=1, le=100)]
    """How many must approve; one rejection is enough to reject."""
    expiration_time: Annotated[str, StringConstraints(max_length=64)]
    """When it expires undecided (T-05); then the action fails."""
    decisions: Annotated[
        tuple[Decision, ...], Field(max_length=100, json_schema_extra=list_map("user"))
    ] = ()


class ApprovalStatus(Model):
    """What became of it."""

    observed_generation: int | None = None
    state: ApprovalState | None = None
    approvals: str | None = None
    """How many have approved, of how many must: ``1/2``."""
    last_updated_by: str | None = None
    """Who decided last (X-81)."""
    summary: str | None = None
    """What was decided and by whom, or what it waits for: one line for people."""
    completion_time: str | None = None
    conditions: Annotated[tuple[Condition, ...], Field(json_schema_extra=list_map("type"))] = ()


class ApprovalReference(Model):
    """The Approval of an attempt that waits for people.

    It records what the Approval was created with, so that no other Approval counts.
    """

    name: str
    uid: str | None = None
    """Absent until it was seen."""
    spec_hash: str
    """The hash of everything in its spec but the decisions."""
