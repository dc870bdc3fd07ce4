"""Deploy / AWS / ServerlessApplicationRepository: publishes a SAM application, as the five-stage pipeline does.

CodePipeline has no such provider: there a function publishes, invoked by a Lambda action.
"""

from pydantic import Field

from penstock.actions.aws_configuration import AWS_SECRETS, AwsConfiguration
from penstock.actions.declaration import Bounds, Declaration, OnLostPod, artifacts_in


class ServerlessApplicationRepositoryConfiguration(AwsConfiguration):
    """What to publish. What the application is called stands in the template's metadata, as for ``sam publish``."""

    TemplatePath: str = Field(pattern=r"^[^:]+::[^:].*$", max_length=1024)
    """The template, ``Artifact::file``, with ``AWS::ServerlessRepo::Application`` in its Metadata."""
    SemanticVersion: str | None = Field(None, pattern=r"^[0-9]+\.[0-9]+\.[0-9]+([-+][0-9A-Za-z.+-]+)?$", max_length=128)
    """The version to publish; that of the metadata if absent."""
    SourceCodeUrl: str | None = Field(None, min_length=1, max_length=1000)
    """Where the version's source is; that of the metadata if absent."""
    PackageBucket: str | None = Field(None, pattern=r"^[a-z0-9][a-z0-9.-]*[a-z0-9]$", min_length=3, max_length=63)
    """Where a template's local code goes, which the repository must be able to read; the artifact store's if absent."""


DECLARATION = Declaration(
    category="Deploy",
    owner="AWS",
    provider="ServerlessApplicationRepository",
    folder="serverless_repository",
    configuration=ServerlessApplicationRepositoryConfiguration,
    inputs=Bounds(1, 5),
    outputs=Bounds(0, 0),
    on_lost_pod=OnLostPod.RESUME,
    timeout_s=3600,
    calls_aws=True,
    secrets=AWS_SECRETS,
    artifacts_named=lambda configuration: artifacts_in(configuration, "TemplatePath"),
)
