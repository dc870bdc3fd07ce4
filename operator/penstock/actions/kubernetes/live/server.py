"""Talks to the API server to apply manifests: discovery, server-side apply, get, list, delete.

A page of our own over http.client: the kubernetes package takes half a second
to import, every time.
"""

import http.client
import json
import os
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from penstock.actions.execution import SYSTEM_UNAVAILABLE, ActionError, Job

# A LIST of metadata with thousands of members has some megabytes.
_RESPONSE_BYTES = 64 * 1024 * 1024
# An API server that is being replaced is away for seconds.
_TRIES = 4
# Objects of one page, as kubectl asks.
_PAGE = 500
_METADATA_ONLY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
_RETRY_STATUS = {429, 502, 503, 504}
# What the server says, with status 500, of a field that its schema does not know.
_BAD_PATCH = "failed to create typed patch object"


class ApiError(Exception):
    """The API server's refusal: HTTP status, and Status reason, message and causes by field."""

    def __init__(
        self, status: int, reason: str, message: str, causes: Sequence[Mapping[str, Any]] = ()
    ) -> None:
        super().__init__(message)
        self.causes = causes
        self.status = status
        self.reason = reason
        self.message = message


@dataclass(frozen=True, slots=True)
class ServedResource:
    """Where objects of a kind stand."""

    base: str
    plural: str
    is_namespaced: bool

    def path(self, namespace: str, name: str = "") -> str:
        """Return the path of an object, or of the collection."""
        scope = f"/namespaces/{quote(namespace, safe='')}" if self.is_namespaced else ""
        return f"{self.base}{scope}/{self.plural}" + (f"/{quote(name, safe='')}" if name else "")


