"""Where the source is: the Url and the revision, checked before git sees either.

Whatever stands here was written by a user and must never be read as an option, a local path, a
helper's name or a credential by git.
"""

import re
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

from penstock.actions.execution import CONFIGURATION_ERROR, ActionError

_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\]")
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_BAD_IN_REF = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|(^|/)\.|\.lock(/|$)|[/.]$|^/")


BRANCHES, TAGS = "refs/heads/", "refs/tags/"


class Remote(NamedTuple):
    """A repository over HTTP. ``origin`` is scheme, host and port, and binds a credential."""

    url: str
    origin: str
    host: str
    port: int
    full_name: str


class Wanted(NamedTuple):
    """Which commit: a full ref, or a commit id, or (neither) what the remote's HEAD names."""

    ref: str = ""
    commit: str = ""
    branch: str = ""

    @property
    def text(self) -> str:
        """What to call it in a message."""
        if self.commit:
            return f"Commit {self.commit}"
        kind, name = ("Tag", TAGS) if self.ref.startswith(TAGS) else ("Branch", BRANCHES)
        return f'{kind} "{self.ref.removeprefix(name)}"' if self.ref else "HEAD"


def remote_of(url: str) -> Remote:
    """Return the remote at a Url; raise ActionError unless it is plain http or https."""
    if any(char.isspace() or not char.isprintable() for char in url) or url.startswith("-"):
        raise ActionError(
            CONFIGURATION_ERROR, "Url holds a space or a control character, or begins with '-'"
        )
    try:
        parts = urlsplit(url)
        # urlsplit checks a port only when somebody asks for it, hence within the try.
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError as error:
        raise ActionError(CONFIGURATION_ERROR, f"Url is malformed: {error}") from error
    if parts.scheme not in ("http", "https"):
        raise ActionError(
            CONFIGURATION_ERROR, "Url must begin with http:// or https://; nothing else is fetched"
        )
    if "@" in parts.netloc:
        raise ActionError(
            CONFIGURATION_ERROR, "Url holds credentials; they belong into CredentialsSecret"
        )
    # parts.hostname drops the brackets of an IPv6 address, and the check wants to see them.
    host = parts.netloc.rpartition(":")[0] if parts.port else parts.netloc.removesuffix(":")
    if not _HOST.fullmatch(host):
        raise ActionError(CONFIGURATION_ERROR, f'Url names no host: "{host}"')
    full_name = parts.path.strip("/").removesuffix(".git")
    return Remote(url, f"{parts.scheme}://{parts.netloc}/", parts.hostname or host, port, full_name)


def wanted_of(configuration: Mapping[str, str], revision: str | None, ref: str = "") -> Wanted:
    """Return what to fetch; a run's own revision wins.

    This is as in StartPipelineExecution's sourceRevisions. ``ref`` is the branch or tag that the
    revision was pushed to; a tag is of no branch.
    """
    branch, tag, commit = (configuration.get(key, "") for key in ("Branch", "Tag", "Commit"))
    for key, name in (("Branch", branch), ("Tag", tag)):
        if name.startswith("-"):
            raise ActionError(
                CONFIGURATION_ERROR, f"{key} begins with '-', which git would read as an option"
            )
    commit = revision or commit
    if commit:
        if not _COMMIT.fullmatch(commit):
            raise ActionError(
                CONFIGURATION_ERROR, f"the revision {commit[:100]!r} is not a full commit id"
            )
        return Wanted(commit=commit, branch=_branch_of(ref) if ref else branch)
    if branch:
        return Wanted(f"{BRANCHES}{branch}", branch=branch)
    return Wanted(f"{TAGS}{tag}") if tag else Wanted()


def _branch_of(ref: str) -> str:
    return ref.removeprefix(BRANCHES) if ref.startswith(BRANCHES) else ""


def is_valid_ref(ref: str) -> bool:
    """Whether git could have a ref of this name; patterns and refspecs are none."""
    return not _BAD_IN_REF.search(ref)
