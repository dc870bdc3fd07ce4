"""Rolling a stage back, by request and by itself (X-67..X-70)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from penstock.api.contract.contracts import Revision
from penstock.engine.commands import CreateRun
from penstock.engine.snapshot import Refused
from tests.unit.engine.simulation import World, commands_action, git_action, stage
from tests.unit.engine.test_retry import attempts, end
from tests.unit.engine.test_stop import events, statuses


def delivering(*, deploy: dict[str, Any] | None = None, runs: int = 2, **fields: Any) -> World:
    """Return a world in which so many runs have delivered: fetch, build,
    deploy, and check in the stage after.
    """
    makes = commands_action(
        "Make",
        namespace="Build",
        outputVariables=["TAG"],
        inputArtifacts=[{"name": "Source"}],
        outputArtifacts=[{"name": "Site", "files": ["s"]}],
    )
    ships = commands_action(
        "Ship", 'ship "#{Build.TAG}" "#{variables.WHERE}"', inputArtifacts=[{"name": "Site"}]
    )
    world = World.of(
        stage("Source", git_action()),
        stage("Build", makes),
        {**stage("Deploy", ships), **(deploy or {})},
        stage("Check", commands_action("Look")),
        variables=[{"name": "WHERE", "defaultValue": "eu"}],
        executionMode="QUEUED",
        **fields,
    )
    for number in range(1, runs + 1):
        deliver(world, f"run-{number}", number)
        end(world, "Ship", "Look", run=f"run-{number}")
    return world


def deliver(world: World, run: str, number: int) -> None:
    """Start a run and bring it as far as its deployment; each has its own
    revision, variables and artifacts.
    """
    world.advance(10)
    world.start(run, variables=[{"name": "WHERE", "value": f"zone-{number}"}])
    world.settle()
    world.succeed(world.job_for("Fetch", run), revision=Revision(id=f"rev-{number}"))
    world.settle()
    world.succeed(world.job_for("Make", run), variables={"TAG": f"tag-{number}"})
    world.settle()


def roll_back(
    world: World,
    target: str = "run-1",
    name: str = "back",
    stage_name: str = "Deploy",
    **wanted: Any,
) -> None:
    world.advance(10)
    world.start(
        name,
        executionType="ROLLBACK",
        rollback={"stageName": stage_name, **(wanted or {"targetRun": target})},
    )
    world.settle()


def test_x_67_rollback_runs_the_stage_alone_with_what_its_target_had() -> None:
    world = delivering()
    roll_back(world)
    assert statuses(world, "back") == {"Deploy": "InProgress", "Ship": "InProgress"}
    request = world.request(world.job_for("Ship", "back"))
    first = world.request(world.job_for("Ship", "run-1"))
    assert request.inputs == first.inputs
    assert request.script == first.script, "the variables are the target's"
    status = world.status("back")
    assert status.execution_type == "ROLLBACK"
    assert [item.revision_id for item in status.artifact_revisions] == ["rev-1"]
    assert status.rollback_metadata is not None
    assert status.rollback_metadata.rollback_target_pipeline_execution_id == "uid-run-1"
    assert status.revision == world.status("run-1").revision

    end(world, "Ship", run="back")
    assert world.status("back").state == "Succeeded"
    assert statuses(world, "back") == {"Deploy": "Succeeded", "Ship": "Succeeded"}, (
        "later stages do not follow"
    )
    assert world.pipeline is not None
    shown = {s.stage_name: s.latest_execution for s in world.pipeline.status.stage_states}
    assert shown["Deploy"] is not None
    assert (shown["Deploy"].run, shown["Deploy"].type) == ("back", "ROLLBACK")
    assert ("RunStarted", "Started rollback of stage Deploy of pipeline web, version 1") in events(
        world
    )


def test_x_67_target_is_named_by_its_execution_id_too_and_not_needed_any_more() -> None:
    world = delivering()
    world.start("next")
    roll_back(world, targetPipelineExecutionId="uid-run-1")
    world.runs.pop("run-1")
    world.end_pod(world.job_for("Ship", "back"), "")
    world.settle()
    assert attempts(world, "Ship", "back") == [(1, 1, "Unknown"), (1, 2, "InProgress")]
    assert (
        world.request(world.job_for("Ship", "back"))
        .inputs[0]
        .key.startswith("pipeline-uid/uid-run-1/Build/Make/1/pod-make-")
    )


def test_target_may_still_be_under_way_in_a_later_stage() -> None:
    world = delivering(runs=0)
    deliver(world, "run-1", 1)
    end(world, "Ship")
    roll_back(world)
    assert statuses(world, "back")["Deploy"] == "InProgress"
    assert statuses(world)["Check"] == "InProgress"


@pytest.mark.parametrize(
    ("target", "stage_name", "reason", "words"),
    [
        (
            "nope",
            "Deploy",
            "PipelineExecutionNotFound",
            "has no run nope; one that the history limits have deleted",
        ),
        ("run-1", "Nope", "StageNotFound", 'no stage "Nope"; it has Source, Build, Deploy, Check'),
        ("run-1", "Source", "UnableToRollbackStage", "stage Source has Source actions"),
        (
            "failed",
            "Deploy",
            "UnableToRollbackStage",
            "run failed has not succeeded in stage Deploy: Failed",
        ),
        ("failed", "Check", "UnableToRollbackStage", "it has not entered it"),
        ("back", "Deploy", "UnableToRollbackStage", "run back is a rollback itself"),
    ],
)
def test_x_68_rollback_that_cannot_be_fails_with_codepipelines_name(
    target: str, stage_name: str, reason: str, words: str
) -> None:
    world = delivering()
    roll_back(world)
    end(world, "Ship", run="back")
    deliver(world, "failed", 3)
    world.fail(world.job_for("Ship", "failed"))
    world.settle()
    roll_back(world, target, "again", stage_name)
    assert (world.status("again").state, world.reason("again")) == ("Failed", reason)
    assert words in (world.status("again").status_summary or "")
    assert world.status("again").stage_states == ()


def test_oracle_o_14_execution_from_before_an_edit_is_outdated() -> None:
    world = delivering()
    world.edit(stages=[s.to_dict() for s in world.spec.stages[:3]], onUpdate="Finish")
    roll_back(world)
    assert world.reason("back") == "PipelineExecutionOutdated"


def test_run_of_another_pipeline_of_the_same_name_is_no_target() -> None:
    world = delivering()
    assert world.pipeline is not None
    world.pipeline = replace(world.pipeline, uid="another")
    roll_back(world)
    assert world.reason("back") == "PipelineExecutionNotFound"


def test_target_whose_definition_is_gone_is_refused() -> None:
    world = delivering()
    world.change_pipeline(spec=world.spec.model_copy(update={"service_account_name": "other"}))
    world.revisions.clear()
    roll_back(world)
    assert world.reason("back") == "DefinitionLost"


def test_rollback_waits_for_the_stage_and_goes_before_those_that_wait() -> None:
    world = delivering()
    deliver(world, "run-3", 3)
    deliver(world, "run-4", 4)
    roll_back(world)
    assert world.reason("back") == "Queued"
    assert world.pipeline is not None
    waiting = {
        s.stage_name: [i.run for i in s.inbound_executions]
        for s in world.pipeline.status.stage_states
    }
    assert waiting["Deploy"] == ["back", "run-4"]
    end(world, "Ship", run="run-3")
    assert statuses(world, "back")["Deploy"] == "InProgress"
    assert "Deploy" not in statuses(world, "run-4"), (
        "an older run does not enter where a younger one is"
    )
    end(world, "Ship", run="back")
    assert statuses(world, "run-4")["Deploy"] == "InProgress"


def test_rollback_neither_supersedes_nor_is_superseded() -> None:
    world = delivering()
    world.edit(executionMode="SUPERSEDED", onUpdate="Finish")
    for number in (3, 4):
        deliver(world, f"run-{number}", number)
        if number == 3:
            end(world, "Ship", run="run-3")
    deliver(world, "run-5", 5)
    roll_back(world, "run-3")
    deliver(world, "run-6", 6)
    states = {name: str(run.status.state) for name, run in world.runs.items()}
    assert (states["run-5"], states["run-6"], states["back"]) == (
        "Superseded",
        "InProgress",
        "InProgress",
    )


def test_failed_rollback_can_be_retried_and_leads_to_no_other_rollback() -> None:
    world = delivering(deploy={"onFailure": {"result": "ROLLBACK"}})
    roll_back(world)
    world.fail(world.job_for("Ship", "back"))
    world.settle()
    assert world.status("back").state == "Failed"
    assert not [c for c in world.history if isinstance(c, CreateRun)]
    world.retry("Deploy", run="back")
    world.settle()
    end(world, "Ship", run="back")
    assert (world.status("back").state, list(statuses(world, "back"))) == (
        "Succeeded",
        ["Deploy", "Ship"],
    )


# ---- automatic (X-70)


def failing(**fields: Any) -> World:
    world = delivering(deploy={"onFailure": {"result": "ROLLBACK"}}, **fields)
    deliver(world, "run-3", 3)
    deliver(world, "run-4", 4)
    world.fail(world.job_for("Ship", "run-3"))
    return world


def created(world: World) -> list[dict[str, Any]]:
    return [dict(c.manifest) for c in world.history if isinstance(c, CreateRun)]


def test_oracle_o_13_failed_stage_is_rolled_back_to_the_last_execution_that_succeeded_there() -> (
    None
):
    world = failing()
    world.settle()
    (manifest,) = created(world)
    name = manifest["metadata"]["name"]
    assert manifest["spec"] == {
        "pipelineRef": {"name": "web"},
        "executionType": "ROLLBACK",
        "rollback": {"stageName": "Deploy", "targetPipelineExecutionId": "uid-run-2"},
        "trigger": {"triggerType": "AutomatedRollback", "triggerDetail": "uid-run-3"},
    }
    assert world.status("run-3").state == "Failed"
    assert world.status("run-3").status_summary == (
        f"Deploy/Ship: no; stage Deploy is rolled back to run run-2 by run {name}"
    )
    assert statuses(world, name) == {"Deploy": "InProgress", "Ship": "InProgress"}
    assert "Deploy" not in statuses(world, "run-4"), "what waits goes after the rollback"
    end(world, "Ship", run=name)
    assert world.status(name).state == "Succeeded"
    assert statuses(world, name) == {"Deploy": "Succeeded", "Ship": "Succeeded"}


def test_x_70_status_names_the_rollback_before_it_is_created_and_the_run_ends_after_it_was() -> (
    None
):
    world = failing()
    plan = world.plan()
    world.apply(type(plan)(run_statuses=plan.run_statuses))
    assert world.status("run-3").state == "InProgress"
    assert world.status("run-3").automatic_rollback is not None
    assert created(world) == []
    world.settle()
    assert len(created(world)) == 1
    assert world.status("run-3").state == "Failed"
    assert world.status("run-3").automatic_rollback == plan.run_statuses["run-3"].automatic_rollback


def test_x_70_rollback_that_is_deleted_later_is_not_made_again() -> None:
    world = failing()
    world.settle()
    world.runs.pop(created(world)[0]["metadata"]["name"])
    world.settle()
    assert len(created(world)) == 1


def test_x_70_run_whose_rollback_cannot_be_created_fails_after_a_while_and_says_so() -> None:
    world = failing()
    for _ in range(2):
        plan = world.plan()
        assert [c for c in plan.commands if isinstance(c, CreateRun)]
        world.apply(replace(plan, commands=()))
        world.advance(30)
    assert plan.look_again is not None
    wanted = world.status("run-3").automatic_rollback
    assert wanted and wanted.run
    world.refused[wanted.run] = Refused("QuotaExceeded", "exceeded quota: runs", world.now)
    world.settle()
    assert world.status("run-3").state == "Failed"
    assert (world.status("run-3").status_summary or "").endswith(
        "stage Deploy is not rolled back: the run could not be created: exceeded quota: runs"
    )


def test_x_70_operator_that_was_away_for_long_creates_the_rollback_all_the_same() -> None:
    """It died after the status that names the rollback; nobody has refused anything."""
    world = failing()
    world.apply(replace(world.plan(), commands=()))
    world.advance(3600)
    world.settle()
    assert len(created(world)) == 1
    rollback = world.status("run-3").automatic_rollback
    assert rollback and rollback.message is None


def test_x_70_stage_in_which_nothing_has_succeeded_is_not_rolled_back() -> None:
    world = failing(runs=0)
    world.settle()
    assert created(world) == []
    assert (world.status("run-3").status_summary or "").endswith(
        "no other run has succeeded in stage Deploy under this version of the pipeline"
    )


def test_x_70_rollbacks_are_no_targets_of_a_rollback() -> None:
    world = delivering(deploy={"onFailure": {"result": "ROLLBACK"}})
    roll_back(world, "run-1")
    end(world, "Ship", run="back")
    deliver(world, "run-3", 3)
    world.fail(world.job_for("Ship", "run-3"))
    world.settle()
    (manifest,) = created(world)
    assert manifest["spec"]["rollback"]["targetPipelineExecutionId"] == "uid-run-2"


def test_stopping_run_is_not_rolled_back() -> None:
    world = failing()
    world.stop("run-3")
    world.settle()
    assert world.status("run-3").state == "Stopped"
    assert created(world) == []
