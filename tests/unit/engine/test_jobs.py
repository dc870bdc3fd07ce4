"""The Job of each provider, whole, against a stored one (`UPDATE_GOLDEN=1`
writes them anew), and its laws.
"""

import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from penstock.api.contract.contracts import ActionRequest
from penstock.api.contract.wrapper import WRAPPER
from penstock.api.kinds.action_type import ActionTypeSpec
from penstock.api.kinds.build_project import BuildProjectSpec
from penstock.engine.settings import Settings
from tests.unit.engine.simulation import (
    World,
    build_action,
    commands_action,
    deploy_action,
    git_action,
    s3_action,
    stack_action,
    stage,
)

GOLDEN = Path(__file__).parent / "golden"
STORE = {
    "artifactStore": {
        "type": "S3",
        "location": "artifacts",
        "endpoint": "http://s3:7070",
        "region": "eu-central-1",
        "credentials": {"secretName": "artifact-store"},
    }
}
VARIABLES = '[{"name": "MODE", "value": "test"}]'
PROJECT = BuildProjectSpec.model_validate(
    {
        "image": "aws/codebuild/standard:7.0",
        "buildspec": "ci/buildspec.yml",
        "environmentVariables": [{"name": "MODE", "value": "build"}],
        "timeoutInMinutes": 20,
        "serviceRole": "arn:aws:iam::123456789012:role/build",
        "credentialsSecret": "aws-keys",
    }
)
SCRIPT = ActionTypeSpec.model_validate(
    {
        "category": "Deploy",
        "provider": "Script",
        "settings": {"executionUrlTemplate": "https://ci/{Config:Target}/{ExternalExecutionId}"},
        "configurationProperties": [
            {"name": "Target", "required": True},
            {"name": "Login", "secret": True},
        ],
        "inputArtifactDetails": {"minimumCount": 0, "maximumCount": 1},
        "outputArtifactDetails": {"minimumCount": 0, "maximumCount": 0},
        "template": {
            "image": "registry.example.com/deploy:1",
            "commands": ["deploy"],
            "environmentVariables": [{"name": "MODE", "value": "fast"}],
            "nodeSelector": {"pool": "ci"},
            "runAsUser": 1000,
        },
    }
)
SHIP = {
    "name": "Ship",
    "actionTypeId": {"category": "Deploy", "owner": "Custom", "provider": "Script", "version": "1"},
    "configuration": {"Target": "#{codepipeline.PipelineExecutionId}", "Login": "deploy-login"},
    "inputArtifacts": [{"name": "Site"}],
}
SETTINGS = Settings(
    build_images={"aws/codebuild/standard:7.0": "debian:12-slim"},
    compute_types={"SMALL": {"requests": {"cpu": "50m"}}},
)


def job_of(provider: str) -> dict[str, Any]:
    """Return the manifest of a provider's Job, in a run that has come to it."""
    credentials = {"Url": "https://git/x.git", "Tag": "v1", "CredentialsSecret": "git-login"}
    world = World.of(
        stage(
            "Source",
            git_action(namespace="Src", configuration=credentials),
            s3_action(
                configuration={
                    "S3Bucket": "releases",
                    "S3ObjectKey": "app.zip",
                    "CredentialsSecret": "s3-keys",
                }
            ),
        ),
        stage(
            "Build",
            commands_action(
                "Make",
                "./build VERSION=#{Src.CommitId}",
                configuration={"Image": "gcc:14", "ComputeType": "SMALL"},
                inputArtifacts=[{"name": "Source"}],
                outputArtifacts=[{"name": "Site", "files": ["out/**/*"]}],
                environmentVariables=[
                    {"name": "MODE", "value": "#{codepipeline.PipelineExecutionId}"}
                ],
                outputVariables=["SIZE"],
            ),
        ),
        stage(
            "Test",
            build_action(configuration={"ProjectName": "web", "EnvironmentVariables": VARIABLES}),
        ),
        stage("Prod", deploy_action()),
        stage(
            "Cloud",
            stack_action(
                configuration={
                    "ActionMode": "CREATE_UPDATE",
                    "StackName": "shop",
                    "TemplatePath": "Site::template.yaml",
                    "ParameterOverrides": '{"Version": "#{Src.CommitId}"}',
                    "RoleArn": "arn:aws:iam::123456789012:role/deploy",
                    "CredentialsSecret": "aws-keys",
                },
                outputArtifacts=[{"name": "Outputs"}],
                region="eu-central-1",
                roleArn="arn:aws:iam::123456789012:role/caller",
            ),
        ),
        stage("After", SHIP),
        serviceAccountName="deployer",
        settings=SETTINGS,
        **STORE,
    )
    world.build_projects["web"] = PROJECT
    world.action_types["script"] = SCRIPT
    world.start()
    world.settle()
    for action in ("Fetch", "Get", "Make", "Compile", "Apply", "Stack", "Ship"):
        job = world.job_for(action)
        if world.request(job).provider == provider:
            return world.manifests[job]
        world.succeed(job, variables={"CommitId": "0" * 40})
        world.settle()
    raise KeyError(provider)


