"""Which runs start, and what those that do not are told (X-50, X-51)."""

from datetime import timedelta
from typing import Any

import pytest

from penstock.api.contract.contracts import Revision
from penstock.engine.settings import Settings
from tests.unit.engine.simulation import World, commands_action, git_action, s3_action, stage


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
                "sourceRevisions": [
                    {"actionName": "Nope", "revisionType": "COMMIT_ID", "revisionValue": "a"}
                ],
            },
            "spec.sourceRevisions[0]: the first stage has no source action Nope; it has Fetch "
            "(X-51)",
        ),
    ],
)
def test_oracle_o_23_run_that_cannot_start_is_failed_with_the_fields_path(
    given: dict[str, Any], message: str
) -> None:
    world = with_variable()
    world.start(**given)
    world.settle()

    assert world.status().state == "Failed"
    assert (world.status().status_summary, world.reason()) == (message, "ValidationException")
    assert world.jobs == {}


def test_run_of_an_invalid_pipeline_is_failed_with_the_pipelines_problem() -> None:
    world = World.of(
        stage(
            "Build",
            {**commands_action("Make"), "actionTypeId": {"category": "Build", "provider": "X"}},
        )
    )
    world.start()
    world.settle()

    assert world.reason() == "InvalidPipeline"
    summary = world.status().status_summary
    assert summary is not None
    assert summary.startswith(
        "the pipeline web is not valid: spec.stages[0].actions[0].actionTypeId: unknown provider: "
        "Build / any owner / X / 1; known are "
    )
    assert "known are Build / AWS / CodeBuild" in summary


def test_pinned_revision_reaches_the_source_action() -> None:
    world = World.of(stage("Source", git_action()), stage("Build", commands_action("Make")))
    commit = {"actionName": "Fetch", "revisionType": "COMMIT_ID", "revisionValue": "f" * 40}
    world.start(sourceRevisions=[commit])
    world.settle()

    assert world.request(world.job_for("Fetch")).revision == "f" * 40


def pinned(revision_type: str, value: str, action: str = "Get") -> dict[str, str]:
    return {"actionName": action, "revisionType": revision_type, "revisionValue": value}


def from_bucket(*revisions: dict[str, str], may_override: bool = True) -> World:
    """Return a world whose run-1 was started with these revisions of an S3 source."""
    configuration = {"S3Bucket": "releases", "S3ObjectKey": "app.zip"}
    configuration |= {"AllowOverrideForS3ObjectKey": "true"} if may_override else {}
    world = World.of(
        stage("Source", s3_action(configuration=configuration)),
        stage("Build", commands_action("Make")),
    )
    world.start(sourceRevisions=list(revisions))
    world.settle()
    return world


def test_x_51_key_and_version_of_an_s3_source_are_pinned_together() -> None:
    """The value is taken as it is: what looks like a variable is none."""
    key, version = "releases/#{codepipeline.PipelineExecutionId}.zip", "v-17"
    world = from_bucket(pinned("S3_OBJECT_KEY", key), pinned("S3_OBJECT_VERSION_ID", version))
    request = world.request(world.job_for("Get"))
    assert (request.configuration["S3ObjectKey"], request.revision) == (key, version)


def test_x_51_key_alone_leaves_the_newest_version() -> None:
    world = from_bucket(pinned("S3_OBJECT_KEY", "other.zip"))
    request = world.request(world.job_for("Get"))
    assert (request.configuration["S3ObjectKey"], request.revision) == ("other.zip", None)


@pytest.mark.parametrize(
    ("revision", "may_override", "message"),
    [
        (
            pinned("COMMIT_ID", "f" * 40),
            True,
            "spec.sourceRevisions[0].revisionType: S3 takes S3_OBJECT_VERSION_ID, S3_OBJECT_KEY, "
            "not COMMIT_ID (X-51)",
        ),
        (
            pinned("S3_OBJECT_KEY", "other.zip"),
            False,
            "spec.sourceRevisions[0].revisionType: S3_OBJECT_KEY needs "
            'AllowOverrideForS3ObjectKey: "true" in the '
            "action (X-51)",
        ),
    ],
)
def test_x_51_revision_that_a_source_does_not_take_is_refused(
    revision: dict[str, str], may_override: bool, message: str
) -> None:
    world = from_bucket(revision, may_override=may_override)
    assert (world.reason(), world.status().status_summary) == ("ValidationException", message)


def test_oracle_o_33_commit_that_is_asked_for_is_fetched_and_recorded() -> None:
    world = World.of(stage("Source", git_action()), stage("Build", commands_action("Make")))
    world.start(sourceRevisions=[pinned("COMMIT_ID", "f" * 40, "Fetch")])
    world.settle()
    world.succeed(world.job_for("Fetch"), revision=Revision(id="f" * 40))
    world.settle()
    assert [(r.action_name, r.revision_id) for r in world.status().artifact_revisions] == [
        ("Fetch", "f" * 40)
    ]


@pytest.mark.parametrize(
    ("spec", "trigger"),
    [
        ({}, {"triggerType": "StartPipelineExecution"}),
        (
            {"requestedBy": "alice"},
            {"triggerType": "StartPipelineExecution", "triggerDetail": "alice"},
        ),
        (
            {"trigger": {"triggerType": "Webhook", "triggerDetail": "x"}},
            {"triggerType": "Webhook", "triggerDetail": "x"},
        ),
    ],
)
def test_x_07_status_tells_what_started_the_run(
    spec: dict[str, Any], trigger: dict[str, str]
) -> None:
    world = World.of(stage("Build", commands_action("Make")))
    world.start(**spec)
    world.settle()
    assert world.status().to_dict()["trigger"] == trigger


def test_run_waits_for_its_pipeline_and_fails_when_none_comes() -> None:
    world = World.of(
        stage("Build", commands_action("Make")), settings=Settings(pipeline_missing_s=60)
    )
    pipeline, world.pipeline, world.is_pipeline_absent = world.pipeline, None, True
    world.start()
    world.settle()
    assert (world.reason(), world.status().before_start) == ("PipelineNotFound", "Pending")
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
    world = World.of(
        stage("Build", commands_action("Make")), stage("Prod", commands_action("Check"))
    )
    world.start()
    world.settle()
    world.change_pipeline(uid="another-uid")
    world.succeed(world.job_for("Make"))
    world.settle()

    assert world.status().state == "Cancelled"


def test_run_whose_definition_is_gone_is_failed_with_what_to_do() -> None:
    world = World.of(
        stage("Build", commands_action("Make")), stage("Prod", commands_action("Check"))
    )
    world.start()
    world.settle()
    changed = World.of(
        stage("Build", commands_action("Make")), stage("Other", commands_action("Check"))
    )
    world.change_pipeline(spec=changed.spec, generation=2)
    world.settle()
    world.revisions = {
        name: item for name, item in world.revisions.items() if name != world.status().revision
    }
    world.settle()

    assert world.status().state == "Failed"
    assert world.reason() == "DefinitionLost"
    assert world.status().start_time is not None
    assert len(world.status().stage_states) == 1
