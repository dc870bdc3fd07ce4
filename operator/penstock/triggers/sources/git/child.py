"""One git program: a child with limits and no ambient configuration.

The limits are on memory, files and output; whoever waits for it limits its time.
"""

import asyncio
import contextlib
import os
import resource
import signal
from collections.abc import Mapping, Sequence
from functools import partial
from typing import NamedTuple

from penstock.actions.git.isolation import GitError


class TooMuchOutputError(GitError):
    """Git has printed more than it may."""


class SilentError(GitError):
    """Git has failed without a word, which is how some commands say no."""


class ChildLimits(NamedTuple):
    """Bytes: memory per process (git has helpers), of one file, of what it prints."""

    memory: int
    file: int
    output: int


async def run_git(
    arguments: Sequence[str], environment: Mapping[str, str], limits: ChildLimits
) -> bytes:
    """Return what git prints; raise GitError if it fails, and its kinds above."""
    # What a server leaves out is an error. Git would ask for it again, in processes without number.
    alone = {**environment, "GIT_NO_LAZY_FETCH": "1"}
    child = await asyncio.create_subprocess_exec(
        "git", *arguments,
        env=alone, cwd="/", stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE, start_new_session=True, preexec_fn=partial(_limit, limits),
    )  # fmt: skip
    assert child.stdout and child.stderr
    try:
        answer, errors = await asyncio.gather(
            _read(child.stdout, limits.output), _read(child.stderr, limits.output)
        )
        code = await child.wait()
    finally:
        # git's helper may outlive it: both are in one group.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        await child.wait()
        await _reap(child.pid)
    if code:
        words = errors.decode("utf-8", "replace").strip()
        if not words:
            raise SilentError(f"fatal: git failed with {code}, and said nothing")
        raise GitError(words)
    return answer


def _limit(limits: ChildLimits) -> None:
    resource.setrlimit(resource.RLIMIT_DATA, (limits.memory, limits.memory))
    resource.setrlimit(resource.RLIMIT_FSIZE, (limits.file, limits.file))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


async def _reap(group: int) -> None:
    """Reap git's own child, which becomes ours after git's end if we are the container's PID 1."""
    for _ in range(50):
        try:
            pid, _status = os.waitpid(-group, os.WNOHANG)  # noqa: ASYNC222 — WNOHANG does not block
        except ChildProcessError:
            return
        if pid == 0:
            await asyncio.sleep(0.02)


async def _read(stream: asyncio.StreamReader, most: int) -> bytes:
    data = b""
    while chunk := await stream.read(65_536):
        data += chunk
        if len(data) > most:
            raise TooMuchOutputError(f"fatal: the answer is longer than {most} bytes")
    return data
