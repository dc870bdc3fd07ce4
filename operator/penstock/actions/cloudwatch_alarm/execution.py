"""CloudWatchAlarm (C-20): reads an alarm until its state decides or the wait is over."""

import time
from typing import Any

from penstock.actions import aws
from penstock.actions.execution import CONFIGURATION_ERROR, JOB_FAILED, ActionError, Job, Outcome

# CloudWatch judges an alarm at most every ten seconds: to ask more often tells nothing new.
_POLL_S = 10.0
_PASSING = {"beforeEntry": {"OK"}, "onSuccess": {"OK", "INSUFFICIENT_DATA"}}


def run(job: Job) -> Outcome:
    """Return once the rule is met; raise ActionError (JobFailed) if it is not within the wait.

    To a stage that has failed an alarm is what meets the rule, and engages
    its condition's result (C-04).
    """
    configuration = job.request.configuration
    name, waited = configuration["AlarmName"], configuration.get("WaitTime", "0")
    wanted = _wanted(
        job.request.attempt.action.partition("/")[0], configuration.get("AlarmStates", "ALARM")
    )
    end = time.monotonic() + 60.0 * int(waited)
    client, told = aws.client(job, "cloudwatch"), ""
    while True:
        state = _state(client, name)
        if told != state:
            job.log(f"The alarm {name} is {state}")
            told = state
        if state in wanted:
            return Outcome(summary=f"the alarm {name} is {state}")
        left = min(end - time.monotonic(), job.remaining())
        if left <= 0:
            raise ActionError(JOB_FAILED, f"the alarm {name} is {state} after {waited} minutes")
        time.sleep(min(_POLL_S, left))


def _wanted(place: str, alarm_states: str) -> set[str]:
    """Return the states that meet a stage's ``beforeEntry``, ``onSuccess``, ``onFailure`` rule."""
    states = {state.strip() for state in alarm_states.split(",")}
    return states if place == "onFailure" else _PASSING[place] - states


def _state(client: Any, name: str) -> str:
    with aws.calls():
        found = client.describe_alarms(
            AlarmNames=[name], AlarmTypes=["MetricAlarm", "CompositeAlarm"]
        )
    for alarm in (*found.get("MetricAlarms", []), *found.get("CompositeAlarms", [])):
        return str(alarm["StateValue"])
    raise ActionError(
        CONFIGURATION_ERROR, f'configuration.AlarmName: there is no alarm "{name}" in this region'
    )
