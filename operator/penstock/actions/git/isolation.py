"""Configures and isolates git, for the action's fetch and the poller's ``ls-remote``.

No configuration of system, user or repository; no prompt, hook, helper or
redirect; http and https only.
"""

import base64
import re
from collections.abc import Mapping

from penstock.actions.execution import (
    CONFIGURATION_ERROR,
    JOB_FAILED,
    PERMISSION_ERROR,
    SYSTEM_UNAVAILABLE,
    ActionError,
)
from penstock.actions.git.remote import Remote
from penstock.api.text import printable

CONFIG: Mapping[str, str] = {
    "protocol.allow": "never",
    "protocol.http.allow": "always",
    "protocol.https.allow": "always",
    "http.followRedirects": "false",
    "http.lowSpeedLimit": "1000",
    "credential.helper": "",
    "core.hooksPath": "/dev/null",
    "core.attributesFile": "/dev/null",
    "core.fsmonitor": "false",
    "core.autocrlf": "false",
    # What is large passes through git in pieces, whatever its kind; a small container takes it.
    "core.bigFileThreshold": "4m",
    "core.deltaBaseCacheLimit": "16m",
    # A fetch stays the one pack that it came in.
    "fetch.unpackLimit": "1",
    "pack.threads": "1",
    "gc.auto": "0",
    "maintenance.auto": "false",
    "submodule.recurse": "false",
    "safe.directory": "*",
    "advice.detachedHead": "false",
}
_UNREACHABLE = re.compile(
    r"could not resolve|failed to connect|connection (refused|timed out|reset)|timed out|too slow",
    re.I,
)
_PROMPT = re.compile(r"could not read (username|password)", re.I)
_REFUSED = re.compile(
    r"authentication failed|could not read (username|password)|returned error: (401|403)", re.I
)
_MISSING = re.compile(r"repository .* not found|returned error: 404", re.I)
_WANTED = "it wants a user and a password; name a Secret that holds them in {}"
_NOT_ACCEPTED = "it did not accept the user and password in {}"
_MEMORY = re.compile(r"out of memory|cannot allocate", re.I)
_FILE_SIZE = re.compile(r"died of signal 25|file too large|file size limit", re.I)
# So much of git's words stands in a message.
_LONGEST = 500
_REDIRECTED = re.compile(r"returned error: 30[12378]")


class GitError(Exception):
    """Git exited with an error.

    ``words`` are git's own; ``text`` is these and then the server's. Both are one line.
    """

    def __init__(self, text: str) -> None:
        # Only git ends lines with a line feed; any other line end is a server's attempt to pass for
        # git.
        lines = [printable(line) for line in text.strip().split("\n")]
        own = [line for line in lines if line.startswith(("fatal:", "error:"))]
        remote = [line for line in lines if line.startswith("remote:")]
        self.words = " ".join(own or lines[-1:])[:_LONGEST]
        self.text = " ".join([self.words, *remote] if own else remote or [self.words])[:_LONGEST]
        super().__init__(self.text)

    @property
    def is_redirect(self) -> bool:
        """Whether the server answered with a redirect, which is not followed."""
        return bool(_REDIRECTED.search(self.words))


def environment_of(home: str, settings: Mapping[str, str]) -> dict[str, str]:
    """Return the environment in which git knows these settings and nothing else."""
    environment = {
        "HOME": home,
        "LC_ALL": "C",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_CONFIG_COUNT": str(len(settings)),
    }
    for index, (key, value) in enumerate(settings.items()):
        environment |= {f"GIT_CONFIG_KEY_{index}": key, f"GIT_CONFIG_VALUE_{index}": value}
    return environment


def basic_authorization(user: str, password: str) -> str:
    """Return the header that a credential travels in."""
    return "Authorization: Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def unreachable(remote: Remote, why: str) -> ActionError:
    """Return that a host does not answer."""
    return ActionError(SYSTEM_UNAVAILABLE, f"Git host {remote.host} could not be reached: {why}")


def failure_of(
    remote: Remote, error: GitError, credential_place: str, *, has_credential: bool
) -> ActionError:
    """Return what a failed git command means to the user.

    ``credential_place`` is where the user names the credential.
    """
    words, text = error.words, error.text
    if _UNREACHABLE.search(words):
        return unreachable(remote, text)
    if _REFUSED.search(words):
        if _PROMPT.search(words):
            # Git would ask; that it may not is nothing a user can act on.
            text = (_NOT_ACCEPTED if has_credential else _WANTED).format(credential_place)
        return ActionError(
            PERMISSION_ERROR, f"Git host {remote.host} refused access to {remote.url}: {text}"
        )
    if _MISSING.search(words):
        return ActionError(CONFIGURATION_ERROR, f"{remote.url} was not found: {text}")
    if error.is_redirect:
        return ActionError(
            CONFIGURATION_ERROR,
            f"{remote.url} redirects elsewhere; use the address it redirects to: {text}",
        )
    if _MEMORY.search(words):
        why = (
            "git ran out of memory, for a server that answers without end or an agent with too "
            "little of it"
        )
        return ActionError(JOB_FAILED, f"{remote.url} was not fetched: {why}: {text}")
    if _FILE_SIZE.search(words):
        return ActionError(
            JOB_FAILED,
            f"{remote.url} was not fetched: it is larger than an artifact may be: {text}",
        )
    return ActionError(SYSTEM_UNAVAILABLE, f"git failed on {remote.url}: {text}")
