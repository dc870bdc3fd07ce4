"""The processes this driver started: written down with their start time, so
that no other is ever stopped.

A bare pid is not enough: the kernel reuses pids, and state directories outlive reboots.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.places import Places
from tests.cluster.shell import ClusterError, write


def started_at(pid: int) -> str | None:
    """Return when a process started, in kernel ticks since boot; None when
    there is no such process.
    """
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()  # the name before ")" may hold anything
    return None if fields[0] in "ZX" else fields[19]


@dataclass(frozen=True)
class Process:
    """A process by pid and start time."""

    name: str
    pid: int
    start: str

    @property
    def alive(self) -> bool:
        """Tell whether this very process still runs."""
        return started_at(self.pid) == self.start

    def send(self, number: signal.Signals) -> None:
        """Send a signal, if this very process still runs."""
        if self.alive:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        """Kill it and wait until it is gone."""
        self.send(signal.SIGKILL)
        if not ended([self], 15):
            raise ClusterError(f"{self.name} (process {self.pid}) would not end, though killed")

    def children(self) -> list[int]:
        """Return the pids of its children."""
        try:
            return [
                int(pid)
                for pid in Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
            ]
        except OSError:
            return []


def stop(
    processes: Sequence[Process], *, term_s: float = 5.0, kill_s: float = 15.0
) -> list[Process]:
    """Ask processes to end, then make them; return those that live all the
    same, after both limits together.
    """
    for number, limit in ((signal.SIGTERM, term_s), (signal.SIGKILL, kill_s)):
        for process in processes:
            process.send(number)
        if ended(processes, limit):
            return []
    return [process for process in processes if process.alive]


def ended(processes: Sequence[Process], limit: float) -> bool:
    """Wait until all are gone; tell whether they are within so many seconds."""
    end = time.monotonic() + limit
    while any(process.alive for process in processes):
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def _folder(places: Places) -> Path:
    return places.state / "run"


def remember(places: Places, name: str, pid: int) -> Process:
    """Write a process down."""
    start = started_at(pid)
    if start is None:
        raise ClusterError(f"{name}: ended at once, see {places.logs / name}.log")
    write(_folder(places) / f"{name}.pid", f"{pid} {start} {_boot()}\n")
    return Process(name, pid, start)


def remembered(places: Places) -> dict[str, Process]:
    """Return what was written down, dead or alive; what an earlier boot wrote cannot be alive."""
    found = {}
    for file in sorted(_folder(places).glob("*.pid")):
        pid, start, boot = file.read_text().split()
        if boot == _boot():
            found[file.stem] = Process(file.stem, int(pid), start)
    return found


def forget(places: Places) -> None:
    """Remove the records of what has ended; what still runs stays written
    down, for the next attempt.
    """
    known = remembered(places)
    for file in _folder(places).glob("*.pid"):
        if file.stem not in known or not known[file.stem].alive:
            file.unlink()


def spawn(places: Places, name: str, command: Sequence[str | Path]) -> Process:
    """Start a process that outlives this one, its output in the log folder, and write it down."""
    places.logs.mkdir(parents=True, exist_ok=True)
    with (places.logs / f"{name}.log").open("wb") as log:
        child = subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            cwd="/",
        )
    return remember(places, name, child.pid)


def _boot() -> str:
    """Return the kernel's id of this boot."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
