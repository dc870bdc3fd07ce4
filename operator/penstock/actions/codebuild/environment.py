"""What commands of a build find in their environment (B-13, B-70).

Of AWS's variables these have no honest value here and are not set: what holds an ARN, an account, a
URL or a key of KMS, the webhook's, and the batch's.
"""

import re
from collections.abc import Mapping

from penstock.actions.execution import Job
from penstock.api.contract.contracts import ActionRequest, Build

_RESERVED = "CODEBUILD_"
_NO_NAME = re.compile("[^A-Za-z0-9_]")


def build_id(request: ActionRequest, build: Build) -> str:
    """Return project:id, unique for each try (P-12)."""
    attempt = request.attempt
    return f"{build.project}:{attempt.run_uid}-{attempt.attempt}-{attempt.try_}"


def environment(job: Job, build: Build, variables: Mapping[str, str]) -> dict[str, str]:
    """Return commands' variables: action over project over buildspec (B-13), reserved last (B-70).

    A project with a serviceRole gives the role's keys, which any variable of
    the same name replaces.
    """
    given = {
        **_region(build),
        **_identity(job),
        **variables,
        **build.environment,
        **build.overrides,
    }
    free = {name: value for name, value in given.items() if not name.startswith(_RESERVED)}
    return {**free, **_reserved(job, build)}


def _region(build: Build) -> dict[str, str]:
    return dict.fromkeys(("AWS_DEFAULT_REGION", "AWS_REGION"), build.region) if build.region else {}


def _identity(job: Job) -> dict[str, str]:
    if job.request.aws is None:
        return {}
    from penstock.actions import (
        aws,
    )  # boto3 costs more time than a whole build that does not call AWS

    return aws.environment(job)


def _reserved(job: Job, build: Build) -> dict[str, str]:
    request = job.request
    found = {
        "CODEBUILD_BUILD_ID": build_id(request, build),
        "CODEBUILD_BUILD_IMAGE": build.image,
        # There is no counter of a project's builds: the time in seconds grows as one would.
        "CODEBUILD_BUILD_NUMBER": str(build.started_ms // 1000),
        "CODEBUILD_BUILD_SUCCEEDING": "1",
        "CODEBUILD_INITIATOR": f"codepipeline/{request.attempt.pipeline}",
        "CODEBUILD_LOG_PATH": job.log_key,
        "CODEBUILD_START_TIME": str(build.started_ms),
        **_source_versions(job),
    }
    if build.source_revision:
        found["CODEBUILD_RESOLVED_SOURCE_VERSION"] = build.source_revision
    return found


def _source_versions(job: Job) -> dict[str, str]:
    """Return where each input artifact is stored, the primary one without its name."""
    store = job.request.store
    head = f"{store.bucket}/" if store.folder else f"arn:aws:s3:::{store.bucket}/"
    names = {
        item.name: "" if job.inputs[item.name] == job.source else f"_{item.name}"
        for item in job.request.inputs
    }
    return {
        f"CODEBUILD_SOURCE_VERSION{_NO_NAME.sub('_', names[item.name])}": head + item.key
        for item in job.request.inputs
    }
