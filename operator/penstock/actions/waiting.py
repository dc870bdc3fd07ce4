"""Waits for a service with growing pauses, through a while of throttling, until the deadline."""

import time
from collections.abc import Callable
from typing import TypeVar

from penstock.actions.execution import SYSTEM_UNAVAILABLE, ActionError, Job

# What is ready soon is seen soon.
_FIRST_S = 1.0
# Each pause is longer by so much.
_GROWTH = 1.3
# What takes hours is asked four times a minute, within AWS's limits for many pipelines.
_LONGEST_S = 15.0
# How long a service may throttle or be silent during a wait, beyond botocore's own retries.
_OUTAGE_S = 300.0

Answer = TypeVar("Answer")


class Waiting:
    """One wait. ``job.remaining`` ends it by ActionError (TimedOut)."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._pause_s = _FIRST_S
        self._failing_since: float | None = None

    def pause(self) -> None:
        """Sleep, each time a little longer, and not beyond the deadline."""
        time.sleep(min(self._pause_s, self._job.remaining()))
        self._pause_s = min(self._pause_s * _GROWTH, _LONGEST_S)

    def until(self, ask: Callable[[], Answer | None]) -> Answer:
        """Return the first answer that is not None; ask an unavailable service for some minutes."""
        while True:
            self._job.remaining()
            try:
                answer = ask()
            except ActionError as error:
                if error.code != SYSTEM_UNAVAILABLE or self._is_out(time.monotonic()):
                    raise
                self._job.log(f"Asking again: {error.message}")
                answer = None
            else:
                self._failing_since = None
            if answer is not None:
                return answer
            self.pause()

    def _is_out(self, now: float) -> bool:
        if self._failing_since is None:
            self._failing_since = now
        return now - self._failing_since > _OUTAGE_S
