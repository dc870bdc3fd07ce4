"""Which runs start, and what those that do not are told (X-50, X-51)."""

from datetime import timedelta
from typing import Any

import pytest

from penstock.engine.settings import Settings
from tests.unit.engine.simulation import World, commands_action, git_action, stage


def with_variable(**declaration: str) -> World:
    return World.of(
        stage("Source", git_action()),
        stage("Build", commands_action("Make", "echo #{variables.Target}")),
        variables=[{"name": "Target", **declaration}],
    )


@pytest.mark.parametrize(
    ("declaration", "given", "value"),
    [
        ({"defaultValue": "dev"}, [], "dev"),
        ({"defaultValue": "dev"}, [{"name": "Target", "value": "prod"}], "prod"),
        ({}, [{"name": "Target", "value": "prod"}], "prod"),
    ],
)
def test_variable_has_the_value_given_else_its_default(
    declaration: dict[str, str], given: list[dict[str, str]], value: str
) -> None:
    world = with_variable(**declaration)
    world.start(variables=given)
    world.settle()
    world.succeed(world.job_for("Fetch"))
    world.settle()

    assert world.status().variables[0].resolved_value == value
    script = world.request(world.job_for("Make")).script
    assert script is not None
    assert list(script.values.values()) == [value]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "spec.variables: Target has no default and must be given (X-50)"),
        (
            {"variables": [{"name": "Target", "value": "x"}, {"name": "Other", "value": "x"}]},
            "spec.variables: the pipeline declares no variable Other (X-50)",
        ),
        (
            {
                "variables": [{"name": "Target", "value": "x"}],
                "sourceRevisions": [{"actionName": "Nope", "revisionType": "COMMIT_ID", "revisionValue": "a"}],
            },
            "spec.sourceRevisions: the first stage has no action Nope (X-51)",
        ),
    ],
)
def test_oracle_o_23_run_that_cannot_start_is_failed_with_the_fields_path(given: dict[str, Any], message: str) -> None:
    world = with_variable()
    world.start(**given)
    world.settle()

    assert world.status().state == "Failed"
    assert world.status().status_summary == message
    assert world.jobs == {}


def test_run_of_an_invalid_pipeline_is_failed_with_the_pipelines_problem() -> None:
    world = World.of(
        stage("Build", {**commands_action("Make"), "actionTypeId": {"category": "Build", "provider": "X"}})
    )
    world.start()
    world.settle()

    assert world.reason() == "InvalidPipeline"
    summary = world.status().status_summary
    assert summary is not None
    assert summary.startswith(
        "the pipeline web is not valid: spec.stages[0].actions[0].actionTypeId: "
        "unknown provider: Build / any owner / X / 1; known are Build / AWS / CodeBuild, "
    )


def test_pinned_revision_reaches_the_source_action() -> None:
    world = World.of(stage("Source", git_action()), stage("Build", commands_action("Make")))
    pinned = {"actionName": "Fetch", "revisionType": "COMMIT_ID", "revisionValue": "f" * 40}
    world.start(sourceRevisions=[pinned])
    world.settle()

    assert world.request(world.job_for("Fetch")).revision == "f" * 40


def test_run_waits_for_its_pipeline_and_fails_when_none_comes() -> None:
    world = World.of(stage("Build", commands_action("Make")), settings=Settings(pipeline_missing_s=60))
    pipeline, world.pipeline, world.is_pipeline_absent = world.pipeline, None, True
    world.start()
    world.settle()
    assert world.reason() == "PipelineNotFound"
    assert world.status().state is None
    assert world.last_plan.look_again is not None

    world.now = world.last_plan.look_again - timedelta(seconds=1)
    world.pipeline, world.is_pipeline_absent = pipeline, False
    world.settle()
    assert world.status().state == "InProgress"

    world.start("run-2")
    world.pipeline, world.is_pipeline_absent = None, True
    world.advance(120)
    world.settle()
    assert world.status("run-2").state == "Failed"


def test_pipeline_deleted_mid_run_lets_running_actions_end_and_cancels_the_run() -> None:
    world = World.of(stage("Source", git_action()), stage("Build", commands_action("Make")))
    world.start()
    world.settle()
    world.run_pod(world.job_for("Fetch"))
    world.pipeline, world.is_pipeline_absent = None, True
    world.settle()
    assert world.status().state == "InProgress"

    world.succeed(world.job_for("Fetch"))
    world.settle()
    assert world.status().state == "Cancelled"
    assert world.reason() == "PipelineDeleted"
    assert world.execution("Fetch").status == "Succeeded"  # type: ignore[union-attr]
    assert world.execution("Make") is None


def test_run_of_a_pipeline_recreated_under_the_same_name_is_cancelled() -> None:
    world = World.of(stage("Build", commands_action("Make")), stage("Prod", commands_action("Check")))
    world.start()
    world.settle()
    world.change_pipeline(uid="another-uid")
    world.succeed(world.job_for("Make"))
    world.settle()

    assert world.status().state == "Cancelled"


def test_run_whose_definition_is_gone_is_failed_with_what_to_do() -> None:
    world = World.of(stage("Build", commands_action("Make")), stage("Prod", commands_action("Check")))
    world.start()
    world.settle()
    changed = World.of(stage("Build", commands_action("Make")), stage("Other", commands_action("Check")))
    world.change_pipeline(spec=changed.spec, generation=2)
    world.settle()
    world.revisions = {name: item for name, item in world.revisions.items() if name != world.status().revision}
    world.settle()

    assert world.status().state == "Failed"
    assert world.reason() == "DefinitionLost"
    assert world.status().start_time is not None
    assert len(world.status().stage_states) == 1
