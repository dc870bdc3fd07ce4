"""The penstock command; as ``kubectl penstock`` it is the same. What only looks stands here, what asks beside it."""

import json
import sys
import time
from typing import Annotated

import typer

from penstock.cli import approve, retry, start, stop, transition
from penstock.cli.app import Run, Timeout, app, connect, console
from penstock.cli.cluster import Cluster, ClusterError, Document
from penstock.cli.render import executions, is_over, run_details, run_tree, runs_table
from penstock.cli.reports import ReportFormat, report_lines, reports_of
from penstock.cli.watching import pipeline_of, watch_run

for commands in (start, stop, approve, retry, transition):
    commands.register(app)


@app.command()
def watch(run: Run, timeout: Timeout = 3600.0) -> None:
    """Show a run live; the exit code tells its end: 0 Succeeded, 1 Failed, 3 anything else, 4 timeout."""
    raise typer.Exit(watch_run(connect(), run, timeout))


@app.command()
def runs(
    pipeline: Annotated[str | None, typer.Argument(help="Only runs of this Pipeline.")] = None,
    limit: Annotated[int, typer.Option(help="How many at most.")] = 20,
) -> None:
    """List runs, the newest first."""
    found = connect().runs(pipeline)[:limit]
    console.print(runs_table(found) if found else "no runs")


@app.command()
def describe(run: Run) -> None:
    """Show a run with its revisions, variables and artifacts."""
    cluster = connect()
    found = cluster.run(run)
    console.print(run_tree(found, pipeline_of(cluster, found)))
    for line in run_details(found):
        console.print(line, markup=False, soft_wrap=True)


@app.command()
def reports(
    run: Run,
    action: Annotated[str | None, typer.Option(help="Only this action (its name, or stage/action).")] = None,
    output: Annotated[ReportFormat, typer.Option("--output", "-o", help="text or json.")] = ReportFormat.TEXT,
) -> None:
    """Show the test reports of a run's builds: counts, and the first tests that failed."""
    found = reports_of(connect().run(run), action)
    if output is ReportFormat.JSON:
        sys.stdout.write(json.dumps(found, indent=2, ensure_ascii=False) + "\n")
        return
    for line in report_lines(found):
        console.print(line, markup=False, soft_wrap=True)


@app.command()
def logs(
    run: Run,
    action: Annotated[str | None, typer.Argument(help="Only this action (its name, or stage/action).")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the run has ended.")] = False,
    timeout: Timeout = 3600.0,
) -> None:
    """Print what a run's actions printed."""
    cluster = connect()
    deadline = time.monotonic() + timeout
    printed: set[str] = set()
    while True:
        found = cluster.run(run)
        for where, execution in executions(found):
            if execution.get("jobName") in (None, *printed) or action not in (None, where, where.partition("/")[2]):
                continue
            if _print_log(cluster, where, execution, follow=follow):
                printed.add(execution["jobName"])
        if not follow or is_over(found) or time.monotonic() >= deadline:
            return
        time.sleep(0.5)


def _print_log(cluster: Cluster, where: str, execution: Document, *, follow: bool) -> bool:
    """Print the log of one try; return whether there is nothing more to come."""
    is_ended = str(execution["status"]) != "InProgress"
    pod = cluster.pod_of(execution["jobName"])
    if pod is None:
        if is_ended:
            stored = execution.get("log")
            sys.stderr.write(f"[{where}] the pod is gone; {f'the log is stored as {stored}' if stored else 'no log'}\n")
        return is_ended
    try:
        for line in cluster.log(pod["metadata"]["name"], follow=follow and not is_ended):
            console.print(f"[{where}] {line}", markup=False, soft_wrap=True)
    except ClusterError:
        return is_ended  # The container has not started yet, or the pod went meanwhile.
    return is_ended or follow


def main() -> None:
    """Run the command; an error of the cluster is one line and exit code 1."""
    try:
        app()
    except ClusterError as error:
        sys.stderr.write(f"penstock: {error}\n")
        sys.exit(1)


if __name__ == "__main__":
    main()
