"""State that a deploy's steps share: the server, the options, the log, and the time left."""

import time

from penstock.actions.execution import Job
from penstock.actions.kubernetes.live.server import Server
from penstock.actions.kubernetes.options import Options

# Seconds kept of the action's time, to report the late object and not only the lateness.
_LAST_WORD_S = 1.0
# The share of the action's time that a deploy may use when the rest is reserved for a rollback.
_WITHOUT_ROLLBACK = 2 / 3


class Session:
    """One deploy under way."""

    def __init__(self, job: Job, options: Options) -> None:
        self.options = options
        self.server = Server(job)
        self.attempt = job.request.attempt
        self.log = job.log
        self._job = job
        self.limit_s = 0.0
        self._deadline = 0.0
        self.limit(_WITHOUT_ROLLBACK if options.rollback else 1.0)

    def limit(self, share: float = 1.0) -> None:
        """Begin a stretch of at most TimeoutInMinutes and this share of the action's time left."""
        self.limit_s = min(
            self.options.timeout_s, max(self._job.remaining() - _LAST_WORD_S, 0) * share
        )
        self._deadline = time.monotonic() + self.limit_s

    @property
    def is_late(self) -> bool:
        """Whether the time of this stretch is over."""
        return time.monotonic() >= self._deadline

    def pause(self, seconds: float) -> None:
        """Sleep, but not beyond the deadline."""
        time.sleep(
            max(0.0, min(seconds, self._job.remaining(), self._deadline - time.monotonic() + 0.01))
        )
