"""The refusals of the API server, by the name of the object to create (law: news).

The run that wanted the object reports the refusal.
"""

from collections import OrderedDict
from datetime import datetime

from penstock.cluster.errors import (
    AlreadyExistsError,
    ClusterError,
    ConflictError,
    ExpiredError,
    ForbiddenError,
    InvalidError,
    UnavailableError,
)
from penstock.engine.snapshot import NAME_TAKEN, Refused

# Refusals of one namespace; that an older one is forgotten costs a request.
_REMEMBERED = 1_000

# The words of etcd, of the API server, and of the connection between the two.
_TOO_LARGE = (
    "request is too large",
    "Request entity too large",
    "trying to send message larger than max",
)

# A quota or a webhook is put right by people: to ask more often tells nothing.
_REFUSED_AGAIN_S = 5.0


class NameTakenError(Exception):
    """A name is taken by an object that is not the one we meant."""


class Refusals:
    """Refusals by namespace and name."""

    def __init__(self) -> None:
        self._of: dict[str, OrderedDict[str, Refused]] = {}

    def add(self, namespace: str, name: str, refusal: Refused) -> None:
        """Remember a refusal."""
        refusals = self._of.setdefault(namespace, OrderedDict())
        refusals[name] = refusal
        # Refused again it is the youngest, and is forgotten last.
        refusals.move_to_end(name)
        while len(refusals) > _REMEMBERED:
            refusals.popitem(last=False)

    def forget(self, namespace: str, name: str) -> None:
        """Forget a refusal: what it was about is there."""
        if refusals := self._of.get(namespace):
            refusals.pop(name, None)
            if not refusals:
                del self._of[namespace]

    def of(self, namespace: str) -> dict[str, Refused]:
        """Return the refusals of a namespace."""
        return dict(self._of.get(namespace, {}))


def refusal_of(error: ClusterError | NameTakenError, now: datetime) -> Refused | None:
    """Return what an answer refuses, for good or for now.

    None if the answer says nothing about the object.
    """
    text = str(error)
    if isinstance(error, NameTakenError):
        return Refused(NAME_TAKEN, text, now)
    if error.status == 413 or any(words in text for words in _TOO_LARGE):
        return Refused("TooLarge", text, now, is_final=True)
    if isinstance(error, InvalidError):
        return Refused("Invalid", text, now, is_final=True)
    if isinstance(error, ForbiddenError):
        return Refused(_why_forbidden(text), text, now)
    # The API server answers so when an admission webhook fails.
    if isinstance(error, UnavailableError) and error.status == 500:
        return Refused("InternalError", text, now)
    if isinstance(error, AlreadyExistsError | ConflictError | ExpiredError | UnavailableError):
        return None
    return (
        Refused("Refused", text, now) if 400 <= error.status < 500 and error.status != 404 else None
    )


def _why_forbidden(text: str) -> str:
    if "exceeded quota" in text:
        return "QuotaExceeded"
    if "being terminated" in text:
        return "NamespaceTerminating"
    return "Forbidden"


class PassRefusals:
    """The refusals of one pass, and when to look again.

    A new refusal is looked at again at once, a repeated one later.
    """

    def __init__(self) -> None:
        self.names: list[str] = []
        self.again_s = _REFUSED_AGAIN_S

    def add(self, name: str, *, is_new: bool) -> None:
        """Note a refusal."""
        self.names.append(name)
        if is_new:
            self.again_s = 0.0
