"""A message that is cut keeps its reason: it may stand at either end."""

import pytest

from penstock.engine import snapshot
from tests.unit.engine.simulation import World, commands_action, stage

REASON = "field is immutable"


@pytest.mark.parametrize(
    "message", [f"{'template ' * 500}: {REASON}", f"{REASON}: {'template ' * 500}"]
)
def test_bug_09_reason_stands_in_summary_conditions_and_events_wherever_the_message_says_it(
    message: str,
) -> None:
    world = World.of(stage("Build", commands_action("Make")))
    world.start()
    world.settle()
    world.fail(world.job_for("Make"), message=message)
    world.settle()

    status = world.status()
    told = [status.status_summary or "", *(c.message or "" for c in status.conditions)]
    told += [
        getattr(command, "message", "")
        for command in world.history
        if type(command).__name__ == "EmitEvent"
    ][1:]
    assert len(told) > 4
    assert all(REASON in text for text in told)
    assert all(len(text) <= 1_000 for text in told)
    assert world.pipeline
    (last,) = (c for c in world.pipeline.status.conditions if c.type == "LastRunSucceeded")
    assert REASON in (last.message or "")


def test_attack_07_definition_that_no_judge_can_judge_says_so_and_runs_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ValueError("a number that is none")

    monkeypatch.setattr(snapshot, "validate", fail)
    world = World.of(stage("Build", commands_action("Make")))
    world.start()
    world.settle()

    assert world.pipeline
    (ready,) = (c for c in world.pipeline.status.conditions if c.type == "Ready")
    assert ready.status == "False"
    assert "could not be judged (ValueError: a number that is none); please report it" in (
        ready.message or ""
    )
    assert world.status().state == "Failed"
    assert world.jobs == {}
