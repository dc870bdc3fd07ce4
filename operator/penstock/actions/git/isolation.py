"""What git is told, and what it is kept from; shared by the action's fetch and the poller's ``ls-remote``.

No configuration of system, user or repository; no prompt, hook, helper or redirect; http and https only.
"""

import base64
import re
from collections.abc import Mapping

from penstock.actions.execution import CONFIGURATION_ERROR, PERMISSION_ERROR, SYSTEM_UNAVAILABLE, ActionError
from penstock.actions.git.remote import Remote

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
    "gc.auto": "0",
    "maintenance.auto": "false",
    "submodule.recurse": "false",
    "safe.directory": "*",
    "advice.detachedHead": "false",
}
_UNREACHABLE = re.compile(
    r"could not resolve|failed to connect|connection (refused|timed out|reset)|timed out|too slow", re.I
)
_PROMPT = re.compile(r"could not read (username|password)", re.I)
_REFUSED = re.compile(r"authentication failed|could not read (username|password)|returned error: (401|403)", re.I)
_MISSING = re.compile(r"repository .* not found|returned error: 404", re.I)
_WANTED = "it wants a user and a password; name a Secret that holds them in CredentialsSecret"
_NOT_ACCEPTED = "it did not accept the user and password in CredentialsSecret"
_REDIRECTED = re.compile(r"returned error: 30[12378]")


class GitError(Exception):
    """Git exited with an error; ``text`` is what it wrote."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text

    @property
    def is_redirect(self) -> bool:
        """Whether the server answered with a redirect, which is not followed."""
        return bool(_REDIRECTED.search(self.text))


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


def failure_of(remote: Remote, error: GitError, *, has_credential: bool) -> ActionError:
    """Return what a failed git command means to the user."""
    lines = [line for line in error.text.splitlines() if line.startswith(("fatal:", "error:", "remote:"))]
    text = " ".join(lines or error.text.splitlines()[-1:])[:500]
    if _UNREACHABLE.search(text):
        return unreachable(remote, text)
    if _REFUSED.search(text):
        if _PROMPT.search(text):
            # Git would ask; that it may not is nothing a user can act on.
            text = _NOT_ACCEPTED if has_credential else _WANTED
        return ActionError(PERMISSION_ERROR, f"Git host {remote.host} refused access to {remote.url}: {text}")
    if _MISSING.search(text):
        return ActionError(CONFIGURATION_ERROR, f"{remote.url} was not found: {text}")
    if error.is_redirect:
        return ActionError(
            CONFIGURATION_ERROR, f"{remote.url} redirects elsewhere; use the address it redirects to: {text}"
        )
    return ActionError(SYSTEM_UNAVAILABLE, f"git failed on {remote.url}: {text}")
