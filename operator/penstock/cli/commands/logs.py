"""`penstock logs`: the output of a run's actions while their Pods exist.

Afterwards it says where the output is.
"""

import time
from collections.abc import Iterator
from datetime import datetime
from typing import Annotated

import typer

from penstock.api.contract.contracts import Attempt
from penstock.api.contract.keys import log_key
from penstock.api.kinds.pipeline import ArtifactStore
from penstock.api.status.executions import ActionExecution, ActionStatus
from penstock.api.walks import placed_actions
from penstock.cli.app import EXIT_REFUSED, Away, Run, Timeout, complain, connect, console, gave_up
from penstock.cli.connection import objects
from penstock.cli.connection.cluster import NOT_FOUND, Cluster
from penstock.cli.connection.objects import CliError, executions, is_meant
from penstock.cli.connection.transport import STREAM_S, UnreachableError
from penstock.cli.text import in_line, log_line, meant
from penstock.cli.watching import pipeline_of

# How often `logs -f` looks for the next action.
_PAUSE_S = 0.5
# What the API server answers for a container that has not started.
_NOT_STARTED = 400


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(logs)


def logs(
    run: Run,
    action: Annotated[
        str | None, typer.Argument(help="Only this action (its name, or stage/action).")
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on until the run has ended.")
    ] = False,
    timeout: Timeout = 3600.0,
) -> None:
    """Print what a run's actions printed.

    The exit code: 0 all of it was shown, 1 a log was not, or there is none; 4 timeout.
    """
    cluster = connect()
    found = cluster.run(run)
    if action is not None:
        check_action(found, pipeline_of(cluster, found), action)
    if not Reader(cluster, action, follow=follow).read(run, timeout):
        raise typer.Exit(EXIT_REFUSED)


def check_action(run: objects.Run, pipeline: objects.Pipeline | None, action: str) -> None:
    """Raise CliError, with the names that there are, where no action of a run is meant."""
    known = [where for where, _ in executions(run)]
    if pipeline:
        known += [f"{item.stage.name}/{item.action.name}" for item in placed_actions(pipeline.spec)]
    if not any(is_meant(action, where) for where in known):
        hint = meant(
            action, known if "/" in action else [where.partition("/")[2] for where in known]
        )
        raise CliError(f'ActionNotFound: run {run.name} has no action "{action}"{hint}')


class Place:
    """How far a log was printed: the time of the last line, and the count of its lines.

    The count is of the lines with that same time.

    A log is asked for again by a time of whole seconds; what was printed of
    it already is left out by this.
    """

    def __init__(self) -> None:
        self._stamp, self._count = "", 0

    @property
    def query(self) -> dict[str, str]:
        """What to ask for, so that nothing is missing."""
        asked = {"timestamps": "true"}
        return (
            {**asked, "sinceTime": f"{self._stamp[:19]}{_zone(self._stamp)}"}
            if self._stamp
            else asked
        )

    def new(self, lines: Iterator[str]) -> Iterator[str]:
        """Yield the lines that were not yet printed, without their times."""
        last, known, again = self._stamp, self._count, 0
        for line in lines:
            stamp, _, text = line.partition(" ")
            if last and _moment(stamp) < _moment(last):
                continue
            if stamp == last:
                again += 1
                if again <= known:
                    continue
            self._count = self._count + 1 if stamp == self._stamp else 1
            self._stamp = stamp
            yield text


def _zone(stamp: str) -> str:
    return stamp[19:].lstrip(".0123456789") or "Z"


def _moment(stamp: str) -> tuple[float, str]:
    """Return a time of nanoseconds in a form that can be compared.

    It is the second, and its fraction as digits.
    """
    try:
        whole = datetime.fromisoformat(f"{stamp[:19]}{_zone(stamp)}").timestamp()
    except ValueError:
        return float("inf"), ""
    fraction = stamp[20:].split("Z")[0].split("+")[0].split("-")[0] if stamp[19:20] == "." else ""
    return whole, fraction.ljust(9, "0")


