"""A Git LFS server: batch API and basic transfers, streamed to disk up to the pointer's size.

git-lfs is not used: as git's filter it makes git hold each file in memory, and by itself it fetches
what nobody asked for and keeps an answer whole, however long.
"""

import hashlib
import http.client
import json
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Mapping
from typing import IO, Any, NamedTuple
from urllib.parse import urljoin

from penstock.actions.execution import (
    CONFIGURATION_ERROR,
    JOB_FAILED,
    PERMISSION_ERROR,
    SYSTEM_UNAVAILABLE,
    ActionError,
    Job,
)
from penstock.actions.git.remote import Remote, remote_of
from penstock.actions.git.source_commit import CREDENTIALS_SECRET
from penstock.api.text import printable

_MEDIA_TYPE = "application/vnd.git-lfs+json"
# An answer to a hundred objects has some 100 KB: a larger one is hostile.
_LARGEST_ANSWER = 4 * 1024 * 1024
# Bytes that are written at a time.
_CHUNK = 256 * 1024
# As many as browsers' ancestors took; a loop ends here.
_REDIRECTS = 5
# A download is repeated for a connection that broke, not for a refusal.
_TRIES = 3
# Seconds between two tries.
_PAUSE_S = 1.0


class LfsObject(NamedTuple):
    """A file on the server: its sha256 in hex, its size in bytes, and its path for messages."""

    oid: str
    size: int
    path: str


class Link(NamedTuple):
    """Where the server says an object is, and with which headers to ask."""

    url: str
    headers: Mapping[str, str]


