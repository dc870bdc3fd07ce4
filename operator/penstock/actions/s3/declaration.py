"""Source / AWS / S3 (P-03): an object of a bucket, each of its versions a revision."""

from typing import Literal

from pydantic import Field, field_validator

from penstock.actions.declaration import (
    ArtifactBounds,
    Configuration,
    Declaration,
    OnLostPod,
    Override,
)


class S3Configuration(Configuration):
    """AWS's keys; Endpoint, Region and CredentialsSecret are added, as for an artifact store."""

    S3Bucket: str = Field(pattern=r"^[a-z0-9][a-z0-9.-]*[a-z0-9]$", min_length=3, max_length=63)
    """A bucket that keeps versions; without versions, the object's ETag stands for its version."""
    S3ObjectKey: str = Field(min_length=1, max_length=1024)
    """The key, matched exactly (G-07): a zip, tar, tar.gz, tar.zst, or any other single file."""
    PollForSourceChanges: Literal["true", "false"] | None = None
    """Whether a change starts a run by itself (G-04); "true" where it is absent, as on AWS."""
    AllowOverrideForS3ObjectKey: Literal["true", "false"] | None = None
    """Whether a run may name another key by a source revision of type S3_OBJECT_KEY (X-51)."""
    Endpoint: str | None = Field(None, pattern=r"^https?://[^/?#@]+/?$", max_length=512)
    """An S3 server other than AWS's."""
    Region: str | None = Field(None, min_length=4, max_length=30)
    CredentialsSecret: str | None = Field(
        None, pattern=r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$", max_length=253
    )
    """A Secret of the Pipeline's namespace with accessKeyId and secretAccessKey.

    The pod's identity if absent.
    """

    @field_validator("S3ObjectKey")
    @classmethod
    def _is_plain(cls, key: str) -> str:
        if (
            key.startswith("/")
            or key.endswith("/")
            or any(part in ("", ".", "..") for part in key.split("/"))
        ):
            raise ValueError("a key has no empty, '.' or '..' part")
        return key


DECLARATION = Declaration(
    category="Source",
    owner="AWS",
    provider="S3",
    folder="s3",
    configuration=S3Configuration,
    inputs=ArtifactBounds(0, 0),
    outputs=ArtifactBounds(1, 1),
    on_lost_pod=OnLostPod.RERUN,
    timeout_s=3600,
    secrets=("CredentialsSecret",),
    overrides=(
        Override("S3_OBJECT_VERSION_ID"),
        Override("S3_OBJECT_KEY", key="S3ObjectKey", needs="AllowOverrideForS3ObjectKey"),
    ),
)