def readable(manifest: dict[str, Any]) -> str:
    """Return the manifest as YAML, its request unfolded and the constant wrapper named."""
    manifest = json.loads(json.dumps(manifest))
    annotations = manifest["spec"]["template"]["metadata"]["annotations"]
    annotations["penstock.dev/request"] = json.loads(annotations["penstock.dev/request"])
    for container in manifest["spec"]["template"]["spec"]["containers"]:
        container["command"] = [
            "<WRAPPER>" if word == WRAPPER else word for word in container["command"]
        ]
    manifest["metadata"]["annotations"]["penstock.dev/spec-hash"] = (
        "<hash>"  # it covers the wrapper's text, too
    )
    return yaml.safe_dump(manifest, sort_keys=True, width=110)


@pytest.mark.parametrize(
    "provider", ["git", "s3", "commands", "codebuild", "kubernetes", "cloudformation", "custom"]
)
def test_job_of_a_provider_is_the_stored_one(provider: str) -> None:
    path = GOLDEN / f"{provider}.yaml"
    text = readable(job_of(provider))
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(text)
    assert path.read_text() == text, (
        "if the change is meant: UPDATE_GOLDEN=1 pytest tests/unit/engine/test_jobs.py"
    )


@pytest.mark.parametrize(
    "provider", ["git", "s3", "commands", "codebuild", "kubernetes", "cloudformation"]
)
def test_only_the_agent_has_token_and_secrets(provider: str) -> None:
    pod = job_of(provider)["spec"]["template"]["spec"]
    agent, *others = pod["containers"]

    assert agent["name"] == "agent", "the agent is the first in the list"
    assert pod["automountServiceAccountToken"] is False
    assert "initContainers" not in pod
    secret = {
        volume["name"]
        for volume in pod["volumes"]
        if {"secret", "projected", "downwardAPI"} & volume.keys()
    }
    assert secret & {mount["name"] for mount in agent["volumeMounts"]} == secret
    for container in others:
        assert not secret & {mount["name"] for mount in container["volumeMounts"]}
        assert "env" not in container


def test_volume_store_is_mounted_in_the_agent_alone() -> None:
    store = {"type": "Volume", "location": "artifacts"}
    world = World.of(stage("Build", commands_action("Make", "make")), artifactStore=store)
    world.start()
    world.settle()
    job = world.job_for("Make")
    pod = world.manifests[job]["spec"]["template"]["spec"]
    agent, action = pod["containers"]

    assert {"name": "store", "persistentVolumeClaim": {"claimName": "artifacts"}} in pod["volumes"]
    assert {"name": "store", "mountPath": "/penstock/store"} in agent["volumeMounts"]
    assert "store" not in {mount["name"] for mount in action["volumeMounts"]}
    assert (world.request(job).store.folder, world.request(job).store.bucket) == (
        "/penstock/store",
        "artifacts",
    )


TEXTS = st.text(alphabet="aA1 $()'\"\\`{}\n;|&*", min_size=1, max_size=30)


@given(TEXTS, TEXTS)
def test_no_text_of_a_user_stands_in_a_command_an_argument_or_the_environment(
    command: str, value: str
) -> None:
    """The kubelet rewrites $(X) and $$ in all three."""
    variables = [{"name": "GIVEN", "value": value}]
    world = World.of(
        stage("Build", commands_action("Make", command, environmentVariables=variables))
    )
    world.start()
    world.settle()
    if not world.jobs:
        return  # The lexer found a reference in it and refused the definition.
    manifest = world.manifests[world.job_for("Make")]
    for container in manifest["spec"]["template"]["spec"]["containers"]:
        assert container["command"] in (["penstock-agent"], ["sh", "-c", WRAPPER])
        assert "args" not in container
        assert {item["name"] for item in container.get("env", [])} <= {"PENSTOCK_POD_UID"}
    request = ActionRequest.decode(
        manifest["spec"]["template"]["metadata"]["annotations"]["penstock.dev/request"]
    )
    assert request.script is not None
    assert request.script.commands[0].text == command
    assert request.script.environment == {"GIVEN": value}


def test_long_request_is_compressed_and_reads_the_same() -> None:
    lines = [f"echo {'x' * 990}{number}" for number in range(50)]
    world = World.of(stage("Build", commands_action("Make", *lines)))
    world.start()
    world.settle()
    annotations = world.manifests[world.job_for("Make")]["spec"]["template"]["metadata"][
        "annotations"
    ]

    assert annotations["penstock.dev/request"].startswith("z:")
    assert len(annotations["penstock.dev/request"]) < 5_000
    script = world.request(world.job_for("Make")).script
    assert script is not None
    assert [command.text for command in script.commands] == lines


@pytest.mark.parametrize(
    ("minutes", "most_s", "expected_s"),
    [(None, None, 3300), (90, None, 5400), (90, 60, 60), (None, 60, 60)],
)
def test_action_runs_for_its_own_time_or_its_providers_within_the_installations_limit(
    minutes: int | None, most_s: float | None, expected_s: float
) -> None:
    settings = Settings() if most_s is None else Settings(action_timeout_s=most_s)
    fields = {} if minutes is None else {"timeoutInMinutes": minutes}
    world = World.of(stage("Build", commands_action("Make", **fields)), settings=settings)
    world.start()
    world.settle()
    assert world.request(world.job_for("Make")).limits.timeout_s == expected_s
