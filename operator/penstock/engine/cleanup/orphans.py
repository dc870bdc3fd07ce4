"""Deletes a Job whose try is not under way in any status."""

from collections.abc import Collection, Iterable, Iterator, Mapping

from penstock.api.kinds.run import PipelineRunStatus
from penstock.api.status.executions import ActionStatus
from penstock.engine.commands import DeleteJob
from penstock.engine.objects.workloads import JobObject, PodObject
from penstock.engine.run.condition_lookup import rule_executions


def delete_orphans(
    jobs: Iterable[JobObject],
    pods: Mapping[str, tuple[PodObject, ...]],
    statuses: Iterable[PipelineRunStatus],
    going: Collection[str],
) -> Iterator[DeleteJob]:
    """Yield the deletion of each Job that may run and that nobody waits for.

    ``going`` are deleted anyway.
    """
    known = _under_way(statuses) | set(going)
    for job in jobs:
        if (
            job.name not in known
            and not job.is_deleted
            and not job.is_over
            # A Job that runs no more stays for `kubectl logs` (ADR 3).
            and _may_run(pods.get(job.name, ()))
        ):
            yield DeleteJob(job.name, job.uid)


def _under_way(statuses: Iterable[PipelineRunStatus]) -> set[str]:
    known = list(statuses)
    executions = [
        action.latest for status in known for _, action in status.actions if action.latest
    ]
    executions += [
        execution
        for status in known
        for stage in status.stage_states
        for _, _, execution in rule_executions(stage)
    ]
    return {
        execution.job_name
        for execution in executions
        if execution.status is ActionStatus.IN_PROGRESS
    }


def _may_run(pods: tuple[PodObject, ...]) -> bool:
    # A Job without a pod in sight may still get one.
    return not pods or any(
        pod.phase not in ("Succeeded", "Failed")
        and not all(c.is_terminated for c in pod.containers.values())
        for pod in pods
    )
