"""Whether a delivery comes from who knows the webhook's secret: each host shows it in its own way.

All comparisons are of the raw body and in constant time.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable, Mapping
from typing import NamedTuple

from penstock.api.kinds.connection import ProviderType

Headers = Mapping[str, str]
"""Of a request, by their names in any case."""
# A signature of the standard is good for so long, so that it is of no use to who finds it later.
_TOLERANCE_S = 300.0


class Signed(NamedTuple):
    """What a delivery shows: its headers, its body as it came, and when it came (Unix seconds)."""

    headers: Headers
    body: bytes
    now: float


def is_from_host(provider_type: ProviderType, secret: bytes, delivery: Signed) -> bool:
    """Return whether the delivery was made with the secret; False for hosts without webhooks."""
    check = _CHECKS.get(provider_type)
    return bool(secret) and check is not None and check(secret, delivery)


def _hub(name: str) -> Callable[[bytes, Signed], bool]:
    """Return the check of a header ``sha256=`` with the HMAC in hex."""

    def check(secret: bytes, delivery: Signed) -> bool:
        scheme, _, given = delivery.headers.get(name, "").partition("=")
        return scheme == "sha256" and _is_hmac(secret, delivery.body, given)

    return check


def _gitea(secret: bytes, delivery: Signed) -> bool:
    given = delivery.headers.get("X-Gitea-Signature") or delivery.headers.get(
        "X-Forgejo-Signature", ""
    )
    return _is_hmac(secret, delivery.body, given)


def _gitlab(secret: bytes, delivery: Signed) -> bool:
    """A signing secret gives a signature of the standard, a token only itself."""
    if "webhook-signature" in delivery.headers:
        return _standard(secret, delivery)
    given = delivery.headers.get("X-Gitlab-Token", "").encode("utf-8", "replace")
    return hmac.compare_digest(given, secret)


def _standard(secret: bytes, delivery: Signed) -> bool:
    """Check a signature as standardwebhooks.com has it: of id, time and body."""
    name, when = (delivery.headers.get(f"webhook-{key}", "") for key in ("id", "timestamp"))
    if not (when.isascii() and when.isdigit() and len(when) < 12):
        return False
    if abs(delivery.now - int(when)) > _TOLERANCE_S:
        return False
    try:
        key = base64.b64decode(secret.removeprefix(b"whsec_"), validate=True)
    except binascii.Error:
        return False
    signed = b".".join((name.encode("utf-8", "replace"), when.encode(), delivery.body))
    wanted = base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
    given = delivery.headers.get("webhook-signature", "").split()
    # Several while a secret is changed; each is compared, whatever the others are.
    found = [_equal(item.removeprefix("v1,"), wanted) for item in given if item[:3] == "v1,"]
    return any(found)


def _azure(secret: bytes, delivery: Signed) -> bool:
    """Azure DevOps signs nothing: its password is the secret, its user is anything."""
    scheme, _, given = delivery.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return False
    try:
        _, _, password = base64.b64decode(given, validate=True).partition(b":")
    except binascii.Error:
        return False
    return hmac.compare_digest(password, secret)


def _is_hmac(secret: bytes, body: bytes, given: str) -> bool:
    return _equal(given.lower(), hmac.new(secret, body, hashlib.sha256).hexdigest())


def _equal(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "replace"), wanted.encode())


_CHECKS: Mapping[ProviderType, Callable[[bytes, Signed], bool]] = {
    ProviderType.GITHUB: _hub("X-Hub-Signature-256"),
    ProviderType.GITHUB_ENTERPRISE_SERVER: _hub("X-Hub-Signature-256"),
    ProviderType.BITBUCKET: _hub("X-Hub-Signature"),
    ProviderType.GITLAB: _gitlab,
    ProviderType.GITLAB_SELF_MANAGED: _gitlab,
    ProviderType.AZURE_DEVOPS: _azure,
    ProviderType.GITEA: _gitea,
    ProviderType.FORGEJO: _gitea,
}
