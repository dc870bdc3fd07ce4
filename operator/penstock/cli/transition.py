"""`penstock transition disable|enable`: the switch in front of a stage, a StageTransition (X-71..X-73)."""

from collections.abc import Iterator
from typing import Annotated

import typer

from penstock.api.names import child_name
from penstock.cli.app import EXIT_TIMEOUT, Pipeline, Stage, Timeout, connect, console, wait_for
from penstock.cli.cluster import Cluster, ClusterError, Document

_TRANSITIONS = "stagetransitions"

Wait = Annotated[bool, typer.Option("--wait", help="Wait until the Pipeline's status shows it.")]

_commands = typer.Typer(no_args_is_help=True, help="Hold runs in front of a stage, and let them in again.")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(_commands, name="transition")


@_commands.command()
def disable(
    pipeline: Pipeline,
    stage: Stage,
    reason: Annotated[str, typer.Option(help="Why, for everyone to read.")],
    wait: Wait = False,
    timeout: Timeout = 60.0,
) -> None:
    """Let no run into a stage; those inside go on. The exit code with --wait: 0 disabled, 4 timeout."""
    cluster = connect()
    _check_stage(cluster, pipeline, stage)
    spec = {"enabled": False, "reason": reason, "requestedBy": cluster.whoami()}
    name = child_name(pipeline, pipeline, stage)
    known = next((item for item in cluster.objects(_TRANSITIONS) if item["metadata"]["name"] == name), None)
    if known:
        cluster.change(_TRANSITIONS, known, spec)
    else:
        wanted = {"pipelineName": pipeline, "stageName": stage, **spec}
        given = {key: value for key, value in wanted.items() if value is not None}
        cluster.create("StageTransition", _TRANSITIONS, {"name": name}, given)
    console.print(f"disabled the transition into {stage} of {pipeline}")
    if wait:
        _wait(cluster, pipeline, stage, timeout, is_enabled=False)


@_commands.command()
def enable(pipeline: Pipeline, stage: Stage, wait: Wait = False, timeout: Timeout = 60.0) -> None:
    """Let runs into a stage again. The exit code with --wait: 0 enabled, 4 timeout. 1: the Pipeline disables it."""
    cluster = connect()
    found = _check_stage(cluster, pipeline, stage)
    for item in _disabling(cluster.objects(_TRANSITIONS), found, stage):
        cluster.change(_TRANSITIONS, item, {"enabled": True, "reason": None, "requestedBy": cluster.whoami()})
    for declared in found["spec"].get("disableInboundStageTransitions", []):
        if declared["stageName"] == stage:
            where = "spec.disableInboundStageTransitions"
            raise ClusterError(f"Pipeline {pipeline} itself disables it: {where}: {declared['reason']}")
    console.print(f"enabled the transition into {stage} of {pipeline}")
    if wait:
        _wait(cluster, pipeline, stage, timeout, is_enabled=True)


def _check_stage(cluster: Cluster, pipeline: str, stage: str) -> Document:
    found = cluster.pipeline(pipeline)
    names = [item["name"] for item in found["spec"]["stages"]]
    if stage not in names:
        raise ClusterError(f'StageNotFound: pipeline {pipeline} has no stage "{stage}"; it has {", ".join(names)}')
    return found


def _disabling(transitions: list[Document], pipeline: Document, stage: str) -> Iterator[Document]:
    """Yield every StageTransition that disables the stage, whoever wrote it; out of the one before is into it."""
    names = [item["name"] for item in pipeline["spec"]["stages"]]
    before = names[names.index(stage) - 1] if stage != names[0] else None
    for item in transitions:
        spec = item["spec"]
        into = before if spec.get("transitionType") == "Outbound" else stage
        if (spec["pipelineName"], spec["stageName"]) == (pipeline["metadata"]["name"], into) and not spec["enabled"]:
            yield item


def _wait(cluster: Cluster, pipeline: str, stage: str, timeout: float, *, is_enabled: bool) -> None:
    def shown() -> bool | None:
        states = cluster.pipeline(pipeline).get("status", {}).get("stageStates", [])
        state: Document = next((item for item in states if item["stageName"] == stage), {})
        enabled = state.get("inboundTransitionState", {}).get("enabled", True)
        return True if enabled is is_enabled else None

    if wait_for(shown, timeout) is None:
        raise typer.Exit(EXIT_TIMEOUT)
