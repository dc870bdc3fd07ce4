"""A clock for code that measures time."""

from __future__ import annotations


class Clock:
    """Stands for the module ``time`` or for ``time.monotonic``; tests move it, in seconds."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def monotonic(self) -> float:
        """Return the time, as `time.monotonic` does."""
        return self.now

    __call__ = monotonic
