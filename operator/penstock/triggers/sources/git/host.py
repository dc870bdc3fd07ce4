"""Runs git against a host: at an address that was checked, with a credential for one origin."""

import asyncio
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from penstock.actions.execution import (
    CONFIGURATION_ERROR,
    SYSTEM_UNAVAILABLE,
    TIMED_OUT,
    ActionError,
)
from penstock.actions.git.isolation import (
    CONFIG,
    GitError,
    basic_authorization,
    environment_of,
    failure_of,
)
from penstock.actions.git.remote import Remote, remote_of
from penstock.triggers.sources.addresses import AddressRules, RefusedAddressError, address_of
from penstock.triggers.sources.git.child import ChildLimits, TooMuchOutputError, run_git

_PASSED = ("PATH", "SSL_CERT_FILE", "SSL_CERT_DIR", "GIT_SSL_CAINFO")
URL = "{url}"
"""Where the remote's address stands in a command."""


@dataclass(frozen=True, slots=True)
class Credential:
    """A user and a password; sent to one origin only."""

    user: str
    password: str = field(repr=False)


class Access(NamedTuple):
    """A repository and who asks; ``credential_place`` is where a user names the credential."""

    remote: Remote
    credential: Credential | None = None
    credential_place: str = "CredentialsSecret"


class LongAnswerError(ActionError):
    """A host has answered with more than is read."""

    def __init__(self, message: str) -> None:
        super().__init__(CONFIGURATION_ERROR, message)


@dataclass(frozen=True, slots=True)
class GitHost:
    """Runs git's commands against hosts. ``timeout_s`` limits one, from name resolution on."""

    rules: AddressRules
    timeout_s: float

    async def run(self, access: Access, command: Sequence[str], limits: ChildLimits) -> bytes:
        """Return what a command prints; raise ActionError. `URL` in it is the remote's address."""
        remote = access.remote
        try:
            async with asyncio.timeout(self.timeout_s):
                address = await address_of(remote.host, remote.port, self.rules, self.timeout_s)
                return await _ask(access, command, limits, address)
        except RefusedAddressError as error:
            raise ActionError(CONFIGURATION_ERROR, str(error)) from error
        except TimeoutError as error:
            raise ActionError(
                TIMED_OUT, f"{remote.host} took longer than {self.timeout_s:g} s"
            ) from error
        # No process to be had: TimeoutError, which is an OSError, was dealt with.
        except OSError as error:
            raise ActionError(SYSTEM_UNAVAILABLE, f"git was not started: {error}") from error
        except TooMuchOutputError as error:
            most = f"{limits.output // 1024:,} KiB"
            raise LongAnswerError(f"{remote.url} answers with more than {most}") from error
        except GitError as error:
            raise failure_of(
                remote,
                error,
                access.credential_place,
                has_credential=access.credential is not None,
            ) from error


async def _ask(access: Access, command: Sequence[str], limits: ChildLimits, address: str) -> bytes:
    try:
        return await _at(access, access.remote, command, limits, address)
    except GitError as error:
        if not error.is_redirect or access.remote.url.endswith(".git"):
            raise
    # Some hosts redirect to the name with .git: that one is taken, no redirect is ever followed.
    moved = remote_of(access.remote.url.rstrip("/") + ".git")
    return await _at(access, moved, command, limits, address)


async def _at(
    access: Access, remote: Remote, command: Sequence[str], limits: ChildLimits, address: str
) -> bytes:
    arguments = [remote.url if argument == URL else argument for argument in command]
    return await run_git(arguments, _environment(remote, address, access.credential), limits)


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
    return {**passed_environment(), **environment_of("/nonexistent", settings)}


def passed_environment() -> Mapping[str, str]:
    """Return what git gets of our own environment."""
    return {name: os.environ[name] for name in _PASSED if name in os.environ}
