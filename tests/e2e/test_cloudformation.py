"""CloudFormation actions in pods, against emulated AWS whose stacks take
time, fail and roll back (P-30..P-38).
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.conftest import Team, commands, git, stage
from tests.support import aws_servers
from tests.support.cloud_jobs import BAD, SIGNALLED, status_of, template, topic
from tests.support.install import push_repository
from tests.support.kube import Document, eventually

HANDLER = "def handler(event, context):\n    return 'hello'\n"
FUNCTION = """\
Parameters: {Colour: {Type: String}}
Resources:
  Hello:
    Type: AWS::Lambda::Function
    Properties:
      Code: src
      Handler: app.handler
      Runtime: python3.12
      Role: arn:aws:iam::000000000000:role/any
Outputs:
  Name: {Value: !Ref Hello}
  Colour: {Value: !Ref Colour}
"""


class CloudTeam:
    """A team with keys for the emulated AWS, and a stack's name of its own."""

    def __init__(self, team: Team, server: str = "aws") -> None:
        self.team = team
        self.server = aws_servers.ready(team.cluster, server)
        self.client = aws_servers.client(self.server, "cloudformation")
        self.stack = f"e2e-{secrets.token_hex(4)}"
        keys = {"accessKeyId": self.server.access_key, "secretAccessKey": self.server.secret_key}
        secret = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "aws"},
            "stringData": keys,
        }
        team.kube.apply([secret], team.namespace)

    def action(self, name: str, mode: str, artifact: str = "Source", **fields: Any) -> Document:
        """Return a CloudFormation action; keys of its configuration are those with a capital."""
        configuration = {
            "ActionMode": mode, "StackName": self.stack, "Endpoint": self.server.cluster_endpoint,
            "Region": self.server.region, "CredentialsSecret": "aws",
            **{key: fields.pop(key) for key in list(fields) if key[0].isupper()},
        }  # fmt: skip
        return {
            "name": name,
            "actionTypeId": {
                "category": "Deploy",
                "owner": "AWS",
                "provider": "CloudFormation",
                "version": "1",
            },
            "configuration": configuration,
            "inputArtifacts": [{"name": artifact}] if artifact else [],
            **fields,
        }

    def source(self, **files: str) -> Document:
        """Return the source of a repository with files; a name's double underscore is a dot."""
        texts = {name.replace("__", "."): text for name, text in files.items()}
        return git("Fetch", push_repository(self.team.cluster, self.stack, texts).cluster_url)

    def status(self) -> str:
        """Return the stack's status, empty if there is none."""
        return status_of(self.client, self.stack)

    def begun(self) -> int:
        """Return how often an operation on the stack was begun."""
        events = self.client.describe_stack_events(StackName=self.stack)["StackEvents"]
        return sum(event.get("ResourceStatusReason") == "User Initiated" for event in events)

    def signal(self) -> None:
        """Let the resource go on that waits for it."""
        self.client.signal_resource(
            StackName=self.stack, LogicalResourceId="Wait", UniqueId="test", Status="SUCCESS"
        )

    def slow(self) -> None:
        """Start a run whose stack waits for `signal`."""
        source = self.source(template__json=template(Topic=topic(), Wait=SIGNALLED))
        self.team.pipeline(
            "web", stage("Source", source),
            stage("Deploy", self.action("Stack", "CREATE_UPDATE",
            TemplatePath="Source::template.json")),
        )  # fmt: skip
        self.team.start("web")
        eventually(lambda: self.status() == "CREATE_IN_PROGRESS", 60, "the stack is being created")


@pytest.fixture
def cloud(team: Team) -> Iterator[CloudTeam]:
    yield CloudTeam(team)


def test_change_set_with_local_code_is_made_and_executed_and_its_outputs_go_on(
    cloud: CloudTeam,
) -> None:
    team, bucket = cloud.team, f"packages-{cloud.stack}"
    where = {"LocationConstraint": cloud.server.region}
    aws_servers.client(cloud.server, "s3").create_bucket(
        Bucket=bucket, CreateBucketConfiguration=where
    )
    source = git(
        "Fetch",
        push_repository(
            team.cluster, cloud.stack, {"template.yaml": FUNCTION, "src/app.py": HANDLER}
        ).cluster_url,
    )
    source["namespace"] = "Src"
    made = cloud.action(
        "Make", "CHANGE_SET_REPLACE", TemplatePath="Source::template.yaml", ChangeSetName="changes",
        PackageBucket=bucket, ParameterOverrides='{"Colour": "red-#{Src.BranchName}"}',
        Capabilities="CAPABILITY_IAM",
    )  # fmt: skip
    executed = cloud.action(
        "Execute", "CHANGE_SET_EXECUTE", "", ChangeSetName="changes", OutputFileName="outputs.json",
        runOrder=2,
        namespace="Stack", outputArtifacts=[{"name": "Outputs"}],
    )  # fmt: skip
    check = commands(
        "Check", "echo name=#{Stack.Name}", "cat outputs.json", inputArtifacts=[{"name": "Outputs"}]
    )
    team.pipeline(
        "web", stage("Source", source), stage("Deploy", made, executed), stage("Test", check)
    )
    team.start("web")
    status = team.ended()
    assert status["state"] == "Succeeded", status
    row = team.execution("Execute")
    assert row["outputVariables"]["Colour"] == "red-main"
    assert row["summary"] == f"change set changes executed on stack {cloud.stack}"
    assert row["externalExecutionId"].startswith("arn:aws:cloudformation:")
    name = row["outputVariables"]["Name"]
    function = aws_servers.client(cloud.server, "lambda")
    assert json.loads(function.invoke(FunctionName=name)["Payload"].read()) == "hello"


