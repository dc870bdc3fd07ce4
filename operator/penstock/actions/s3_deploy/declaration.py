"""Deploy / AWS / S3 (P-48): the files of an artifact, or the artifact as one zip, into a bucket."""

from typing import Literal, Self

from pydantic import Field, model_validator

from penstock.actions.aws_configuration import AWS_SECRETS, AwsConfiguration
from penstock.actions.declaration import ArtifactBounds, Declaration, OnLostPod


class S3DeployConfiguration(AwsConfiguration):
    """AWS's keys, and those of every provider that calls AWS."""

    BucketName: str = Field(min_length=3, max_length=63)
    Extract: Literal["true", "false"]
    """Whether the artifact's files become objects; else it becomes one, a zip."""
    ObjectKey: str | None = Field(None, min_length=1, max_length=1024)
    """The zip's key; with Extract the prefix of the files' keys.

    ``{datetime}`` and ``{uuid}`` are filled in (W-10).
    """
    KMSEncryptionKeyARN: str | None = Field(None, min_length=1, max_length=400)
    CannedACL: (
        Literal[
            "private",
            "public-read",
            "public-read-write",
            "authenticated-read",
            "aws-exec-read",
            "bucket-owner-read",
            "bucket-owner-full-control",
        ]
        | None
    ) = None
    CacheControl: str | None = Field(None, min_length=1, max_length=1000)
    """The objects' Cache-Control header."""

    @model_validator(mode="after")
    def _has_key(self) -> Self:
        if self.Extract == "false" and not self.ObjectKey:
            raise ValueError(
                'ObjectKey is required where Extract is "false": it is the zip\'s key (P-48)'
            )
        return self


DECLARATION = Declaration(
    category="Deploy",
    owner="AWS",
    provider="S3",
    folder="s3_deploy",
    configuration=S3DeployConfiguration,
    inputs=ArtifactBounds(1, 1),
    outputs=ArtifactBounds(0, 0),
    on_lost_pod=OnLostPod.FAIL,
    timeout_s=90 * 60,
    calls_aws=True,
    secrets=AWS_SECRETS,
)
