"""The git program as a child that knows nothing but what we tell it.

No configuration of system, user or repository; no prompt, hook, helper or redirect; http and https
only. The credential travels in the child's environment, as a header that git sends to one origin.
"""

import contextlib
import os
import resource
import select
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from copy import copy
from functools import partial
from pathlib import Path
from typing import IO

from penstock.actions.execution import TIMED_OUT, ActionError, Job
from penstock.actions.git.isolation import (
    CONFIG,
    GitError,
    environment_of,
    failure_of,
    unreachable,
)
from penstock.actions.git.remote import Remote
from penstock.actions.git.source_commit import SourceCommit

# What git says is kept in memory: enough for every message, not for a hostile stream.
_OUTPUT = 1024 * 1024
# Bytes that are read at a time.
_CHUNK = 64 * 1024
_MOST_MEMORY = 2 * 1024**3
"""Of one git process: a server may answer without end, and git keeps some answers in memory."""
_MEMORY_GROUPS = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)
_PROXIES = ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
_PASSED = (
    "PATH",
    "NO_PROXY",
    "no_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "GIT_SSL_CAINFO",
    *_PROXIES,
)


class Git:
    """Runs git for one remote, within the job's limits.

    The credential is for the origin of the source's own remote, whichever remote this is.
    """

    def __init__(self, job: Job, source: SourceCommit, home: Path) -> None:
        self._job = job
        self.source = source
        self._remote = source.remote
        self._trusted = source.remote.origin
        self._memory = memory_limit(_MEMORY_GROUPS)
        settings = dict(CONFIG)
        settings["http.lowSpeedTime"] = str(max(int(job.request.limits.connect_s), 1))
        if source.authorization:
            settings[f"http.{self._trusted}.extraHeader"] = source.authorization
        self._environment = {name: os.environ[name] for name in _PASSED if name in os.environ}
        self._environment |= environment_of(str(home), settings)

    def at(self, remote: Remote) -> "Git":
        """Return the same git for another remote; the credential stays with the first's origin."""
        other = copy(self)
        other._remote = remote
        return other

    def credential(self) -> tuple[str, str]:
        """Return the credential's origin and its header's value, which is empty without one."""
        return self._trusted, self.source.authorization.partition(": ")[2]

    def connect(self) -> None:
        """Make sure the host answers; git would wait for minutes. A proxy answers for all hosts."""
        if any(name in self._environment for name in _PROXIES):
            return
        limit = min(self._job.request.limits.connect_s, self._job.remaining())
        try:
            socket.create_connection((self._remote.host, self._remote.port), limit).close()
        except OSError as error:
            raise unreachable(self._remote, error.strerror or str(error)) from error

    def run(self, *arguments: str) -> str:
        """Return what git prints; raise GitError if it fails."""
        # Files in place of pipes: git may say more than fits into memory, and nobody reads it
        # before the end.
        with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
            with self._start(arguments, output.fileno(), errors.fileno()) as child:
                try:
                    child.wait(self._job.remaining())
                except subprocess.TimeoutExpired as error:
                    raise ActionError(TIMED_OUT, f"git {_verb(arguments)} took too long") from error
                finally:
                    _kill(child)
            output.seek(0)
            if child.returncode:
                # What git itself says of the failure comes last.
                errors.seek(max(errors.seek(0, os.SEEK_END) - _OUTPUT, 0))
                raise GitError(
                    errors.read().decode("utf-8", "replace").strip()
                    or f"git {_verb(arguments)} failed"
                )
            return output.read(_OUTPUT).decode("utf-8", "replace")

    def records(self, *arguments: str) -> Iterator[bytes]:
        """Yield git's output in parts that end with NUL; raise GitError if it fails.

        The caller may stop early.
        """
        with self._start(arguments, subprocess.PIPE, subprocess.DEVNULL) as child:
            assert child.stdout
            try:
                rest = b""
                while chunk := self._read(child.stdout, _verb(arguments)):
                    *whole, rest = (rest + chunk).split(b"\0")
                    yield from whole
                    if len(rest) > _CHUNK:
                        raise GitError(
                            f"fatal: git {_verb(arguments)}: an entry of more than {_CHUNK} bytes"
                        )
                if child.wait(self._job.remaining()):
                    raise GitError(f"fatal: git {_verb(arguments)} failed")
            finally:
                # The caller may have stopped in the middle.
                _kill(child)

    def _read(self, output: IO[bytes], what: str) -> bytes:
        if not select.select([output], [], [], max(self._job.remaining(), 0))[0]:
            raise ActionError(TIMED_OUT, f"git {what} took too long")
        return os.read(output.fileno(), _CHUNK)

    def failure(self, error: GitError) -> ActionError:
        """Return what a failed fetch means to the user."""
        return failure_of(
            self._remote,
            error,
            self.source.credential_place,
            has_credential=bool(self.source.authorization),
        )

    @property
    def is_foreign(self) -> bool:
        """Whether this remote is none that the credential is for."""
        return self._remote.origin != self._trusted

    def _start(
        self, arguments: tuple[str, ...], output: int, errors: int
    ) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            ["git", *arguments],
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=errors,
            # git starts helpers: in a session of their own they are killed together.
            start_new_session=True,
            preexec_fn=partial(_limit, self._job.request.limits.artifact_bytes, self._memory),
        )


def _limit(file_bytes: int, memory: int) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes, file_bytes))
    resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
    # A core file would be large, and hold the credential.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def memory_limit(groups: Sequence[Path]) -> int:
    """Return the bytes for one git process: half the container's, so git ends and not the agent."""
    for group in groups:
        # A group without a limit says `max`, which is no number.
        with contextlib.suppress(OSError, ValueError):
            return min(int(group.read_text()) // 2, _MOST_MEMORY)
    return _MOST_MEMORY


def _verb(arguments: Sequence[str]) -> str:
    return next(argument for argument in arguments if not argument.startswith("-"))


def _kill(child: "subprocess.Popen[bytes]") -> None:
    """End git and the helpers it started."""
    if child.poll() is None:
        os.killpg(child.pid, signal.SIGKILL)
