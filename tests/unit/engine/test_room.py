"""A run's status has a bound: what is too large fails its action, and what
cannot be written ends the run.
"""

import json
from dataclasses import replace

import pytest

from penstock.api.contract.contracts import ActionResult
from penstock.engine.commands import CreateJob
from penstock.engine.snapshot import Refused, status_refusal
from tests.unit.engine.simulation import World, commands_action, stage

LARGE = 120_000


def written(world: World) -> int:
    """Return what etcd gets of the status, as Go writes it."""
    text = json.dumps(world.status().to_dict(), ensure_ascii=False)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, "\\u0000")
    return len(text.encode("utf-8", "replace"))


@pytest.mark.parametrize("character", ["x", "ä", '"', "\n", "<", "\u2028", "\x01", "\U0001f600"])
def test_attack_05_output_variables_that_the_status_has_no_room_for_fail_their_action(
    character: str,
) -> None:
    actions = [
        commands_action(f"A{n}", outputVariables=["V"], namespace=f"N{n}") for n in range(16)
    ]
    world = World.of(stage("Build", *actions))
    world.start()
    world.settle()
    for number in range(16):
        result = ActionResult(
            1,
            "Succeeded",
            exit_code=0,
            variables={"V": character * (LARGE // len(character.encode("utf-8", "surrogatepass")))},
        )
        world.end_pod(world.job_for(f"A{number}"), result)
    world.settle()

    rows = [world.execution(f"A{number}") for number in range(16)]
    failed = [row for row in rows if row and row.error_details]
    assert world.status().state == "Failed"
    assert 8 <= len(failed) <= 16
    assert {row.error_details.code for row in failed if row.error_details} == {
        "OutputVariablesSizeExceeded"
    }
    assert all(
        "write large values into an artifact" in row.error_details.message
        for row in failed
        if row.error_details
    )
    assert written(world) < 1_400_000


def test_attack_05_retries_of_a_run_whose_status_is_full_fail_instead_of_growing_it() -> None:
    world = World.of(stage("Build", commands_action("Make")))
    world.settings = type(world.settings)(status_bytes=3_000)
    world.start()
    world.settle()
    for _ in range(30):
        world.fail(world.job_for("Make")) if world.live_jobs() else None
        world.settle()
        world.retry("Build")
        world.settle()

    row = world.execution("Make")
    assert row and row.error_details
    assert row.error_details.code == "RunTooLarge"
    assert world.live_jobs() == []


def full(reason: str = "TooLarge", *, is_final: bool = True) -> World:
    world = World.of(
        stage(
            "Build",
            commands_action("Make", namespace="N", outputVariables=["V"]),
            commands_action("B"),
        )
    )
    world.start()
    world.settle()
    world.run_pod(world.job_for("B"))
    world.end_pod(
        world.job_for("Make"), ActionResult(1, "Succeeded", exit_code=0, variables={"V": "x"})
    )
    refused = Refused(reason, "etcdserver: request is too large", world.now, is_final=is_final)
    world.refused[status_refusal("uid-run-1")] = refused
    return world


def test_attack_05_status_that_can_never_be_written_ends_the_run_by_one_that_can() -> None:
    world = full()
    world.settle()

    assert (world.status().state, world.reason()) == ("Failed", "TooLarge")
    assert "etcdserver: request is too large" in (world.status().status_summary or "")
    made, left = world.execution("Make"), world.execution("B")
    assert made and left and left.error_details
    assert made.output_variables == {}
    assert (left.status, left.error_details.code) == ("Failed", "TooLarge")
    assert left.job_name not in world.jobs, "what still ran is ended"


def test_attack_06_refused_status_leads_to_nothing_until_it_is_written() -> None:
    world = full("Forbidden", is_final=False)
    plan = world.plan()
    assert (plan.run_statuses, [c for c in plan.commands if "uid-run-1" in str(c)]) == ({}, [])

    world.advance(world.settings.refused_again_s)
    assert list(world.plan().run_statuses) == ["run-1"]


def test_text_that_is_no_unicode_is_taken_over_and_fits_as_any_other() -> None:
    """JSON can say half a surrogate pair, and a hostile image writes its own
    termination message.
    """
    world = World.of(stage("Build", commands_action("Make", outputVariables=["V"], namespace="N")))
    world.start()
    world.settle()
    job = world.job_for("Make")
    world.succeed(job)
    containers = world.pods[job].containers
    message = '{"version":1,"status":"Succeeded","exitCode":0,"variables":{"V":"\\ud800"}}'
    agent = replace(containers["agent"], message=message)
    world.pods[job] = replace(world.pods[job], containers={**containers, "agent": agent})
    world.settle()
    assert world.status().state == "Succeeded"


@pytest.mark.parametrize("is_final", [True, False])
def test_attack_06_run_whose_status_is_refused_starts_nothing_that_no_status_tells(
    is_final: bool,
) -> None:
    """The next stage's Job would run for a run that has failed, or be made
    and swept again and again.
    """
    world = World.of(
        stage("Build", commands_action("Make")), stage("Prod", commands_action("Ship"))
    )
    world.start()
    world.settle()
    world.succeed(world.job_for("Make"))
    refused = Refused("Forbidden", "no", world.now, is_final=is_final)
    world.refused[status_refusal("uid-run-1")] = refused

    plan = world.plan()

    assert [command for command in plan.commands if isinstance(command, CreateJob)] == []
    assert list(plan.run_statuses) == (["run-1"] if is_final else [])
