"""The processes this driver started: written down with their start time, so that no other is ever stopped.

A bare pid is not enough: the kernel reuses pids, and state directories outlive reboots.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.places import Places
from tests.cluster.shell import ClusterError, wait_until, write


def started_at(pid: int) -> str | None:
    """Return when a process started, in kernel ticks since boot; None when there is no such process."""
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

    def kill(self) -> None:
        """Kill it and wait until it is gone."""
        if not self.alive:
            return
        try:
            os.kill(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            return
        wait_until(f"end of {self.name}", lambda: not self.alive, limit=15, pause=0.02)

    def children(self) -> list[int]:
        """Return the pids of its children."""
        try:
            return [int(pid) for pid in Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()]
        except OSError:
            return []


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
    """Remove the records."""
    for file in _folder(places).glob("*.pid"):
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
