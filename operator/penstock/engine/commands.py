"""The decision of a pass: a `Plan` of new statuses and commands, as plain values.

`controller/apply.py` carries them out.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from penstock.api.kinds.approval import ApprovalStatus
from penstock.api.kinds.run import PipelineRunStatus
from penstock.api.status.pipeline_status import PipelineStatus


@dataclass(frozen=True, slots=True)
class CreateJob:
    """Create a Job; that it exists already, with our owner and hash, is success."""

    manifest: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class CreateApproval:
    """Create an Approval; that it exists already, with our owner and hash, is success."""

    manifest: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class CreateRun:
    """Create a run; that one of its name with the same spec exists already is success."""

    manifest: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class CloseApproval:
    """Write the status of an Approval that nobody waits for any more."""

    name: str
    status: ApprovalStatus


@dataclass(frozen=True, slots=True)
class DeleteJob:
    """Delete one Job and its pods."""

    name: str
    uid: str


@dataclass(frozen=True, slots=True)
class DeleteJobsOfRuns:
    """Delete all Jobs of runs that have ended, in one request."""

    run_uids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DeleteRun:
    """Delete a run that the history limits no longer keep."""

    name: str
    uid: str


@dataclass(frozen=True, slots=True)
class DeleteRevision:
    """Delete a ControllerRevision that no run names."""

    name: str


@dataclass(frozen=True, slots=True)
class EmitEvent:
    """Record an Event about an object. Reasons are stable, messages are for people."""

    kind: str
    name: str
    uid: str
    reason: str
    message: str
    is_warning: bool = False


Command = (
    CreateJob
    | CreateRun
    | CreateApproval
    | CloseApproval
    | DeleteJob
    | DeleteJobsOfRuns
    | DeleteRun
    | DeleteRevision
    | EmitEvent
)


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything one pass decided; empty when nothing has to change.

    ``run_statuses``, ``approval_statuses`` and ``pipeline_status`` are whole new values.
    ``to_confirm`` are Jobs, and ``approvals_to_confirm`` Approvals, to be looked up live before
    anything is concluded from what the cache has of them. ``look_again`` is the nearest limit.
    """

    revisions: tuple[Mapping[str, Any], ...] = ()
    run_statuses: Mapping[str, PipelineRunStatus] = field(default_factory=dict)
    approval_statuses: Mapping[str, ApprovalStatus] = field(default_factory=dict)
    pipeline_status: PipelineStatus | None = None
    commands: tuple[Command, ...] = ()
    to_confirm: frozenset[str] = frozenset()
    approvals_to_confirm: frozenset[str] = frozenset()
    look_again: datetime | None = None

    @property
    def is_empty(self) -> bool:
        """Whether the pass changes nothing."""
        statuses = self.run_statuses or self.approval_statuses or self.pipeline_status
        return not (self.revisions or statuses or self.commands or self.needs_confirmation)

    @property
    def needs_confirmation(self) -> bool:
        """Whether something is to be looked up live before the plan is complete."""
        return bool(self.to_confirm or self.approvals_to_confirm)
