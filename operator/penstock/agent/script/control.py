"""The agent's ends of the four FIFOs; the protocol is told in `penstock.api.contract.wrapper`."""

import os
import select
from pathlib import Path

_NAMES = ("done", "log", "signal", "ready")
# Bytes: the end of what the wrapper sent tells how it ended.
_TAIL = 256


class Control:
    """The control volume. It is made first, so the action finds it whenever it starts."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        for name in _NAMES:
            os.mkfifo(folder / f".{name}")
            # The container may run as any user, and mkfifo heeds the umask.
            (folder / f".{name}").chmod(0o666)
        # Without O_NONBLOCK an open for reading waits for the first writer.
        self.done = os.open(folder / ".done", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        self.log = os.open(folder / ".log", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        # Open for both, an open never waits for the other side and a write always has a reader.
        both = os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC
        self._signal = os.open(folder / ".signal", both)
        self._ready = os.open(folder / ".ready", both)
        # `ready` comes last: the wrapper looks for it alone, and then relies on the others.
        for name in _NAMES:
            (folder / f".{name}").rename(folder / name)
        self._tail = b""
        self._is_over = False

    @property
    def has_started(self) -> bool:
        """Whether the wrapper runs: it said so, or it has already ended."""
        return bool(self._tail) or self._is_over

    @property
    def is_over(self) -> bool:
        """Whether the action's container has ended."""
        return self._is_over

    @property
    def exit_code(self) -> int | None:
        """Return the last code that was written, None if the container died without one."""
        # What stands behind the last newline may be half a line.
        codes = [line for line in self._tail.split(b"\n")[:-1] if line.isdigit() and len(line) <= 3]
        return int(codes[-1]) if codes else None

    def release(self) -> None:
        """Let the action run its script."""
        os.write(self._ready, b"go\n")

    def close(self) -> None:
        """Let go: an unreleased action then ends by itself, as it does when the agent dies."""
        for descriptor in (self.done, self.log, self._signal, self._ready):
            os.close(descriptor)

    def signal(self, name: str) -> None:
        """Send TERM or KILL to everything in the action's container but PID 1."""
        os.write(self._signal, name.encode() + b"\n")

    def read_done(self) -> None:
        """Take the wrapper's words; keep the tail only: anyone in the container can write here."""
        try:
            data = os.read(self.done, 4096)
        except BlockingIOError:
            return
        self._tail = (self._tail + data)[-_TAIL:]
        # Before the first writer a FIFO reads as ended, too; the poll knows the difference.
        self._is_over = not data and bool(_events(self.done) & select.POLLHUP)


def _events(descriptor: int) -> int:
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return next((events for _, events in poll.poll(0)), 0)
