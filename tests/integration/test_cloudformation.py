"""CloudFormation's five modes against a real engine of stacks: absent,
healthy, changing and failed ones.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from threading import Thread

import pytest

from penstock.actions.cloudformation import execution, operations
from penstock.actions.execution import ActionError
from tests.cluster import load
from tests.support import aws_servers
from tests.support.aws_proxy import DENIED, THROTTLED, AwsProxy
from tests.support.cloud_jobs import BAD, SIGNALLED, Cloud, next_try, template, topic, with_output

GOOD = template(Topic=topic())
FAILING = template(Topic=topic(), Bad=BAD)
SAM = """\
Transform: AWS::Serverless-2016-10-31
Resources:
  Hello:
    Type: AWS::Serverless::Function
    Properties: {CodeUri: src/, Handler: app.handler, Runtime: python3.12}
Outputs:
  Name: {Value: !Ref Hello}
"""


@pytest.fixture
def cloud(tmp_path: Path) -> Cloud:
    return Cloud(aws_servers.ready(load(), "aws"), tmp_path)


def failure(act: Callable[[], object]) -> ActionError:
    with pytest.raises(ActionError) as caught:
        act()
    return caught.value


def test_oracle_o_46_absent_stack_is_created_then_updated_and_an_update_without_changes_succeeds(
    cloud: Cloud,
) -> None:
    assert cloud.deploy(GOOD).summary == f"stack {cloud.stack} created"
    assert (
        cloud.deploy(template(Topic=topic(DisplayName="x"))).summary
        == f"stack {cloud.stack} updated"
    )
    assert (
        cloud.deploy(template(Topic=topic(DisplayName="x"))).summary
        == f"stack {cloud.stack}: no changes"
    )
    assert cloud.status == "UPDATE_COMPLETE"


def test_oracle_o_46_failed_stack_is_replaced_only_on_request(cloud: Cloud) -> None:
    error = failure(lambda: cloud.deploy(FAILING))
    assert error.code == "JobFailed"
    assert error.message.startswith(
        f"stack {cloud.stack} is ROLLBACK_COMPLETE: Bad (AWS::CloudFormation::CustomResource)"
    )
    assert "CREATE_FAILED: " in error.message
    refused = failure(lambda: cloud.deploy(GOOD))
    assert "ROLLBACK_COMPLETE" in refused.message
    assert "use REPLACE_ON_FAILURE" in refused.message
    assert cloud.deploy(GOOD, "REPLACE_ON_FAILURE").summary == f"stack {cloud.stack} created"
    assert cloud.status == "CREATE_COMPLETE"


def test_oracle_o_46_replace_on_failure_updates_a_healthy_stack_or_rolls_it_back(
    cloud: Cloud,
) -> None:
    cloud.deploy(GOOD, "REPLACE_ON_FAILURE")
    error = failure(lambda: cloud.deploy(FAILING, "REPLACE_ON_FAILURE"))
    assert "is UPDATE_ROLLBACK_COMPLETE: Bad (" in error.message
    assert cloud.status == "UPDATE_ROLLBACK_COMPLETE"


def test_oracle_o_46_stack_is_deleted_and_one_that_is_not_there_is_success(cloud: Cloud) -> None:
    assert cloud.run("DELETE_ONLY").summary == f"there is no stack {cloud.stack}"
    cloud.deploy(GOOD)
    assert cloud.run("DELETE_ONLY").summary == f"stack {cloud.stack} deleted"
    assert cloud.status == ""


def test_oracle_o_46_stack_that_could_not_be_deleted_says_why_and_is_replaced_on_request(
    cloud: Cloud,
) -> None:
    ec2 = aws_servers.client(cloud.server, "ec2")
    cloud.deploy(
        template(Net={"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.0.0.0/16"}})
    )
    resource = cloud.client.describe_stack_resource(StackName=cloud.stack, LogicalResourceId="Net")
    vpc = resource["StackResourceDetail"]["PhysicalResourceId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24")["Subnet"]["SubnetId"]
    error = failure(lambda: cloud.run("DELETE_ONLY"))
    assert (
        f"stack {cloud.stack} is DELETE_FAILED: Net (AWS::EC2::VPC): DELETE_FAILED: "
        in error.message
    )
    again = failure(lambda: cloud.deploy(GOOD, "REPLACE_ON_FAILURE"))
    assert "is DELETE_FAILED: Net" in again.message
    ec2.delete_subnet(SubnetId=subnet)
    assert cloud.deploy(GOOD, "REPLACE_ON_FAILURE").summary == f"stack {cloud.stack} created"


def test_oracle_o_46_failed_stack_has_no_change_set_to_execute_and_can_be_deleted(
    cloud: Cloud,
) -> None:
    failure(lambda: cloud.deploy(FAILING))
    assert "does not exist" in failure(lambda: cloud.run("CHANGE_SET_EXECUTE")).message
    assert cloud.run("DELETE_ONLY").summary == f"stack {cloud.stack} deleted"


def test_serverless_template_is_packaged_and_deployed(cloud: Cloud) -> None:
    """What the founding buildspec did by `aws cloudformation package`."""
    bucket = f"packages-{cloud.stack}"
    where = {"LocationConstraint": cloud.server.region}
    aws_servers.client(cloud.server, "s3").create_bucket(
        Bucket=bucket, CreateBucketConfiguration=where
    )
    files = {
        "sam/template.yaml": SAM,
        "sam/src/app.py": "def handler(event, context):\n    return 'hello'\n",
    }
    given = {"TemplatePath": "App::sam/template.yaml", "PackageBucket": bucket}
    cloud.run(
        "CHANGE_SET_REPLACE", files, Capabilities="CAPABILITY_IAM,CAPABILITY_AUTO_EXPAND", **given
    )
    name = cloud.run("CHANGE_SET_EXECUTE").variables["Name"]
    answer = aws_servers.client(cloud.server, "lambda").invoke(FunctionName=name)
    assert json.loads(answer["Payload"].read()) == "hello"


def test_oracle_o_46_change_set_is_made_replaced_and_executed(cloud: Cloud) -> None:
    made = cloud.deploy(GOOD, "CHANGE_SET_REPLACE")
    assert made.summary == f"change set changes of stack {cloud.stack}: 1 change"
    assert cloud.status == "REVIEW_IN_PROGRESS"
    again = cloud.deploy(template(Topic=topic(), Second=topic()), "CHANGE_SET_REPLACE")
    assert again.summary == f"change set changes of stack {cloud.stack}: 2 changes"
    assert (
        cloud.run("CHANGE_SET_EXECUTE").summary
        == f"change set changes executed on stack {cloud.stack}"
    )
    assert cloud.status == "CREATE_COMPLETE"
    gone = failure(lambda: cloud.run("CHANGE_SET_EXECUTE"))
    assert f"ChangeSet [changes] of stack {cloud.stack} was executed before" in gone.message
    assert "ALL_ACTIONS (X-64)" in gone.message


def test_oracle_o_46_empty_change_set_is_made_and_executed_as_no_changes(cloud: Cloud) -> None:
    cloud.deploy(GOOD)
    assert cloud.deploy(GOOD, "CHANGE_SET_REPLACE").summary.endswith(": no changes")
    assert cloud.run("CHANGE_SET_EXECUTE").summary.endswith(": no changes")


def test_change_set_that_fails_while_executed_tells_the_resource(cloud: Cloud) -> None:
    cloud.deploy(GOOD)
    cloud.deploy(FAILING, "CHANGE_SET_REPLACE")
    error = failure(lambda: cloud.run("CHANGE_SET_EXECUTE"))
    assert "is UPDATE_ROLLBACK_COMPLETE: Bad (" in error.message


def test_stack_that_is_nothing_but_a_change_set_is_not_updated_and_the_message_says_what_to_do(
    cloud: Cloud,
) -> None:
    cloud.deploy(GOOD, "CHANGE_SET_REPLACE")
    assert failure(lambda: cloud.deploy(GOOD)).message.endswith("execute that, or delete the stack")
    assert cloud.run("DELETE_ONLY").summary == f"stack {cloud.stack} deleted"


def test_change_set_of_a_stack_that_is_not_there_is_not_executed(cloud: Cloud) -> None:
    assert "does not exist" in failure(lambda: cloud.run("CHANGE_SET_EXECUTE")).message


SLOW = template(Topic=topic(), Wait=SIGNALLED)
"""A stack that is made when `signal` is called."""


def signal(cloud: Cloud) -> None:
    names = {"StackName": cloud.stack, "LogicalResourceId": "Wait"}
    aws_servers.wait_for(
        lambda: any(event["LogicalResourceId"] == "Wait" for event in cloud.events())
    )
    cloud.client.signal_resource(**names, UniqueId="test", Status="FAILURE")


@pytest.mark.parametrize(
    ("mode", "ends"),
    [
        ("REPLACE_ON_FAILURE", "created"),
        ("DELETE_ONLY", "deleted"),
        ("CREATE_UPDATE", "use REPLACE_ON_FAILURE, or delete it"),
        ("CHANGE_SET_REPLACE", "1 change"),
        ("CHANGE_SET_EXECUTE", "(X-64)"),
    ],
)
def test_oracle_o_46_stack_that_somebody_else_changes_is_waited_for_and_then_judged(
    cloud: Cloud, mode: str, ends: str
) -> None:
    cloud.client.create_stack(StackName=cloud.stack, TemplateBody=SLOW)
    job = cloud.job(mode, {"template.json": GOOD})
    ended: list[str] = []

    def act() -> None:
        try:
            ended.append(execution.run(job).summary)
        except ActionError as error:
            ended.append(error.message)

    action = Thread(target=act, daemon=True)
    action.start()
    aws_servers.wait_for(
        lambda: any("by an operation that is not ours: waiting" in line for line in job.lines)
    )
    signal(cloud)
    action.join(60)
    assert [text.endswith(ends) for text in ended] == [True], ended


def test_stack_that_stays_busy_fails_the_action_which_names_it(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operations, "_FOREIGN_S", 0.5)
    cloud.client.create_stack(StackName=cloud.stack, TemplateBody=SLOW)
    error = failure(lambda: cloud.deploy(GOOD))
    assert (
        f"stack {cloud.stack} is CREATE_IN_PROGRESS by an operation that is not ours"
        in error.message
    )


def test_try_after_a_lost_one_follows_what_that_began(cloud: Cloud) -> None:
    first = cloud.job("CREATE_UPDATE", {"template.json": SLOW})
    lost = Thread(target=lambda: failure(lambda: execution.run(first)), daemon=True)
    lost.start()
    aws_servers.wait_for(lambda: cloud.status == "CREATE_IN_PROGRESS")
    first.deadline_in(0)
    lost.join(60)
    again = next_try(first)
    found: list[ActionError] = []
    action = Thread(target=lambda: found.append(failure(lambda: execution.run(again))), daemon=True)
    action.start()
    aws_servers.wait_for(
        lambda: any("Following what an earlier try began" in line for line in again.lines)
    )
    signal(cloud)
    action.join(60)
    assert "is ROLLBACK_COMPLETE: Wait (AWS::CloudFormation::WaitCondition)" in found[0].message
    begun = [
        event for event in cloud.events() if event.get("ResourceStatusReason") == "User Initiated"
    ]
    assert [event["ResourceStatus"] for event in begun] == ["CREATE_IN_PROGRESS"]


def change_set_id(cloud: Cloud) -> str:
    return str(
        cloud.client.describe_change_set(StackName=cloud.stack, ChangeSetName="changes")[
            "ChangeSetId"
        ]
    )


def test_try_after_one_that_was_lost_at_the_end_finds_what_is_done(cloud: Cloud) -> None:
    job = cloud.job("CREATE_UPDATE", {"template.json": GOOD})
    first, before = execution.run(job).summary, cloud.events()
    assert execution.run(next_try(job)).summary == first
    assert cloud.events() == before


def test_try_after_a_lost_one_keeps_the_change_set_that_was_made(cloud: Cloud) -> None:
    job = cloud.job("CHANGE_SET_REPLACE", {"template.json": GOOD})
    first, made = execution.run(job).summary, change_set_id(cloud)
    assert (execution.run(next_try(job)).summary, change_set_id(cloud)) == (first, made)
    cloud.deploy(GOOD, "CHANGE_SET_REPLACE")
    assert change_set_id(cloud) != made


def test_execution_that_was_lost_is_followed_though_its_change_set_is_consumed(
    cloud: Cloud,
) -> None:
    cloud.deploy(GOOD, "CHANGE_SET_REPLACE")
    job = cloud.job("CHANGE_SET_EXECUTE")
    execution.run(job)
    before = cloud.events()
    assert execution.run(next_try(job)).summary.startswith("change set changes executed")
    assert cloud.events() == before


def test_lost_update_and_delete_are_followed_to_their_end(cloud: Cloud) -> None:
    cloud.deploy(GOOD)
    job = cloud.job("CREATE_UPDATE", {"template.json": template(Topic=topic(), Second=topic())})
    execution.run(job)
    before = cloud.events()
    assert execution.run(next_try(job)).summary == f"stack {cloud.stack} updated"
    assert cloud.events() == before
    job = cloud.job("DELETE_ONLY")
    execution.run(job)
    assert execution.run(next_try(job)).summary == f"there is no stack {cloud.stack}"


def test_new_attempt_begins_anew(cloud: Cloud) -> None:
    cloud.deploy(GOOD)
    job = cloud.job("CREATE_UPDATE", {"template.json": template(Topic=topic(DisplayName="new"))})
    job.request = job.request._replace(attempt=job.request.attempt._replace(attempt=2, try_=2))
    assert execution.run(job).summary == f"stack {cloud.stack} updated"


def test_outputs_become_variables_and_a_file(cloud: Cloud) -> None:
    files = {
        "template.json": template(("Colour", "Size"), Topic=topic()),
        "config/all.json": json.dumps(
            {"Parameters": {"Colour": "red", "Size": "1"}, "Tags": {"team": "shop"}}
        ),
    }
    job = with_output(
        cloud.job(
            "CREATE_UPDATE", files, TemplateConfiguration="App::config/all.json",
            OutputFileName="out/stack.json",
            ParameterOverrides='{"Size": "2"}', Capabilities="CAPABILITY_IAM,CAPABILITY_NAMED_IAM",
        ),
        "Outputs",
    )  # fmt: skip
    outcome = execution.run(job)
    assert outcome.variables == {"Colour": "red", "Size": "2"}
    assert {path: json.loads(text) for path, text in job.outputs.stored["Outputs"].items()} == {
        "out/stack.json": {"Colour": "red", "Size": "2"}
    }
    assert outcome.external_execution_id == job.identified
    stack = cloud.client.describe_stacks(StackName=cloud.stack)["Stacks"][0]
    assert stack["Tags"] == [{"Key": "team", "Value": "shop"}]
    assert stack["Capabilities"] == ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"]


def test_oracle_o_47_overrides_take_values_and_places_of_artifacts(cloud: Cloud) -> None:
    bucket = f"packages-{cloud.stack}"
    s3 = aws_servers.client(cloud.server, "s3")
    s3.create_bucket(
        Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": cloud.server.region}
    )
    names = ("Version", "Bucket", "Key", "Url")
    files = {"template.json": template(names, Topic=topic()), "build.json": '{"version": 7}'}
    overrides = {
        "Version": {"Fn::GetParam": ["App", "build.json", "version"]},
        "Bucket": {"Fn::GetArtifactAtt": ["App", "BucketName"]},
        "Key": {"Fn::GetArtifactAtt": ["App", "ObjectKey"]},
        "Url": {"Fn::GetArtifactAtt": ["App", "URL"]},
    }
    found = cloud.run(
        "CREATE_UPDATE", files, ParameterOverrides=json.dumps(overrides), PackageBucket=bucket
    ).variables
    assert (found["Version"], found["Bucket"]) == ("7", bucket)
    assert found["Url"] == f"{cloud.server.endpoint}/{bucket}/{found['Key']}"
    assert s3.get_object(Bucket=bucket, Key=found["Key"])["Body"].read(2) == b"PK"


def test_long_template_goes_by_way_of_the_bucket(cloud: Cloud) -> None:
    bucket = f"packages-{cloud.stack}"
    s3 = aws_servers.client(cloud.server, "s3")
    s3.create_bucket(
        Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": cloud.server.region}
    )
    text = json.dumps({**json.loads(GOOD), "Metadata": {"Text": "x" * 60_000}})
    assert cloud.deploy(text, PackageBucket=bucket).summary.endswith("created")
    refused = failure(lambda: cloud.deploy(text))
    assert refused.code == "ConfigurationError"
    assert refused.message.startswith(
        "configuration.PackageBucket: template App::template.json has to be in S3"
    )


def test_action_times_out_and_says_that_the_stack_goes_on(cloud: Cloud) -> None:
    job = cloud.job("CREATE_UPDATE", {"template.json": SLOW})
    found: list[ActionError] = []
    action = Thread(target=lambda: found.append(failure(lambda: execution.run(job))), daemon=True)
    action.start()
    aws_servers.wait_for(lambda: cloud.status == "CREATE_IN_PROGRESS" and bool(job.identified))
    job.deadline_in(0)
    action.join(60)
    (error,) = found
    assert error.code == "TimedOut"
    assert error.message.endswith(
        f"stack {cloud.stack} is CREATE_IN_PROGRESS, and goes on by itself"
    )


def test_template_and_parameters_that_are_wrong_are_refused_in_cloudformations_words(
    cloud: Cloud,
) -> None:
    error = failure(lambda: cloud.deploy('{"Resources": {"A": {"Type": "AWS::No::Such"}}}'))
    assert (error.code, "AWS::No::Such" in error.message) == ("ConfigurationError", True)
    error = failure(lambda: cloud.deploy(template(("Colour",), Topic=topic())))
    assert (error.code, "Colour" in error.message) == ("ConfigurationError", True)


def behind(cloud: Cloud, proxy: AwsProxy) -> Cloud:
    """Let the actions of a test call by way of the proxy."""
    cloud.server = replace(cloud.server, endpoint=proxy.address)
    return cloud


def test_throttled_calls_are_made_again(cloud: Cloud) -> None:
    with AwsProxy(cloud.server.endpoint) as proxy:
        for action in ("DescribeStacks", "CreateStack", "DescribeStackEvents"):
            proxy.refuse(action, THROTTLED, 2)
        assert behind(cloud, proxy).deploy(GOOD).summary.endswith("created")
    begun = [
        event for event in cloud.events() if event.get("ResourceStatusReason") == "User Initiated"
    ]
    assert len(begun) == 1


def test_stack_is_followed_through_a_while_of_throttling(cloud: Cloud) -> None:
    """Botocore gives up after five calls; the action, which only waits, does not."""
    with AwsProxy(cloud.server.endpoint) as proxy:
        proxy.refuse("DescribeStackEvents", THROTTLED, 6)
        job = behind(cloud, proxy).job("CREATE_UPDATE", {"template.json": GOOD})
        assert execution.run(job).summary.endswith("created")
    assert any(
        line.startswith("Asking again: DescribeStackEvents: Throttling") for line in job.lines
    )


def test_permission_that_is_refused_fails_the_action_in_awss_words(cloud: Cloud) -> None:
    with AwsProxy(cloud.server.endpoint) as proxy:
        proxy.refuse("CreateStack", DENIED)
        error = failure(lambda: behind(cloud, proxy).deploy(GOOD))
    assert error.code == "PermissionError"
    assert error.message.startswith(
        "CreateStack: AccessDenied: User: arn:aws:iam::123456789012:user/x"
    )


def test_p_38_role_that_may_not_read_events_sees_the_stacks_end_without_its_cause(
    cloud: Cloud,
) -> None:
    with AwsProxy(cloud.server.endpoint) as proxy:
        proxy.refuse("DescribeStackEvents", DENIED)
        job = behind(cloud, proxy).job("CREATE_UPDATE", {"template.json": FAILING})
        error = failure(lambda: execution.run(job))
    assert error.code == "JobFailed"
    assert error.message.startswith(f"stack {cloud.stack} is ROLLBACK_COMPLETE")
    assert sum("The stack's events are not shown" in line for line in job.lines) == 1
    assert proxy.calls.count("DescribeStackEvents") == 1
