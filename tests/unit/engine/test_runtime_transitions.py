"""StageTransitions, the switch beside the declaration (X-71..X-74): either
one disables, and says who and why.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from penstock.engine.objects.transitions import TransitionObject
from penstock.engine.plan import plan_pipeline
from tests.unit.engine.simulation import World
from tests.unit.engine.test_transitions import FROZEN, inside, prod, push, two_stages

OFF: dict[str, Any] = {
    "stageName": "Prod",
    "enabled": False,
    "reason": "incident 42",
    "requestedBy": "alice",
}


def shown(world: World) -> dict[str, Any] | None:
    state = prod(world).inbound_transition_state
    return state.model_dump(exclude={"last_changed_at"}) if state else None


def test_x_71_stage_is_disabled_at_runtime_and_the_run_says_by_whom_and_why() -> None:
    world = two_stages(disabled=[])
    world.switch(**OFF)
    push(world, "run-1")

    assert inside(world) == []
    assert world.reason() == "TransitionDisabled"
    why = "waiting for stage Prod: its inbound transition is disabled: incident 42 (by alice)"
    assert world.status().status_summary == why
    assert shown(world) == {
        "enabled": False,
        "disabled_reason": "incident 42",
        "last_changed_by": "alice",
    }


def test_x_73_stage_that_is_enabled_again_lets_the_run_in_and_tells_by_whom() -> None:
    world = two_stages(disabled=[])
    world.switch(**OFF)
    push(world, "run-1")
    world.advance(10)
    world.switch(stageName="Prod", enabled=True, requestedBy="bob")
    world.settle()
    assert inside(world) == ["run-1"]
    assert shown(world) == {"enabled": True, "disabled_reason": None, "last_changed_by": "bob"}


def test_switch_that_is_deleted_enables() -> None:
    world = two_stages(disabled=[])
    world.switch(**OFF)
    push(world, "run-1")
    world.transitions.clear()
    world.settle()
    assert inside(world) == ["run-1"]


def test_declaration_is_the_floor_that_no_switch_enables() -> None:
    world = two_stages(disabled=FROZEN)
    world.switch(stageName="Prod", enabled=True, requestedBy="bob")
    push(world, "run-1")
    assert inside(world) == []
    assert shown(world) == {
        "enabled": False,
        "disabled_reason": "release freeze",
        "last_changed_by": None,
    }


def test_either_one_disables_and_both_reasons_are_told() -> None:
    world = two_stages(disabled=FROZEN)
    world.switch(**OFF)
    push(world, "run-1")
    state = shown(world)
    assert state is not None
    assert (state["disabled_reason"], state["last_changed_by"]) == (
        "release freeze; incident 42",
        "alice",
    )


def test_one_of_several_switches_is_enough_to_disable() -> None:
    world = two_stages(disabled=[])
    world.switch("a", stageName="Prod", enabled=True)
    world.switch("b", **OFF)
    push(world, "run-1")
    assert inside(world) == []


def test_out_of_a_stage_is_into_the_next() -> None:
    world = two_stages(disabled=[])
    world.switch(**{**OFF, "stageName": "Build", "transitionType": "Outbound"})
    push(world, "run-1")
    assert (inside(world), world.reason()) == ([], "TransitionDisabled")


@pytest.mark.parametrize(
    ("switch", "warning"),
    [
        (
            {"stageName": "Prdo"},
            'spec.stageName: StageNotFound: the pipeline has no stage "Prdo"; it has Build, Prod',
        ),
        (
            {"transitionType": "Outbound"},
            "spec.transitionType: nothing comes after the last stage: name another",
        ),
    ],
)
def test_switch_that_switches_nothing_is_named_in_the_pipelines_warnings(
    switch: dict[str, str], warning: str
) -> None:
    world = two_stages(disabled=[])
    world.switch(**{**OFF, **switch})
    push(world, "run-1")
    assert inside(world) == ["run-1"]
    assert world.pipeline is not None
    messages = {c.type: c.message for c in world.pipeline.status.conditions}
    assert messages["Warnings"] == f"StageTransition freeze: {warning}"


def test_switch_that_cannot_be_read_stops_nothing() -> None:
    world = two_stages(disabled=[])
    broken = TransitionObject("freeze", None, "spec.enabled: Field required")
    plan = plan_pipeline(
        replace(world.snapshot(), transitions=(broken,)), world.settings, now=world.now
    )
    assert plan.pipeline_status is not None
    messages = {c.type: (c.status, c.message) for c in plan.pipeline_status.conditions}
    assert messages["Warnings"] == ("True", "StageTransition freeze: spec.enabled: Field required")
    assert messages["Ready"][0] == "True"


def test_edit_that_declares_nothing_leaves_the_switch_as_it_is() -> None:
    """What GitOps applies again is the Pipeline; the switch is an object of its own."""
    world = two_stages(disabled=[])
    world.switch(**OFF)
    push(world, "run-1")
    assert world.pipeline is not None
    world.change_pipeline(generation=world.pipeline.generation + 1)
    world.settle()
    assert inside(world) == []
