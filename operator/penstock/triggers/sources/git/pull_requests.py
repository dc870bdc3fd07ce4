"""The pull requests of a repository, as each kind of host tells them (G-25).

A pull request is remembered under a name of its own, ``refs/pull/7``, whatever its host calls it.
"""

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple
from urllib.parse import quote

from penstock.actions.execution import CONFIGURATION_ERROR, SYSTEM_UNAVAILABLE, ActionError
from penstock.actions.git.remote import BRANCHES, is_valid_ref
from penstock.api.kinds.connection import ProviderType
from penstock.triggers.sources.git.host import Credential
from penstock.triggers.sources.git.host_api import HostApi, MissingError
from penstock.triggers.sources.git.ls_remote import is_commit

_PREFIX = "refs/pull/"
_LONGEST_NUMBER = 12
_OF_ONE_PAGE, _MOST_PAGES = 25, 20
# Of a branch: with its prefix as long as those that are listed.
_LONGEST = 255 - len(BRANCHES)


class PullRequest(NamedTuple):
    """A pull request as it is now.

    ``commit`` is its head; empty for a closed one of a host that shows another commit then.
    ``branch`` and ``destination`` are names of branches. ``is_own`` tells one of the repository
    itself from one of a fork. Of a closed one, ``base`` is the commit that its files are told from,
    and ``tip`` one of the destination from before it was merged; what the host does not tell is
    empty.
    """

    number: int
    commit: str
    branch: str
    destination: str
    is_own: bool
    is_open: bool
    base: str = ""
    tip: str = ""

    @property
    def ref(self) -> str:
        """The name under which it is remembered."""
        return f"{_PREFIX}{self.number}"


class PullPlace(NamedTuple):
    """Where the pull requests of a repository are: a kind of host, its address, a repository."""

    provider_type: ProviderType
    endpoint: str
    full_id: str


class _Api(NamedTuple):
    """How a kind of host tells of pull requests: addresses, who asks, and what an answer means."""

    address: Callable[[PullPlace], str]
    oldest_open_first: str
    authorization: Callable[[Credential], str]
    read: Callable[[Mapping[str, Any]], PullRequest]


@dataclass(frozen=True, slots=True)
class PullRequests:
    """Asks hosts for pull requests."""

    api: HostApi

    async def open(self, place: PullPlace, credential: Credential | None) -> list[PullRequest]:
        """Return the pull requests that are open; raise ActionError."""
        found: dict[int, PullRequest] = {}
        host = _api_of(place)
        for page in range(1, _MOST_PAGES + 1):
            url = f"{host.address(place)}?{host.oldest_open_first}&page={page}"
            pulls, has_more = await self.api.get(
                url, _headers(host, credential), partial(_list, host, url)
            )
            found |= {pull.number: pull for pull in pulls}
            if not has_more:
                return list(found.values())
        raise ActionError(
            CONFIGURATION_ERROR,
            f"{place.full_id} has more than {_OF_ONE_PAGE * _MOST_PAGES} open pull requests, more "
            f"than are looked at; close those that nobody needs, or filter pushes",
        )

    async def one(
        self, place: PullPlace, credential: Credential | None, number: int
    ) -> PullRequest | None:
        """Return a pull request, None if there is none of this number; raise ActionError."""
        host = _api_of(place)
        url = f"{host.address(place)}/{number}"
        try:
            found, _ = await self.api.get(url, _headers(host, credential), partial(_pull, host))
        except MissingError:
            return None
        if found is None or found.number != number:
            raise ActionError(SYSTEM_UNAVAILABLE, f"the answer is no pull request: {url}")
        return found


def is_pull_request(ref: str) -> bool:
    """Whether a name is one under which a pull request is remembered."""
    number = ref.removeprefix(_PREFIX)
    is_number = number.isascii() and number.isdigit() and len(number) <= _LONGEST_NUMBER
    return ref.startswith(_PREFIX) and is_number


def number_of(ref: str) -> int:
    """Return the number of a pull request that is remembered under a name."""
    return int(ref.removeprefix(_PREFIX))


def check_host(place: PullPlace | None) -> PullPlace:
    """Return the place; raise ActionError if the host is none that is asked for pull requests."""
    if place is None or place.provider_type not in _APIS:
        called = place.provider_type if place else "this kind"
        raise ActionError(
            CONFIGURATION_ERROR,
            f"pull requests of a host of {called} are not looked at; take pullRequest out of the "
            f"trigger, and filter pushes to the branches that pull requests are made of",
        )
    return place


def _api_of(place: PullPlace) -> _Api:
    return _APIS[check_host(place).provider_type]


def _headers(host: _Api, credential: Credential | None) -> dict[str, str]:
    if credential is None:
        return {}
    return {"Authorization": host.authorization(credential)}


