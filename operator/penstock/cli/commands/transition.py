"""`penstock transition disable|enable`: the switch in front of a stage (X-71..X-73).

The switch is a StageTransition.

Only objects that this command made are changed. One that a tool declares would be set back, or
could never be applied again, as `requestedBy` is the writer's own name (gitops 3).
"""

from collections.abc import Iterator
from typing import Annotated

import typer

from penstock.api.meta import LABEL_MANAGED_BY
from penstock.api.names import child_name
from penstock.cli.app import Pipeline, Stage, Timeout, connect, gave_up, say, wait_for
from penstock.cli.connection import objects
from penstock.cli.connection.cluster import FIELD_MANAGER, Cluster
from penstock.cli.connection.objects import CliError, Transition
from penstock.cli.text import in_line, meant

Wait = Annotated[bool, typer.Option("--wait", help="Wait until the Pipeline's status shows it.")]

_commands = typer.Typer(
    no_args_is_help=True, help="Hold runs in front of a stage, and let them in again."
)


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
    """Let no run into a stage; runs inside go on. Exit code with --wait: 0 disabled, 4 timeout."""
    cluster = connect()
    _check_stage(cluster, pipeline, stage)
    spec = {"enabled": False, "reason": reason, "requestedBy": cluster.whoami()}
    # Named by pipeline and stage alone: whoever disables the stage again meets the same object.
    name = child_name(pipeline, pipeline, stage)
    known = next((item for item in cluster.objects(Transition) if item.metadata.name == name), None)
    if known:
        _check_ours([known])
        cluster.change(known, spec)
    else:
        wanted = {"pipelineName": pipeline, "stageName": stage, **spec}
        given = {key: value for key, value in wanted.items() if value is not None}
        cluster.create(
            Transition, {"name": name, "labels": {LABEL_MANAGED_BY: FIELD_MANAGER}}, given
        )
    say(in_line(f"disabled the transition into {stage} of {pipeline}"))
    if wait:
        _wait(cluster, pipeline, stage, timeout, is_enabled=False)


@_commands.command()
def enable(pipeline: Pipeline, stage: Stage, wait: Wait = False, timeout: Timeout = 60.0) -> None:
    """Let runs into a stage again. The exit code with --wait: 0 enabled, 4 timeout.

    1: the Pipeline itself disables it, or a StageTransition that this command did not make; then
    nothing is changed.
    """
    cluster = connect()
    found = _check_stage(cluster, pipeline, stage)
    for declared in found.spec.disable_inbound_stage_transitions:
        if declared.stage_name == stage:
            where = "spec.disableInboundStageTransitions"
            raise CliError(f"Pipeline {pipeline} itself disables it: {where}: {declared.reason}")
    disabling = list(_disabling(cluster.objects(Transition), found, stage))
    # All are checked before the first is changed, so that a refusal leaves everything as it was.
    _check_ours(disabling)
    for item in disabling:
        cluster.change(item, {"enabled": True, "reason": None, "requestedBy": cluster.whoami()})
    say(in_line(f"enabled the transition into {stage} of {pipeline}"))
    if wait:
        _wait(cluster, pipeline, stage, timeout, is_enabled=True)


def _check_ours(transitions: list[Transition]) -> None:
    """Raise CliError where one of these is not of this command's making."""
    others = [told for item in transitions if (told := _whose(item))]
    if others:
        raise CliError("; ".join(others))


def _whose(item: Transition) -> str | None:
    """Return the declarer of a StageTransition, and where to change it.

    None if this command made it.
    """
    name, mark = item.metadata.name, item.metadata.declared_by
    why = f" ({item.spec.reason})" if item.spec.reason else ""
    if mark:
        return (
            f"StageTransition {name}{why} is declared by {mark}: change it there, or it would be "
            f"set back"
        )
    if item.metadata.labels.get(LABEL_MANAGED_BY) == FIELD_MANAGER:
        return None
    return (
        f"StageTransition {name}{why} was not made by this command: kubectl delete stt {name}, or "
        f"edit it"
    )


def _check_stage(cluster: Cluster, pipeline: str, stage: str) -> objects.Pipeline:
    found = cluster.pipeline(pipeline)
    known = found.stage_names
    if stage not in known:
        raise CliError(
            f'StageNotFound: pipeline {pipeline} has no stage "{stage}"{meant(stage, known)}'
        )
    return found


def _disabling(
    transitions: list[Transition], pipeline: objects.Pipeline, stage: str
) -> Iterator[Transition]:
    """Yield every StageTransition that disables the stage, by any author.

    One out of the stage before counts as one into this stage.
    """
    names = pipeline.stage_names
    before = names[names.index(stage) - 1] if stage != names[0] else None
    for item in transitions:
        spec = item.spec
        into = before if spec.transition_type == "Outbound" else stage
        if (spec.pipeline_name, spec.stage_name) == (
            pipeline.metadata.name,
            into,
        ) and not spec.enabled:
            yield item


def _wait(cluster: Cluster, pipeline: str, stage: str, timeout: float, *, is_enabled: bool) -> None:
    def shown() -> bool | None:
        states = cluster.pipeline(pipeline).status.stage_states
        transition = next(
            (state.inbound_transition_state for state in states if state.stage_name == stage), None
        )
        enabled = transition.enabled if transition else True
        return True if enabled is is_enabled else None

    if wait_for(shown, timeout) is None:
        wanted = "enabled" if is_enabled else "disabled"
        raise gave_up(
            f"the status of Pipeline {pipeline} does not show {stage} as {wanted}", timeout
        )
