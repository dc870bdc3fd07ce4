"""`penstock retry`, `override` and `rollback` (X-60, C-07, X-67).

They run a stage again, let it go on, or run it as of an earlier run.
"""

import re
from enum import StrEnum
from functools import partial
from typing import Annotated

import typer

from penstock.api.document import Document
from penstock.api.kinds.retry import AnsweredRetry, RefusedRequest
from penstock.api.names import slug_of
from penstock.api.status.condition_states import AnsweredOverride
from penstock.cli.app import (
    Pipeline,
    Reason,
    Run,
    Stage,
    Timeout,
    connect,
    gave_up,
    refuse,
    say,
    wait_for,
)
from penstock.cli.connection import objects
from penstock.cli.connection.cluster import Cluster
from penstock.cli.connection.objects import CliError
from penstock.cli.text import in_line, meant
from penstock.cli.watching import pipeline_of, watch_run

_UID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Mode(StrEnum):
    """What a retry runs again."""

    FAILED_ACTIONS = "FAILED_ACTIONS"
    ALL_ACTIONS = "ALL_ACTIONS"


class ConditionOption(StrEnum):
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
    mode: Annotated[
        Mode, typer.Option(help="Only what failed, or the whole stage.")
    ] = Mode.FAILED_ACTIONS,
    reason: Reason = None,
    wait: Annotated[bool, typer.Option("--wait", help="Watch the run until it ends.")] = False,
    timeout: Timeout = 3600.0,
) -> None:
    """Run a stage again in which a run has failed or was stopped.

    The exit code with --wait: 0 Succeeded, 1 Failed or refused, 3 anything else, 4 timeout.
    """
    _ask(
        run,
        "retries",
        {"stageName": stage, "retryMode": mode.value, "reason": reason},
        timeout if wait else None,
    )


def override(
    run: Run,
    stage: Stage,
    condition: Annotated[ConditionOption, typer.Option(help="Which condition of the stage.")],
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
    """Add a request to a run's spec.

    With a timeout, wait for the answer and then for the end of the run.
    """
    cluster = connect()
    found = cluster.run(run)
    stage = str(entry["stageName"])
    _check_stage(found, pipeline_of(cluster, found), stage)
    made = {"requestedBy": cluster.whoami(), **entry}
    found = cluster.append(found, field, {key: text for key, text in made.items() if text})
    say(in_line(f"asked {run}: {field} {stage}"))
    if timeout is None:
        return
    # In the answer to our own write our request is the last one.
    number = len(getattr(found.spec, field)) - 1
    look = partial(_answer, cluster, run, field, number)
    answered = wait_for(look, timeout)
    if answered is None:
        raise gave_up(f"the operator has not answered what was asked of run {run}", timeout)
    if refused := answered[0]:
        raise refuse(f"{refused.code}: {refused.message}")
    raise typer.Exit(watch_run(cluster, run, timeout))


def _check_stage(run: objects.Run, pipeline: objects.Pipeline | None, stage: str) -> None:
    """Raise CliError, before anything is asked, where neither run nor Pipeline has such a stage."""
    known = dict.fromkeys([*run.stage_names, *(pipeline.stage_names if pipeline else ())])
    if known and stage not in known:
        raise CliError(f'StageNotFound: run {run.name} has no stage "{stage}"{meant(stage, known)}')


def _answer(
    cluster: Cluster, run: str, field: str, number: int
) -> tuple[RefusedRequest | None] | None:
    """Return the refusal of a request, if it was refused; None until the operator has seen it."""
    status = cluster.run(run).status
    answers: tuple[AnsweredRetry | AnsweredOverride, ...] = (
        status.retries if field == "retries" else status.overrides
    )
    return (answers[number].refused,) if number < len(answers) else None


def rollback(
    pipeline: Pipeline,
    stage: Stage,
    to: Annotated[str, typer.Option(help="The run to go back to, or its execution id.")],
    name: Annotated[str | None, typer.Option(help="The name of the run that rolls back.")] = None,
    watch: Annotated[
        bool, typer.Option("--watch", "--wait", "-w", help="Watch the run until it ends.")
    ] = False,
    timeout: Timeout = 3600.0,
) -> None:
    """Run a stage again with the inputs of an earlier run, as a new run; print its name.

    The exit code with --wait: 0 Succeeded, 1 Failed or refused, 3 anything else, 4 timeout.
    """
    cluster = connect()
    known = cluster.pipeline(pipeline).stage_names
    if stage not in known:
        raise CliError(
            f'StageNotFound: pipeline {pipeline} has no stage "{stage}"{meant(stage, known)}'
        )
    target = (
        {"targetPipelineExecutionId": to}
        if _UID.fullmatch(to)
        else {"targetRun": cluster.run(to).name}
    )
    spec = {
        "pipelineRef": {"name": pipeline},
        "executionType": "ROLLBACK",
        "rollback": {"stageName": stage, **target},
        "trigger": {"triggerType": "ManualRollback"},
        "requestedBy": cluster.whoami(),
    }
    metadata = {"name": name} if name else {"generateName": f"{slug_of(pipeline)}-rollback-"}
    run = cluster.start(metadata, {key: value for key, value in spec.items() if value})
    say(run.name)
    if watch:
        raise typer.Exit(watch_run(cluster, run.name, timeout))
