"""The cluster as a run's actions see it in one pass (`Facts`), and the outcome (`Findings`)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from penstock.engine.objects.workloads import JobObject, PodObject, by_job, pods_of_jobs
from penstock.engine.pods.revisions import Freezer
from penstock.engine.settings import Settings
from penstock.engine.snapshot import ApprovalObject, Live, Refused, Snapshot, status_refusal


@dataclass(frozen=True, slots=True)
class Facts:
    """What a run's actions look like in the cluster.

    ``refused``
    are the objects that the server refused; ``deleted_jobs`` are uids, ``podless`` names of Jobs.
    """

    pipeline: str
    jobs: Mapping[str, JobObject]
    pods: Mapping[str, tuple[PodObject, ...]]
    live: Live
    seen: frozenset[str]
    freezer: Freezer
    settings: Settings
    now: datetime
    approvals: Mapping[str, ApprovalObject] = field(default_factory=dict)
    refused: Mapping[str, Refused] = field(default_factory=dict)
    deleted_jobs: frozenset[str] = frozenset()
    podless: frozenset[str] = frozenset()

    @property
    def all_pods(self) -> Iterator[PodObject]:
        """The pods of our Jobs."""
        return (pod for pods in self.pods.values() for pod in pods)

    def refusal_now(self, name: str) -> Refused | None:
        """Return why an object is not created now: it was refused for good, or a moment ago."""
        refused = self.refused.get(name)
        return (
            refused if refused and (refused.is_final or self.now < self.again_at(refused)) else None
        )

    def is_held_back(self, run_uid: str) -> bool:
        """Whether a run stays as it stands: its status was refused a moment ago, not for good."""
        refused = self.refusal_now(status_refusal(run_uid))
        return refused is not None and not refused.is_final

    def again_at(self, refused: Refused) -> datetime:
        """Return when an object that was refused is created again."""
        return refused.at + timedelta(seconds=self.settings.refused_again_s)

    def vouches_for(self, pod: PodObject, run_uid: str) -> bool:
        """Whether a pod is one that a Job of a run made: only then counts what it says."""
        if (job := self.jobs.get(pod.job)) is None:
            # A Job that is gone cannot be asked who controls it; the cache has kept its uid.
            return pod.owner_uid in self.deleted_jobs
        return (job.uid, job.owner_uid) == (pod.owner_uid, run_uid)


def facts_of(snapshot: Snapshot, settings: Settings, now: datetime) -> Facts:
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
        connections=snapshot.connections,
        frozen_connections=dict(snapshot.frozen_connections),
        refused=snapshot.refused,
    )
    jobs = {job.name: job for job in snapshot.jobs}
    return Facts(
        pipeline=snapshot.name,
        jobs=jobs,
        pods=by_job(pods_of_jobs(snapshot.pods, jobs)),
        live=snapshot.live,
        seen=snapshot.seen,
        freezer=freezer,
        settings=settings,
        now=now,
        approvals={approval.name: approval for approval in snapshot.approvals},
        refused=snapshot.refused,
        deleted_jobs=snapshot.deleted_jobs,
        podless=snapshot.podless,
    )
