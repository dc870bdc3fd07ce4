"""The store: claims are exclusive, bytes are verified, and each way to fail says which it is."""

import hashlib
import io
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from obstore.store import LocalStore, MemoryStore

from penstock.api.contract.contracts import ArtifactLocation, Attempt, StoreLocation
from penstock.api.contract.keys import (
    artifact_key,
    claim_key,
    decode_part,
    encode_part,
    key_of,
    log_key,
)
from penstock.artifacts.errors import ArtifactError
from penstock.artifacts.store import errors
from penstock.artifacts.store.opening import open_store
from penstock.artifacts.store.store import PART_BYTES, Store
from tests.unit.artifacts.s3_server import S3Server


@pytest.fixture(params=["memory", "volume"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    return Store(MemoryStore() if request.param == "memory" else LocalStore(tmp_path), "The store")


def credentials(tmp_path: Path) -> str:
    (tmp_path / "accessKeyId").write_text("key-id")
    (tmp_path / "secretAccessKey").write_text("secret-canary\n")
    return str(tmp_path)


def s3(address: str, tmp_path: Path, timeout_s: float = 5) -> Store:
    return open_store(
        StoreLocation("bucket", address, "eu-central-1", credentials(tmp_path)), timeout_s
    )


def test_claim_is_given_once(store: Store) -> None:
    assert store.claim("claims/x", b"one") == b"one"
    assert store.claim("claims/x", b"two") == b"one"


@pytest.mark.parametrize("size", [0, 1, PART_BYTES - 1, PART_BYTES * 2 + 5])
def test_upload_and_fetch_agree_on_size_and_hash(store: Store, size: int) -> None:
    data = os.urandom(1024) * (size // 1024) + bytes(size % 1024)
    with store.upload("a/b", 1 << 30) as upload:
        for start in range(0, size, 100_000):
            upload.write(data[start : start + 100_000])
    location = ArtifactLocation("A", "a/b", upload.size, upload.digest.hexdigest())
    assert (location.size, location.sha256) == (size, hashlib.sha256(data).hexdigest())
    target = io.BytesIO()
    store.fetch(location, target)
    assert target.getvalue() == data


def test_upload_that_fails_stores_nothing(store: Store) -> None:
    with pytest.raises(ZeroDivisionError), store.upload("a", 1 << 30) as upload:
        upload.write(bytes(PART_BYTES * 2))
        raise ZeroDivisionError
    with pytest.raises(ArtifactError, match="the object a does not exist"):
        store.fetch(ArtifactLocation("A", "a", 1, ""), io.BytesIO())


def test_upload_beyond_its_limit_is_refused(store: Store) -> None:
    with (
        pytest.raises(ArtifactError, match="larger than 10 bytes"),
        store.upload("a", 10) as upload,
    ):
        upload.write(bytes(11))


@pytest.mark.parametrize("change", [b"hellO", b"hell", b"hello more and more"])
def test_object_that_was_changed_is_refused(store: Store, change: bytes) -> None:
    with store.upload("a", 100) as upload:
        upload.write(change)
    wanted = ArtifactLocation("A", "a", 5, hashlib.sha256(b"hello").hexdigest())
    with pytest.raises(ArtifactError, match='Input artifact "A": the stored object is not the one'):
        store.fetch(wanted, io.BytesIO())


@pytest.mark.parametrize(
    ("status", "answer", "code", "message"),
    [
        (403, "InvalidAccessKeyId", "PermissionError", "the credentials are wrong, check the keys "
                                                       "in their Secret: "),
        (403, "SignatureDoesNotMatch", "PermissionError", "the credentials are wrong, check the "
                                                          "keys in their Secret"),
        (404, "XAdminUserNotFound", "PermissionError", "the credentials are wrong, check the keys "
                                                       "in their Secret"),
        (403, "AccessDenied", "PermissionError", "access to a/claim was denied: AccessDenied: told "
                                                 "by the server"),
        (404, "NoSuchBucket", "ConfigurationError", "the bucket does not exist"),
        (400, "AuthorizationHeaderMalformed", "ConfigurationError", "the region is not the "
                                                                    "bucket's: "),
        (500, "InternalError", "SystemUnavailable", "could not be reached or used: InternalError: "
                                                    "told by the server"),
    ],
)  # fmt: skip
def test_answer_of_the_server_becomes_a_code_and_a_message(
    tmp_path: Path, status: int, answer: str, code: str, message: str
) -> None:
    with S3Server(status, answer) as server, pytest.raises(ArtifactError) as caught:
        s3(server.address, tmp_path, 0.5).claim("a/claim", b"x")
    assert (caught.value.code, message in caught.value.message) == (code, True)
    assert f'The artifact store "bucket" at {server.address}' in caught.value.message
    assert "canary" not in caught.value.message


def test_endpoint_that_refuses_connections_fails_within_the_limit(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError) as caught:
        s3("http://127.0.0.1:1", tmp_path, 1).claim("a", b"x")
    assert (caught.value.code, "could not be reached" in caught.value.message) == (
        "SystemUnavailable",
        True,
    )


def test_server_that_never_answers_fails_within_the_limit(tmp_path: Path) -> None:
    with (
        S3Server(200, hang=True) as server,
        pytest.raises(ArtifactError, match="could not be reached"),
    ):
        s3(server.address, tmp_path, 0.8).claim("a", b"x")


def test_credentials_without_a_key_are_named(tmp_path: Path) -> None:
    (tmp_path / "accessKeyId").write_text("x")
    with pytest.raises(ArtifactError) as caught:
        open_store(StoreLocation("bucket", credentials=str(tmp_path)), 1)
    assert caught.value.code == "ConfigurationError"
    assert "credentials' Secret is missing, or has no key secretAccessKey" in caught.value.message


@pytest.mark.parametrize(
    "endpoint", ["not a url", "s3.example.com", "file:///etc", "http://", "http://a b"]
)
def test_endpoint_that_is_no_url_is_a_configuration_error(tmp_path: Path, endpoint: str) -> None:
    with pytest.raises(ArtifactError) as caught:
        s3(endpoint, tmp_path)
    assert (caught.value.code, "not an http or https URL" in caught.value.message) == (
        "ConfigurationError",
        True,
    )


texts = st.text(st.characters(), max_size=40) | st.sampled_from(
    [".", "..", "...", "", "%", "/", "a/b", "%2E"]
)


@given(texts)
def test_encoded_part_decodes_and_is_one_plain_name(text: str) -> None:
    part = encode_part(text)
    assert decode_part(part) == text
    assert part not in ("", ".", "..")
    assert part.isascii()
    assert part.isprintable()
    assert "/" not in part


@given(st.lists(texts, min_size=1, max_size=4), st.lists(texts, min_size=1, max_size=4))
def test_distinct_parts_give_distinct_keys(one: list[str], other: list[str]) -> None:
    assert (key_of(*one) == key_of(*other)) == (one == other)


def test_keys_of_a_try_stand_apart() -> None:
    attempt = Attempt("ns", "pipe", "P", "run", "R", "Build & Test", "a/b", 2, 3)
    assert artifact_key(attempt, "pod", "Out@1") == "P/R/Build%20%26%20Test/a%2Fb/2/pod/Out%401"
    assert log_key(attempt, "pod") == "logs/P/R/Build%20%26%20Test/a%2Fb/2/pod"
    assert claim_key(attempt) == "claims/R/Build%20%26%20Test/a%2Fb/2/3"


def test_volume_keeps_what_it_is_given_and_says_when_it_is_not_there(tmp_path: Path) -> None:
    volume = open_store(StoreLocation("claim", folder=str(tmp_path)), 1)
    assert volume.claim("claims/a", b"mine") == b"mine"
    assert (
        open_store(StoreLocation("claim", folder=str(tmp_path)), 1).claim("claims/a", b"theirs")
        == b"mine"
    )
    with pytest.raises(
        ArtifactError, match=r'The artifact store "claim" \(a volume\) is not there'
    ):
        open_store(StoreLocation("claim", folder=str(tmp_path / "nowhere")), 1)


def test_first_hour_message_of_a_server_is_shown_as_text_and_not_as_xml() -> None:
    answer = (
        "<Error><Code>InvalidArgument</Code><Message>key &#34;a&#34; &amp; "
        "&lt;b&gt;</Message></Error>"
    )
    assert errors._said(answer, "") == ("InvalidArgument", 'InvalidArgument: key "a" & <b>')
