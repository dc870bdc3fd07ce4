"""Keys within the store. One function encodes every part, so no name can reach another name's key.

Artifacts stand below their pipeline's uid; claims, logs, reports and objects have trees of their
own, which no uid equals.
"""

from urllib.parse import quote, unquote

from penstock.api.contract.contracts import Attempt


def encode_part(text: str) -> str:
    """Return a key part, distinct for each text: never empty, ``.`` or ``..``, without ``/``."""
    encoded = quote(text, safe="", errors="surrogatepass")
    # No other text is encoded as a lone percent sign.
    if not encoded:
        return "%"
    # In a volume `.` and `..` would lead to other folders.
    return encoded.replace(".", "%2E") if not encoded.strip(".") else encoded


def decode_part(part: str) -> str:
    """Undo `encode_part`."""
    return "" if part == "%" else unquote(part, errors="surrogatepass")


def key_of(*parts: str) -> str:
    """Return the key made of these parts."""
    return "/".join(encode_part(part) for part in parts)


def artifact_key(attempt: Attempt, pod_uid: str, name: str) -> str:
    """Return the key under which one try stores an output artifact.

    No other execution ever has that key (A-03).
    """
    return key_of(*_try_parts(attempt), pod_uid, name)


def log_key(attempt: Attempt, pod_uid: str) -> str:
    """Return where one try stores its log."""
    return key_of("logs", *_try_parts(attempt), pod_uid)


def report_key(attempt: Attempt, pod_uid: str, name: str) -> str:
    """Return where one try stores the report of a report group."""
    return key_of("reports", *_try_parts(attempt), pod_uid, name)


def object_key(attempt: Attempt, pod_uid: str, name: str) -> str:
    """Return the key of an object that is no artifact, for one try.

    The try hands the object to a function, or takes it from one.
    """
    return key_of("objects", *_try_parts(attempt), pod_uid, name)


def claim_key(attempt: Attempt) -> str:
    """Return the key that the first pod of a try creates, and only the first."""
    return key_of(
        "claims",
        attempt.run_uid,
        attempt.stage,
        attempt.action,
        str(attempt.attempt),
        str(attempt.try_),
    )


def _try_parts(attempt: Attempt) -> tuple[str, ...]:
    return (
        # The pod's uid, which each key adds, tells the tries of an attempt apart.
        attempt.pipeline_uid,
        attempt.run_uid,
        attempt.stage,
        attempt.action,
        str(attempt.attempt),
    )