class LfsServer:
    """The server of one remote. ``authorization`` is a header's value for ``origin``, or empty.

    ``credential_place`` is where a user names the credential, for messages.
    """

    def __init__(
        self,
        job: Job,
        remote: Remote,
        origin: str,
        authorization: str,
        credential_place: str = CREDENTIALS_SECRET,
    ) -> None:
        self._credential_place = credential_place
        url = remote.url.rstrip("/")
        self._job = job
        self._endpoint = f"{url}/info/lfs" if url.endswith(".git") else f"{url}.git/info/lfs"
        self._origin = origin
        self._authorization = authorization
        tls = urllib.request.HTTPSHandler(context=ssl.create_default_context())
        self._opener = urllib.request.build_opener(_NoRedirect, tls)

    def links(self, objects: Iterable[LfsObject]) -> dict[str, Link]:
        """Return links by oid, for up to 100 objects; raise ActionError for one that is missing."""
        wanted = {item.oid: item for item in objects}
        asked = [{"oid": item.oid, "size": item.size} for item in wanted.values()]
        body = json.dumps(
            {"operation": "download", "transfers": ["basic"], "objects": asked}
        ).encode()
        headers = {"Accept": _MEDIA_TYPE, "Content-Type": _MEDIA_TYPE}
        with self._open(Link(f"{self._endpoint}/objects/batch", headers), body) as answer:
            text = answer.read(_LARGEST_ANSWER + 1)
        if len(text) > _LARGEST_ANSWER:
            raise self._error(
                SYSTEM_UNAVAILABLE, f"its answer is longer than {_LARGEST_ANSWER} bytes"
            )
        try:
            found = {
                item["oid"]: self._link(item, wanted[item["oid"]])
                for item in json.loads(text)["objects"]
                if item["oid"] in wanted
            }
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise self._error(SYSTEM_UNAVAILABLE, "its answer is none of the batch API") from error
        if missing := next((item for oid, item in wanted.items() if oid not in found), None):
            raise self._error(
                SYSTEM_UNAVAILABLE, f'its answer leaves out "{missing.path}" ({missing.oid})'
            )
        return found

    def download(self, wanted: LfsObject, link: Link, file: IO[bytes]) -> None:
        """Write an object's content; raise ActionError unless it is exactly that."""
        for left in reversed(range(_TRIES)):
            try:
                return self._download(wanted, link, file)
            except ActionError as error:
                if error.code != SYSTEM_UNAVAILABLE or not left:
                    raise
                file.seek(0)
                file.truncate()
                time.sleep(min(_PAUSE_S, self._job.remaining()))
        return None

    def _download(self, wanted: LfsObject, link: Link, file: IO[bytes]) -> None:
        digest, size = hashlib.sha256(), 0
        with self._open(link) as answer:
            while data := self._read(answer):
                size += len(data)
                if size > wanted.size:
                    raise self._error(
                        JOB_FAILED,
                        f'"{wanted.path}" is more than the {wanted.size} bytes of its pointer',
                    )
                digest.update(data)
                file.write(data)
        if size < wanted.size:
            raise self._error(
                SYSTEM_UNAVAILABLE, f'"{wanted.path}" ended after {size} of {wanted.size} bytes'
            )
        if digest.hexdigest() != wanted.oid:
            raise self._error(JOB_FAILED, f'what came for "{wanted.path}" is not {wanted.oid}')

    def _read(self, answer: http.client.HTTPResponse) -> bytes:
        self._job.remaining()
        try:
            # read1 returns what has come: the deadline is looked at, however slowly the server
            # sends.
            return answer.read1(_CHUNK)
        except (OSError, http.client.HTTPException) as error:
            raise self._error(SYSTEM_UNAVAILABLE, f"its answer broke off: {error}") from error

    def _link(self, item: Mapping[str, Any], wanted: LfsObject) -> Link:
        if error := item.get("error"):
            raise self._error(
                JOB_FAILED, f'"{wanted.path}" ({wanted.oid}): {str(error["message"])[:200]}'
            )
        action = item["actions"]["download"]
        headers = {str(name): str(value) for name, value in (action.get("header") or {}).items()}
        return Link(urljoin(f"{self._endpoint}/", action["href"]), headers)

    def _open(self, link: Link, body: bytes | None = None) -> http.client.HTTPResponse:
        """Ask, and follow a download's redirects; send secrets to no origin but their own."""
        for _ in range(_REDIRECTS):
            answer = self._ask(link, body)
            if answer.status < 300:
                return answer
            answer.close()
            if body is not None:
                raise self._error(
                    CONFIGURATION_ERROR,
                    "it redirects elsewhere; use the address it redirects to as Url",
                )
            target = urljoin(link.url, answer.headers.get("Location", ""))
            if link.url.startswith("https:") and not target.startswith("https:"):
                raise self._error(SYSTEM_UNAVAILABLE, "it redirects from https to http")
            link = Link(
                target, link.headers if self._origin_of(target) == self._origin_of(link.url) else {}
            )
        raise self._error(SYSTEM_UNAVAILABLE, f"it redirects more than {_REDIRECTS} times")

    def _ask(self, link: Link, body: bytes | None) -> http.client.HTTPResponse:
        headers = dict(link.headers)
        is_own = self._origin_of(link.url) == self._origin
        if (
            self._authorization
            and is_own
            and not any(name.lower() == "authorization" for name in headers)
        ):
            headers["Authorization"] = self._authorization
        timeout = max(min(self._job.request.limits.connect_s, self._job.remaining()), 1.0)
        try:
            request = urllib.request.Request(link.url, body, headers)  # noqa: S310 — _origin_of takes http and https alone
            answer: http.client.HTTPResponse = self._opener.open(request, timeout=timeout)
        except urllib.error.HTTPError as error:
            with error:
                raise self._refusal(error.code, error.reason) from error
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise self._error(SYSTEM_UNAVAILABLE, str(error)) from error
        return answer

    def _origin_of(self, url: str) -> str:
        try:
            return remote_of(url).origin
        except ActionError as error:
            raise self._error(
                SYSTEM_UNAVAILABLE, "it names an address that is not plain http or https"
            ) from error

    def _refusal(self, status: int, reason: str) -> ActionError:
        said = f"HTTP {status} {reason[:200]}"
        if status in (401, 403):
            hint = (
                f"{self._credential_place} must hold one who may read, and is for the host of Url "
                f"alone"
            )
            return self._error(PERMISSION_ERROR, f"{said}; {hint}")
        return self._error(
            CONFIGURATION_ERROR if status in (404, 410) else SYSTEM_UNAVAILABLE, said
        )

    def _error(self, code: str, why: str) -> ActionError:
        return ActionError(code, f"Git LFS server {self._endpoint}: {printable(why)}")


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Hands redirects to the caller."""

    def http_error_302(self, req: Any, fp: Any, code: int, msg: str, headers: Any) -> Any:
        """Return the answer as it is."""
        return fp

    http_error_301 = http_error_303 = http_error_307 = http_error_308 = http_error_302
