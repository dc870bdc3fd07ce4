"""The chart of the five-stage serverless pipeline: its eight combinations,
and what it refuses in words.
"""

from __future__ import annotations

import itertools
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from penstock.api.kinds.build_project import BuildProjectSpec
from penstock.api.kinds.pipeline import PipelineSpec
from penstock.engine.definition.validation import validate
from tests.cluster import Cluster
from tests.support.install import ROOT
from tests.support.kube import Kube

CHART = ROOT / "charts" / "sam-pipeline"
BASE = {"gitHubOwner": "example", "gitHubRepo": "shop", "awsAccountId": "123456789012"}
TEST = {"integTestRoleName": "shop-test"}
DEPLOY = {
    "deployRoleName": "shop-deploy",
    "deployStackName": "shop",
    "deployParameterOverrides": '{"Size": "2"}',
}
BY_ITSELF = {"publishToSAR": True}
PUBLISH = {**BY_ITSELF, "publishFunctionName": "publish-app"}
ALL = {**BASE, **TEST, **DEPLOY, **PUBLISH}
ARTIFACT = [{"name": "BuildArtifact"}]
TEMPLATE = "BuildArtifact::packaged-template.yaml"


def helm(cluster: Cluster, *arguments: str, values: dict[str, Any]) -> str:
    """Run Helm on the chart; raise RuntimeError with its own words when it refuses."""
    done = subprocess.run(
        [str(Path(cluster.bin_dir) / "helm"), "--kubeconfig", cluster.kubeconfig, *arguments,
        "--values", "/dev/stdin"],
        input=json.dumps(values), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(done.stdout + done.stderr)
    return done.stdout


def template(cluster: Cluster, **values: Any) -> list[dict[str, Any]]:
    """Return the objects that the chart renders."""
    text = helm(cluster, "template", "shop", str(CHART), "--namespace", "team", values=values)
    return [document for document in yaml.safe_load_all(text) if document]


def pipeline_of(documents: list[dict[str, Any]]) -> dict[str, Any]:
    (found,) = (document for document in documents if document["kind"] == "Pipeline")
    return found


def stage(cluster: Cluster, name: str, **values: Any) -> list[dict[str, Any]]:
    """Return the actions of a stage."""
    stages = pipeline_of(template(cluster, **values))["spec"]["stages"]
    actions: list[dict[str, Any]] = next(item["actions"] for item in stages if item["name"] == name)
    return actions


@pytest.mark.parametrize(
    ("has_test", "has_deploy", "publish"),
    list(itertools.product((False, True), (False, True), ({}, BY_ITSELF, PUBLISH))),
)
def test_oracle_o_51_stages_are_those_whose_parameters_are_given(
    cluster: Cluster, has_test: bool, has_deploy: bool, publish: dict[str, Any]
) -> None:
    """O-51: each of the eight combinations is rendered, with both ways to
    publish; nothing is to be said about any.
    """
    has_publish = bool(publish)
    given = ((has_test, TEST), (has_deploy, DEPLOY), (has_publish, publish))
    values: dict[str, Any] = dict(BASE)
    for is_given, part in given:
        values |= part if is_given else {}
    documents = template(cluster, **values)
    spec = PipelineSpec.model_validate(pipeline_of(documents)["spec"])
    names = (("Test", has_test), ("Deploy", has_deploy), ("Publish", has_publish))
    optional = [name for name, is_given in names if is_given]
    assert [item.name for item in spec.stages] == ["Source", "Build", *optional]
    findings = validate(spec, has_default_store=True)
    assert (findings.problems, findings.incompatibilities) == ((), ())
    assert [str(warning) for warning in findings.warnings] == [
        "spec.pipelineType: accepted, without effect here"
    ]

    projects = {d["metadata"]["name"]: d["spec"] for d in documents if d["kind"] == "BuildProject"}
    assert set(projects) == {"shop-build"} | ({"shop-integration-tests"} if has_test else set())
    for project in projects.values():
        BuildProjectSpec.model_validate(project)
    named = {
        a.configuration["ProjectName"]
        for s in spec.stages
        for a in s.actions
        if "ProjectName" in a.configuration
    }
    assert named == set(projects)


def test_server_accepts_every_object(cluster: Cluster, kube: Kube, namespace: str) -> None:
    """Under strict validation, with everything that may be given."""
    values = {
        **ALL,
        "artifactStore": {"type": "S3", "location": "artifacts", "endpoint": "http://s3:7070"},
        "serviceAccountName": "shop",
        "awsRegion": "eu-central-1",
        "awsEndpoint": "http://aws:4566",
        "awsCredentialsSecret": "aws",
        "gitCredentialsSecret": "git",
        "packageBucket": "packages",
    }
    kube.apply(
        helm(cluster, "template", "shop", str(CHART), "--namespace", namespace, values=values),
        namespace,
    )
    assert "1 chart(s) linted, 0 chart(s) failed" in helm(
        cluster, "lint", "--strict", str(CHART), values=values
    )


def test_test_stage_runs_on_source_and_build_as_its_role(cluster: Cluster) -> None:
    (action,) = stage(cluster, "Test", **BASE, **TEST)
    assert action["configuration"] == {
        "ProjectName": "shop-integration-tests",
        "PrimarySource": "SourceArtifact",
    }
    assert action["inputArtifacts"] == [{"name": "SourceArtifact"}, {"name": "BuildArtifact"}]
    documents = template(cluster, **BASE, **TEST, packageBucket="packages")
    project = next(
        d["spec"] for d in documents if d["metadata"]["name"] == "shop-integration-tests"
    )
    assert project["buildspec"] == "buildspec-integ-test.yaml"
    assert project["serviceRole"] == "arn:aws:iam::123456789012:role/shop-test"
    assert project["environmentVariables"] == [{"name": "PACKAGE_BUCKET", "value": "packages"}]
    build = next(d["spec"] for d in documents if d["metadata"]["name"] == "shop-build")
    assert "serviceRole" not in build


def test_deploy_stage_creates_a_change_set_and_then_executes_it(cluster: Cluster) -> None:
    create, execute = stage(
        cluster, "Deploy", **BASE, **DEPLOY, awsRegion="eu-central-1", packageBucket="packages"
    )
    assert (create["runOrder"], execute["runOrder"]) == (1, 2)
    assert create["inputArtifacts"] == ARTIFACT
    assert "inputArtifacts" not in execute
    assert create["configuration"] == {
        "ActionMode": "CHANGE_SET_REPLACE",
        "Capabilities": "CAPABILITY_IAM,CAPABILITY_AUTO_EXPAND",
        "ParameterOverrides": '{"Size": "2"}',
        "RoleArn": "arn:aws:iam::123456789012:role/shop-deploy",
        "StackName": "shop",
        "TemplatePath": TEMPLATE,
        "ChangeSetName": "a-shop-Deploy",
        "PackageBucket": "packages",
        "Region": "eu-central-1",
    }
    assert execute["configuration"] == {
        "ActionMode": "CHANGE_SET_EXECUTE",
        "StackName": "shop",
        "ChangeSetName": "a-shop-Deploy",
        "Region": "eu-central-1",
    }


def test_publish_stage_invokes_the_function_or_publishes_by_itself(cluster: Cluster) -> None:
    (by_function,) = stage(cluster, "Publish", **BASE, **PUBLISH)
    assert (by_function["actionTypeId"]["provider"], by_function["inputArtifacts"]) == (
        "Lambda",
        ARTIFACT,
    )
    assert by_function["configuration"] == {
        "FunctionName": "publish-app",
        "ArtifactCredentials": "Inherit",
    }
    (by_itself,) = stage(cluster, "Publish", **BASE, publishToSAR=True)
    assert by_itself["actionTypeId"]["provider"] == "ServerlessApplicationRepository"
    assert by_itself["configuration"] == {"TemplatePath": TEMPLATE}
    assert by_itself["inputArtifacts"] == ARTIFACT


@pytest.mark.parametrize(
    ("values", "name", "configuration"),
    [
        (BASE, "GitHubSource", {"Url": "https://github.com/example/shop.git", "Branch": "master"}),
        (
            {
                "sourceCodeProvider": "CodeCommit",
                "codeCommitRepo": "shop",
                "awsRegion": "eu-central-1",
                "gitCredentialsSecret": "git",
            },
            "CodeCommitSource",
            {
                "Url": "https://git-codecommit.eu-central-1.amazonaws.com/v1/repos/shop",
                "Branch": "master",
                "CredentialsSecret": "git",
            },
        ),
        (
            {"sourceCodeProvider": "Git", "gitUrl": "http://git.dev/shop.git", "gitBranch": "main"},
            "GitSource",
            {"Url": "http://git.dev/shop.git", "Branch": "main"},
        ),
    ],
)
def test_every_provider_of_sources_is_the_git_source(
    cluster: Cluster, values: dict[str, Any], name: str, configuration: dict[str, str]
) -> None:
    (action,) = stage(cluster, "Source", **values)
    assert (action["name"], action["configuration"]) == (name, configuration)
    assert action["actionTypeId"] == {
        "category": "Source",
        "owner": "ThirdParty",
        "provider": "Git",
        "version": "1",
    }


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "sourceCodeProvider GitHub needs gitHubOwner"),
        ({"gitHubOwner": "example"}, "sourceCodeProvider GitHub needs gitHubRepo"),
        ({**BASE, "gitHubOAuthToken": "t"}, "gitHubOAuthToken is refused"),
        ({"sourceCodeProvider": "CodeCommit", "codeCommitRepo": "x"}, "CodeCommit needs awsRegion"),
        (
            {
                "sourceCodeProvider": "CodeCommit",
                "codeCommitRepo": "x",
                "awsRegion": "eu-central-1",
            },
            "CodeCommit needs gitCredentialsSecret",
        ),
        ({"sourceCodeProvider": "Git"}, "sourceCodeProvider Git needs gitUrl"),
        ({"sourceCodeProvider": "Git", "gitUrl": "https://u:p@git.dev/x"}, "gitUrl"),
        ({**BASE, "deployRoleName": "d"}, "needs deployStackName"),
        (
            {**BASE, **DEPLOY, "awsAccountId": ""},
            "deployRoleName is the name of a role: set awsAccountId",
        ),
        (
            {**BASE, **TEST, "awsAccountId": ""},
            "integTestRoleName is the name of a role: set awsAccountId",
        ),
        ({**BASE, "environmentType": "WINDOWS_CONTAINER"}, "WINDOWS_CONTAINER is refused"),
        ({**BASE, "computeType": "HUGE"}, "computeType"),
        ({**BASE, "publishToSAR": "true"}, "publishToSAR"),
        ({**BASE, "nope": 1}, "nope"),
    ],
)
def test_values_that_make_no_pipeline_are_refused_in_words(
    cluster: Cluster, values: dict[str, Any], message: str
) -> None:
    with pytest.raises(RuntimeError, match=message):
        template(cluster, **values)


def test_role_that_is_an_arn_needs_no_account(cluster: Cluster) -> None:
    arn = "arn:aws-cn:iam::210987654321:role/path/deploy"
    create, _ = stage(
        cluster, "Deploy", **{**BASE, **DEPLOY, "awsAccountId": "", "deployRoleName": arn}
    )
    assert create["configuration"]["RoleArn"] == arn


def test_notes_name_the_stages(cluster: Cluster) -> None:
    arguments = ("install", "shop", str(CHART), "--dry-run=client", "--namespace", "team")
    said = helm(cluster, *arguments, values={**BASE, **DEPLOY})
    assert "Pipeline shop: Source, Build, Deploy." in said
    assert "No integTestRoleName: there is no Test stage." in said
