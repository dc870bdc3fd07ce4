"""How a CodeBuild action starts: its BuildProject, its image, its variables, its primary source."""

import json
from typing import Any

import pytest

from penstock.api.contract.contracts import ActionResult, Revision
from penstock.api.kinds.build_project import BuildProjectSpec
from penstock.engine.objects.workloads import Container
from penstock.engine.settings import Settings
from tests.unit.engine.simulation import World, build_action, commands_action, git_action, stage

SECRET = json.dumps([{"name": "A", "value": "x", "type": "PARAMETER_STORE"}])


def started(
    image: str | None = "debian:12", settings: Settings | None = None, **configuration: str
) -> World:
    """Return a world whose run has come to the CodeBuild action."""
    action = build_action(configuration={"ProjectName": "web", **configuration})
    world = World.of(stage("Source", git_action()), stage("Build", action), settings=settings)
    if image:
        world.build_projects["web"] = BuildProjectSpec(image=image)
    world.start()
    world.settle()
    world.succeed(world.job_for("Fetch"))
    world.settle()
    return world


def error_of(world: World) -> tuple[str, str]:
    row = world.execution("Compile")
    assert row and row.error_details
    return row.error_details.code, row.error_details.message


def test_missing_project_fails_the_action() -> None:
    expected = ("ConfigurationError", "there is no BuildProject web in namespace team")
    assert error_of(started(image=None)) == expected


def test_image_of_aws_is_mapped_or_refused() -> None:
    image = "aws/codebuild/standard:7.0"
    assert (
        error_of(started(image))[1] == f"BuildProject web: the chart's buildImages map no {image}"
    )
    world = started(image, Settings(build_images={image: "busybox"}))
    containers = world.manifests[world.job_for("Compile")]["spec"]["template"]["spec"]["containers"]
    assert [item["image"] for item in containers if item["name"] == "action"] == ["busybox"]


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ("no JSON", "is no JSON list"),
        ("[" * 2_000, "is no JSON list"),
        ('{"name": "A"}', "is no JSON list"),
        ('["A"]', "entry 0 needs a name and a value"),
        ('[{"name": "A", "value": "x"}, {"name": "B"}]', "entry 1 needs a name and a value"),
        ('[{"name": "A", "value": 1}]', "entry 0 needs a name and a value"),
        (
            '[{"name": "A", "value": "#{Src.CommitId}", "type": "SECRETS_MANAGER"}]',
            "A has the type SECRETS_MANAGER",
        ),
        (SECRET, "the type PARAMETER_STORE, which is not"),
    ],
)
def test_definition_14_variables_that_cannot_be_given_are_a_problem_of_the_definition(
    variables: str, message: str
) -> None:
    action = build_action(configuration={"ProjectName": "web", "EnvironmentVariables": variables})
    world = World.of(stage("Source", git_action(namespace="Src")), stage("Build", action))
    assert world.pipeline
    (problem,) = world.pipeline.findings.problems
    assert problem.path == "spec.stages[1].actions[0].configuration.EnvironmentVariables"
    assert message in problem.message


@pytest.mark.parametrize("primary", ["Other", "Source", None])
def test_definition_15_primary_source_of_one_input_means_nothing(primary: str | None) -> None:
    more = {"PrimarySource": primary} if primary else {}
    action = build_action(configuration={"ProjectName": "web", **more})
    world = World.of(stage("Source", git_action()), stage("Build", action))
    assert world.pipeline
    assert world.pipeline.findings.problems == ()
    wanted = ["spec.stages[1].actions[0].configuration.PrimarySource"] if primary == "Other" else []
    assert [warning.path for warning in world.pipeline.findings.warnings] == wanted