class Server:
    """One connection to the API server with the service account's token, kept open.

    ``guard`` is called before each try of a request; it raises to forbid it.
    """

    def __init__(self, job: Job) -> None:
        self._job = job
        self._address = urlsplit(_address())
        self._token_dir: Path = job.token_dir
        self._connection: http.client.HTTPConnection | None = None
        self._kinds: dict[str, dict[str, ServedResource]] = {}
        self.guard: Callable[[], None] = lambda: None

    @property
    def timeout_s(self) -> float:
        """How long one try of a request may take, in seconds."""
        return min(self._job.request.limits.connect_s, self._job.remaining())

    def resource(self, api_version: str, kind: str) -> ServedResource | None:
        """Return where a kind stands, None if the server does not have it (now)."""
        # A kind that is not known may have been defined a moment ago, so it is asked for again.
        if kind not in self._kinds.get(api_version, {}):
            self._kinds[api_version] = self._discover(api_version)
        return self._kinds[api_version].get(kind)

    def preferred(self, group: str, kind: str) -> ServedResource | None:
        """Return a kind's place in the first version with it, the server's preferred one first."""
        if not group:
            return self.resource("v1", kind)
        found = self.find(f"/apis/{quote(group, safe='')}") or {}
        first = (found.get("preferredVersion") or {}).get("groupVersion")
        others = [item["groupVersion"] for item in found.get("versions", [])]
        versions = dict.fromkeys([first, *others] if first else others)
        return next(
            (where for version in versions if (where := self.resource(version, kind))), None
        )

    def apply(
        self, path: str, body: dict[str, Any], *, manager: str, force: bool, is_dry: bool = False
    ) -> dict[str, Any]:
        """Apply an object by server-side apply; fields that the schema does not know are errors."""
        # By default the server drops an unknown field and only warns: a typing error would deploy.
        options = {
            "fieldManager": manager,
            "force": str(force).lower(),
            "fieldValidation": "Strict",
        }
        query = urlencode(options | ({"dryRun": "All"} if is_dry else {}))
        content = json.dumps(body).encode()
        return self._request(
            "PATCH", f"{path}?{query}", content, content_type="application/apply-patch+yaml"
        )

    def merge(self, path: str, body: dict[str, Any], *, manager: str) -> dict[str, Any]:
        """Merge a patch into an object."""
        content, query = json.dumps(body).encode(), urlencode({"fieldManager": manager})
        return self._request(
            "PATCH", f"{path}?{query}", content, content_type="application/merge-patch+json"
        )

    def put(self, method: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Create (POST) or replace (PUT) an object."""
        return self._request(
            method, path, json.dumps(body).encode(), content_type="application/json"
        )

    def delete(self, path: str, uid: str, *, propagation: str, is_dry: bool = False) -> None:
        """Delete the object of this uid; ``propagation`` decides the fate of objects it owns."""
        body = {"preconditions": {"uid": uid}, "propagationPolicy": propagation}
        content = json.dumps(body | ({"dryRun": ["All"]} if is_dry else {})).encode()
        self._request("DELETE", path, content, content_type="application/json")

    def get(self, path: str, **query: str) -> dict[str, Any]:
        """Get an object or a list."""
        return self._request("GET", f"{path}?{urlencode(query)}" if query else path)

    def find(self, path: str) -> dict[str, Any] | None:
        """Get an object, None where there is none."""
        try:
            return self.get(path)
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    def metadata(self, path: str, selector: str) -> list[dict[str, Any]]:
        """Return the metadata alone of every object in a collection with these labels."""
        found: list[dict[str, Any]] = []
        query = {"labelSelector": selector, "limit": str(_PAGE)}
        while True:
            page = self._request("GET", f"{path}?{urlencode(query)}", accept=_METADATA_ONLY)
            found += [item.get("metadata") or {} for item in page.get("items") or []]
            query["continue"] = (page.get("metadata") or {}).get("continue") or ""
            if not query["continue"]:
                return found

    def history(self, collection: str, name: str, since: str) -> list[dict[str, Any]]:
        """Return an object's watch events since a version of it; raise ApiError if unavailable."""
        query = {
            "watch": "1",
            "fieldSelector": f"metadata.name={name}",
            "resourceVersion": since,
            "timeoutSeconds": "1",
        }
        lines = self._request("GET", f"{collection}?{urlencode(query)}", decode=_events)["items"]
        return [event for event in lines if isinstance(event.get("object"), dict)]

    def _discover(self, api_version: str) -> dict[str, ServedResource]:
        base = "/api/" if "/" not in api_version else "/apis/"
        base += "/".join(quote(part, safe="") for part in api_version.split("/"))
        try:
            found = self.get(base)
        except ApiError as error:
            if error.status == 404:
                return {}
            raise
        return {
            item["kind"]: ServedResource(base, item["name"], bool(item["namespaced"]))
            for item in found.get("resources", [])
            # A slash is of a subresource, as in pods/log.
            if "/" not in item["name"]
        }

    def _request(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        *,
        content_type: str = "",
        accept: str = "application/json",
        decode: Callable[[int, bytes], dict[str, Any]] | None = None,
    ) -> dict[str, Any]:
        """Send a request, again where the server asks for it: all of ours may be repeated."""
        headers = {"Accept": accept, "User-Agent": "penstock-agent"}
        headers |= {"Content-Type": content_type} if content_type else {}
        for left in reversed(range(_TRIES)):
            # The pause before this try may have outlasted the lease.
            self.guard()
            try:
                status, retry_after, data = self._send(method, path, body, headers)
            except (OSError, http.client.HTTPException) as error:
                self._close()
                if not left:
                    raise ActionError(
                        SYSTEM_UNAVAILABLE,
                        f"the API server could not be reached: {error or type(error).__name__}",
                    ) from error
                self._pause(0.5)
                continue
            if status not in _RETRY_STATUS or not left:
                return (decode or _decoded)(status, data)
            self._pause(float(retry_after) if retry_after.isdigit() else 1.0)
        raise AssertionError("unreachable")

    def _send(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]
    ) -> tuple[int, str, bytes]:
        connection = self._connect()
        # The kubelet renews the token in its file.
        token = (self._token_dir / "token").read_text().strip()
        connection.request(method, path, body, {**headers, "Authorization": f"Bearer {token}"})
        response = connection.getresponse()
        data = response.read(_RESPONSE_BYTES)
        # What is left of a longer answer would be taken for the next one.
        if not response.isclosed():
            self._close()
        return response.status, response.getheader("Retry-After", ""), data

    def _connect(self) -> http.client.HTTPConnection:
        timeout = self.timeout_s
        if self._connection is None:
            host, port = self._address.hostname or "", self._address.port
            if self._address.scheme == "https":
                context = ssl.create_default_context(cafile=str(self._token_dir / "ca.crt"))
                self._connection = http.client.HTTPSConnection(
                    host, port, timeout=timeout, context=context
                )
            else:
                self._connection = http.client.HTTPConnection(host, port, timeout=timeout)
        # An open connection keeps the time that it was made with: the Lease may leave less by now.
        if self._connection.sock is not None:
            self._connection.sock.settimeout(timeout)
        return self._connection

    def _pause(self, seconds: float) -> None:
        time.sleep(min(seconds, 10.0, self._job.remaining()))

    def _close(self) -> None:
        if self._connection:
            self._connection.close()
        self._connection = None


def _address() -> str:
    host, port = (
        os.environ.get("KUBERNETES_SERVICE_HOST", ""),
        os.environ.get("KUBERNETES_SERVICE_PORT", "443"),
    )
    return f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"


def _decoded(status: int, data: bytes) -> dict[str, Any]:
    try:
        document = json.loads(data)
    except ValueError:
        document = {}
    if not isinstance(document, dict):
        document = {}
    if status >= 400:
        text = document.get("message") or data[:300].decode("utf-8", "replace")
        status = 400 if _BAD_PATCH in text else status
        raise ApiError(
            status, str(document.get("reason") or f"HTTP {status}"), str(text), _causes(document)
        )
    return document


def _causes(document: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    details = document.get("details")
    causes = details.get("causes") if isinstance(details, dict) else None
    return (
        [cause for cause in causes if isinstance(cause, dict)] if isinstance(causes, list) else []
    )


def _events(status: int, data: bytes) -> dict[str, Any]:
    """Return the events of a watch, one a line; the last line may have been cut off."""
    if status >= 400:
        return _decoded(status, data)
    found = []
    for line in data.splitlines():
        try:
            found.append(json.loads(line))
        except ValueError:
            break
    return {"items": [event for event in found if isinstance(event, dict)]}
