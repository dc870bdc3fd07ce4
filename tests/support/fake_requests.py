"""What reaches a fake API server: requests, the places their paths name, and refusals."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from penstock.cluster import resources
from penstock.cluster.resources import Resource
from tests.support.fake_documents import Document

KINDS = {(r.api, r.plural): r for r in vars(resources).values() if isinstance(r, Resource)}


class Refusal(Exception):
    """An answer that is no success, as the real server's Status says it."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(f"{status} {reason}: {message}")
        self.status, self.reason, self.message = status, reason, message


class Place(NamedTuple):
    """What the path of a request names."""

    resource: Resource
    namespace: str
    name: str = ""
    part: str = ""

    def __str__(self) -> str:
        group = self.resource.api.split("/")[1] if self.resource.api.startswith("apis/") else ""
        return f'{self.resource.plural}{f".{group}" if group else ""} "{self.name}"'


class Request(NamedTuple):
    """A request as it arrived."""

    method: str
    path: str
    body: Document | None


@dataclass
class Injected:
    """An answer that a test wants in place of the server's."""

    method: str
    words: str
    refusal: Refusal
    times: int
    is_applied: bool
    """Whether the request is carried out all the same: its answer was lost."""

    def is_of(self, method: str, path: str) -> bool:
        """Whether this answers a request."""
        return self.method == method and self.words in path


@lru_cache(4096)
def place_of(path: str) -> Place:
    """Return what a path names; raise Refusal for what no server has."""
    parts = path.strip("/").split("/")
    size = 2 if parts[0] == "api" else 3
    api, rest = "/".join(parts[:size]), parts[size:]
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 2:
        namespace, rest = rest[1], rest[2:]
    if (api, rest[0]) not in KINDS:
        raise Refusal(404, "NotFound", "the server could not find the requested resource")
    return Place(KINDS[api, rest[0]], namespace, *rest[1:3])
