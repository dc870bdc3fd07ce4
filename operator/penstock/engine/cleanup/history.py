"""What is kept of runs that have ended: so many runs, so many Jobs, so many definitions."""

from collections.abc import Collection, Iterable, Iterator, Mapping

from penstock.api.kinds.run import PipelineRunStatus
from penstock.api.meta import KEEP
from penstock.engine.commands import Command, DeleteJobsOfRuns, DeleteRevision, DeleteRun
from penstock.engine.definition.findings import Problem
from penstock.engine.run.condition_lookup import rule_executions
from penstock.engine.settings import Settings
from penstock.engine.snapshot import EndedRun, Snapshot

# How many runs that a tool declares go without a warning.
_DECLARED = 50


def prune_history(
    snapshot: Snapshot,
    statuses: Mapping[str, PipelineRunStatus],
    revision: str | None,
    settings: Settings,
) -> Iterator[Command]:
    """Yield the deletions that the limits ask for.

    Runs that this very pass ended count from the next pass on.
    """
    at_rest = (run for run in snapshot.ended if not _is_resumed(run, statuses))
    newest_first = sorted(at_rest, key=lambda run: run.completed, reverse=True)
    gone = set(_runs_over_limit(snapshot, newest_first, settings))
    yield from (DeleteRun(run.name, run.uid) for run in newest_first if run.uid in gone)
    with_jobs = {job.run_uid for job in snapshot.jobs if not job.is_deleted}
    kept = [run for run in newest_first if run.uid in with_jobs and run.uid not in gone]
    if len(kept) > 2 * settings.runs_with_jobs:
        # Several runs at a time: one request each would be one more request per run.
        yield DeleteJobsOfRuns(tuple(run.uid for run in kept[settings.runs_with_jobs :]))
    # An ended run may be retried or gone back to, so its definition stays as long as the run.
    named = (
        {status.revision for status in statuses.values()}
        | {run.revision for run in snapshot.ended}
        | {revision}
    )
    yield from _revisions(snapshot.known_revisions, named, settings)
    # An ended run starts no try again, and a retry freezes its objects anew.
    yield from _revisions(
        snapshot.known_objects, set(frozen_objects_of(statuses.values())), settings
    )


def kept_warnings(ended: Collection[EndedRun]) -> tuple[Problem, ...]:
    """Return a warning where a tool declares so many runs that the limits no longer bound them."""
    declared = sum(run.is_declared for run in ended)
    if declared <= _DECLARED:
        return ()
    what = (
        f"{declared} ended runs are declared by a tool, or labelled {KEEP}, and are never deleted: "
        f"take some out"
    )
    return (Problem("metadata", what),)


def _is_resumed(run: EndedRun, statuses: Mapping[str, PipelineRunStatus]) -> bool:
    """Whether this very pass takes up again what had ended."""
    status = statuses.get(run.name)
    return status is not None and status.state is not None and not status.state.is_terminal


def frozen_objects_of(statuses: Iterable[PipelineRunStatus]) -> Iterator[str]:
    """Yield the frozen revisions that tries were started with.

    They are ControllerRevisions of BuildProjects, ActionTypes and Connections.
    """
    for status in statuses:
        executions = [execution for _, action in status.actions for execution in action.executions]
        executions += [
            execution for stage in status.stage_states for _, _, execution in rule_executions(stage)
        ]
        for execution in executions:
            frozen = (execution.build_project, execution.action_type, execution.connection)
            yield from (item.revision for item in frozen if item)


def _runs_over_limit(
    snapshot: Snapshot, newest_first: list[EndedRun], settings: Settings
) -> Iterator[str]:
    if snapshot.pipeline and snapshot.pipeline.spec is None:
        # How many it keeps cannot be read.
        return
    spec = snapshot.pipeline.spec if snapshot.pipeline else None
    limits = {
        True: spec.successful_runs_history_limit if spec else None,
        False: spec.failed_runs_history_limit if spec else None,
    }
    defaults = {True: settings.successful_runs, False: settings.failed_runs}
    for is_succeeded, limit in limits.items():
        # What a tool declares it would make anew, and an old release would go live by itself.
        runs = [
            run for run in newest_first if run.is_succeeded is is_succeeded and not run.is_declared
        ]
        keep = defaults[is_succeeded] if limit is None else limit
        yield from (run.uid for run in runs[keep:])


def _revisions(
    known: Mapping[str, int], named: Collection[str | None], settings: Settings
) -> Iterator[Command]:
    """Revisions that a run names and the newest ones are kept."""
    newest_first = sorted(known.items(), key=lambda item: item[1], reverse=True)
    for name, _ in newest_first[settings.kept_revisions :]:
        if name not in named:
            yield DeleteRevision(name)
