"""Stack sets and their instances (P-40, P-41) against moto's server, which a
proxy lets use the ids it is given.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from penstock.actions.cloudformation_stack_instances import execution as stack_instances
from penstock.actions.cloudformation_stack_set import execution as stack_set
from penstock.actions.cloudformation_stack_set import operations
from penstock.actions.execution import ActionError, Outcome
from penstock.api.contract.contracts import AwsAccess
from tests.cluster import load
from tests.support import aws_servers
from tests.support.aws_proxy import DENIED, OperationIds
from tests.unit.actions.aws_server import REGION, aws_client, aws_job
from tests.unit.actions.jobs import FakeJob

ONE, OTHER = "111111111111", "222222222222"
TEMPLATE = {
    "Parameters": {"Colour": {"Type": "String", "Default": "red"}},
    "Resources": {
        "Topic": {
            "Type": "AWS::SNS::Topic",
            "Properties": {"TopicName": "topics", "DisplayName": {"Ref": "Colour"}},
        }
    },
}
BUSY = (409, "OperationInProgressException", "Another Operation is in progress")


@pytest.fixture(scope="module")
def moto() -> str:
    return aws_servers.ready(load(), "moto").endpoint


class Sets:
    """The stack set of one test."""

    def __init__(self, moto: str, proxy: OperationIds, root: Path) -> None:
        self.client = aws_client(moto, "cloudformation")
        self.proxy = proxy
        self.name = f"set-{secrets.token_hex(4)}"
        self._root = root
        self._jobs = 0

    def job(self, files: dict[str, str] | None = None, **configuration: str) -> FakeJob:
        self._jobs += 1
        (root := self._root / str(self._jobs)).mkdir()
        wanted = {"StackSetName": self.name, **configuration}
        job = aws_job(
            root, "cloudformation_stack_set", wanted, AwsAccess(REGION, self.proxy.address)
        )
        attempt = job.request.attempt._replace(run_uid=secrets.token_hex(8))
        job.request = job.request._replace(attempt=attempt)
        (folder := root / "App").mkdir()
        for name, text in {"template.json": json.dumps(TEMPLATE), **(files or {})}.items():
            (folder / name).write_text(text)
        job.inputs = {"App": folder}
        return job

    def deploy(self, files: dict[str, str] | None = None, **configuration: str) -> Outcome:
        return stack_set.run(self.job(files, TemplatePath="App::template.json", **configuration))

    def instances(self) -> set[tuple[str, str]]:
        found = self.client.list_stack_instances(StackSetName=self.name)["Summaries"]
        return {(item["Account"], item["Region"]) for item in found}

    def operations(self) -> list[str]:
        found = self.client.list_stack_set_operations(StackSetName=self.name)["Summaries"]
        return [item["Action"] for item in found]

    def described(self) -> dict[str, Any]:
        found: dict[str, Any] = self.client.describe_stack_set(StackSetName=self.name)["StackSet"]
        return found


@pytest.fixture
def sets(moto: str, tmp_path: Path) -> Iterator[Sets]:
    with OperationIds(moto) as proxy:
        yield Sets(moto, proxy, tmp_path)


def failure(act: Callable[[], object]) -> ActionError:
    with pytest.raises(ActionError) as caught:
        act()
    return caught.value


def next_try(job: FakeJob) -> FakeJob:
    attempt = job.request.attempt
    job.request = job.request._replace(attempt=attempt._replace(try_=attempt.try_ + 1))
    return job


def test_p_40_set_is_created_without_instances_where_none_are_named(sets: Sets) -> None:
    outcome = sets.deploy(Description="topics", Capabilities="CAPABILITY_IAM,CAPABILITY_NAMED_IAM")
    assert outcome.summary == f"stack set {sets.name} created"
    assert outcome.variables == {"StackSetId": sets.described()["StackSetId"], "OperationId": ""}
    assert (sets.described()["Description"], sets.instances()) == ("topics", set())


def test_p_40_new_instances_are_created_first_and_then_the_set_is_updated(sets: Sets) -> None:
    sets.deploy(DeploymentTargets=ONE, Regions="eu-west-1")
    assert sets.instances() == {(ONE, "eu-west-1")}
    changed = json.dumps({**TEMPLATE, "Description": "new"})
    outcome = sets.deploy(
        {"template.json": changed}, DeploymentTargets=f"{ONE},{OTHER}", Regions="eu-west-1"
    )
    assert outcome.summary == f"stack set {sets.name} updated"
    assert sets.instances() == {(ONE, "eu-west-1"), (OTHER, "eu-west-1")}
    assert sets.operations() == [
        "CREATE",
        "CREATE",
        "UPDATE",
        "UPDATE",
    ]  # moto writes an update twice
    assert json.loads(sets.described()["TemplateBody"])["Description"] == "new"


def test_w_27_variables_are_the_sets_id_and_the_last_operation(sets: Sets) -> None:
    job = sets.job(
        TemplatePath="App::template.json", DeploymentTargets=ONE, Regions="eu-west-1,us-east-1"
    )
    outcome = stack_set.run(job)
    assert outcome.variables["StackSetId"] == sets.described()["StackSetId"]
    assert outcome.variables["OperationId"] == job.identified == outcome.external_execution_id
    assert f"account {ONE} in us-east-1: SUCCEEDED" in job.lines


def test_p_40_parameters_and_targets_are_files_of_artifacts(sets: Sets) -> None:
    files = {
        "parameters.json": '[{"ParameterKey": "Colour", "ParameterValue": "green"}]',
        "accounts.json": f'["{ONE}", "{OTHER}"]',
    }
    sets.deploy(
        files, Parameters="App::parameters.json", DeploymentTargets="App::accounts.json",
        Regions="eu-west-1",
        FailureTolerancePercentage="20", MaxConcurrentPercentage="50",
    )  # fmt: skip
    assert sets.instances() == {(ONE, "eu-west-1"), (OTHER, "eu-west-1")}
    assert sets.described()["Parameters"][0]["ParameterValue"] == "green"


def deploy_instances(sets: Sets, **configuration: str) -> Outcome:
    return stack_instances.run(sets.job(None, **configuration))


def test_p_41_instances_are_created_with_overrides(sets: Sets) -> None:
    sets.deploy()
    outcome = deploy_instances(
        sets, DeploymentTargets=f"{ONE},{OTHER}", Regions="eu-west-1",
        ParameterOverrides="ParameterKey=Colour,ParameterValue=blue",
    )  # fmt: skip
    assert outcome.summary == f"stack set {sets.name}: 2 instances deployed"
    assert outcome.variables["StackSetId"] == sets.described()["StackSetId"]
    found = sets.client.describe_stack_instance(
        StackSetName=sets.name, StackInstanceAccount=OTHER, StackInstanceRegion="eu-west-1"
    )["StackInstance"]
    assert found["ParameterOverrides"] == [{"ParameterKey": "Colour", "ParameterValue": "blue"}]


def test_p_41_set_that_is_not_there_is_told(sets: Sets) -> None:
    error = failure(lambda: deploy_instances(sets, DeploymentTargets=ONE, Regions="eu-west-1"))
    assert "StackSetNotFoundException" in error.message


def test_first_account_that_fails_is_the_error(sets: Sets) -> None:
    sets.proxy.failing = {
        OTHER: "should have 'AWSCloudFormationStackSetAdministrationRole' role with trust"
    }
    error = failure(lambda: sets.deploy(DeploymentTargets=f"{ONE},{OTHER}", Regions="eu-west-1"))
    assert error.code == "JobFailed"
    assert (
        f"on stack set {sets.name} is FAILED: account {OTHER} in eu-west-1: FAILED: should have"
        in error.message
    )


def test_try_after_a_lost_one_finds_the_operations_and_begins_none(sets: Sets) -> None:
    sets.deploy()
    job = sets.job(DeploymentTargets=ONE, Regions="eu-west-1")
    first, before = stack_instances.run(job), sets.operations()
    again = stack_instances.run(next_try(job))
    assert (again.variables, sets.operations()) == (first.variables, before)
    assert any("Following what an earlier try began" in line for line in job.lines)


def test_try_after_a_lost_update_begins_no_other(sets: Sets) -> None:
    sets.deploy(DeploymentTargets=ONE, Regions="eu-west-1")
    job = sets.job(
        TemplatePath="App::template.json", DeploymentTargets=f"{ONE},{OTHER}", Regions="eu-west-1"
    )
    first, before = stack_set.run(job), sets.operations()
    again = stack_set.run(next_try(job))
    assert (again.variables, sets.operations()) == (first.variables, before)


def test_set_that_is_busy_is_waited_for(sets: Sets) -> None:
    sets.deploy()
    sets.proxy.refuse("UpdateStackSet", BUSY, 1)
    job = sets.job(TemplatePath="App::template.json")
    assert stack_set.run(job).summary.endswith("updated")
    assert any("is busy with another operation" in line for line in job.lines)


def test_set_that_stays_busy_fails_the_action(sets: Sets, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operations, "_FOREIGN_S", 0.0)
    sets.deploy()
    sets.proxy.refuse("UpdateStackSet", BUSY)
    assert "OperationInProgressException" in failure(sets.deploy).message


def test_permission_that_is_refused_is_told_in_awss_words(sets: Sets) -> None:
    sets.proxy.refuse("CreateStackSet", DENIED)
    error = failure(sets.deploy)
    assert (error.code, error.message.split(":")[0]) == ("PermissionError", "CreateStackSet")


def test_role_that_may_not_read_results_deploys_without_them(sets: Sets) -> None:
    sets.proxy.refuse("ListStackSetOperationResults", DENIED)
    sets.proxy.failing = {ONE: "why"}
    error = failure(lambda: sets.deploy(DeploymentTargets=ONE, Regions="eu-west-1"))
    assert error.message.endswith(f"on stack set {sets.name} is FAILED")
    assert sets.proxy.calls.count("ListStackSetOperationResults") == 1


def test_service_managed_set_tells_how_it_deploys_by_itself(sets: Sets) -> None:
    sets.deploy(
        PermissionModel="SERVICE_MANAGED", OrganizationsAutoDeployment="EnabledWithStackRetention"
    )
    assert sets.described()["PermissionModel"] == "SERVICE_MANAGED"
    (request,) = [body for body in sets.proxy.bodies if body["Action"] == ["CreateStackSet"]]
    flags = ("AutoDeployment.Enabled", "AutoDeployment.RetainStacksOnAccountRemoval")
    assert [request[flag] for flag in flags] == [["true"], ["true"]]
