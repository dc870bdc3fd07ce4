"""The rule CloudWatchAlarm (C-20), against moto's server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from penstock.actions.cloudwatch_alarm import execution
from penstock.actions.execution import ActionError
from penstock.api.contract.contracts import AwsAccess
from tests.unit.actions.aws_server import REGION, aws_client, aws_job, moto_server
from tests.unit.actions.jobs import FakeJob


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with moto_server() as found:
        yield found


def job_of(root: Path, address: str, place: str, **configuration: str) -> FakeJob:
    job = aws_job(
        root,
        "cloudwatch_alarm",
        {"AlarmName": "errors", **configuration},
        AwsAccess(REGION, address),
    )
    attempt = job.request.attempt._replace(action=f"{place}/Quiet")
    job.request = job.request._replace(attempt=attempt)
    return job


def set_state(address: str, state: str) -> None:
    client = aws_client(address, "cloudwatch")
    client.put_metric_alarm(
        AlarmName="errors", MetricName="Errors", Namespace="Shop", Period=60, EvaluationPeriods=1,
        Threshold=1.0,
        ComparisonOperator="GreaterThanThreshold", Statistic="Sum",
    )  # fmt: skip
    client.set_alarm_state(AlarmName="errors", StateValue=state, StateReason="test")


@pytest.mark.parametrize(
    ("place", "state", "states", "is_met"),
    [
        ("beforeEntry", "OK", "", True),
        ("beforeEntry", "ALARM", "", False),
        ("beforeEntry", "INSUFFICIENT_DATA", "", False),
        ("onSuccess", "OK", "", True),
        ("onSuccess", "INSUFFICIENT_DATA", "", True),
        ("onSuccess", "ALARM", "", False),
        ("onSuccess", "INSUFFICIENT_DATA", "ALARM, INSUFFICIENT_DATA", False),
        ("onFailure", "ALARM", "", True),
        ("onFailure", "OK", "", False),
        ("onFailure", "OK", "OK", True),
    ],
)
def test_c_20_states_decide_by_the_conditions_kind(
    tmp_path: Path, address: str, place: str, state: str, states: str, is_met: bool
) -> None:
    set_state(address, state)
    job = job_of(tmp_path, address, place, **({"AlarmStates": states} if states else {}))
    if is_met:
        assert execution.run(job).summary == f"the alarm errors is {state}"
    else:
        with pytest.raises(
            ActionError, match=f"the alarm errors is {state} after 0 minutes"
        ) as caught:
            execution.run(job)
        assert caught.value.code == "JobFailed"


def test_c_20_another_state_is_waited_for(
    tmp_path: Path, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_state(address, "ALARM")
    monkeypatch.setattr("time.sleep", lambda _: set_state(address, "OK"))
    job = job_of(tmp_path, address, "beforeEntry", WaitTime="5")
    assert execution.run(job).summary == "the alarm errors is OK"
    assert job.lines == ["The alarm errors is ALARM", "The alarm errors is OK"]


def test_an_alarm_that_is_not_there_is_named(tmp_path: Path, address: str) -> None:
    job = job_of(tmp_path, address, "beforeEntry", AlarmName="other")
    with pytest.raises(ActionError, match='there is no alarm "other"') as caught:
        execution.run(job)
    assert caught.value.code == "ConfigurationError"
