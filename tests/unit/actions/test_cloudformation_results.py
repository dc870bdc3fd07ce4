"""What a CloudFormation action makes of a stack's outputs and events, where no server shows it."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from penstock.actions import waiting
from penstock.actions.cloudformation import execution
from penstock.actions.cloudformation.change_sets import ChangeSet
from penstock.actions.cloudformation.events import Events
from penstock.actions.cloudformation.operations import Operation
from penstock.actions.cloudformation.outputs import store_outputs, variables_of
from penstock.actions.cloudformation.stacks import Stack
from penstock.actions.execution import JOB_FAILED, SYSTEM_UNAVAILABLE, ActionError
from penstock.api.contract.contracts import ArtifactOrder, AwsAccess
from penstock.api.contract.documents import compress
from tests.unit.actions.jobs import FakeJob, request


@pytest.fixture
def job(tmp_path: Path) -> FakeJob:
    return FakeJob(tmp_path, request("cloudformation", {}))


def test_w_26_outputs_that_do_not_fit_a_result_are_left_out_the_longest_first(job: FakeJob) -> None:
    noise = random.Random(1).randbytes
    outputs = {"Long": noise(4000).hex(), "Short": "x", "Middle": noise(300).hex()}
    found = variables_of(job, outputs)
    assert found == {"Short": "x", "Middle": outputs["Middle"]}
    assert len(compress(str(found))) < 2400
    assert job.lines == ["The output Long is no variable: the outputs are too long for a result"]


def test_output_artifact_without_a_file_name_is_empty_and_the_log_says_so(job: FakeJob) -> None:
    job.request = job.request._replace(outputs=(ArtifactOrder("Out"),))
    store_outputs(job, {"A": "1"})
    assert job.outputs.stored == {"Out": {}}
    assert job.lines == ["The output artifact Out is empty: name a file in OutputFileName"]


class Pages:
    """Pages of events, by stack, as boto3's paginator gives them."""

    def __init__(self, **stacks: list[dict[str, Any]]) -> None:
        self._stacks = stacks

    def get_paginator(self, _: str) -> Pages:
        return self

    def paginate(self, **names: str) -> list[dict[str, Any]]:
        stack = names["StackName"].rpartition("/")[2]
        return [{"StackEvents": [event]} for event in reversed(self._stacks[stack])]


def event(number: int, stack: str, status: str, reason: str = "", **fields: str) -> dict[str, Any]:
    id = f"arn:aws:cloudformation:eu-central-1:1:stack/{stack}"
    given = {
        "LogicalResourceId": "R",
        "PhysicalResourceId": "r",
        "ResourceType": "AWS::SNS::Topic",
        **fields,
    }
    return {
        "EventId": f"{stack}{number}",
        "StackId": id,
        "ResourceStatus": status,
        "ResourceStatusReason": reason,
        **given,
    }


def cause(job: FakeJob, **stacks: list[dict[str, Any]]) -> str:
    events = Events(Pages(**stacks), job, "arn:aws:cloudformation:eu-central-1:1:stack/top")
    return events.cause(events.new())


def test_p_38_first_failure_counts_and_none_that_only_followed(job: FakeJob) -> None:
    top = [
        event(1, "top", "CREATE_FAILED", "Resource creation cancelled", LogicalResourceId="Other"),
        event(2, "top", "CREATE_FAILED", "Access\nDenied", LogicalResourceId="Queue"),
        event(3, "top", "CREATE_FAILED", "later"),
    ]
    assert cause(job, top=top) == r"Queue (AWS::SNS::Topic): CREATE_FAILED: Access\nDenied"


def test_p_38_resource_of_a_nested_stack_is_named_by_its_path(job: FakeJob) -> None:
    nested_id = "arn:aws:cloudformation:eu-central-1:1:stack/nested"
    nested = {"ResourceType": "AWS::CloudFormation::Stack", "PhysicalResourceId": nested_id}
    top = [
        event(
            1,
            "top",
            "UPDATE_FAILED",
            "Embedded stack was not updated",
            LogicalResourceId="Child",
            **nested,
        )
    ]
    inner = [
        event(1, "nested", "CREATE_FAILED", "of an earlier operation"),
        event(2, "nested", "UPDATE_IN_PROGRESS", LogicalResourceId="nested", **nested),
        event(3, "nested", "UPDATE_FAILED", "no such name", LogicalResourceId="Table"),
    ]
    assert (
        cause(job, top=top, nested=inner)
        == "Child/Table (AWS::SNS::Topic): UPDATE_FAILED: no such name"
    )


def test_events_are_read_on_from_the_last_one(job: FakeJob) -> None:
    top = [event(1, "top", "CREATE_IN_PROGRESS")]
    events = Events(Pages(top=top), job, "arn:aws:cloudformation:eu-central-1:1:stack/top")
    assert [found.id for found in events.new()] == ["top1"]
    top += [event(2, "top", "CREATE_COMPLETE"), event(3, "top", "DELETE_IN_PROGRESS")]
    assert [found.id for found in events.new()] == ["top2", "top3"]
    assert events.new() == []


def test_service_that_stays_unavailable_fails_the_wait_in_its_own_words(
    job: FakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "_OUTAGE_S", 0.0)
    monkeypatch.setattr(waiting, "_FIRST_S", 0.0)

    def ask() -> None:
        raise ActionError(SYSTEM_UNAVAILABLE, "Throttling")

    with pytest.raises(ActionError, match="Throttling"):
        waiting.Waiting(job).until(ask)


