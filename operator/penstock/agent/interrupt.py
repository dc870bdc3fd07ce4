"""Turns SIGTERM (the pod is being deleted) into an exception wherever the agent is, once."""

import signal
from types import FrameType


class Interrupted(BaseException):
    """The pod is being deleted. Not an Exception, so no error handling takes it for a failure."""


def watch() -> None:
    """Raise Interrupted in the main thread at the first SIGTERM; later ones change nothing."""
    signal.signal(signal.SIGTERM, _interrupt)


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise Interrupted


def ignore() -> None:
    """Let nothing interrupt what follows: the result is being written."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
