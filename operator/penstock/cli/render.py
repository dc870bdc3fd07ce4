"""Draws runs for people: a tree of stages and actions with what became of each, and how long it took."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

Document = dict[str, Any]

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


def state_of(run: Document) -> str:
    """Return a run's state, Pending before the operator has seen it."""
    return str(run.get("status", {}).get("state") or "Pending")


def is_over(run: Document) -> bool:
    """Whether a run has ended."""
    return state_of(run) not in ("Pending", "InProgress", "Stopping")


def duration(start: str | None, end: str | None, now: datetime) -> str:
    """Return how long something took, or has taken so far: 0.8 s, 12 s, 3 m 05 s."""
    if not start:
        return ""
    until = datetime.fromisoformat(end) if end else now
    seconds = max(0.0, (until - datetime.fromisoformat(start)).total_seconds())
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    return f"{int(seconds // 60)} m {int(seconds % 60):02d} s"


def run_tree(run: Document, pipeline: Document | None) -> RenderableType:
    """Return a run as a tree; stages that it has not entered come from the pipeline."""
    now = datetime.now(UTC)
    status = run.get("status", {})
    head = Text.assemble(
        (run["metadata"]["name"], "bold"),
        "  ",
        _state(state_of(run)),
        f"  {duration(status.get('startTime'), status.get('completionTime'), now)}",
    )
    table = Table.grid(padding=(0, 2))
    for row in _rows(status.get("stageStates", []), pipeline, now):
        table.add_row(*row)
    parts: list[RenderableType] = [head, table]
    if summary := status.get("statusSummary"):
        parts.append(Text(str(summary), style="red" if state_of(run) == "Failed" else "dim"))
    return Group(*parts)


def _rows(
    entered: list[Document], pipeline: Document | None, now: datetime
) -> Iterator[tuple[RenderableType, RenderableType, RenderableType, RenderableType]]:
    names = [stage["stageName"] for stage in entered]
    wanted = {stage["name"]: stage["actions"] for stage in (pipeline or {}).get("spec", {}).get("stages", [])}
    for stage in entered:
        took = duration(stage["startTime"], stage.get("completionTime"), now)
        yield Text(f"  {stage['stageName']}", "bold"), _state(stage["status"]), Text(took), Text("")
        for action in stage.get("actionStates", []):
            for execution in action.get("executions", []):
                yield _action_row(action["actionName"], execution, now)
        started = [action["actionName"] for action in stage.get("actionStates", [])]
        for action in wanted.get(stage["stageName"], []):
            if action["name"] not in started:
                yield _not_run(f"    {action['name']}")
    for name in wanted:
        if name not in names:
            yield _not_run(f"  {name}")


def _not_run(name: str) -> tuple[RenderableType, RenderableType, RenderableType, RenderableType]:
    """A stage or an action that has not started has no status (X-03), unlike one that was skipped."""
    return Text(name, "dim"), Text("○ not run", "dim"), Text(""), Text("")


def _action_row(
    name: str, execution: Document, now: datetime
) -> tuple[RenderableType, RenderableType, RenderableType, RenderableType]:
    tries = f" (try {execution['try']})" if execution.get("try", 1) > 1 else ""
    took = duration(execution["startTime"], execution.get("completionTime"), now)
    error = execution.get("errorDetails", {})
    said = f"{error['code']}: {error.get('message', '')}" if error else execution.get("summary", "")
    if execution["status"] == "InProgress" and "approval" in execution:
        said = f"waits for approval {execution['approval']['name']}"
    return Text(f"    {name}{tries}"), _state(execution["status"]), Text(took), Text(str(said), "dim")


def _state(state: str) -> Text:
    mark, style = _STYLES.get(state, ("○", "dim"))
    return Text(f"{mark} {state}", style=style)


def runs_table(runs: list[Document]) -> Table:
    """Return runs as rows, as given."""
    now = datetime.now(UTC)
    table = Table(box=None, pad_edge=False)
    for column in ("RUN", "PIPELINE", "STATE", "TOOK", "STARTED", "SUMMARY"):
        table.add_column(column)
    for run in runs:
        status = run.get("status", {})
        table.add_row(
            run["metadata"]["name"],
            run["spec"]["pipelineRef"]["name"],
            _state(state_of(run)),
            duration(status.get("startTime"), status.get("completionTime"), now),
            str(status.get("startTime", ""))[:19].replace("T", " "),
            str(status.get("statusSummary", "")),
        )
    return table


def run_details(run: Document) -> Iterator[str]:
    """Yield what a run used and made, a line each: revisions, variables, links, artifacts with size and sha256."""
    status = run.get("status", {})
    for revision in status.get("artifactRevisions", []):
        summary = str(revision.get("revisionSummary", "")).partition("\n")[0]
        yield f"revision  {revision['actionName']}  {revision['revisionId']}  {summary}"
    for variable in status.get("variables", []):
        yield f"variable  {variable['name']} = {variable['resolvedValue']}"
    for where, execution in executions(run):
        for name, value in execution.get("outputVariables", {}).items():
            yield f"output    {where}  {name} = {value.partition(chr(10))[0]}"
        for link in (execution[key] for key in ("entityUrl", "externalExecutionUrl") if key in execution):
            yield f"link      {where}  {link}"
        for artifact in execution.get("outputArtifacts", []):
            yield f"artifact  {artifact['name']}  {artifact['size']:,} bytes  sha256 {artifact['sha256']}"
        for report in execution.get("reports", []):
            yield f"report    {where}  {report['name']}: {counts(report)}"


def counts(report: Document) -> str:
    """Return a report's counts: 12 tests, 10 passed, 1 failed, 1 skipped, 0.8 s."""
    parts = [f"{report.get('total', 0)} tests", f"{report.get('passed', 0)} passed"]
    parts += [f"{report[key]} {key}" for key in ("failed", "errors", "skipped") if report.get(key)]
    seconds = report.get("durationSeconds")
    return ", ".join([*parts, *([] if seconds is None else [f"{seconds:g} s"])])


def executions(run: Document) -> Iterator[tuple[str, Document]]:
    """Yield every try of a run as (stage/action, execution), in the order in which they stand."""
    for stage in run.get("status", {}).get("stageStates", []):
        for action in stage.get("actionStates", []):
            for execution in action.get("executions", []):
                yield f"{stage['stageName']}/{action['actionName']}", execution
