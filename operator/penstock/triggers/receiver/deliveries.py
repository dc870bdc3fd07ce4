"""What a delivery tells: the repository that has changed, or nothing that matters here.

A delivery is read after its signature was checked, and still is anybody's text who may push.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

from penstock.api.kinds.connection import ProviderType
from penstock.triggers.receiver.signatures import Headers

# Of a repository's full name; hosts take less.
_LONGEST = 500
_PUSHES = frozenset({"push", "Push Hook", "Tag Push Hook", "repo:push", "git.push", "create"})
_PULL_REQUESTS = frozenset({"pull_request", "Merge Request Hook"})


class Delivery(NamedTuple):
    """One delivery: its id, empty if the host gives none, and the repository, empty if none."""

    id: str
    repository: str


class UnreadableError(ValueError):
    """The body is no JSON object, or names no repository where it must name one."""


def read(provider_type: ProviderType, headers: Headers, body: bytes) -> Delivery:
    """Return what a delivery tells; the repository is empty for what is no push and no news of a
    pull request.

    Raise UnreadableError for what no host sends.
    """
    kind = _first(headers, _EVENT_HEADERS)
    document = _object(body)
    if not kind:
        kind = str(document.get("eventType", ""))
    name = _first(headers, _ID_HEADERS) or str(document.get("id", ""))[:100]
    if kind not in _PUSHES | _PULL_REQUESTS:
        return Delivery(name, "")
    repository = _NAMES[provider_type](document) if provider_type in _NAMES else ""
    if not repository or len(repository) > _LONGEST or not repository.isprintable():
        raise UnreadableError(f"a delivery of a {kind} names no repository")
    return Delivery(name, repository)


_EVENT_HEADERS = ("X-GitHub-Event", "X-Gitlab-Event", "X-Event-Key", "X-Gitea-Event")
_ID_HEADERS = (
    "X-GitHub-Delivery",
    "X-Gitlab-Event-UUID",
    "webhook-id",
    "X-Request-UUID",
    "X-Gitea-Delivery",
)


def _first(headers: Headers, names: tuple[str, ...]) -> str:
    return next((headers[name][:100] for name in names if headers.get(name)), "")


def _object(body: bytes) -> Mapping[str, Any]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise UnreadableError(
            "the body is no JSON object; choose the content type application/json"
        )
    return document


def _text(document: Mapping[str, Any], *path: str) -> str:
    """Return a text deep in a document, empty where anything else is on the way."""
    found: Any = document
    for key in path:
        found = found.get(key) if isinstance(found, dict) else None
    return found if isinstance(found, str) else ""


def _azure(document: Mapping[str, Any]) -> str:
    """Return ORGANIZATION/PROJECT/REPOSITORY: the address of the repository holds all three."""
    parts = urlsplit(_text(document, "resource", "repository", "remoteUrl"))
    place, separator, repository = unquote(parts.path).strip("/").partition("/_git/")
    return f"{place}/{repository}" if separator else ""


def _full_name(document: Mapping[str, Any]) -> str:
    return _text(document, "repository", "full_name")


def _path(document: Mapping[str, Any]) -> str:
    return _text(document, "project", "path_with_namespace")


_NAMES: Mapping[ProviderType, Callable[[Mapping[str, Any]], str]] = {
    ProviderType.GITHUB: _full_name,
    ProviderType.GITHUB_ENTERPRISE_SERVER: _full_name,
    ProviderType.BITBUCKET: _full_name,
    ProviderType.GITEA: _full_name,
    ProviderType.FORGEJO: _full_name,
    ProviderType.GITLAB: _path,
    ProviderType.GITLAB_SELF_MANAGED: _path,
    ProviderType.AZURE_DEVOPS: _azure,
}