def test_stack_that_fails_is_rolled_back_and_the_run_says_why_in_one_line(cloud: CloudTeam) -> None:
    team = cloud.team
    source = cloud.source(template__json=template(Topic=topic(), Bad=BAD))
    action = cloud.action("Stack", "CREATE_UPDATE", TemplatePath="Source::template.json")
    team.pipeline("web", stage("Source", source), stage("Deploy", action))
    team.start("web")
    assert team.ended()["state"] == "Failed"
    error = team.execution("Stack")["errorDetails"]
    assert error["code"] == "JobFailed"
    assert (
        f"stack {cloud.stack} is ROLLBACK_COMPLETE: Bad (AWS::CloudFormation::CustomResource): "
        in error["message"]
    )
    assert "\n" not in error["message"]
    assert cloud.status() == "ROLLBACK_COMPLETE"


def test_pod_killed_while_the_stack_is_created_is_followed_by_one_that_goes_on(
    cloud: CloudTeam,
) -> None:
    team = cloud.team
    cloud.slow()
    pod = team.pod_of(team.execution("Stack")["jobName"])
    assert pod
    team.kube.delete("pods", team.namespace, pod["metadata"]["name"], gracePeriodSeconds=0)
    eventually(lambda: team.execution("Stack").get("try") == 2, 60, "another try")
    cloud.signal()
    status = team.ended()
    assert status["state"] == "Succeeded", status
    first, second = status["stageStates"][1]["actionStates"][0]["executions"]
    assert (first["status"], second["status"]) == ("Unknown", "Succeeded")
    assert cloud.begun() == 1
    assert cloud.status() == "CREATE_COMPLETE"


def test_stop_and_abandon_ends_the_action_and_leaves_the_stack_to_itself(cloud: CloudTeam) -> None:
    team = cloud.team
    cloud.slow()
    team.kube.patch("pipelineruns", team.namespace, "run", {"spec": {"stop": {"abandon": True}}})
    assert team.ended()["state"] == "Stopped"
    assert cloud.status() == "CREATE_IN_PROGRESS"
    cloud.signal()
    eventually(lambda: cloud.status() == "CREATE_COMPLETE", 30, "the stack created")


def test_wrong_configuration_is_a_condition_with_its_path(cloud: CloudTeam) -> None:
    team = cloud.team
    team.pipeline(
        "web",
        stage("Source", cloud.source(x__txt="x")),
        stage("Deploy", cloud.action("S", "CREATE_UPDATE")),
    )
    ready = team.condition("pipelines", "web", "Ready")
    assert ready and ready["status"] == "False"
    assert (
        "spec.stages[1].actions[0].configuration.TemplatePath: CREATE_UPDATE needs it"
        in ready["message"]
    )


def test_p_40_p_41_stack_set_is_made_and_more_instances_follow(team: Team) -> None:
    cloud = CloudTeam(team, "moto")
    topics = {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": cloud.stack}}
    source = cloud.source(template__json=template(Topic=topics))
    common = {"StackSetName": cloud.stack, "Regions": "eu-west-1"}

    def action(name: str, provider: str, run_order: int, **configuration: str) -> Document:
        made = cloud.action(name, "", runOrder=run_order, namespace=name)
        made["actionTypeId"]["provider"] = provider
        kept = {
            key: value
            for key, value in made["configuration"].items()
            if key not in ("ActionMode", "StackName")
        }
        return {**made, "configuration": {**kept, **common, **configuration}}

    first = action(
        "Set",
        "CloudFormationStackSet",
        1,
        TemplatePath="Source::template.json",
        DeploymentTargets="111111111111",
    )
    more = action(
        "More", "CloudFormationStackInstances", 2, DeploymentTargets="222222222222,333333333333"
    )
    check = commands("Check", "echo set=#{Set.StackSetId} operation=#{More.OperationId}")
    team.pipeline(
        "web", stage("Source", source), stage("Deploy", first, more), stage("Test", check)
    )
    team.start("web")
    status = team.ended()
    assert status["state"] == "Succeeded", status
    found = cloud.client.list_stack_instances(StackSetName=cloud.stack)["Summaries"]
    assert {item["Account"] for item in found} == {"111111111111", "222222222222", "333333333333"}
    assert team.execution("More")["summary"] == f"stack set {cloud.stack}: 2 instances deployed"
