"""What every provider that calls AWS lets a user say of the calls; pure, as declarations are."""

from pydantic import Field

from penstock.actions.declaration import Configuration

CREDENTIALS_KEY = "CredentialsSecret"
AWS_SECRETS = (CREDENTIALS_KEY,)
"""A Declaration's ``secrets``: the keys of `AwsConfiguration` whose values name a Secret."""


class AwsConfiguration(Configuration):
    """Keys that CodePipeline does not have: where calls go, and as whom if not as the pod."""

    Endpoint: str | None = Field(None, pattern=r"^https?://[^/?#@]+/?$", max_length=512)
    """A server instead of AWS's for every call; the installation's ``aws.endpoint`` if absent."""
    Region: str | None = Field(None, min_length=4, max_length=30)
    """The action's ``region`` if absent, then the installation's ``aws.region``."""
    CredentialsSecret: str | None = Field(
        None, pattern=r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$", max_length=253
    )
    """A Secret in the Pipeline's namespace: accessKeyId, secretAccessKey, optionally sessionToken.

    The pod's own identity if absent. ``roleArn`` is assumed on top of either.
    """
