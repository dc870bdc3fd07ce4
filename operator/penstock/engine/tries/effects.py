"""What advancing a run leads to, besides its new status."""

from dataclasses import dataclass, field
from datetime import datetime

from penstock.api.kinds.approval import ApprovalStatus
from penstock.engine.commands import Command


@dataclass(slots=True)
class Effects:
    """What advancing a run leads to, besides its new status."""

    commands: list[Command] = field(default_factory=list)
    to_confirm: set[str] = field(default_factory=set)
    approvals_to_confirm: set[str] = field(default_factory=set)
    approval_statuses: dict[str, ApprovalStatus] = field(default_factory=dict)
    look_again: list[datetime] = field(default_factory=list)