def test_refusal_ends_a_wait_at_once(job: FakeJob) -> None:
    def ask() -> None:
        raise ActionError(JOB_FAILED, "no")

    with pytest.raises(ActionError, match="no"):
        waiting.Waiting(job).until(ask)
    assert job.lines == []


@pytest.mark.parametrize(
    ("partition", "endpoint", "page"),
    [
        (
            "aws",
            None,
            "https://eu-central-1.console.aws.amazon.com/cloudformation/home?region=eu-central-1#/stacks/",
        ),
        ("aws", "http://aws.test", ""),
        ("aws-cn", None, ""),
    ],
)
def test_page_of_a_stack_is_named_where_it_is_known(
    job: FakeJob, partition: str, endpoint: str | None, page: str
) -> None:
    id = f"arn:{partition}:cloudformation:eu-central-1:1:stack/top/1"
    job.request = job.request._replace(aws=AwsAccess(endpoint=endpoint))
    expected = f"{page}stackinfo?stackId={id}" if page else ""
    assert execution._console(job, Stack(id, "top", "CREATE_COMPLETE", "", {})) == expected


@pytest.mark.parametrize(
    ("status", "execution_status", "is_made", "is_consumed"),
    [
        ("CREATE_PENDING", "UNAVAILABLE", False, False),
        ("CREATE_COMPLETE", "AVAILABLE", True, False),
        ("CREATE_COMPLETE", "EXECUTE_IN_PROGRESS", True, True),
        ("CREATE_COMPLETE", "OBSOLETE", True, False),
        ("DELETE_PENDING", "UNAVAILABLE", False, False),
        ("DELETE_FAILED", "AVAILABLE", True, False),
    ],
)
def test_states_of_a_change_set(
    status: str, execution_status: str, is_made: bool, is_consumed: bool
) -> None:
    found = ChangeSet("id", status, execution_status, "", "")
    assert (found.is_made, found.is_consumed, found.is_empty) == (is_made, is_consumed, False)


@pytest.mark.parametrize(
    "reason",
    [
        "The submitted information didn't contain changes. Submit different information to create "
        "a change set.",
        "No updates are to be performed.",
    ],
)
def test_d_8_change_set_that_failed_for_want_of_changes_is_empty(reason: str) -> None:
    assert ChangeSet("id", "FAILED", "UNAVAILABLE", reason, "").is_empty
    assert not ChangeSet("id", "FAILED", "UNAVAILABLE", "No such bucket", "").is_empty


class Looks:
    """A stack as it is at each look, by status and number of events: what
    only a slow or busy AWS shows.
    """

    def __init__(self, events: list[dict[str, Any]], *looks: tuple[str, int]) -> None:
        self._events = events
        self._looks = list(looks)
        self._seen = 0

    def describe_stacks(self, **_: str) -> dict[str, Any]:
        status, self._seen = self._looks.pop(0)
        return {"Stacks": [{"StackId": TOP, "StackName": "top", "StackStatus": status}]}

    def get_paginator(self, _: str) -> Looks:
        return self

    def paginate(self, **_: str) -> list[dict[str, Any]]:
        return [{"StackEvents": self._events[: self._seen][::-1]}]


TOP = "arn:aws:cloudformation:eu-central-1:1:stack/top"


def of_stack(number: int, status: str, token: str) -> dict[str, Any]:
    own = {
        "LogicalResourceId": "top",
        "PhysicalResourceId": TOP,
        "ResourceType": "AWS::CloudFormation::Stack",
    }
    return {**event(number, "top", status, **own), "ClientRequestToken": token}


def follow(job: FakeJob, client: Looks, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "_FIRST_S", 0.0)
    Operation(client, job, Stack(TOP, "top", "UPDATE_COMPLETE", "", {}), "ours").follow()


def test_state_of_before_is_not_taken_for_the_end_of_an_operation_that_events_do_not_show_yet(
    job: FakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = [
        of_stack(1, "UPDATE_IN_PROGRESS", "ours"),
        of_stack(2, "UPDATE_ROLLBACK_COMPLETE", "ours"),
    ]
    client = Looks(
        events, ("UPDATE_COMPLETE", 0), ("UPDATE_IN_PROGRESS", 1), ("UPDATE_ROLLBACK_COMPLETE", 2)
    )
    with pytest.raises(ActionError, match="is UPDATE_ROLLBACK_COMPLETE"):
        follow(job, client, monkeypatch)


def test_operation_has_ended_though_somebody_elses_is_under_way(
    job: FakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = [
        of_stack(1, "UPDATE_IN_PROGRESS", "ours"),
        of_stack(2, "UPDATE_COMPLETE", "ours"),
        of_stack(3, "UPDATE_IN_PROGRESS", "theirs"),
    ]
    follow(job, Looks(events, ("UPDATE_IN_PROGRESS", 3)), monkeypatch)
    assert job.lines[-1] == "Stack top: UPDATE_COMPLETE"


def test_operation_that_somebody_cancels_fails_with_the_stacks_state(
    job: FakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = [
        of_stack(1, "UPDATE_IN_PROGRESS", "ours"),
        of_stack(2, "UPDATE_ROLLBACK_IN_PROGRESS", "theirs"),
        of_stack(3, "UPDATE_ROLLBACK_COMPLETE", "theirs"),
    ]
    client = Looks(events, ("UPDATE_ROLLBACK_IN_PROGRESS", 2), ("UPDATE_ROLLBACK_COMPLETE", 3))
    with pytest.raises(ActionError, match="stack top is UPDATE_ROLLBACK_COMPLETE"):
        follow(job, client, monkeypatch)
