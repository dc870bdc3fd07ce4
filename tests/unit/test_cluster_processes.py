"""`make cluster-down` ends what `up` started: asked, then made to, and what
will not end is named.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster import processes, sandbox
from tests.cluster.places import Places
from tests.cluster.processes import Process
from tests.cluster.shell import ClusterError

STUBBORN = "trap '' TERM; echo ready; while :; do sleep 0.05; done"


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(cache=tmp_path / "cache", state=tmp_path / "state")


@pytest.fixture
def spawned(places: Places) -> Iterator[dict[str, subprocess.Popen[str]]]:
    """Two processes of ours, one of which does not heed a TERM."""
    scripts = {"willing": "echo ready; exec sleep 60", "stubborn": STUBBORN}
    found = {}
    for name, script in scripts.items():
        child = subprocess.Popen(["sh", "-c", script], stdout=subprocess.PIPE, text=True)
        assert child.stdout and child.stdout.readline() == "ready\n"
        processes.remember(places, name, child.pid)
        found[name] = child
    yield found
    for child in found.values():
        child.kill()
        child.wait(10)
        assert child.stdout
        child.stdout.close()


def test_process_that_does_not_end_at_once_is_killed(
    places: Places, spawned: dict[str, subprocess.Popen[str]]
) -> None:
    known = list(processes.remembered(places).values())
    assert processes.stop(known, term_s=0.3) == []
    codes = {name: child.wait(10) for name, child in spawned.items()}
    assert codes == {"willing": -signal.SIGTERM, "stubborn": -signal.SIGKILL}


def test_down_names_what_would_not_end_keeps_its_record_and_may_be_repeated(
    places: Places, spawned: dict[str, subprocess.Popen[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel does not end a process that waits for a device: here it is told of no signal."""
    held, kill, stop = spawned["stubborn"].pid, os.kill, processes.stop
    monkeypatch.setattr(
        "tests.cluster.processes.os.kill", lambda pid, number: pid == held or kill(pid, number)
    )
    monkeypatch.setattr(processes, "stop", lambda known: stop(known, term_s=0.1, kill_s=0.1))
    for _ in range(2):
        with pytest.raises(
            ClusterError, match=rf"would not end, though killed: stubborn \(process {held}\)"
        ):
            sandbox.destroy(places)
        assert list(processes.remembered(places)) == ["stubborn"]
    monkeypatch.setattr("tests.cluster.processes.os.kill", kill)
    sandbox.destroy(places)
    assert processes.remembered(places) == {}
    sandbox.destroy(places)


def test_process_that_got_the_pid_of_one_of_ours_is_left_alone(
    spawned: dict[str, subprocess.Popen[str]],
) -> None:
    other = Process("etcd", spawned["willing"].pid, "1")
    assert processes.stop([other], term_s=0.1, kill_s=0.1) == []
    assert spawned["willing"].poll() is None
