"""Draws runs for people: a tree of stages and actions with their results and durations."""

from collections.abc import Iterator
from datetime import UTC, datetime

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from penstock.api.kinds.run import RunStageState
from penstock.api.status.executions import ActionExecution, ActionStatus, BuildReport
from penstock.cli.connection.objects import Pipeline, Run, executions
from penstock.cli.text import first_line, in_line, visible

_STYLES = {
    "Succeeded": ("✓", "green"),
    "Failed": ("✗", "red"),
    "InProgress": ("●", "cyan"),
    "Cancelled": ("–", "yellow"),
    "Stopping": ("●", "yellow"),
    "Stopped": ("–", "yellow"),
    "Abandoned": ("–", "yellow"),
    "Superseded": ("–", "yellow"),
    "Unknown": ("?", "yellow"),
}

_Row = tuple[RenderableType, RenderableType, RenderableType, RenderableType]


def duration(start: str | None, end: str | None, now: datetime) -> str:
    """Return how long something took, or has taken so far: 0.8 s, 12 s, 3 m 05 s."""
    if not start:
        return ""
    until = datetime.fromisoformat(end) if end else now
    # The start is by the cluster's clock, `now` by this machine's, which may be behind.
    seconds = max(0.0, (until - datetime.fromisoformat(start)).total_seconds())
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    return f"{int(seconds // 60)} m {int(seconds % 60):02d} s"


def run_tree(run: Run, pipeline: Pipeline | None) -> RenderableType:
    """Return a run as a tree; stages that it has not entered come from the pipeline."""
    now = datetime.now(UTC)
    status = run.status
    head = Text.assemble(
        (in_line(run.name), "bold"),
        "  ",
        _state(run.state),
        f"  {duration(status.start_time, status.completion_time, now)}",
    )
    table = Table.grid(padding=(0, 2))
    for row in _rows(run, pipeline, now):
        table.add_row(*row)
    parts: list[RenderableType] = [head, table]
    if status.status_summary:
        parts.append(
            Text(visible(status.status_summary), style="red" if run.state == "Failed" else "dim")
        )
    return Group(*parts)


def _rows(run: Run, pipeline: Pipeline | None, now: datetime) -> Iterator[_Row]:
    wanted = {stage.name: stage.actions for stage in pipeline.spec.stages} if pipeline else {}
    for stage in run.status.stage_states:
        took = duration(stage.start_time, stage.completion_time, now)
        yield (
            Text(f"  {in_line(stage.stage_name)}", "bold"),
            _state(stage.status),
            Text(took),
            Text(""),
        )
        yield from _action_rows(stage, now)
        started = [action.action_name for action in stage.action_states]
        for action in wanted.get(stage.stage_name, ()):
            if action.name not in started:
                yield _not_run(f"    {action.name}")
    for name in wanted:
        if name not in run.stage_names:
            yield _not_run(f"  {name}")


def _action_rows(stage: RunStageState, now: datetime) -> Iterator[_Row]:
    for action in stage.action_states:
        for execution in action.executions:
            yield _action_row(action.action_name, execution, now)


def _not_run(name: str) -> _Row:
    """Return the row of a stage or action that has not started.

    It has no status (X-03), unlike one that was skipped.
    """
    return Text(in_line(name), "dim"), Text("○ not run", "dim"), Text(""), Text("")


def _action_row(name: str, execution: ActionExecution, now: datetime) -> _Row:
    tries = f" (try {execution.try_})" if execution.try_ > 1 else ""
    took = duration(execution.start_time, execution.completion_time, now)
    said = _said(execution)
    return (
        Text(f"    {in_line(name)}{tries}"),
        _state(execution.status),
        Text(took),
        Text(visible(said), "dim"),
    )


def _said(execution: ActionExecution) -> str:
    """Return what there is to say of a try: its error, what it waits for, or its own summary."""
    if execution.status is ActionStatus.IN_PROGRESS and execution.approval:
        return f"waits for approval {execution.approval.name}"
    if error := execution.error_details or execution.waiting:
        return f"{error.code}: {error.message}"
    return execution.summary or ""


def _state(state: str) -> Text:
    mark, style = _STYLES.get(state, ("○", "dim"))
    return Text(f"{mark} {in_line(state)}", style=style)


def runs_table(runs: list[Run]) -> Table:
    """Return runs as rows, as given."""
    now = datetime.now(UTC)
    table = Table(box=None, pad_edge=False)
    for column in ("RUN", "PIPELINE", "STATE", "TOOK", "STARTED", "SUMMARY"):
        table.add_column(column)
    for run in runs:
        status = run.status
        table.add_row(
            Text(in_line(run.name)),
            Text(in_line(run.spec.pipeline_ref.name)),
            _state(run.state),
            duration(status.start_time, status.completion_time, now),
            Text(in_line((status.start_time or "")[:19].replace("T", " "))),
            Text(in_line(status.status_summary or "")),
        )
    return table


def run_details(run: Run) -> Iterator[str]:
    """Yield the inputs and results of a run, a line each.

    They are revisions, variables, links, and artifacts with size and sha256.
    """
    for revision in run.status.artifact_revisions:
        summary = first_line(revision.revision_summary or "")
        yield in_line(f"revision  {revision.action_name}  {revision.revision_id}  {summary}")
    for variable in run.status.variables:
        yield in_line(f"variable  {variable.name} = {variable.resolved_value}")
    for where, execution in executions(run):
        yield from map(in_line, _execution_details(where, execution))


def _execution_details(where: str, execution: ActionExecution) -> Iterator[str]:
    for name, value in execution.output_variables.items():
        yield f"output    {where}  {name} = {value.partition(chr(10))[0]}"
    for link in (execution.entity_url, execution.external_execution_url):
        if link is not None:
            yield f"link      {where}  {link}"
    for artifact in execution.output_artifacts:
        yield f"artifact  {artifact.name}  {artifact.size:,} bytes  sha256 {artifact.sha256}"
    for report in execution.reports:
        yield f"report    {where}  {report.name}: {counts(report)}"


def counts(report: BuildReport) -> str:
    """Return a report's counts: 12 tests, 10 passed, 1 failed, 1 skipped, 0.8 s."""
    parts = [f"{report.total} tests", f"{report.passed} passed"]
    rest = {"failed": report.failed, "errors": report.errors, "skipped": report.skipped}
    parts += [f"{number} {word}" for word, number in rest.items() if number]
    seconds = report.duration_seconds
    return ", ".join([*parts, *([] if seconds is None else [f"{seconds:g} s"])])
