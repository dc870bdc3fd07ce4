"""Puts files where CloudFormation can read them, keyed by content so nothing goes up twice."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, NamedTuple

from botocore.exceptions import ClientError

from penstock.actions.aws import calls, client
from penstock.actions.execution import CONFIGURATION_ERROR, ActionError, Job
from penstock.artifacts.errors import ArtifactError
from penstock.artifacts.folders import FolderBounds
from penstock.artifacts.zipping import zip_file, zip_folder

_PREFIX = "penstock-packages"
# Bytes that are hashed at a time: an agent has 64 MiB in all.
_CHUNK = 1024 * 1024
# How long a template may be in a request; a longer one goes by way of S3.
_BODY_BYTES = 51_200


class Uploaded(NamedTuple):
    """An object in S3; ``url`` is the address CloudFormation takes for templates."""

    bucket: str
    key: str
    url: str

    @property
    def uri(self) -> str:
        """Its name as ``s3://bucket/key``."""
        return f"s3://{self.bucket}/{self.key}"


class Uploads:
    """One action's uploads, to the configured PackageBucket or else the artifact store's bucket."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._client: Any = None

    def bucket(self, what: str) -> str:
        """Return the bucket for ``what``; raise ActionError if the AWS that is called has none."""
        request = self._job.request
        if bucket := request.configuration.get("PackageBucket"):
            return bucket
        # A store at another endpoint, as MinIO, is beyond the reach of the CloudFormation that is
        # called: the two addresses have to be one.
        endpoint = request.aws.endpoint if request.aws else None
        if request.store.folder or (request.store.endpoint or "").rstrip("/") != (
            endpoint or ""
        ).rstrip("/"):
            why = (
                f"{what} has to be in S3, and the artifact store is in no bucket that "
                f"CloudFormation can read"
            )
            raise ActionError(
                CONFIGURATION_ERROR, f"configuration.PackageBucket: {why}: name a bucket here"
            )
        return request.store.bucket

    def file(self, path: Path, what: str) -> Uploaded:
        """Upload a file as it is."""
        with path.open("rb") as opened:
            return self._put(opened, path.suffix, what)

    def text(self, text: str, suffix: str, what: str) -> Uploaded:
        """Upload a text."""
        path = self._job.scratch / "upload-text"
        path.write_text(text, encoding="utf-8")
        with path.open("rb") as opened:
            return self._put(opened, suffix, what)

    def template(self, text: str, path: str) -> dict[str, str]:
        """Return a template as a request takes it: inline, or by way of S3 if it is too long."""
        if len(text.encode()) > _BODY_BYTES:
            return {"TemplateURL": self.text(text, ".template", f"template {path}").url}
        return {"TemplateBody": text}

    def zip(self, path: Path, what: str) -> Uploaded:
        """Upload a folder as a zip, or a file as the only one in a zip; a zip as it is."""
        # Packed once more, an archive would be one file to Lambda, which does not look into it.
        if path.suffix.lower() in (".zip", ".jar", ".war") and path.is_file():
            return self.file(path, what)
        limits = self._job.request.limits

        def write(sink: IO[bytes]) -> None:
            if path.is_dir():
                zip_folder(path, sink, FolderBounds(limits.artifact_entries, limits.artifact_bytes))
            else:
                zip_file(path, sink)

        return self._zip(write, what)

    def _zip(self, write: Callable[[IO[bytes]], None], what: str) -> Uploaded:
        with (self._job.scratch / "upload-zip").open("w+b") as sink:
            try:
                write(sink)
            except ArtifactError as error:
                raise ActionError(error.code, f"{what}: {error.message}") from error
            sink.seek(0)
            return self._put(sink, ".zip", what)

    def _put(self, file: IO[bytes], suffix: str, what: str) -> Uploaded:
        digest = hashlib.sha256()
        while data := file.read(_CHUNK):
            digest.update(data)
        file.seek(0)
        bucket, key = self.bucket(what), f"{_PREFIX}/{digest.hexdigest()}{suffix}"
        self._client = self._client or client(self._job, "s3")
        # The client knows the address of its region, and an emulator's too.
        address: str = self._client.meta.endpoint_url
        uploaded = Uploaded(bucket, key, f"{address.rstrip('/')}/{bucket}/{key}")
        if not self._is_there(bucket, key):
            with calls():
                self._client.put_object(Bucket=bucket, Key=key, Body=file)
            self._job.log(f"Uploaded {what} to {uploaded.uri}")
        return uploaded

    def _is_there(self, bucket: str, key: str) -> bool:
        """Whether an upload of this content is there; one who may not ask uploads."""
        try:
            with calls():
                self._client.head_object(Bucket=bucket, Key=key)
        except ActionError as error:
            # S3 answers 403 instead of 404 to one who may not list; the upload itself then tells.
            if isinstance(error.__cause__, ClientError):
                return False
            raise
        return True