def _list(host: _Api, url: str, answer: Any) -> list[PullRequest]:
    if not isinstance(answer, list):
        raise ActionError(SYSTEM_UNAVAILABLE, f"the answer is no list: {url}")
    # Closing is told of one alone: a list may be older than what stands in it.
    return [pull for pull in (_pull(host, entry) for entry in answer) if pull and pull.is_open]


def _pull(host: _Api, answer: Any) -> PullRequest | None:
    """Return a pull request that an answer tells of; None for what tells of none that can be."""
    # What a host sends has any shape.
    try:
        found = host.read(answer)
        texts = (found.commit, found.branch, found.destination, found.base, found.tip)
        is_text = all(isinstance(text, str) and len(text.encode()) <= _LONGEST for text in texts)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
        return None
    if not (is_text and is_pull_request(found.ref) and is_valid_ref(BRANCHES + found.destination)):
        return None
    commits = [commit for commit in (found.commit, found.base, found.tip) if commit]
    if not all(map(is_commit, commits)) or (found.is_open and not found.commit):
        return None
    # Gitea shows a head that is on no branch as a ref of the repository itself.
    has_branch = not found.branch.startswith("refs/") and is_valid_ref(BRANCHES + found.branch)
    return found._replace(is_own=found.is_own and has_branch)


# ---- GitHub and GitHub Enterprise Server


def _github_address(place: PullPlace) -> str:
    # github.com has its API at a host of its own; any other has it below its own address.
    is_public = place.endpoint.rstrip("/") == "https://github.com"
    api = "https://api.github.com" if is_public else f"{place.endpoint.rstrip('/')}/api/v3"
    return f"{api}/repos/{quote(place.full_id)}/pulls"


def _bearer(credential: Credential) -> str:
    return f"Bearer {credential.password}"


def _of_github(answer: Mapping[str, Any]) -> PullRequest:
    head, base = answer["head"], answer["base"]
    # A fork that was deleted is no repository any more.
    own = (head.get("repo") or {}).get("id")
    return PullRequest(
        int(answer["number"]),
        head["sha"],
        head["ref"],
        base["ref"],
        is_own=own is not None and own == base["repo"]["id"],
        is_open=answer["state"] == "open",
        # The merge base is not told.
        tip=base.get("sha") or "",
    )


# ---- Gitea and Forgejo


def _gitea_address(place: PullPlace) -> str:
    return f"{place.endpoint.rstrip('/')}/api/v1/repos/{quote(place.full_id)}/pulls"


def _basic(credential: Credential) -> str:
    # As git sends it: a token stands in the password's place, whoever the user is.
    pair = f"{credential.user}:{credential.password}".encode()
    return f"Basic {base64.b64encode(pair).decode()}"


def _of_gitea(answer: Mapping[str, Any]) -> PullRequest:
    found, head = _of_github(answer), answer["head"]
    if found.is_open:
        return found._replace(tip="")
    # Where its branch is gone, its name stands in the label alone, and where it has moved on, the
    # head is the branch's.
    branch = head.get("label") if str(head["ref"]).startswith(_PREFIX) else head["ref"]
    return found._replace(
        commit="", branch=branch or head["ref"], base=answer.get("merge_base") or "", tip=""
    )


# ---- GitLab


def _gitlab_address(place: PullPlace) -> str:
    project = quote(place.full_id, safe="")
    return f"{place.endpoint.rstrip('/')}/api/v4/projects/{project}/merge_requests"


def _of_gitlab(answer: Mapping[str, Any]) -> PullRequest:
    return PullRequest(
        int(answer["iid"]),
        answer["sha"],
        answer["source_branch"],
        answer["target_branch"],
        is_own=answer["source_project_id"] == answer["target_project_id"],
        # One that is being merged is locked: what becomes of it is not known yet.
        is_open=answer["state"] in ("opened", "locked"),
        base=(answer.get("diff_refs") or {}).get("base_sha") or "",
    )


# The oldest first: what is opened meanwhile comes last, and moves nothing.
_GITHUB = _Api(
    _github_address, "state=open&sort=created&direction=asc&per_page=25", _bearer, _of_github
)
_GITEA = _Api(_gitea_address, "state=open&sort=oldest&limit=25", _basic, _of_gitea)
_GITLAB = _Api(
    _gitlab_address, "state=opened&order_by=created_at&sort=asc&per_page=25", _bearer, _of_gitlab
)
_APIS: Mapping[ProviderType, _Api] = {
    ProviderType.GITHUB: _GITHUB,
    ProviderType.GITHUB_ENTERPRISE_SERVER: _GITHUB,
    ProviderType.GITEA: _GITEA,
    ProviderType.FORGEJO: _GITEA,
    ProviderType.GITLAB: _GITLAB,
    ProviderType.GITLAB_SELF_MANAGED: _GITLAB,
}
