"""The penstock command, also as ``kubectl penstock``.

Commands that only look are here. Commands that ask for something are in modules beside it.
"""

import sys
from typing import Annotated

import typer

from penstock.cli.app import (
    EXIT_OTHERWISE,
    EXIT_REFUSED,
    EXIT_TIMEOUT,
    Run,
    Timeout,
    app,
    complain,
    connect,
    console,
    say,
)
from penstock.cli.commands import approve, logs, retry, start, stop, transition
from penstock.cli.commands.reports import ReportFormat, report_lines, reports_of
from penstock.cli.connection.cluster import DeletedError
from penstock.cli.connection.objects import CliError
from penstock.cli.connection.transport import UnreachableError
from penstock.cli.render import run_details, run_tree, runs_table
from penstock.cli.text import to_json
from penstock.cli.watching import pipeline_of, watch_run

for commands in (start, stop, approve, retry, transition, logs):
    commands.register(app)


@app.command()
def watch(run: Run, timeout: Timeout = 3600.0) -> None:
    """Show a run live. Exit code: 0 Succeeded, 1 Failed, 3 any other end, 4 timeout."""
    raise typer.Exit(watch_run(connect(), run, timeout))


@app.command()
def runs(
    pipeline: Annotated[str | None, typer.Argument(help="Only runs of this Pipeline.")] = None,
    limit: Annotated[int, typer.Option(help="How many at most.")] = 20,
) -> None:
    """List runs, the newest first."""
    cluster = connect()
    found = cluster.runs(pipeline)[:limit]
    if found:
        console.print(runs_table(found))
        return
    # The look at the Pipeline refuses a misspelt name, which has no runs either.
    of = f" of {cluster.pipeline(pipeline).metadata.name}" if pipeline else ""
    say(f"no runs{of} in namespace {cluster.namespace}")


@app.command()
def describe(run: Run) -> None:
    """Show a run with its revisions, variables and artifacts."""
    cluster = connect()
    found = cluster.run(run)
    console.print(run_tree(found, pipeline_of(cluster, found)))
    for line in run_details(found):
        say(line)


@app.command()
def reports(
    run: Run,
    action: Annotated[
        str | None, typer.Option(help="Only this action (its name, or stage/action).")
    ] = None,
    output: Annotated[
        ReportFormat, typer.Option("--output", "-o", help="text or json.")
    ] = ReportFormat.TEXT,
) -> None:
    """Show the test reports of a run's builds: counts, and the first tests that failed."""
    cluster = connect()
    run_found = cluster.run(run)
    if action is not None:
        logs.check_action(run_found, pipeline_of(cluster, run_found), action)
    found = reports_of(run_found, action)
    if output is ReportFormat.JSON:
        sys.stdout.write(to_json([report.to_dict() for report in found]) + "\n")
        return
    for line in report_lines(found):
        say(line)


def main() -> None:
    """Run the command; an error of the cluster is one line, and exit code 1.

    3 where what was waited for was deleted, 4 where the API server is away.
    """
    try:
        app()
    # These two are CliErrors as well, so they come first.
    except DeletedError as error:
        complain(str(error))
        sys.exit(EXIT_OTHERWISE)
    except UnreachableError as error:
        complain(str(error))
        sys.exit(EXIT_TIMEOUT)
    except CliError as error:
        complain(str(error))
        sys.exit(EXIT_REFUSED)


if __name__ == "__main__":
    main()
