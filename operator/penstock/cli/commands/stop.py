"""`penstock stop`: its requests to the API server, and its own refusals (X-53..X-55).

It refuses before it sends a request.
"""

from typing import Annotated

import typer

from penstock.api.document import Document
from penstock.cli.app import EXIT_OTHERWISE, Reason, Run, Timeout, connect, say
from penstock.cli.connection import objects
from penstock.cli.connection.cluster import NOT_FOUND, Cluster
from penstock.cli.connection.objects import CliError
from penstock.cli.watching import watch_run


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(stop)


def stop(
    run: Run,
    abandon: Annotated[
        bool, typer.Option("--abandon", help="End the actions under way, too; nothing is undone.")
    ] = False,
    reason: Reason = None,
    wait: Annotated[
        bool, typer.Option("--wait", help="Watch the run until it has stopped.")
    ] = False,
    timeout: Timeout = 3600.0,
) -> None:
    """Stop a run: nothing of it starts from now on; what runs may finish, unless it is abandoned.

    The exit code with --wait: 0 Stopped, 3 it ended otherwise before, 4
    timeout. 1: it cannot be stopped.
    """
    cluster = connect()
    ask_to_stop(cluster, run, abandon=abandon, reason=reason)
    say(f"asked {run} to stop")
    if wait:
        code = watch_run(cluster, run, timeout)
        raise typer.Exit(
            0 if code == EXIT_OTHERWISE and _is_stopped(cluster, run) else max(code, EXIT_OTHERWISE)
        )


def _is_stopped(cluster: Cluster, run: str) -> bool:
    """Return whether an ended run was stopped; False if it was deleted since.

    Of a deleted run nothing more is known.
    """
    try:
        return cluster.run(run).state == "Stopped"
    except CliError as error:
        if error.status != NOT_FOUND:
            raise
        return False


def ask_to_stop(cluster: Cluster, name: str, *, abandon: bool, reason: str | None) -> objects.Run:
    """Write the stop request into a run's spec; CliError says why it cannot be stopped."""
    run = cluster.run(name)
    stop = run.spec.stop
    if run.is_over:
        raise CliError(f"PipelineExecutionNotStoppable: run {name} has ended: {run.state}")
    followed = run.status.stop_trigger
    is_resumed = followed is not None and followed.resumed_time is not None
    if stop and not is_resumed and (stop.abandon or not abandon):
        hint = "" if stop.abandon else "; --abandon ends the actions under way"
        raise CliError(f"DuplicatedStopRequest: run {name} is asked to stop already{hint}")
    said: Document = {"requestedBy": cluster.whoami(), "abandon": abandon or None, "reason": reason}
    if is_resumed:
        # A retry has resumed the run since: this is another stop.
        said["afterRetries"] = len(run.spec.retries)
    return cluster.change(run, {"stop": said})
