"""What the engine sees of the cluster: small values read from Kubernetes' own documents."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from penstock.api.contract.contracts import ACTION_CONTAINER, AGENT_CONTAINER
from penstock.api.meta import ANNOTATION_RUN, ANNOTATION_SPEC_HASH, LABEL_RUN_UID, LABEL_STAGE
from penstock.api.times import parse_time

ReadOnly = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Container:
    """The state of one container: at most one of waiting, running, terminated holds."""

    waiting: str = ""
    waiting_message: str = ""
    running_since: datetime | None = None
    is_terminated: bool = False
    exit_code: int = 0
    reason: str = ""
    message: str = ""
    started: datetime | None = None
    finished: datetime | None = None
    restarts: int = 0


@dataclass(frozen=True, slots=True)
class PodObject:
    """A pod of one of our Jobs."""

    name: str
    uid: str
    job: str
    run_uid: str
    stage_label: str
    created: datetime
    phase: str
    reason: str
    message: str
    is_deleted: bool
    containers: Mapping[str, Container]
    unscheduled: str = ""
    """Why the scheduler has not found a node for it, in the scheduler's words."""
    owner_uid: str = ""
    """The uid of the Job that controls it."""
    is_watched: bool = True
    """Whether events tell of it: not once it has lost our label."""

    @property
    def may_run(self) -> bool:
        """Return whether one of our containers in it may still run.

        A container that is not known to have ended holds its stage.
        """
        if self.phase in ("Succeeded", "Failed"):
            return False
        # Only these two do the action's work; somebody's sidecar may run on.
        ours = (
            self.containers[name]
            for name in (AGENT_CONTAINER, ACTION_CONTAINER)
            if name in self.containers
        )
        return not all(container.is_terminated for container in ours)


@dataclass(frozen=True, slots=True)
class JobObject:
    """One of our Jobs."""

    name: str
    uid: str
    run: str
    run_uid: str
    owner_uid: str
    spec_hash: str
    created: datetime
    is_deleted: bool
    is_over: bool = False
    failed_reason: str = ""
    failed_message: str = ""
    stage_label: str = ""
    is_watched: bool = True
    deleted: datetime | None = None


def pod_of(document: ReadOnly) -> PodObject:
    """Read a pod's document."""
    meta, spec, status = document["metadata"], document.get("spec", {}), document.get("status", {})
    states = {item["name"]: _container(item) for item in status.get("containerStatuses", ())}
    labels, controller = meta.get("labels", {}), _controller(meta)
    return PodObject(
        name=meta["name"],
        uid=meta["uid"],
        job=controller.get("name", ""),
        owner_uid=controller.get("uid", ""),
        is_watched="isUnwatched" not in document,
        run_uid=labels.get(LABEL_RUN_UID, ""),
        stage_label=labels.get(LABEL_STAGE, ""),
        created=_created(meta),
        phase=status.get("phase", ""),
        reason=status.get("reason", ""),
        message=status.get("message", ""),
        is_deleted="deletionTimestamp" in meta,
        unscheduled=next(
            (c.get("message", "") for c in status.get("conditions", ()) if _is_unscheduled(c)), ""
        ),
        # From the spec, as a container without a status has not ended, and holds its stage.
        containers={
            c["name"]: states.get(c["name"], Container()) for c in spec.get("containers", ())
        }
        or states,
    )


def job_of(document: ReadOnly) -> JobObject:
    """Read a Job's document."""
    meta = document["metadata"]
    conditions = [
        c for c in document.get("status", {}).get("conditions", ()) if c["status"] == "True"
    ]
    # A Job has FailureTarget before its pods have ended, and Failed afterwards.
    failed: ReadOnly = next((c for c in conditions if c["type"] in ("Failed", "FailureTarget")), {})
    return JobObject(
        name=meta["name"],
        uid=meta["uid"],
        run=meta.get("annotations", {}).get(ANNOTATION_RUN, ""),
        run_uid=meta.get("labels", {}).get(LABEL_RUN_UID, ""),
        owner_uid=_controller(meta).get("uid", ""),
        stage_label=meta.get("labels", {}).get(LABEL_STAGE, ""),
        is_watched="isUnwatched" not in document,
        spec_hash=meta.get("annotations", {}).get(ANNOTATION_SPEC_HASH, ""),
        created=_created(meta),
        is_deleted="deletionTimestamp" in meta,
        deleted=parse_time(meta.get("deletionTimestamp")),
        is_over=any(c["type"] in ("Complete", "Failed") for c in conditions),
        failed_reason=failed.get("reason", ""),
        failed_message=failed.get("message", ""),
    )


def pods_of_jobs(pods: Iterable[PodObject], jobs: Mapping[str, JobObject]) -> Iterator[PodObject]:
    """Yield Pods as their Jobs describe them; uids decide.

    A Pod that names a Job of ours with another uid belongs to none.

    Pods can be relabelled, and made by anybody; a pod whose Job is unknown
    may still run, and is not left out.
    """
    by_uid = {job.uid: job for job in jobs.values()}
    for pod in pods:
        if job := by_uid.get(pod.owner_uid):
            yield replace(
                pod,
                job=job.name,
                run_uid=job.run_uid,
                stage_label=job.stage_label or pod.stage_label,
            )
        elif pod.job not in jobs:
            yield pod


def by_job(pods: Iterable[PodObject]) -> dict[str, tuple[PodObject, ...]]:
    """Return the pods of each Job."""
    grouped: dict[str, tuple[PodObject, ...]] = {}
    for pod in pods:
        grouped[pod.job] = (*grouped.get(pod.job, ()), pod)
    return grouped


def _controller(meta: ReadOnly) -> ReadOnly:
    return next((owner for owner in meta.get("ownerReferences", ()) if owner.get("controller")), {})


def _is_unscheduled(condition: ReadOnly) -> bool:
    return bool(condition["type"] == "PodScheduled" and condition["status"] == "False")


def _created(meta: ReadOnly) -> datetime:
    return parse_time(meta.get("creationTimestamp")) or datetime.fromtimestamp(0, UTC)


def _container(status: ReadOnly) -> Container:
    state = status.get("state", {})
    waiting, running, ended = (
        state.get("waiting", {}),
        state.get("running", {}),
        state.get("terminated", {}),
    )
    return Container(
        waiting=waiting.get("reason", ""),
        waiting_message=waiting.get("message", ""),
        running_since=parse_time(running.get("startedAt")),
        is_terminated="terminated" in state,
        exit_code=ended.get("exitCode", 0),
        reason=ended.get("reason", ""),
        message=ended.get("message", ""),
        started=parse_time(ended.get("startedAt")),
        finished=parse_time(ended.get("finishedAt")),
        restarts=status.get("restartCount", 0),
    )
