"""Says in the words of kstatus what becomes of an object: current, on its way, failed, leaving."""

from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    """What kstatus says of an object."""

    CURRENT = "Current"
    IN_PROGRESS = "InProgress"
    FAILED = "Failed"
    TERMINATING = "Terminating"


@dataclass(frozen=True, slots=True)
class Verdict:
    """A status and why, in the object's own words where it has some."""

    status: Status
    message: str = ""


CURRENT = Verdict(Status.CURRENT)


def waiting(message: str) -> Verdict:
    """Return the verdict on an object that is on its way."""
    return Verdict(Status.IN_PROGRESS, message)


def failed(message: str) -> Verdict:
    """Return the verdict on an object that does not get there."""
    return Verdict(Status.FAILED, message)


def short(counts: list[tuple[str, int, int]]) -> Verdict | None:
    """Return the verdict on the first count, by name, that has less than it wants; None without."""
    return next(
        (waiting(f"{name}: {have}/{want}") for name, have, want in counts if have < want), None
    )


def surplus(have: int, want: int) -> Verdict | None:
    """Return the verdict on more than is wanted, which has yet to go."""
    return waiting(f"pending termination: {have - want}") if have > want else None
