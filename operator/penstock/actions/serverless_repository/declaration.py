"""Deploy / AWS / ServerlessApplicationRepository: publishes a SAM application.

It does so as the five-stage pipeline does.

CodePipeline has no such provider: there a function publishes, invoked by a Lambda action.
"""

from pydantic import Field

from penstock.actions.aws_configuration import AWS_SECRETS
from penstock.actions.cloudformation.configuration import FILE, PackagingConfiguration
from penstock.actions.declaration import ArtifactBounds, Declaration, OnLostPod, artifacts_in


class ServerlessApplicationRepositoryConfiguration(PackagingConfiguration):
    """The template to publish; its metadata names the application, as for ``sam publish``."""

    TemplatePath: str = Field(pattern=FILE, max_length=1024)
    """The template, ``Artifact::file``; its Metadata has ``AWS::ServerlessRepo::Application``."""
    SemanticVersion: str | None = Field(
        None, pattern=r"^[0-9]+\.[0-9]+\.[0-9]+([-+][0-9A-Za-z.+-]+)?$", max_length=128
    )
    """The version to publish; that of the metadata if absent."""
    SourceCodeUrl: str | None = Field(None, min_length=1, max_length=1000)
    """Where the version's source is; that of the metadata if absent."""


DECLARATION = Declaration(
    category="Deploy",
    owner="AWS",
    provider="ServerlessApplicationRepository",
    folder="serverless_repository",
    configuration=ServerlessApplicationRepositoryConfiguration,
    inputs=ArtifactBounds(1, 5),
    outputs=ArtifactBounds(0, 0),
    on_lost_pod=OnLostPod.RESUME,
    timeout_s=3600,
    calls_aws=True,
    secrets=AWS_SECRETS,
    artifacts_named=lambda configuration: artifacts_in(configuration, "TemplatePath"),
)
