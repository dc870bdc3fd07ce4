"""Commands, waits and progress lines: every wait has a limit, every step says what it took."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

Command = list[str | Path]


class ClusterError(Exception):
    """Something a person has to act on; the message is all they get to see."""


def run(
    command: Sequence[str | Path],
    *,
    limit: float,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdin: str | None = None,
) -> str:
    """Run a command to its end and return its output; its last lines become the error if it fails."""
    words = [str(word) for word in command]
    try:
        done = subprocess.run(
            words,
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=limit,
            cwd=cwd,
            env={**os.environ, **(env or {})},
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ClusterError(f"{' '.join(words[:4])}: not done after {limit:.0f} s") from None
    except OSError as error:
        raise ClusterError(f"{words[0]}: {error.strerror}") from None
    if done.returncode:
        tail = "\n".join((done.stderr or done.stdout).strip().splitlines()[-15:])
        raise ClusterError(f"{' '.join(words[:6])}: exit code {done.returncode}\n{tail}")
    return done.stdout


def succeeds(command: Sequence[str | Path], *, limit: float) -> bool:
    """Tell whether a command works; for questions, where failing is an answer."""
    try:
        run(command, limit=limit)
    except ClusterError:
        return False
    return True


def wait_until(what: str, check: Callable[[], bool], *, limit: float, pause: float = 0.1) -> None:
    """Ask again and again until the check holds; say what was waited for when it never does."""
    end = time.monotonic() + limit
    while not check():
        if time.monotonic() > end:
            raise ClusterError(f"{what}: not so after {limit:.0f} s")
        time.sleep(pause)


def say(text: str) -> None:
    """Print one progress line; to stderr, since `env` is meant for `eval`."""
    print(text, file=sys.stderr, flush=True)


@contextmanager
def step(name: str) -> Iterator[None]:
    """Print one line with the seconds a step took."""
    begin = time.monotonic()
    try:
        yield
    except BaseException:
        say(f"{name}: failed after {time.monotonic() - begin:.1f} s")
        raise
    say(f"{name}: {time.monotonic() - begin:.1f} s")


def write(path: Path, text: str, mode: int = 0o644) -> Path:
    """Write a file whole or not at all, making its folder; returns the path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + f".{os.getpid()}")
    partial.write_text(text)
    partial.chmod(mode)
    partial.replace(path)
    return path