@pytest.mark.parametrize(
    ("configuration", "message"),
    [
        ({}, "required with more than one input artifact (P-10)"),
        ({"PrimarySource": "Other"}, '"Other" is no input artifact (P-10)'),
        ({"PrimarySource": "Extra"}, ""),
    ],
)
def test_oracle_o_34_several_inputs_need_a_primary_source(
    configuration: dict[str, Any], message: str
) -> None:
    action = build_action(
        configuration={"ProjectName": "web", **configuration},
        inputArtifacts=[{"name": "Source"}, {"name": "Extra"}],
    )
    extra = commands_action("Make", outputArtifacts=[{"name": "Extra"}])
    world = World.of(stage("Source", git_action()), stage("Make", extra), stage("Build", action))
    assert world.pipeline
    problems = [problem.message for problem in world.pipeline.findings.problems]
    assert problems == ([message] if message else [])


def test_category_test_is_the_same_provider() -> None:
    type_id = {"category": "Test", "owner": "AWS", "provider": "CodeBuild"}
    world = World.of(
        stage("Source", git_action()), stage("Test", build_action(actionTypeId=type_id))
    )
    assert world.pipeline
    assert world.pipeline.findings.problems == ()


def test_build_container_that_cannot_start_ends_the_action() -> None:
    world = started()
    job = world.job_for("Compile")
    pod = world.run_pod(job)
    containers = {
        **pod.containers,
        "action": Container(waiting="InvalidImageName", waiting_message="a b"),
    }
    world.run_pod(job, containers=containers)
    world.settle()
    expected = ("InvalidImageName", "container action: the image's name is not valid: a b")
    assert error_of(world) == expected


def test_build_whose_container_disagrees_with_its_agent_is_no_success() -> None:
    world = started()
    job = world.job_for("Compile")
    world.end_pod(
        job, ActionResult(1, "Succeeded", pod_uid=f"pod-{job}", exit_code=0), action_code=3
    )
    world.settle()
    assert error_of(world)[0] == "ResultMismatch"


@pytest.mark.parametrize(("primary", "revision"), [("Source", "c0ffee"), ("Extra", "")])
def test_build_knows_the_revision_of_its_primary_source(primary: str, revision: str) -> None:
    configuration = {"ProjectName": "web", "PrimarySource": primary}
    action = build_action(
        configuration=configuration, inputArtifacts=[{"name": "Extra"}, {"name": "Source"}]
    )
    extra = commands_action("Make", outputArtifacts=[{"name": "Extra"}])
    world = World.of(stage("Source", git_action()), stage("Make", extra), stage("Build", action))
    world.build_projects["web"] = BuildProjectSpec(image="debian:12")
    world.start()
    world.settle()
    world.succeed(world.job_for("Fetch"), revision=Revision("c0ffee"))
    world.settle()
    world.succeed(world.job_for("Make"))
    world.settle()
    build = world.request(world.job_for("Compile")).build
    assert build
    assert (build.source_revision, build.started_ms) == (
        revision,
        int(world.now.timestamp()) * 1000,
    )


def test_value_of_a_reference_is_never_read_as_json() -> None:
    given = [{"name": "MESSAGE", "value": "said: #{Git.CommitMessage}"}]
    configuration = {"ProjectName": "web", "EnvironmentVariables": json.dumps(given)}
    fetch = git_action(namespace="Git")
    world = World.of(
        stage("Source", fetch), stage("Build", build_action(configuration=configuration))
    )
    world.build_projects["web"] = BuildProjectSpec(image="debian:12")
    world.start()
    world.settle()
    hostile = '"}, {"name": "PATH", "value": "/evil'
    world.succeed(world.job_for("Fetch"), variables={"CommitMessage": hostile})
    world.settle()
    build = world.request(world.job_for("Compile")).build
    assert build
    assert build.overrides == {"MESSAGE": f"said: {hostile}"}


@pytest.mark.parametrize("key", ["BatchEnabled", "CombineArtifacts", "ServiceRoleArnOverride"])
def test_what_is_missing_is_refused_by_name(key: str) -> None:
    action = build_action(configuration={"ProjectName": "web", key: "true"})
    world = World.of(stage("Source", git_action()), stage("Build", action))
    assert world.pipeline
    (problem,) = world.pipeline.findings.problems
    assert problem.path.endswith(f"configuration.{key}")
    assert problem.message.endswith("; leave it out")
