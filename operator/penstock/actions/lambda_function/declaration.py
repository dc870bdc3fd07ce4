"""Invoke / AWS / Lambda (P-70): a function does the work and says when it is done."""

from typing import Literal

from pydantic import Field

from penstock.actions.aws_configuration import AWS_SECRETS, AwsConfiguration
from penstock.actions.declaration import ArtifactBounds, Declaration, OnLostPod, StageRule


class LambdaConfiguration(AwsConfiguration):
    """AWS's keys, and those of every provider that calls AWS."""

    FunctionName: str = Field(min_length=1, max_length=170)
    """The function's name or ARN, with an alias or a version after a colon if need be."""
    UserParameters: str | None = Field(None, max_length=1000)
    """A text for the function."""
    ArtifactCredentials: Literal["Inherit"] | None = None
    """Inherit hands the artifact store's keys to the function; CodePipeline hands short-lived ones.

    Without them a function reads and writes artifacts with its own role.
    """


DECLARATION = Declaration(
    category="Invoke",
    owner="AWS",
    provider="Lambda",
    folder="lambda_function",
    configuration=LambdaConfiguration,
    inputs=ArtifactBounds(0, 5),
    outputs=ArtifactBounds(0, 5),
    on_lost_pod=OnLostPod.FAIL,
    # As T-03 says.
    timeout_s=24 * 3600,
    calls_aws=True,
    rule=StageRule("LambdaInvoke", may_skip=True, is_error_awaited=True),
    secrets=AWS_SECRETS,
)
