"""What became of one try: reads its Job and pod and says running, ended, lost or stuck.

An action is over when the containers ``agent`` and (where there is one) ``action`` are terminated;
the pod's phase and the Job's conditions are read only for what containers cannot tell. An empty or
unreadable result is never success, and a pod without a result is lost, not failed.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from penstock.api.contract.contracts import ACTION_CONTAINER, AGENT_CONTAINER
from penstock.api.status.executions import ActionStatus, ErrorDetails
from penstock.engine.objects.workloads import Container, PodObject
from penstock.engine.settings import Settings
from penstock.engine.tries.observation import Missing, Observation, Running, Unconfirmed, Verdict
from penstock.engine.tries.results import (
    NOT_STARTED,
    TryResult,
    all_ended,
    failed,
    is_lost,
    lost,
    not_started,
    pod_ended,
    result_of,
)

_AT_ONCE = {
    "InvalidImageName": "the image's name is not valid",
    "ErrImageNeverPull": "the image is not on the node and may not be pulled",
}
_PULL_FAILED = "ImagePullBackOff"
_PULLING = {"ErrImagePull", _PULL_FAILED, "RegistryUnavailable", "ImageInspectError"}
_CONFIGURING = {"CreateContainerConfigError", "CreateContainerError"}
# The kubelet's reason for a container that is gone when its Pod is evicted. The kubelet counts that
# as a restart.
_STATUS_UNKNOWN = "ContainerStatusUnknown"
_POD_GONE = ErrorDetails(
    code="PodLost", message="its pod is gone, and has said nothing of what it did"
)
# The codes of a try that is lost because its Pod is deleted. The agent says so, or can say nothing
# any more.
_ENDED_FROM_OUTSIDE = {"AgentLost", "PodLost", "PodTerminated"}


def judge(seen: Observation, settings: Settings, now: datetime) -> Verdict:
    """Return what became of a try."""
    # The status names the pod of a try that ran for a while. Without that pod in sight, nothing
    # else that is seen of the try counts before a live look.
    is_pod_missing = seen.lost_pod or (seen.had_pod and seen.pod is None)
    if is_pod_missing and not seen.is_confirmed:
        return Unconfirmed()
    verdict = (
        _with_pod(seen, seen.pod, settings, now) if seen.pod else _without_pod(seen, settings, now)
    )
    is_from_outside = isinstance(verdict, TryResult) and verdict.code in _ENDED_FROM_OUTSIDE
    is_job_to_go = isinstance(verdict, Running | TryResult) and verdict.is_job_to_go
    if (is_from_outside or is_job_to_go) and not seen.is_confirmed:
        return Unconfirmed()
    # Whoever deletes a Job does not want its action run again, whatever the agent still said.
    if is_from_outside and _is_deleted_by_hand(seen, settings):
        return _job_deleted()
    if isinstance(verdict, TryResult) and seen.pod and not seen.is_vouched:
        # Anybody who may create pods can make one that looks like ours: its Job must be known to
        # have made it.
        return _job_deleted() if seen.is_confirmed else Unconfirmed()
    return _polled(verdict, seen, settings, now)


def _polled(verdict: Verdict, seen: Observation, settings: Settings, now: datetime) -> Verdict:
    """Look live and again soon at what no event tells of any more."""
    if not isinstance(verdict, Running) or seen.is_watched:
        return verdict
    if not seen.is_confirmed:
        return Unconfirmed()
    soon = now + timedelta(seconds=settings.unwatched_s)
    return replace(verdict, look_again=min(soon, verdict.look_again or soon))


def _with_pod(seen: Observation, pod: PodObject, settings: Settings, now: datetime) -> Verdict:
    expected = (AGENT_CONTAINER, ACTION_CONTAINER) if seen.has_container else (AGENT_CONTAINER,)
    containers = {name: pod.containers.get(name, Container()) for name in expected}
    # A pod with a reason of its own was ended by the kubelet, which counts what it cannot find any
    # more as restarted.
    if not pod.reason and any(
        container.restarts
        for container in containers.values()
        if container.reason != _STATUS_UNKNOWN
    ):
        return failed(
            "ContainerRestarted",
            "a container of the action was restarted, which the pod forbids",
            True,
        )
    is_over = all(container.is_terminated for container in containers.values())
    # An evicted pod, or one whose node is gone, has a reason, which says more than no result.
    if is_over and not (pod.reason and is_lost(result_of(containers[AGENT_CONTAINER]))):
        return all_ended(containers)
    if is_over or pod.phase in ("Succeeded", "Failed"):
        return pod_ended(pod, containers)
    # In this order, as a container's own reason says more than a limit of time.
    for check in (_stuck, _one_sided, _late):
        if verdict := check(seen, containers, settings, now):
            return verdict
    return Running(_next_limit(seen, containers, settings, now))


def _is_deleted_by_hand(seen: Observation, settings: Settings) -> bool:
    """Return whether the Pod ended because its Job was deleted by hand.

    We delete a Job whose action runs on without its agent.
    """
    if seen.pod is None or (seen.job and not seen.job.is_deleted):
        return False
    agent, action = (
        seen.pod.containers.get(name, Container()) for name in (AGENT_CONTAINER, ACTION_CONTAINER)
    )
    if agent.finished is None or action.finished is None:
        return True
    # We wait for so long before we delete a Job whose agent has ended. An action that ended earlier
    # was ended by somebody else.
    return action.finished < agent.finished + timedelta(seconds=settings.container_end_s)


def _job_deleted() -> TryResult:
    return failed("JobDeleted", "the Job was deleted while the action ran; nothing was run again")


def _without_pod(seen: Observation, settings: Settings, now: datetime) -> Verdict:
    # The status was written, and the operator ended before it made the Job.
    if seen.job is None and not seen.was_seen:
        return Missing()
    if seen.job is None or seen.job.is_deleted:
        return _without_job(seen, settings, now)
    # Creation counts in whole seconds, and a Job that an operator's death delayed is younger than
    # its try.
    limit = max(seen.job.created, seen.started) + timedelta(seconds=settings.no_pod_s)
    if seen.job.failed_reason == "DeadlineExceeded":
        return failed("TimedOut", f"the Job's own deadline passed: {seen.job.failed_message}", True)
    if seen.job.failed_reason and now >= seen.job.created + timedelta(
        seconds=settings.container_end_s
    ):
        return lost(
            "PodLost", f"the pod is gone: {seen.job.failed_reason}: {seen.job.failed_message}"
        )
    if now >= limit:
        # A pod may still come: nothing is concluded, and no other run let in, before the Job is
        # gone.
        again = now + timedelta(seconds=settings.container_end_s)
        return Running(again, is_job_to_go=True, waiting=_POD_GONE if seen.had_pod else None)
    return Running(limit)


def _without_job(seen: Observation, settings: Settings, now: datetime) -> Verdict:
    """Return the verdict if the Job is gone or being deleted.

    It makes no Pod any more, whoever's finalizer keeps it.
    """
    if seen.job:
        # A pod that was on its way has come by then.
        due = (seen.job.deleted or seen.job.created) + timedelta(seconds=settings.container_end_s)
        if now < due:
            return Running(due, waiting=seen.waiting)
    if not seen.is_confirmed:
        return Unconfirmed()
    if seen.waiting == _POD_GONE:
        # We deleted the Job ourselves.
        return lost(_POD_GONE.code, _POD_GONE.message)
    # Before this limit we delete no Job for want of a pod: somebody else did.
    is_early = now < seen.started + timedelta(seconds=settings.no_pod_s)
    return _job_deleted() if seen.had_pod or is_early else _no_pod(seen, settings)


def _no_pod(seen: Observation, settings: Settings) -> TryResult:
    why = seen.warning or f"`kubectl events --for job/{seen.job_name}` says why"
    return failed("NoPod", f"no pod was created within {settings.no_pod_s:g} s; {why}")


def _stuck(
    seen: Observation, containers: dict[str, Container], settings: Settings, now: datetime
) -> Verdict | None:
    assert seen.pod is not None
    for name, container in containers.items():
        reason, what = container.waiting, f"container {name}"
        if reason in _AT_ONCE:
            return failed(reason, f"{what}: {_AT_ONCE[reason]}: {container.waiting_message}", True)
        for reasons, limit in (
            (_PULLING, settings.image_pull_s),
            (_CONFIGURING, settings.container_config_s),
        ):
            if reason in reasons and now >= seen.pod.created + timedelta(seconds=limit):
                # The kubelet alternates between two words for one failure; a code to match on may
                # not.
                code = _PULL_FAILED if reason == "ErrImagePull" else reason
                return failed(
                    code,
                    f"{what} did not start within {limit:g} s: {container.waiting_message}",
                    True,
                )
        if container.is_terminated and container.reason in NOT_STARTED and name == ACTION_CONTAINER:
            return not_started(container)
    return None


def _one_sided(
    seen: Observation, containers: dict[str, Container], settings: Settings, now: datetime
) -> Verdict | None:
    """Return the verdict if the agent has ended and the action runs on.

    A failure counts at once. Success waits for the exit code.
    """
    agent, action = containers[AGENT_CONTAINER], containers.get(ACTION_CONTAINER)
    if action is None or not agent.is_terminated:
        return None
    if now < (agent.finished or now) + timedelta(seconds=settings.container_end_s):
        return None
    result = result_of(agent)
    # A new try must not begin beside an action that still runs, so the Job goes first.
    if result is None or is_lost(result):
        return Running(now + timedelta(seconds=settings.container_end_s), is_job_to_go=True)
    if result.status == "Succeeded":
        return failed(
            "ResultMismatch", "the agent reported success while the action's container ran on", True
        )
    return TryResult(ActionStatus.FAILED, result.code, result.message, result, is_job_to_go=True)


def _late(
    seen: Observation, containers: dict[str, Container], settings: Settings, now: datetime
) -> Verdict | None:
    assert seen.pod is not None
    for limit, code, message in _limits(seen, containers, settings):
        if now >= limit:
            return failed(code, message, True)
    return None


def _limits(
    seen: Observation, containers: dict[str, Container], settings: Settings
) -> Iterator[tuple[datetime, str, str]]:
    """Yield the limits that are running: queue and start time are one, run time is another."""
    assert seen.pod is not None
    agent = containers[AGENT_CONTAINER]
    # An ended agent has `started`; the action beside it goes on under the same limit.
    begun = agent.running_since or agent.started
    if begun is None:
        limit = seen.started + timedelta(seconds=settings.start_s)
        why = (
            seen.pod.unscheduled
            or seen.warning
            or f"`kubectl events --for pod/{seen.pod.name}` says why"
        )
        yield (
            limit,
            "StartTimedOut",
            f"the action's pod did not start within {settings.start_s:g} s; {why}",
        )
    else:
        seconds = seen.timeout_s + settings.backstop_s
        yield (
            begun + timedelta(seconds=seconds),
            "TimedOut",
            f"the action ran longer than {seconds:g} s",
        )


def _next_limit(
    seen: Observation, containers: dict[str, Container], settings: Settings, now: datetime
) -> datetime:
    assert seen.pod is not None
    limits = [limit for limit, _, _ in _limits(seen, containers, settings)]
    waiting = {container.waiting for container in containers.values()}
    if waiting & _PULLING:
        limits.append(seen.pod.created + timedelta(seconds=settings.image_pull_s))
    if waiting & _CONFIGURING:
        limits.append(seen.pod.created + timedelta(seconds=settings.container_config_s))
    # `_one_sided` says nothing before this time.
    if any(container.is_terminated for container in containers.values()):
        limits.append(now + timedelta(seconds=settings.container_end_s))
    return min(limits)
