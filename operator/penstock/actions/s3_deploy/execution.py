"""S3 (Deploy, P-48): writes objects over those of the same keys, and deletes none."""

import uuid
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from boto3.s3.transfer import TransferConfig

from penstock.actions import aws
from penstock.actions.execution import ActionError, Job, Outcome
from penstock.actions.s3_deploy.content import Content, content_of
from penstock.artifacts.errors import ArtifactError
from penstock.artifacts.folders import FolderBounds, files_in
from penstock.artifacts.zipping import zip_folder

# Each file is a request: more is a wrong artifact.
_MAX_FILES = 100_000
# Uploads at once: enough to hide latency, few enough for the agent's memory.
_AT_ONCE = 8
# Above this boto3 sends parts, of which only some are in memory.
_MULTIPART_BYTES = 16 * 1024 * 1024
# A file's parts go up one after the other; files go up side by side. So memory stays flat.
_TRANSFER = TransferConfig(
    multipart_threshold=_MULTIPART_BYTES, max_concurrency=2, use_threads=False
)


def run(job: Job) -> Outcome:
    """Upload the input artifact; raise ActionError for what the bucket does not take."""
    configuration = job.request.configuration
    folder = next(iter(job.inputs.values()))
    bounds = FolderBounds(
        min(_MAX_FILES, job.request.limits.artifact_entries), job.request.limits.artifact_bytes
    )
    upload = _Upload(job, aws.client(job, "s3"))
    try:
        if configuration["Extract"] == "true":
            upload.files(folder, bounds)
        else:
            upload.zipped(folder, bounds)
    except ArtifactError as error:
        raise ActionError(error.code, error.message) from error
    return Outcome(summary=upload.told())


def _filled_in(key: str) -> str:
    """Return a key with what it asks for in place of ``{datetime}`` and ``{uuid}`` (W-10)."""
    now = datetime.now(UTC).strftime("%Y-%m-%d_%H-%M-%S")
    return key.replace("{datetime}", now).replace("{uuid}", str(uuid.uuid4())).strip("/")


class _Upload:
    """Uploads to the bucket of one action, and counts them."""

    def __init__(self, job: Job, client: Any) -> None:
        configuration = job.request.configuration
        self._job, self._client = job, client
        self._bucket, self._key = (
            configuration["BucketName"],
            _filled_in(configuration.get("ObjectKey", "")),
        )
        self._arguments = {
            "ACL": configuration.get("CannedACL"),
            "CacheControl": configuration.get("CacheControl"),
            "SSEKMSKeyId": (kms := configuration.get("KMSEncryptionKeyARN")),
            "ServerSideEncryption": "aws:kms" if kms else None,
        }
        self._count = self._bytes = 0

    def told(self) -> str:
        """Return what was done, in one line."""
        what = f"{self._count} object{'' if self._count == 1 else 's'}, {self._bytes} bytes"
        return f"{what}, to s3://{self._bucket}/{self._key}"

    def files(self, folder: Path, bounds: FolderBounds) -> None:
        """Upload each file under its path; the first refusal ends it, after what is on its way."""
        pool = ThreadPoolExecutor(_AT_ONCE)
        running: set[Future[tuple[str, int]]] = set()
        try:
            for key, path in self._keys(folder, bounds):
                self._job.remaining()
                running.add(pool.submit(self._put, key, path, content_of(path.name)))
                if len(running) >= _AT_ONCE:
                    running = self._counted(running)
            while running:
                running = self._counted(running)
        except Exception:
            pool.shutdown(cancel_futures=True)
            raise
        except BaseException:
            # The pod is about to end: whoever waits for an upload now is killed while it waits.
            pool.shutdown(wait=False, cancel_futures=True)
            raise
        pool.shutdown()

    def zipped(self, folder: Path, bounds: FolderBounds) -> None:
        """Upload the artifact as one zip."""
        path = self._job.scratch / "artifact.zip"
        with path.open("wb") as sink:
            zip_folder(folder, sink, bounds)
        self._count_one(*self._put(self._key, path, Content("application/zip")))

    def _keys(self, folder: Path, bounds: FolderBounds) -> Iterator[tuple[str, Path]]:
        for name, path in files_in(folder, bounds):
            yield (f"{self._key}/{name}" if self._key else name), path

    def _counted(self, running: set[Future[tuple[str, int]]]) -> set[Future[tuple[str, int]]]:
        """Wait until one upload ends; return those that go on, raise the ended one's exception."""
        ended, going = wait(running, self._job.remaining(), return_when=FIRST_COMPLETED)
        for future in ended:
            self._count_one(*future.result())
        return going

    def _count_one(self, key: str, size: int) -> None:
        self._count, self._bytes = self._count + 1, self._bytes + size
        self._job.log(f"Uploaded s3://{self._bucket}/{key} ({size} bytes)")

    def _put(self, key: str, path: Path, content: Content) -> tuple[str, int]:
        given = {
            **self._arguments,
            "ContentType": content.type,
            "ContentEncoding": content.encoding,
        }
        with aws.calls(), path.open("rb") as file:
            self._client.upload_fileobj(
                file,
                self._bucket,
                key,
                ExtraArgs={name: value for name, value in given.items() if value},
                Config=_TRANSFER,
            )
        return key, path.stat().st_size
