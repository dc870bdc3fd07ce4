"""The action's log: line by line, masked, bounded, printed and kept for the store.

Printing may not block, since the agent owns the action's deadline: what
stdout does not take is pending, and while too much is pending nothing more is
read, which slows the action down instead of filling memory.
"""

import os
import re
import time
from collections.abc import Iterable
from pathlib import Path

from penstock.actions.execution import LINE_START
from penstock.agent.output.masking import Masker

_LINE_START = LINE_START.encode()
_INNER_START = re.compile(rb"(?<=[^\n])" + _LINE_START)
# A longer line is written in pieces: its secrets are searched for across their borders.
_LINE_BYTES = 64 * 1024
# What has not reached the store yet: an action that prints faster waits.
_PENDING_BYTES = 1024 * 1024
# Bytes that are read at a time, as large as a Linux pipe.
_PIECE = 64 * 1024


class Log:
    """Takes output in pieces as they come, gives whole masked lines to a file and to ``stdout``."""

    def __init__(self, path: Path, stdout: int, masker: Masker, limit: int) -> None:
        self.path = path
        self.is_empty = True
        self._file = path.open("wb", buffering=_PIECE)
        self._stdout = stdout
        self._masker = masker
        self._left = limit
        self._limit = limit
        self._line = b""
        self._pending = bytearray()
        os.set_blocking(stdout, False)

    def hide(self, values: Iterable[str]) -> None:
        """Replace these values, too, from now on."""
        self._masker.hide(values)

    def masked(self, text: str) -> str:
        """Return a text with every secret replaced."""
        return self._masker.mask_text(text)

    @property
    def is_full(self) -> bool:
        """Whether stdout lags so far behind that reading must wait."""
        return len(self._pending) > _PENDING_BYTES

    @property
    def has_pending(self) -> bool:
        """Whether something waits for stdout."""
        return bool(self._pending)

    def write(self, data: bytes) -> None:
        """Take output; what follows the last newline waits for the rest of its line."""
        text = self._line + data
        # The script marks its own lines: they begin anew, whatever a command left unfinished.
        if _LINE_START in data:
            text = _INNER_START.sub(b"\n", text).replace(_LINE_START, b"")
        head, newline, self._line = text.rpartition(b"\n")
        self._emit(head + newline)
        if len(self._line) > _LINE_BYTES:
            # A secret may lie across the cut, so as many bytes as the longest one has stay behind.
            cut = self._cut()
            self._emit(self._line[:cut], is_masked=True)
            self._line = self._line[cut:]

    def write_line(self, line: str) -> None:
        """Add a line of the agent's own, whole, whatever the action left unfinished."""
        self.end_line()
        self.write(line.replace("\n", " ").encode("utf-8", "replace") + b"\n")

    def end_line(self) -> None:
        """Finish an unfinished line."""
        if self._line:
            self.write(b"\n")

    def flush(self) -> None:
        """Give stdout what it takes without blocking."""
        try:
            while self._pending:
                del self._pending[: os.write(self._stdout, self._pending[:_PIECE])]
        except BlockingIOError:
            pass
        # Nobody reads it any more, and the file still gets all of it.
        except OSError:
            self._pending.clear()

    def close(self, limit_s: float) -> None:
        """Finish: the file at once, stdout for at most so many seconds."""
        self.end_line()
        self._file.close()
        end = time.monotonic() + limit_s
        self.flush()
        while self._pending and time.monotonic() < end:
            time.sleep(0.01)
            self.flush()
        # A last line of the agent's may follow, and a full pipe must not refuse it.
        os.set_blocking(self._stdout, True)

    def _cut(self) -> int:
        self._line = self._masker.mask(self._line)
        return max(len(self._line) - max(self._masker.longest, 1), 0)

    def _emit(self, data: bytes, *, is_masked: bool = False) -> None:
        if not data or self._left < 0:
            return
        self.is_empty = False
        data = data if is_masked else self._masker.mask(data)
        if len(data) > self._left:
            data = data[: self._left].rpartition(b"\n")[0]
            data += b"\n[penstock] The log was cut here: it is longer than %d bytes\n" % self._limit
            self._left = -1
        else:
            self._left -= len(data)
        self._file.write(data)
        self._pending += data
        self.flush()
