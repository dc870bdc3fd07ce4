"""The penstock command: start, watch, stop, runs, logs, describe, reports. As ``kubectl penstock`` it is the same."""

import json
import sys
import time
from collections.abc import Iterator
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.live import Live

from penstock.api.names import slug_of
from penstock.cli.cluster import Cluster, ClusterError, Document
from penstock.cli.render import executions, is_over, run_details, run_tree, runs_table, state_of
from penstock.cli.reports import ReportFormat, report_lines, reports_of
from penstock.cli.stop import ask_to_stop

EXIT_CODES = {"Succeeded": 0, "Failed": 1}
EXIT_NOT_RUN = 3
EXIT_TIMEOUT = 4

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
console = Console(highlight=False)
_settings: dict[str, Any] = {}

Run = Annotated[str, typer.Argument(help="The PipelineRun.")]
Timeout = Annotated[float, typer.Option(help="Give up watching after so many seconds; the run goes on.")]


@app.callback()
def options(
    namespace: Annotated[str | None, typer.Option("--namespace", "-n", help="The namespace.")] = None,
    context: Annotated[str | None, typer.Option(help="The kubeconfig context.")] = None,
) -> None:
    """Take the options that all commands share."""
    _settings.update(namespace=namespace, context=context)


def _cluster() -> Cluster:
    return Cluster(_settings.get("context"), _settings.get("namespace"))


@app.command()
def start(
    pipeline: Annotated[str, typer.Argument(help="The Pipeline.")],
    var: Annotated[list[str] | None, typer.Option(help="NAME=VALUE for a pipeline variable.")] = None,
    revision: Annotated[list[str] | None, typer.Option(help="ACTION=COMMIT for a source action.")] = None,
    name: Annotated[str | None, typer.Option(help="The run's name: starting it twice starts one run.")] = None,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Watch the run until it ends.")] = False,
    timeout: Timeout = 3600.0,
) -> None:
    """Start a pipeline and print the run's name."""
    cluster = _cluster()
    cluster.pipeline(pipeline)
    spec: Document = {
        "pipelineRef": {"name": pipeline},
        "trigger": {"triggerType": "StartPipelineExecution"},
        "variables": [{"name": key, "value": value} for key, value in _pairs("--var", var)],
        "sourceRevisions": [
            {"actionName": key, "revisionType": "COMMIT_ID", "revisionValue": value}
            for key, value in _pairs("--revision", revision)
        ],
    }
    metadata = {"name": name} if name else {"generateName": f"{slug_of(pipeline)}-"}
    run = cluster.start(metadata, {key: value for key, value in spec.items() if value})
    console.print(run["metadata"]["name"])
    if watch:
        raise typer.Exit(_watch(cluster, run["metadata"]["name"], timeout))


def _pairs(option: str, given: list[str] | None) -> Iterator[tuple[str, str]]:
    for text in given or ():
        key, separator, value = text.partition("=")
        if not separator:
            raise typer.BadParameter(f"{text!r} is not NAME=VALUE", param_hint=option)
        yield key, value


@app.command()
def watch(run: Run, timeout: Timeout = 3600.0) -> None:
    """Show a run live; the exit code tells its end: 0 Succeeded, 1 Failed, 3 anything else, 4 timeout."""
    raise typer.Exit(_watch(_cluster(), run, timeout))


@app.command()
def stop(
    run: Run,
    abandon: Annotated[
        bool, typer.Option("--abandon", help="End the actions under way, too; nothing is undone.")
    ] = False,
    reason: Annotated[str | None, typer.Option(help="Why, for everyone to read.")] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Watch the run until it has stopped.")] = False,
    timeout: Timeout = 3600.0,
) -> None:
    """Start no action of a run any more; those under way end by themselves, unless they are abandoned.

    The exit code with --wait: 0 Stopped, 3 it ended otherwise before, 4 timeout. 1: it cannot be stopped.
    """
    cluster = _cluster()
    ask_to_stop(cluster, run, abandon=abandon, reason=reason)
    console.print(f"asked {run} to stop")
    if wait:
        code = _watch(cluster, run, timeout)
        is_stopped = code == EXIT_NOT_RUN and state_of(cluster.run(run)) == "Stopped"
        raise typer.Exit(0 if is_stopped else code if code == EXIT_TIMEOUT else EXIT_NOT_RUN)


def _watch(cluster: Cluster, name: str, timeout: float) -> int:
    deadline = time.monotonic() + timeout
    pipeline: Document | None = None
    if not console.is_terminal:
        return _watch_plainly(cluster, name, deadline)
    with Live(console=console, refresh_per_second=8) as live:
        for run in _changes(cluster, name, deadline):
            pipeline = pipeline or _pipeline_of(cluster, run)
            live.update(run_tree(run, pipeline))
            if is_over(run):
                return EXIT_CODES.get(state_of(run), EXIT_NOT_RUN)
    return EXIT_TIMEOUT


def _watch_plainly(cluster: Cluster, name: str, deadline: float) -> int:
    """Where no terminal is (CI, a pipe), print each transition as a line, and the whole at the end."""
    said: set[str] = set()
    for run in _changes(cluster, name, deadline):
        for where, execution in executions(run):
            line = f"{where}: {execution['status']}"
            if line not in said:
                said.add(line)
                console.print(line)
        if is_over(run):
            console.print(run_tree(run, _pipeline_of(cluster, run)))
            return EXIT_CODES.get(state_of(run), EXIT_NOT_RUN)
    return EXIT_TIMEOUT


def _changes(cluster: Cluster, name: str, deadline: float) -> Iterator[Document]:
    """Yield a run's changes across ended watches, until the deadline."""
    while time.monotonic() < deadline:
        for run in cluster.changes(name):
            yield run
            if time.monotonic() >= deadline:
                return
        time.sleep(0.5)


def _pipeline_of(cluster: Cluster, run: Document) -> Document | None:
    try:
        return cluster.pipeline(run["spec"]["pipelineRef"]["name"])
    except ClusterError:
        return None


@app.command()
def runs(
    pipeline: Annotated[str | None, typer.Argument(help="Only runs of this Pipeline.")] = None,
    limit: Annotated[int, typer.Option(help="How many at most.")] = 20,
) -> None:
    """List runs, the newest first."""
    found = _cluster().runs(pipeline)[:limit]
    console.print(runs_table(found) if found else "no runs")


@app.command()
def describe(run: Run) -> None:
    """Show a run with its revisions, variables and artifacts."""
    cluster = _cluster()
    found = cluster.run(run)
    console.print(run_tree(found, _pipeline_of(cluster, found)))
    for line in run_details(found):
        console.print(line, markup=False, soft_wrap=True)


@app.command()
def reports(
    run: Run,
    action: Annotated[str | None, typer.Option(help="Only this action (its name, or stage/action).")] = None,
    output: Annotated[ReportFormat, typer.Option("--output", "-o", help="text or json.")] = ReportFormat.TEXT,
) -> None:
    """Show the test reports of a run's builds: counts, and the first tests that failed."""
    found = reports_of(_cluster().run(run), action)
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
    cluster = _cluster()
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
