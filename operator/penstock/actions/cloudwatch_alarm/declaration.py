"""Rule / AWS / CloudWatchAlarm (C-20): an alarm lets a stage begin, succeed, or stay failed."""

from pydantic import Field

from penstock.actions.aws_configuration import AWS_SECRETS, AwsConfiguration
from penstock.actions.declaration import ArtifactBounds, Declaration, OnLostPod, StageRule

_STATE = "(ALARM|OK|INSUFFICIENT_DATA)"


class CloudWatchAlarmConfiguration(AwsConfiguration):
    """AWS's keys, and those of every provider that calls AWS."""

    AlarmName: str = Field(min_length=1, max_length=255)
    """A metric alarm or a composite one, of the action's region."""
    AlarmStates: str | None = Field(None, pattern=rf"^{_STATE}( *, *{_STATE})*$")
    """The states that fail the rule, separated by commas; ALARM if absent."""
    WaitTime: str | None = Field(None, pattern=r"^[0-9]{1,5}$")
    """How many minutes to wait for another state; the first is decisive if absent."""


DECLARATION = Declaration(
    category="Invoke",
    owner="AWS",
    provider="CloudWatchAlarm",
    folder="cloudwatch_alarm",
    configuration=CloudWatchAlarmConfiguration,
    inputs=ArtifactBounds(0, 0),
    outputs=ArtifactBounds(0, 0),
    on_lost_pod=OnLostPod.RERUN,
    timeout_s=24 * 3600,
    rule=StageRule("CloudWatchAlarm"),
    is_action=False,
    calls_aws=True,
    secrets=AWS_SECRETS,
)
