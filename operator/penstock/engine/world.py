"""What the actions of a run find in the cluster in one pass (`World`), and what that leads to (`Findings`)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from penstock.api.approval import ApprovalStatus
from penstock.engine.observed import Job, Pod, by_job
from penstock.engine.projects import Freezer
from penstock.engine.rollback import Rollbacks
from penstock.engine.settings import Settings
from penstock.engine.snapshot import ApprovalObject, Command, Snapshot


@dataclass(frozen=True, slots=True)
class World:
    """What a run's actions look like in the cluster.

    ``guarded`` are the Approvals that were looked up live, and whether the admission policy guards them; ``refused``
    are Jobs that the server will never accept, and why.
    """

    pipeline: str
    jobs: Mapping[str, Job]
    pods: Mapping[str, tuple[Pod, ...]]
    confirmed: Mapping[str, str]
    seen: frozenset[str]
    freezer: Freezer
    rollbacks: Rollbacks
    settings: Settings
    now: datetime
    approvals: Mapping[str, ApprovalObject] = field(default_factory=dict)
    guarded: Mapping[str, bool] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Findings:
    """What advancing a run leads to, besides its new status."""

    commands: list[Command] = field(default_factory=list)
    look_up: set[str] = field(default_factory=set)
    look_up_approvals: set[str] = field(default_factory=set)
    approval_statuses: dict[str, ApprovalStatus] = field(default_factory=dict)
    look_again: list[datetime] = field(default_factory=list)


def world_of(snapshot: Snapshot, settings: Settings, now: datetime) -> World:
    """Return what a snapshot shows of the cluster to the actions of all its runs."""
    freezer = Freezer(
        snapshot.namespace,
        snapshot.name,
        snapshot.build_projects,
        dict(snapshot.frozen_projects),
        snapshot.known_objects,
        now,
        snapshot.action_types,
        dict(snapshot.frozen_types),
    )
    return World(
        pipeline=snapshot.name,
        jobs={job.name: job for job in snapshot.jobs},
        pods=by_job(snapshot.pods),
        confirmed=snapshot.confirmed,
        seen=snapshot.seen,
        freezer=freezer,
        rollbacks=Rollbacks(snapshot),
        settings=settings,
        now=now,
        approvals={approval.name: approval for approval in snapshot.approvals},
        guarded=snapshot.guarded,
        refused=snapshot.refused,
    )
