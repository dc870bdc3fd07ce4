"""`penstock retry`, `override` and `rollback`: a stage again or on, or as of an earlier run (X-60, C-07, X-67)."""

import re
from enum import StrEnum
from typing import Annotated

import typer

from penstock.api.names import slug_of
from penstock.cli.app import (
    EXIT_TIMEOUT,
    Pipeline,
    Reason,
    Run,
    Stage,
    Timeout,
    connect,
    console,
    refuse,
    wait_for,
)
from penstock.cli.cluster import Cluster, Document
from penstock.cli.watching import watch_run

_UID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Mode(StrEnum):
    """What a retry runs again."""

    FAILED_ACTIONS = "FAILED_ACTIONS"
    ALL_ACTIONS = "ALL_ACTIONS"


class Condition(StrEnum):
    """A condition of a stage (C-01)."""

    BEFORE_ENTRY = "BEFORE_ENTRY"
    ON_SUCCESS = "ON_SUCCESS"
    ON_FAILURE = "ON_FAILURE"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(retry)
    app.command()(override)
    app.command()(rollback)


def retry(
    run: Run,
    stage: Stage,
    mode: Annotated[Mode, typer.Option(help="Only what failed, or the whole stage.")] = Mode.FAILED_ACTIONS,
    reason: Reason = None,
    wait: Annotated[bool, typer.Option("--wait", help="Watch the run until it ends.")] = False,
    timeout: Timeout = 3600.0,
) -> None:
    """Run a stage again in which a run has failed or was stopped.

    The exit code with --wait: 0 Succeeded, 1 Failed or refused, 3 anything else, 4 timeout.
    """
    _ask(run, "retries", {"stageName": stage, "retryMode": mode.value, "reason": reason}, timeout if wait else None)


def override(
    run: Run,
    stage: Stage,
    condition: Annotated[Condition, typer.Option(help="Which condition of the stage.")],
    reason: Reason = None,
    wait: Annotated[bool, typer.Option("--wait", help="Watch the run until it ends.")] = False,
    timeout: Timeout = 3600.0,
) -> None:
    """Let a run go on as if a condition of a stage had succeeded.

    The exit code with --wait: 0 Succeeded, 1 Failed or refused, 3 anything else, 4 timeout.
    """
    entry = {"stageName": stage, "conditionType": condition.value, "reason": reason}
    _ask(run, "overrides", entry, timeout if wait else None)


def _ask(run: str, field: str, entry: Document, timeout: float | None) -> None:
    """Add a request to a run's spec; with a timeout, wait for its answer and then for the run's end."""
    cluster = connect()
    made = {"requestedBy": cluster.whoami(), **entry}
    found = cluster.append("pipelineruns", cluster.run(run), field, {key: text for key, text in made.items() if text})
    console.print(f"asked {run}: {field} {entry['stageName']}")
    if timeout is None:
        return
    number = len(found["spec"][field]) - 1
    answered = wait_for(lambda: _answer(cluster, run, field, number), timeout)
    if answered is None:
        raise typer.Exit(EXIT_TIMEOUT)
    if refused := answered.get("refused"):
        raise refuse(f"{refused['code']}: {refused['message']}")
    raise typer.Exit(watch_run(cluster, run, timeout))


def _answer(cluster: Cluster, run: str, field: str, number: int) -> Document | None:
    """Return what came of a request, None until the operator has seen it."""
    answers: list[Document] = cluster.run(run).get("status", {}).get(field, [])
    return answers[number] if number < len(answers) else None


def rollback(
    pipeline: Pipeline,
    stage: Stage,
    to: Annotated[str, typer.Option(help="The run to go back to, or its execution id.")],
    name: Annotated[str | None, typer.Option(help="The name of the run that rolls back.")] = None,
    watch: Annotated[bool, typer.Option("--watch", "--wait", "-w", help="Watch the run until it ends.")] = False,
    timeout: Timeout = 3600.0,
) -> None:
    """Run a stage again with what an earlier run had, as a run of its own, and print that run's name.

    The exit code with --wait: 0 Succeeded, 1 Failed or refused, 3 anything else, 4 timeout.
    """
    cluster = connect()
    cluster.pipeline(pipeline)
    target = {"targetPipelineExecutionId": to} if _UID.fullmatch(to) else {"targetRun": to}
    spec = {
        "pipelineRef": {"name": pipeline},
        "executionType": "ROLLBACK",
        "rollback": {"stageName": stage, **target},
        "trigger": {"triggerType": "ManualRollback"},
        "requestedBy": cluster.whoami(),
    }
    metadata = {"name": name} if name else {"generateName": f"{slug_of(pipeline)}-rollback-"}
    run = cluster.start(metadata, {key: value for key, value in spec.items() if value})
    console.print(run["metadata"]["name"])
    if watch:
        raise typer.Exit(watch_run(cluster, run["metadata"]["name"], timeout))
