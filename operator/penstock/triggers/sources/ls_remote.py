"""One ``git ls-remote`` of one ref: a child with limits and no ambient configuration.

The limits are on time, memory and output.
"""

import asyncio
import contextlib
import os
import resource
import signal
from collections.abc import Mapping
from dataclasses import dataclass, field

from penstock.actions.execution import CONFIGURATION_ERROR, TIMED_OUT, ActionError
from penstock.actions.git.isolation import (
    CONFIG,
    GitError,
    basic_authorization,
    environment_of,
    failure_of,
)
from penstock.actions.git.remote import Remote, Wanted, remote_of
from penstock.triggers.sources.addresses import AddressRules, RefusedAddressError, address_of

# A remote names the refs that were asked for: two or three.
_LARGEST_ANSWER = 256 * 1024
# Memory per process (a look has two): hostile servers together fit the container's limit.
_MEMORY = 40 * 1024 * 1024
_HEX = frozenset("0123456789abcdef")
_PASSED = ("PATH", "SSL_CERT_FILE", "SSL_CERT_DIR", "GIT_SSL_CAINFO")


@dataclass(frozen=True, slots=True)
class Credential:
    """A user and a password; sent to one origin only."""

    user: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class LsRemote:
    """Looks at refs. ``timeout_s`` limits a whole look, from name resolution to the last byte."""

    rules: AddressRules
    timeout_s: float = 20.0

    async def revision(
        self,
        remote: Remote,
        wanted: Wanted,
        credential: Credential | None,
        credential_place: str = "CredentialsSecret",
    ) -> str:
        """Return a ref's commit, empty if there is no such ref; raise ActionError on failure.

        ``credential_place`` is where a user names the credential, for messages.
        """
        try:
            async with asyncio.timeout(self.timeout_s):
                address = await address_of(remote.host, remote.port, self.rules, self.timeout_s)
                answer = await self._ask(remote, wanted, address, credential)
        except RefusedAddressError as error:
            raise ActionError(CONFIGURATION_ERROR, str(error)) from error
        except TimeoutError as error:
            raise ActionError(
                TIMED_OUT, f"{remote.host} took longer than {self.timeout_s:g} s"
            ) from error
        except GitError as error:
            raise failure_of(
                remote, error, credential_place, has_credential=credential is not None
            ) from error
        return commit_of(answer, wanted.ref or "HEAD")

    async def _ask(
        self, remote: Remote, wanted: Wanted, address: str, credential: Credential | None
    ) -> bytes:
        ref = wanted.ref or "HEAD"
        # A tag may be an object of its own: the second name is the commit behind it.
        patterns = (ref, f"{ref}^{{}}") if ref.startswith("refs/tags/") else (ref,)
        try:
            return await _git(_environment(remote, address, credential), remote.url, patterns)
        except GitError as error:
            if not error.is_redirect or remote.url.endswith(".git"):
                raise
        # Some hosts redirect to the name with .git: that one is taken, no redirect is ever
        # followed.
        moved = remote_of(remote.url.rstrip("/") + ".git")
        return await _git(_environment(moved, address, credential), moved.url, patterns)


def commit_of(answer: bytes, ref: str) -> str:
    """Return the commit of exactly this ref, a tag's own if the tag is an object.

    Ignore the rest of the answer.
    """
    found: dict[bytes, str] = {}
    for line in answer.split(b"\n"):
        commit, _, name = line.partition(b"\t")
        text = commit.decode("ascii", "replace")
        if len(text) in (40, 64) and _HEX.issuperset(text):
            found[name] = text
    return found.get(f"{ref}^{{}}".encode()) or found.get(ref.encode(), "")


def _environment(remote: Remote, address: str, credential: Credential | None) -> dict[str, str]:
    host, literal = (f"[{text}]" if ":" in text else text for text in (remote.host, address))
    settings = {
        **CONFIG,
        # A proxy would look the name up by itself, past the address that was checked.
        "http.proxy": "",
        "http.lowSpeedTime": "10",
        # The name is not asked for again: what was checked is what is connected to.
        "http.curloptResolve": f"{host}:{remote.port}:{literal}",
    }
    if credential:
        header = basic_authorization(credential.user, credential.password)
        settings[f"http.{remote.origin}.extraHeader"] = header
    passed: Mapping[str, str] = {name: os.environ[name] for name in _PASSED if name in os.environ}
    return {**passed, **environment_of("/nonexistent", settings)}


def _limit() -> None:
    resource.setrlimit(resource.RLIMIT_DATA, (_MEMORY, _MEMORY))
    # It has nothing to write to a file.
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


async def _git(environment: dict[str, str], url: str, patterns: tuple[str, ...]) -> bytes:
    child = await asyncio.create_subprocess_exec(
        "git", "ls-remote", "--", url, *patterns,
        env=environment, cwd="/", stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE, start_new_session=True, preexec_fn=_limit,
    )  # fmt: skip
    assert child.stdout and child.stderr
    try:
        answer, errors = await asyncio.gather(_read(child.stdout), _read(child.stderr))
        code = await child.wait()
    finally:
        # git's helper may outlive it: both are in one group.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        await child.wait()
        await _reap(child.pid)
    if code:
        raise GitError(errors.decode("utf-8", "replace").strip() or "git ls-remote failed")
    return answer


async def _reap(group: int) -> None:
    """Reap git's own child, which becomes ours after git's end if we are the container's PID 1."""
    for _ in range(50):
        try:
            pid, _status = os.waitpid(-group, os.WNOHANG)  # noqa: ASYNC222 — WNOHANG does not block
        except ChildProcessError:
            return
        if pid == 0:
            await asyncio.sleep(0.02)


async def _read(stream: asyncio.StreamReader) -> bytes:
    data = b""
    while chunk := await stream.read(65_536):
        data += chunk
        if len(data) > _LARGEST_ANSWER:
            raise GitError(f"fatal: the answer is longer than {_LARGEST_ANSWER} bytes")
    return data
