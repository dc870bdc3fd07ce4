"""What a Pipeline says of sources that are not seen: a condition and Events, once for each news."""

from __future__ import annotations

from penstock.api.status.pipeline_status import SourceState
from penstock.engine.commands import EmitEvent
from tests.unit.engine.simulation import World, commands_action, git_action, stage

REFUSED = "PermissionError: triggers may not read the Secret git; let them, by `kubectl …`"


def world_with(*errors: str | None) -> World:
    world = World.of(stage("Source", git_action()), stage("Build", commands_action("Make")))
    look(world, *errors)
    return world


def look(world: World, *errors: str | None) -> None:
    """Let triggers have looked at the sources, each with its error or none."""
    assert world.pipeline
    sources = tuple(
        SourceState(stage_name="Source", action_name=f"Fetch{number}", last_error=error)
        for number, error in enumerate(errors)
    )
    status = world.pipeline.status.model_copy(update={"sources": sources})
    world.change_pipeline(status=status)


def news(world: World) -> list[tuple[str, str, bool]]:
    """Make a pass, apply it, and return the Events about the Pipeline."""
    plan = world.plan()
    world.apply(plan)
    return [
        (item.reason, item.message, item.is_warning)
        for item in plan.commands
        if isinstance(item, EmitEvent) and item.kind == "Pipeline"
    ]


def condition(world: World) -> tuple[str, str, str] | None:
    assert world.pipeline
    found = (c for c in world.pipeline.status.conditions if c.type == "SourcesSeen")
    return next(((c.status, c.reason, c.message) for c in found), None)


def test_pipeline_whose_sources_nobody_polls_says_nothing_of_them() -> None:
    world = world_with()
    assert news(world) == []
    assert condition(world) is None


def test_source_that_is_not_seen_is_told_once_and_again_when_it_is_seen() -> None:
    world = world_with(REFUSED, None)
    message = f"Source/Fetch0: {REFUSED}"
    assert news(world) == [("SourceNotSeen", message, True)]
    assert condition(world) == ("False", "PermissionError", message)
    assert news(world) == []
    look(world, None, None)
    assert news(world) == [("SourcesSeen", "a change of a source starts a run", False)]
    assert condition(world) == ("True", "Seen", "a change of a source starts a run")
    assert news(world) == []


def test_sources_that_were_always_seen_are_no_news() -> None:
    world = world_with(None)
    assert news(world) == []
    assert condition(world) == ("True", "Seen", "a change of a source starts a run")


def test_branch_that_is_not_there_has_a_reason_of_its_own() -> None:
    world = world_with('Branch "nope" was not found in https://git.example.com/shop')
    ((_, message, _),) = news(world)
    assert condition(world) == ("False", "NotFound", message)
    assert message.endswith("was not found in https://git.example.com/shop")
