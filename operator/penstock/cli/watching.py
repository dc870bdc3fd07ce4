"""Shows a run while it goes on: live on a terminal, a line for each transition elsewhere."""

import time
from collections.abc import Iterator

from rich.live import Live

from penstock.cli.app import EXIT_CODES, EXIT_OTHERWISE, EXIT_TIMEOUT, console
from penstock.cli.cluster import Cluster, ClusterError, Document
from penstock.cli.render import executions, is_over, run_tree, state_of


def watch_run(cluster: Cluster, name: str, timeout: float) -> int:
    """Show a run live until it ends; return the exit code that tells how: 0, 1, 3, or 4 for a timeout."""
    deadline = time.monotonic() + timeout
    pipeline: Document | None = None
    if not console.is_terminal:
        return _watch_plainly(cluster, name, deadline)
    with Live(console=console, refresh_per_second=8) as live:
        for run in _changes(cluster, name, deadline):
            pipeline = pipeline or pipeline_of(cluster, run)
            live.update(run_tree(run, pipeline))
            if is_over(run):
                return EXIT_CODES.get(state_of(run), EXIT_OTHERWISE)
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
            console.print(run_tree(run, pipeline_of(cluster, run)))
            return EXIT_CODES.get(state_of(run), EXIT_OTHERWISE)
    return EXIT_TIMEOUT


def _changes(cluster: Cluster, name: str, deadline: float) -> Iterator[Document]:
    """Yield a run's changes across ended watches, until the deadline."""
    while time.monotonic() < deadline:
        for run in cluster.changes(name):
            yield run
            if time.monotonic() >= deadline:
                return
        time.sleep(0.5)


def pipeline_of(cluster: Cluster, run: Document) -> Document | None:
    """Return the Pipeline of a run, None where it cannot be read."""
    try:
        return cluster.pipeline(run["spec"]["pipelineRef"]["name"])
    except ClusterError:
        return None
