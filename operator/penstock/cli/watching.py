"""Shows a run while it goes on: live on a terminal, a line for each transition elsewhere."""

import time
from collections.abc import Iterator

from rich.live import Live

from penstock.cli.app import EXIT_CODES, EXIT_OTHERWISE, EXIT_TIMEOUT, Away, complain, console, say
from penstock.cli.connection.cluster import Cluster, DeletedError
from penstock.cli.connection.objects import CliError, Pipeline, Run, executions
from penstock.cli.connection.transport import UnreachableError
from penstock.cli.render import run_tree
from penstock.cli.text import in_line

# People see a change within half a second.
_PAUSE_S = 0.5


def watch_run(cluster: Cluster, name: str, timeout: float) -> int:
    """Show a run live until it ends; return the exit code.

    The code is 0, 1 or 3 by the run's end, or 4 for a timeout.

    What is not known is never a failed run: a run that was deleted is 3, an
    API server that stays away 4.
    """
    deadline = time.monotonic() + timeout
    try:
        code = (
            _watch_live(cluster, name, deadline)
            if console.is_terminal
            else _watch_plainly(cluster, name, deadline)
        )
    except DeletedError as error:
        complain(str(error))
        return EXIT_OTHERWISE
    if code == EXIT_TIMEOUT:
        complain(f"gave up after {timeout:g} s: run {name} has not ended as far as is known")
    return code


def _watch_live(cluster: Cluster, name: str, deadline: float) -> int:
    pipeline: Pipeline | None = None
    with Live(console=console, refresh_per_second=8) as live:
        for run in _changes(cluster, name, deadline):
            # Read once: each change of the run would be another request.
            pipeline = pipeline or pipeline_of(cluster, run)
            live.update(run_tree(run, pipeline))
            if run.is_over:
                return EXIT_CODES.get(run.state, EXIT_OTHERWISE)
    return EXIT_TIMEOUT


def _watch_plainly(cluster: Cluster, name: str, deadline: float) -> int:
    """Print each transition as a line, and the whole run at the end.

    This is for output without a terminal, such as CI or a pipe.
    """
    said: set[str] = set()
    for run in _changes(cluster, name, deadline):
        for where, execution in executions(run):
            line = in_line(f"{where}: {execution.status.value}")
            if line not in said:
                said.add(line)
                say(line)
        if run.is_over:
            console.print(run_tree(run, pipeline_of(cluster, run)))
            return EXIT_CODES.get(run.state, EXIT_OTHERWISE)
    return EXIT_TIMEOUT


def _changes(cluster: Cluster, name: str, deadline: float) -> Iterator[Run]:
    """Yield a run's changes until the deadline.

    It goes on when a watch ends, and while the API server is away.
    """
    away, is_known = Away(), False
    while True:
        try:
            for run in cluster.changes(name, deadline - time.monotonic()):
                away.over()
                is_known = True
                yield run
                if time.monotonic() >= deadline:
                    return
        except UnreachableError as error:
            away.tell(error)
        except DeletedError:
            raise
        except CliError as error:
            # A run that was never seen is a name that was mistyped.
            if is_known and error.status == 404:
                raise DeletedError(f"run {name} was deleted") from error
            raise
        if time.monotonic() >= deadline:
            return
        time.sleep(_PAUSE_S)


def pipeline_of(cluster: Cluster, run: Run) -> Pipeline | None:
    """Return the Pipeline of a run, None where it cannot be read."""
    try:
        return cluster.pipeline(run.spec.pipeline_ref.name)
    except CliError:
        return None
