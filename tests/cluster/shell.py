"""Commands, waits and progress lines: every wait has a limit, every step says what it took."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

Command = list[str | Path]

# Nothing is silent for ten seconds.
_TELL_EVERY_S = 8.0


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
    """Run a command to its end and return its output; its last lines become
    the error if it fails.
    """
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


def pipe(source: Sequence[str | Path], sink: Sequence[str | Path], *, limit: float) -> None:
    """Run two commands joined by a pipe; the first one's failure counts too."""
    with tempfile.TemporaryFile("w+") as complaints:
        first = subprocess.Popen(
            source, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=complaints
        )
        try:
            second = subprocess.run(
                sink, stdin=first.stdout, capture_output=True, text=True, timeout=limit, check=False
            )
            first.wait(timeout=10)
        except subprocess.TimeoutExpired:
            raise ClusterError(
                f"{source[0]} into {sink[0]}: not done after {limit:.0f} s"
            ) from None
        finally:
            first.kill()
            first.wait()
        if first.returncode or second.returncode:
            complaints.seek(0)
            raise ClusterError(
                f"{source[0]} into {sink[0]}:\n{complaints.read()[-2000:]}{second.stderr[-2000:]}"
            )


def succeeds(
    command: Sequence[str | Path],
    *,
    limit: float,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> bool:
    """Tell whether a command works; for questions, where failing is an answer."""
    try:
        run(command, limit=limit, env=env, cwd=cwd)
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
def step(name: str, *, usual_s: int = 0, then: Sequence[str] = ()) -> Iterator[None]:
    """Print a line every few seconds while a step lasts, and one with the seconds it took.

    ``usual_s`` is how long it takes elsewhere, ``then`` the steps that are left after it.
    """
    begin, over = time.monotonic(), threading.Event()
    usual = f" of about {usual_s} s" if usual_s else ""
    left = f"; left: {', '.join(then)}" if then else ""

    def tell() -> None:
        while not over.wait(_TELL_EVERY_S):
            say(f"{name}: {time.monotonic() - begin:.0f} s{usual} so far{left}")

    teller = threading.Thread(target=tell, daemon=True)
    teller.start()
    try:
        yield
    except BaseException:
        say(f"{name}: failed after {time.monotonic() - begin:.1f} s")
        raise
    finally:
        over.set()
        teller.join()
    say(f"{name}: {time.monotonic() - begin:.1f} s")


@contextmanager
def locked(file: Path, *, limit: float = 1800) -> Iterator[None]:
    """Keep other processes of this driver out; the kernel drops the lock with
    its holder, so none goes stale.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w") as handle:

        def taken() -> bool:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            return True

        wait_until(f"lock {file}, held by another run", taken, limit=limit)
        yield


def write(path: Path, text: str, mode: int = 0o644) -> Path:
    """Write a file whole or not at all, making its folder; returns the path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + f".{os.getpid()}")
    partial.write_text(text)
    partial.chmod(mode)
    partial.replace(path)
    return path
