"""Approval / AWS / Manual (P-60): waits until people have decided; nothing runs."""

from collections.abc import Mapping
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from penstock.actions.declaration import (
    ApprovalRequest,
    ArtifactBounds,
    Configuration,
    Declaration,
    OnLostPod,
)

# An approval waits for seven days, as on AWS (T-05).
_WEEK_S = 7 * 86_400


def _names_in(text: str | None) -> tuple[str, ...]:
    """Return the names in a list separated by commas."""
    return tuple(name for part in (text or "").split(",") if (name := part.strip()))


class ManualConfiguration(Configuration):
    """AWS's keys, and who may decide."""

    CustomData: str | None = None
    """What those who decide shall read."""
    ExternalEntityLink: str | None = Field(None, pattern=r"^https?://[^\s]+$")
    """A page about what is to be approved."""
    NotificationArn: str | None = None
    """An SNS topic on AWS; here the Event ApprovalNeeded tells of it."""
    ApproverUsers: str | None = None
    """Users, separated by commas, as the API server names them."""
    ApproverGroups: str | None = None
    """Groups, comma-separated; without either, all who may change the namespace's Approvals."""
    Quorum: str | None = Field(None, pattern=r"^[1-9][0-9]?$")
    """How many must approve: 1 if absent, at most 99."""
    ExcludeStarter: Literal["true", "false"] | None = None
    """Whether who started the run may not decide; "false" where it is absent."""

    # Before all else: that a variable is refused says more than that it is no number.
    @field_validator("ApproverUsers", "ApproverGroups", "Quorum", "ExcludeStarter", mode="before")
    @classmethod
    def _is_literal(cls, value: str | None) -> str | None:
        if value and "#{" in value:
            raise ValueError(
                "who may decide cannot come from a variable: the change under approval could "
                "choose its approvers"
            )
        return value

    @field_validator("ApproverUsers", "ApproverGroups")
    @classmethod
    def _names_somebody(cls, value: str | None) -> str | None:
        if value is not None and not _names_in(value):
            raise ValueError(
                "names nobody; leave the key out to let everyone decide who may change Approvals"
            )
        return value

    @model_validator(mode="after")
    def _can_be_met(self) -> Self:
        users = len(set(_names_in(self.ApproverUsers)))
        if users and not self.ApproverGroups and int(self.Quorum or 1) > users:
            raise ValueError(f"Quorum is {self.Quorum}, but ApproverUsers names {users}")
        return self


def approval_request_of(configuration: Mapping[str, str]) -> ApprovalRequest:
    """Return what a resolved and valid configuration asks of people."""
    given = ManualConfiguration.model_validate(configuration)
    return ApprovalRequest(
        text=given.CustomData or "",
        link=given.ExternalEntityLink or "",
        users=_names_in(given.ApproverUsers),
        groups=_names_in(given.ApproverGroups),
        quorum=int(given.Quorum or 1),
        is_starter_excluded=given.ExcludeStarter == "true",
    )


DECLARATION = Declaration(
    category="Approval",
    owner="AWS",
    provider="Manual",
    folder="manual_approval",
    configuration=ManualConfiguration,
    inputs=ArtifactBounds(0, 0),
    outputs=ArtifactBounds(0, 0),
    on_lost_pod=OnLostPod.FAIL,
    timeout_s=_WEEK_S,
    approval=approval_request_of,
    literals=("ApproverUsers", "ApproverGroups", "Quorum", "ExcludeStarter"),
    without_effect=("NotificationArn",),
)