class Reader:
    """Prints the logs of a run's tries, each once, and remembers whether one could not be shown."""

    def __init__(self, cluster: Cluster, action: str | None, *, follow: bool) -> None:
        self._cluster, self._action, self._follow = cluster, action, follow
        self._done: set[str] = set()
        self._places: dict[str, Place] = {}
        self._is_whole = True
        self._away = Away()

    def read(self, name: str, timeout: float) -> bool:
        """Print until there is nothing more to come; return whether all was shown that is meant."""
        deadline = time.monotonic() + timeout
        while True:
            try:
                if self._pass(name, deadline):
                    return self._is_whole
            except UnreachableError as error:
                if not self._follow:
                    raise
                self._away.tell(error)
            if time.monotonic() >= deadline:
                raise gave_up(f"run {name} has not ended as far as is known", timeout)
            time.sleep(_PAUSE_S)

    def _pass(self, name: str, deadline: float) -> bool:
        """Look at the run once; return whether nothing more is to come."""
        run = self._cluster.run(name)
        self._away.over()
        for where, execution in executions(run):
            if (
                is_meant(self._action, where)
                and execution.job_name
                and execution.job_name not in self._done
            ):
                self._print(run, where, execution, deadline)
        if self._follow and not run.is_over:
            return False
        if not self._done:
            self._is_whole = False
            complain(_nothing(run, self._action))
        return True

    def _print(
        self, run: objects.Run, where: str, execution: ActionExecution, deadline: float
    ) -> None:
        """Print what is new of one try's log; note when there is nothing more to come."""
        is_ended = execution.status is not ActionStatus.IN_PROGRESS
        is_last = is_ended or not self._follow
        pod = self._cluster.pod_of(execution.job_name)
        why = "its pod is gone" if is_ended else "it has no pod yet"
        if pod is not None:
            try:
                self._copy(
                    where, execution.job_name, pod.metadata.name, None if is_last else deadline
                )
            except UnreachableError:
                raise
            except CliError as error:
                if error.status not in (NOT_FOUND, _NOT_STARTED):
                    raise
                why = str(error)
            else:
                self._done |= {execution.job_name} if is_last else set()
                return
        if is_last:
            self._done.add(execution.job_name)
            self._is_whole = False
            complain(self._where_it_is(run, where, execution, why))

    def _copy(self, where: str, job: str, pod: str, deadline: float | None) -> None:
        """Print the new part of a Pod's log; with a deadline, follow it.

        It follows until the deadline, or until the stream ends.
        """
        place = self._places.setdefault(job, Place())
        silence_s = (
            STREAM_S if deadline is None else min(STREAM_S, max(1.0, deadline - time.monotonic()))
        )
        query = {**place.query, "follow": "false" if deadline is None else "true"}
        for line in place.new(self._cluster.log(pod, query, silence_s)):
            # Not by way of the console: a log keeps its colours, and nothing breaks its lines.
            console.file.write(f"[{in_line(where)}] {log_line(line)}\n")
            console.file.flush()
            if deadline is not None and time.monotonic() >= deadline:
                return

    def _where_it_is(
        self, run: objects.Run, where: str, execution: ActionExecution, why: str
    ) -> str:
        """Say why a log is not shown, and where it is, if it is stored."""
        uid, pipeline_uid = execution.pod_uid, run.status.pipeline_uid
        if execution.status is ActionStatus.IN_PROGRESS:
            return f"{where}: no log: {why}"
        if not execution.has_log or not uid or not pipeline_uid:
            return f"{where}: no log: {why}, and none was stored ({execution.status.value})"
        stage, _, action = where.partition("/")
        names = (
            run.metadata.namespace,
            run.spec.pipeline_ref.name,
            pipeline_uid,
            run.name,
            run.metadata.uid,
        )
        key = log_key(Attempt(*names, stage, action, execution.attempt, execution.try_), uid)
        return f"{where}: {why}; its log is stored {_told(self._store(run))} as {key}"

    def _store(self, run: objects.Run) -> ArtifactStore | None:
        """Return the store of what the run executes; else that of its Pipeline now."""
        frozen = self._cluster.frozen_store(run.status.revision) if run.status.revision else None
        pipeline = None if frozen else pipeline_of(self._cluster, run)
        return frozen or (pipeline.spec.store if pipeline else None)


def _told(store: ArtifactStore | None) -> str:
    if store is None:
        return "in the operator's default store (the chart's defaultArtifactStore)"
    if store.type == "Volume":
        return f"in the volume {store.location}"
    where = (
        f" at {store.endpoint}" if store.endpoint else f" in {store.region}" if store.region else ""
    )
    return f"in the bucket {store.location}{where}"


def _nothing(run: objects.Run, action: str | None) -> str:
    """Say why there is no log at all."""
    for where, execution in executions(run):
        if is_meant(action, where) and not execution.job_name:
            return f"{where} of run {run.name} waits for people and has no log"
    what = f"action {action} has" if action else "no action has"
    summary = f": {run.status.status_summary}" if run.status.status_summary else ""
    return f"run {run.name} is {run.state}, {what} {'not ' if action else ''}started{summary}"
