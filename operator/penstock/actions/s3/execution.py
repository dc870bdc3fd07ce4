"""S3 (Source, P-03): one version of an object becomes the output artifact."""

import shutil
from pathlib import Path

from penstock.actions.execution import REVISION_UNAVAILABLE, ActionError, Job, Outcome
from penstock.api.contract.contracts import Revision, StoreLocation
from penstock.artifacts.archives import unpack_any
from penstock.artifacts.errors import ArtifactError
from penstock.artifacts.store.errors import MissingObjectError
from penstock.artifacts.store.opening import open_store
from penstock.artifacts.store.store import Found
from penstock.artifacts.unpacking import Caps

_SUMMARY = "codepipeline-artifact-revision-summary"
# A result must fit a termination message of 4 KiB.
_SUMMARY_BYTES = 1000


def run(job: Job) -> Outcome:
    """Fetch the wanted version of the object and unpack it into the source folder."""
    configuration, wanted = job.request.configuration, job.request.revision
    where = f"s3://{configuration['S3Bucket']}/{configuration['S3ObjectKey']}" + (
        f" version {wanted}" if wanted else ""
    )
    job.log(f"Fetching {where}")
    downloaded = job.scratch / "object"
    try:
        found = _fetch(job, downloaded)
        _unpack(job, downloaded, where)
    except MissingObjectError as error:
        raise ActionError(REVISION_UNAVAILABLE, f"{where} was not found") from error
    except ArtifactError as error:
        raise ActionError(error.code, error.message) from error
    return _outcome(configuration["S3Bucket"], configuration["S3ObjectKey"], found)


def _fetch(job: Job, target: Path) -> Found:
    configuration, limits = job.request.configuration, job.request.limits
    secret = job.secret("CredentialsSecret")
    location = StoreLocation(
        configuration["S3Bucket"],
        endpoint=configuration.get("Endpoint"),
        region=configuration.get("Region"),
        credentials=str(secret) if secret else None,
    )
    store = open_store(location, limits.store_timeout_s, "The bucket")
    with target.open("wb") as file:
        return store.read(
            configuration["S3ObjectKey"], file, limits.artifact_bytes, job.request.revision
        )


def _unpack(job: Job, downloaded: Path, where: str) -> None:
    """Unpack an archive; any other object becomes the artifact's only file.

    The file has the name of the key's last part.
    """
    limits = job.request.limits
    caps = Caps(limits.artifact_entries, limits.artifact_bytes, limits.artifact_ratio)
    try:
        with downloaded.open("rb") as file:
            is_archive = unpack_any(file, job.source, caps)
    except ArtifactError as error:
        raise ActionError(error.code, f"{where}: {error.message}") from error
    if is_archive:
        downloaded.unlink()
        return
    job.log(f"{where} is no archive: it becomes a file of the artifact")
    target = job.source / job.request.configuration["S3ObjectKey"].rpartition("/")[2]
    # The agent's scratch folder and the workspace are two volumes.
    shutil.move(downloaded, target)
    target.chmod(0o664)


def _outcome(bucket: str, key: str, found: Found) -> Outcome:
    """Return W-23's variables; the ETag is the revision if the bucket keeps no versions (X-87)."""
    version = found.version or found.etag
    given = found.metadata.get(_SUMMARY, "").encode()[:_SUMMARY_BYTES].decode("utf-8", "ignore")
    summary = given or (f"Amazon S3 version id: {version}" if found.version else f"ETag: {version}")
    return Outcome(
        variables={
            "BucketName": bucket,
            "ETag": found.etag,
            "ObjectKey": key,
            "VersionId": version,
        },
        revision=Revision(id=version, summary=summary, created=found.modified),
        external_execution_id=version,
        summary=summary,
    )
