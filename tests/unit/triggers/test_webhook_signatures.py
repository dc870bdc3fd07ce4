"""Who made a delivery: the values of the hosts' own pages, and everything near them refused."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from penstock.api.kinds.connection import ProviderType
from penstock.triggers.receiver.deliveries import Delivery, UnreadableError, read
from penstock.triggers.receiver.signatures import Signed, is_from_host

SECRET = b"It's a Secret to Everybody"
BODY = b"Hello, World!"
# From GitHub's page on validating webhook deliveries.
GITHUB = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
# From the page of the Standard Webhooks specification.
STANDARD_SECRET = b"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
STANDARD_BODY = b'{"test": 2432232314}'
STANDARD = {
    "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
    "webhook-timestamp": "1614265330",
    "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
}
STANDARD_TIME = 1614265330.0


def accepted(
    kind: ProviderType, headers: dict[str, str], secret: bytes, body: bytes, now: float = 0.0
) -> bool:
    return is_from_host(kind, secret, Signed(CIMultiDict(headers), body, now))


def basic(password: str) -> dict[str, str]:
    return {"authorization": "Basic " + base64.b64encode(f"any:{password}".encode()).decode()}


GOOD = [
    (ProviderType.GITHUB, {"x-hub-signature-256": f"sha256={GITHUB}"}),
    (ProviderType.GITHUB_ENTERPRISE_SERVER, {"X-Hub-Signature-256": f"sha256={GITHUB}"}),
    (ProviderType.BITBUCKET, {"X-Hub-Signature": f"sha256={GITHUB}"}),
    (ProviderType.GITEA, {"X-Gitea-Signature": GITHUB}),
    (ProviderType.FORGEJO, {"X-Forgejo-Signature": GITHUB}),
    (ProviderType.GITLAB, {"X-Gitlab-Token": SECRET.decode()}),
    (ProviderType.AZURE_DEVOPS, basic(SECRET.decode())),
]


@pytest.mark.parametrize(("kind", "headers"), GOOD)
def test_delivery_that_was_made_with_the_secret_is_taken(
    kind: ProviderType, headers: dict[str, str]
) -> None:
    assert accepted(kind, headers, SECRET, BODY)
    assert not accepted(kind, headers, SECRET + b"x", BODY)
    assert not accepted(kind, headers, b"", BODY), "no secret accepts nothing"
    assert not accepted(kind, {}, SECRET, BODY)
    if kind not in (ProviderType.GITLAB, ProviderType.AZURE_DEVOPS):
        assert not accepted(kind, headers, SECRET, BODY + b" ")


def test_signature_of_the_standard_is_taken_within_its_time() -> None:
    def check(headers: dict[str, str], now: float) -> bool:
        return accepted(ProviderType.GITLAB, headers, STANDARD_SECRET, STANDARD_BODY, now)

    assert check(STANDARD, STANDARD_TIME)
    assert check(STANDARD, STANDARD_TIME + 299)
    assert not check(STANDARD, STANDARD_TIME + 301)
    several = {**STANDARD, "webhook-signature": f"v1,AAAA v1a,x {STANDARD['webhook-signature']}"}
    assert check(several, STANDARD_TIME)
    # A token beside a wrong signature does not help.
    wrong = {**STANDARD, "webhook-signature": "v1,AAAA", "X-Gitlab-Token": STANDARD_SECRET.decode()}
    assert not check(wrong, STANDARD_TIME)


@given(
    st.sampled_from(list(ProviderType)),
    st.dictionaries(
        st.sampled_from([*STANDARD, *(key for _, headers in GOOD for key in headers)]),
        st.text(max_size=80),
    ),
    st.binary(max_size=200),
)
def test_no_header_and_no_body_pass_or_crash_without_the_secret(
    kind: ProviderType, headers: dict[str, str], body: bytes
) -> None:
    assert not accepted(kind, headers, b"a secret that nobody guesses", body)


# ---- what is told

PUSHES = [
    (ProviderType.GITHUB, {"X-GitHub-Event": "push"}, {"repository": {"full_name": "octo/shop"}}),
    (
        ProviderType.GITLAB,
        {"X-Gitlab-Event": "Push Hook"},
        {"project": {"path_with_namespace": "a/b/shop"}},
    ),
    (
        ProviderType.GITLAB,
        {"X-Gitlab-Event": "Tag Push Hook"},
        {"project": {"path_with_namespace": "a/b/shop"}},
    ),
    (ProviderType.BITBUCKET, {"X-Event-Key": "repo:push"}, {"repository": {"full_name": "t/shop"}}),
    (ProviderType.GITEA, {"X-Gitea-Event": "push"}, {"repository": {"full_name": "t/shop"}}),
    (
        ProviderType.GITHUB,
        {"X-GitHub-Event": "pull_request"},
        {"action": "opened", "repository": {"full_name": "octo/shop"}},
    ),
    (
        ProviderType.GITLAB,
        {"X-Gitlab-Event": "Merge Request Hook"},
        {"project": {"path_with_namespace": "a/b/shop"}},
    ),
    (
        ProviderType.AZURE_DEVOPS,
        {},
        {
            "id": "d-1",
            "eventType": "git.push",
            "resource": {
                "repository": {"remoteUrl": "https://dev.azure.com/org/my%20project/_git/shop"}
            },
        },
    ),
]
NAMES = [
    "octo/shop", "a/b/shop", "a/b/shop", "t/shop", "t/shop", "octo/shop", "a/b/shop",
    "org/my project/shop",
]  # fmt: skip


@pytest.mark.parametrize(
    ("push", "name"), list(zip(PUSHES, NAMES, strict=True)), ids=[kind for kind, *_ in PUSHES]
)
def test_push_or_pull_request_tells_of_its_repository(
    push: tuple[ProviderType, dict[str, str], object], name: str
) -> None:
    kind, headers, body = push
    assert read(kind, CIMultiDict(headers), json.dumps(body).encode()).repository == name


def test_delivery_has_an_id_and_other_events_tell_nothing() -> None:
    headers = CIMultiDict({"X-GitHub-Event": "ping", "X-GitHub-Delivery": "72d3162e"})
    assert read(ProviderType.GITHUB, headers, b'{"zen": "x"}') == Delivery("72d3162e", "")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"payload=%7B%7D",
        b"{}",
        b'{"repository": []}',
        b'{"repository": {"full_name": 5}}',
        b'{"repository": {"full_name": "a\\u0000b"}}',
        b"[" * 100_000,
        json.dumps({"repository": {"full_name": "x" * 501}}).encode(),
    ],
)
def test_push_that_names_no_repository_is_unreadable(body: bytes) -> None:
    with pytest.raises(UnreadableError):
        read(ProviderType.GITHUB, CIMultiDict({"X-GitHub-Event": "push"}), body)


@given(
    st.sampled_from(list(ProviderType)),
    st.sampled_from(["push", "Push Hook", "repo:push", "create", ""]),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["repository", "project", "resource", "full_name", "remoteUrl", "eventType"]
                ),
                inner,
                max_size=4,
            )
        ),
    ),
)
def test_no_document_crashes_the_reader(kind: ProviderType, event: str, body: object) -> None:
    headers = CIMultiDict({"X-GitHub-Event": event} if event else {})
    try:
        delivery = read(kind, headers, json.dumps(body).encode())
    except UnreadableError:
        return
    assert delivery.repository.isprintable()


def test_hmac_is_the_one_that_the_library_makes() -> None:
    assert hmac.new(SECRET, BODY, hashlib.sha256).hexdigest() == GITHUB
