"""Runs the script in the action's container: releases it, relays its log, keeps its deadline.

One poll loop on the agent's ends of the FIFOs. The deadline is kept whatever the action does: TERM,
a time of grace, KILL, a short time more, and then the agent reports without it.
"""

import os
import select
import time
from typing import NamedTuple

from penstock.agent.interrupt import Interrupted
from penstock.agent.output.log import Log
from penstock.agent.script.control import Control
from penstock.api.contract.contracts import Limits

# Bytes of a script that are sent at a time: a FIFO takes 64 KiB, the rest waits for its reader.
_PIECE = 256 * 1024
# Output that is not stored yet is looked at again so soon.
_LAGGING_S = 0.02


class ScriptEnd(NamedTuple):
    """How the container ended; ``exit_code`` is None if it died without a word or still runs."""

    exit_code: int | None
    has_started: bool
    is_timed_out: bool


class Shell:
    """The action's container, from the agent's side."""

    def __init__(self, control: Control, log: Log, limits: Limits, deadline: float) -> None:
        self._control = control
        self._log = log
        self._limits = limits
        self._deadline = deadline
        self._poll = select.poll()
        self._is_log_open = True
        self._is_log_watched = False
        self._is_released = False

    def run(self) -> ScriptEnd:
        """Release the action and wait for its end; on Interrupted end it first, then raise."""
        self._poll.register(self._control.done, select.POLLIN)
        try:
            is_timed_out = not self._wait(self._deadline)
            if is_timed_out:
                self._log.write_line(
                    f"[penstock] Timed out after {self._limits.timeout_s:g} s, ending the action"
                )
                self._end()
        except Interrupted:
            self._log.write_line("[penstock] The pod is being deleted, ending the action")
            self._end()
            raise
        # The container's end may be seen before the last of its output.
        self._drain()
        return ScriptEnd(self._control.exit_code, self._control.has_started, is_timed_out)

    def _end(self) -> None:
        """TERM, wait, KILL, wait; return when the container has ended or nothing is left to try."""
        for name, seconds in (("TERM", self._limits.grace_s), ("KILL", self._limits.kill_s)):
            # Nobody is there yet to take a signal.
            if not self._control.has_started:
                return
            self._control.signal(name)
            if self._wait(time.monotonic() + seconds):
                return

    def _wait(self, deadline: float) -> bool:
        """Relay until the container has ended (True) or the deadline has passed (False)."""
        while not self._control.is_over:
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            self._turn(left)
        return True

    def _drain(self) -> None:
        """Take the log's rest; a process that outlives the script costs at most the drain limit."""
        end = time.monotonic() + self._limits.log_drain_s
        while self._is_log_open and (left := end - time.monotonic()) > 0:
            self._turn(left)

    def _turn(self, seconds: float) -> None:
        if self._log.has_pending:
            self._log.flush()
            seconds = min(seconds, _LAGGING_S) if self._log.has_pending else seconds
        self._watch_log(self._is_log_open and not self._log.is_full)
        for descriptor, events in self._poll.poll(max(seconds, 0) * 1000):
            if descriptor == self._control.done:
                self._read_done()
            else:
                self._read_log(events)

    def _read_done(self) -> None:
        self._control.read_done()
        if self._control.is_over:
            # A closed FIFO is ready at every look, so the loop would never rest again.
            self._poll.unregister(self._control.done)
        elif self._control.has_started and not self._is_released:
            self._control.release()
            self._is_released = True

    def _watch_log(self, is_wanted: bool) -> None:
        if is_wanted and not self._is_log_watched:
            self._poll.register(self._control.log, select.POLLIN)
        elif self._is_log_watched and not is_wanted:
            self._poll.unregister(self._control.log)
        self._is_log_watched = is_wanted

    def _read_log(self, events: int) -> None:
        data = b""
        if events & select.POLLIN:
            data = os.read(self._control.log, _PIECE)
            self._log.write(data)
        # A hang-up may come together with output that is not read yet.
        if not data and events & select.POLLHUP:
            self._is_log_open = False
