"""Names of child objects, made from CodePipeline names of any legal length and alphabet.

CodePipeline allows 100 characters, upper case and ``_ . @`` (N-01); Kubernetes does not. A child is
named ``<slug of at most 30>-<hash of 12>``: at most 43 characters, so that the Job controller's
suffix still fits.
"""

import hashlib
import re

# Of a Job's 63 characters: so many tell people what it is.
_SLUG_LENGTH = 30
# 48 bits: two names of one namespace meet once in 16 million objects.
_HASH_LENGTH = 12
_NOT_DNS = re.compile(r"[^a-z0-9]+")


def hash_of(*parts: str | int) -> str:
    """Return 12 hex digits that stand for the parts; ("a", "b") and ("ab",) differ."""
    digest = hashlib.sha256()
    for part in parts:
        data = str(part).encode("utf-8", "surrogatepass")
        digest.update(len(data).to_bytes(8, "big") + data)
    return digest.hexdigest()[:_HASH_LENGTH]


def slug_of(text: str) -> str:
    """Return a readable DNS label of at most 30 characters; ``x`` if nothing readable is left."""
    return _NOT_DNS.sub("-", text.lower()).strip("-")[:_SLUG_LENGTH].rstrip("-") or "x"


def child_name(readable: str, *identity: str | int) -> str:
    """Return the name of a child object: readable to people, unique by its identity."""
    return f"{slug_of(readable)}-{hash_of(*identity)}"


def job_name(run_uid: str, stage: str, action: str, attempt: int, try_: int) -> str:
    """Return the name of the Job of one try; the same try has the same name after any crash."""
    return child_name(action, run_uid, stage, action, attempt, try_)


def approval_name(run_uid: str, stage: str, action: str, attempt: int) -> str:
    """Return the name of the Approval of one attempt; never that of a Job."""
    return child_name(action, run_uid, stage, action, attempt, "approval")


def approval_token(run_uid: str, stage: str, action: str, attempt: int) -> str:
    """Return the token of an Approval, unique to its attempt (P-61).

    The same attempt always has the same token.
    """
    parts = [hash_of(run_uid, stage, action, attempt, f"token-{number}") for number in range(3)]
    return "-".join(parts)


def pipeline_label(namespace: str, name: str) -> str:
    """Return the label of everything that runs for a pipeline.

    It uses the name, so a recreated pipeline shares its locks.
    """
    return hash_of(namespace, name)
