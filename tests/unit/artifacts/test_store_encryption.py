"""Artifacts are encrypted with the pipeline's own key, as moto's S3 server sees it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from penstock.api.contract.contracts import StoreLocation
from penstock.artifacts.store.opening import open_store
from penstock.artifacts.store.store import PART_BYTES
from tests.unit.actions.aws_server import REGION, aws_client, moto_server
from tests.unit.artifacts.test_store import credentials

KEY = "arn:aws:kms:us-east-1:111122223333:key/x"


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with moto_server() as found:
        yield found


@pytest.mark.parametrize("size", [3, PART_BYTES + 1])
@pytest.mark.parametrize("key", [KEY, None])
def test_definition_13_objects_are_written_with_the_key_that_the_pipeline_names(
    address: str, tmp_path: Path, size: int, key: str | None
) -> None:
    bucket, client = f"b-{size}-{bool(key)}".lower(), aws_client(address, "s3")
    client.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    store = open_store(
        StoreLocation(bucket, address, REGION, credentials(tmp_path), kms_key=key), 20
    )
    with store.upload("artifact", size) as upload:
        upload.write(bytes(size))

    head = client.head_object(Bucket=bucket, Key="artifact")
    assert head["ContentLength"] == size
    assert (head.get("ServerSideEncryption"), head.get("SSEKMSKeyId")) == (
        ("aws:kms", KEY) if key else (None, None)
    )
