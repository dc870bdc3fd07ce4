"""The git program as a child that knows nothing but what we tell it.

No configuration of system, user or repository; no prompt, hook, helper or redirect; http and https only.
The credential travels in the child's environment, as a header that git sends to one origin.
"""

import base64
import os
import re
import resource
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from penstock.actions.execution import (
    CONFIGURATION_ERROR,
    PERMISSION_ERROR,
    SYSTEM_UNAVAILABLE,
    TIMED_OUT,
    ActionError,
    Job,
)
from penstock.actions.git.remote import Remote

_OUTPUT = 1024 * 1024
_PROXIES = ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
_PASSED = ("PATH", "NO_PROXY", "no_proxy", "SSL_CERT_FILE", "SSL_CERT_DIR", "GIT_SSL_CAINFO", *_PROXIES)
_CONFIG = {
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


class Git:
    """Runs git for one remote, within the job's limits."""

    def __init__(self, job: Job, remote: Remote, home: Path) -> None:
        self._job = job
        self._remote = remote
        settings = dict(_CONFIG)
        settings["http.lowSpeedTime"] = str(max(int(job.request.limits.connect_s), 1))
        if header := _authorization(job):
            settings[f"http.{remote.origin}.extraHeader"] = header
        self._environment = {name: os.environ[name] for name in _PASSED if name in os.environ}
        self._environment |= {
            "HOME": str(home),
            "LC_ALL": "C",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_CONFIG_COUNT": str(len(settings)),
        }
        for index, (key, value) in enumerate(settings.items()):
            self._environment |= {f"GIT_CONFIG_KEY_{index}": key, f"GIT_CONFIG_VALUE_{index}": value}

    def connect(self) -> None:
        """Make sure the host answers: git itself would wait for minutes. A proxy answers for all hosts."""
        if any(name in self._environment for name in _PROXIES):
            return
        limit = min(self._job.request.limits.connect_s, self._job.remaining())
        try:
            socket.create_connection((self._remote.host, self._remote.port), limit).close()
        except OSError as error:
            raise self._unreachable(error.strerror or str(error)) from error

    def run(self, *arguments: str) -> str:
        """Return what git prints; raise GitError if it fails."""
        with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
            with self._start(arguments, output.fileno(), errors.fileno()) as child:
                try:
                    child.wait(self._job.remaining())
                except subprocess.TimeoutExpired as error:
                    raise ActionError(TIMED_OUT, f"git {arguments[0]} took too long") from error
                finally:
                    _kill(child)
            output.seek(0)
            errors.seek(0)
            if child.returncode:
                raise GitError(errors.read(_OUTPUT).decode("utf-8", "replace").strip() or f"git {arguments[0]} failed")
            return output.read(_OUTPUT).decode("utf-8", "replace")

    def stream(self, *arguments: str) -> Iterator[bytes]:
        """Yield git's output line by line; the caller may stop early."""
        with self._start(arguments, subprocess.PIPE, subprocess.DEVNULL) as child:
            assert child.stdout
            try:
                for line in child.stdout:
                    self._job.remaining()
                    yield line
            finally:
                _kill(child)

    def failure(self, error: GitError) -> ActionError:
        """Return what a failed fetch means to the user."""
        lines = [line for line in error.text.splitlines() if line.startswith(("fatal:", "error:", "remote:"))]
        text = " ".join(lines or error.text.splitlines()[-1:])[:500]
        if _UNREACHABLE.search(text):
            return self._unreachable(text)
        if _REFUSED.search(text):
            if _PROMPT.search(text):
                # Git would ask; that it may not is nothing a user can act on.
                is_given = self._job.secret("CredentialsSecret") is not None
                text = _NOT_ACCEPTED if is_given else _WANTED
            return ActionError(
                PERMISSION_ERROR, f"Git host {self._remote.host} refused access to {self._remote.url}: {text}"
            )
        if _MISSING.search(text):
            return ActionError(CONFIGURATION_ERROR, f"{self._remote.url} was not found: {text}")
        if error.is_redirect:
            return ActionError(
                CONFIGURATION_ERROR, f"{self._remote.url} redirects elsewhere; use the address it redirects to: {text}"
            )
        return ActionError(SYSTEM_UNAVAILABLE, f"git failed on {self._remote.url}: {text}")

    def _unreachable(self, why: str) -> ActionError:
        return ActionError(SYSTEM_UNAVAILABLE, f"Git host {self._remote.host} could not be reached: {why}")

    def _start(self, arguments: tuple[str, ...], output: int, errors: int) -> "subprocess.Popen[bytes]":
        limit = self._job.request.limits.artifact_bytes
        return subprocess.Popen(
            ["git", *arguments],
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=errors,
            start_new_session=True,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
        )


def _kill(child: "subprocess.Popen[bytes]") -> None:
    """End git and the helpers it started."""
    if child.poll() is None:
        os.killpg(child.pid, signal.SIGKILL)


def _authorization(job: Job) -> str:
    folder = job.secret("CredentialsSecret")
    if folder is None:
        return ""
    try:
        user, password = ((folder / name).read_text().strip("\r\n") for name in ("username", "password"))
    except (OSError, UnicodeDecodeError) as error:
        raise ActionError(
            CONFIGURATION_ERROR,
            "The Secret in CredentialsSecret is missing, or not of type kubernetes.io/basic-auth",
        ) from error
    return "Authorization: Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
