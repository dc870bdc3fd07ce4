"""The event that a function gets: CodePipeline's own, so functions for it need no change (P-70)."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from penstock.actions.execution import StoredObject
from penstock.api.contract.contracts import ActionRequest


class Locations(NamedTuple):
    """Where input and output zips are, by name; ``credentials`` open them, if the action asks."""

    inputs: Mapping[str, StoredObject]
    outputs: Mapping[str, StoredObject]
    credentials: Mapping[str, str] | None = None


def event_of(
    request: ActionRequest, job_id: str, locations: Locations, token: str, endpoint: str
) -> dict[str, Any]:
    """Return one job's event: CodePipeline's, plus ``endpoint`` that takes PutJobSuccessResult."""
    given = {key: request.configuration.get(key) for key in ("FunctionName", "UserParameters")}
    data: dict[str, Any] = {
        "actionConfiguration": {
            "configuration": {key: value for key, value in given.items() if value is not None}
        },
        "inputArtifacts": [_artifact(name, where) for name, where in locations.inputs.items()],
        "outputArtifacts": [_artifact(name, where) for name, where in locations.outputs.items()],
    }
    if locations.credentials:
        data["artifactCredentials"] = dict(locations.credentials)
    if token:
        data["continuationToken"] = token
    account = _account(request.configuration["FunctionName"])
    return {
        "CodePipeline.job": {"id": job_id, "accountId": account, "data": data, "endpoint": endpoint}
    }


def _artifact(name: str, where: StoredObject) -> dict[str, Any]:
    place = {"bucketName": where.bucket, "objectKey": where.key}
    if where.endpoint:
        place["endpoint"] = where.endpoint
    return {"name": name, "revision": None, "location": {"type": "S3", "s3Location": place}}


def _account(function: str) -> str:
    parts = function.split(":")
    return parts[4] if parts[0] == "arn" and len(parts) > 4 else ""
