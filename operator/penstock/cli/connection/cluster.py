"""The cluster as the user's kubeconfig reaches it.

Objects are read by their models, and every wait has a limit.
"""

import json
import os
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlencode

import urllib3

from penstock.api.document import Document
from penstock.api.kinds.pipeline import ArtifactStore
from penstock.api.meta import API_VERSION, LABEL_RUN_UID
from penstock.cli.connection.kubeconfig import target_of
from penstock.cli.connection.objects import (
    Approval,
    CliError,
    NamedOnly,
    Object,
    Pipeline,
    Run,
    Transition,
    read,
)
from penstock.cli.connection.transport import STREAM_S, Transport, UnreachableError, is_away
from penstock.cli.text import meant

FIELD_MANAGER = "penstock-cli"
NOT_FOUND = 404
_TOO_OLD = 410
# What requestedBy holds: a longer name is left out, as a part of it would be refused.
_LONGEST_NAME = 253
_KINDS: dict[type, str] = {
    Run: "pipelineruns",
    Pipeline: "pipelines",
    Approval: "approvals",
    Transition: "stagetransitions",
}
_REVIEW = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
_WRITING = f"fieldValidation=Strict&fieldManager={FIELD_MANAGER}"


class Cluster:
    """One kubeconfig context, and the namespace that commands work in."""

    def __init__(self, context: str | None, namespace: str | None) -> None:
        target = target_of(context, namespace, os.environ)
        self.namespace = target.namespace
        self._transport = Transport(target)

    def run(self, name: str) -> Run:
        """Return a PipelineRun; where there is none, CliError says what the name may have meant."""
        try:
            return read(Run, self._object("GET", self._path(Run, name)))
        except CliError as error:
            if error.status != NOT_FOUND:
                raise
            raise CliError(f"{error}{self._instead_of_run(name)}", error.status) from error

    def runs(self, pipeline: str | None) -> list[Run]:
        """Return the namespace's runs, the newest first; of one pipeline, if it is named."""
        wanted = [
            run for run in self.objects(Run) if pipeline in (None, run.spec.pipeline_ref.name)
        ]
        return sorted(wanted, key=lambda run: run.metadata.creation_timestamp, reverse=True)

    def pipeline(self, name: str) -> Pipeline:
        """Return a Pipeline; where there is none, CliError says what the name may have meant."""
        try:
            return read(Pipeline, self._object("GET", self._path(Pipeline, name)))
        except CliError as error:
            if error.status != NOT_FOUND:
                raise
            known = self._names(Pipeline)
            raise CliError(f"{error}{meant(name, known)}", error.status) from error

    def objects(self, kind: type[Object]) -> list[Object]:
        """Return the namespace's objects of a kind; raise CliError without such a namespace."""
        items = self._object("GET", self._path(kind))["items"]
        if not items:
            self._check_namespace()
        return [read(kind, item) for item in items]

    def start(self, metadata: Document, spec: Document) -> Run:
        """Create a PipelineRun."""
        return self.create(Run, metadata, spec)

    def create(self, kind: type[Object], metadata: Document, spec: Document) -> Object:
        """Create an object; unknown fields are refused by the server."""
        name = "StageTransition" if kind is Transition else "PipelineRun"
        body = {"apiVersion": API_VERSION, "kind": name, "metadata": metadata, "spec": spec}
        return read(kind, self._object("POST", f"{self._path(kind)}?{_WRITING}", body))

    def change(self, found: Object, spec: Document) -> Object:
        """Merge a patch into the spec of this very object; a null removes a field."""
        path = f"{self._path(type(found), found.metadata.name)}?{_WRITING}"
        body = {"metadata": {"uid": found.metadata.uid}, "spec": spec}
        return read(type(found), self._object("PATCH", path, body))

    def append(self, found: Object, field: str, entry: Document) -> Object:
        """Add an entry to a list in the spec of this very object.

        Entries that others have added meanwhile are kept.
        """
        path = f"{self._path(type(found), found.metadata.name)}?{_WRITING}"
        is_list = bool(getattr(found.spec, field)) if not isinstance(found, NamedOnly) else False
        place, value = (f"/spec/{field}/-", entry) if is_list else (f"/spec/{field}", [entry])
        is_same = {"op": "test", "path": "/metadata/uid", "value": found.metadata.uid}
        return read(
            type(found),
            self._object("PATCH", path, [is_same, {"op": "add", "path": place, "value": value}]),
        )

    def whoami(self) -> str | None:
        """Return the user name that the API server sees, or None if it does not say.

        Impersonation counts.
        """
        try:
            review = self._object(
                "POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", _REVIEW
            )
        except CliError as error:
            if error.status not in (403, NOT_FOUND):
                raise
            return None
        name = str(review["status"]["userInfo"]["username"])
        return name if 0 < len(name) <= _LONGEST_NAME else None

    def changes(self, name: str, seconds: float) -> Iterator[Run]:
        """Yield a run as it is now, and again after every change.

        It ends after so many seconds at most, or when the watch ends.
        """
        run = self.run(name)
        yield run
        limit = max(1, min(int(STREAM_S), int(seconds)))
        query = {
            "watch": "1",
            "fieldSelector": f"metadata.name={name}",
            "resourceVersion": run.metadata.resource_version,
            "timeoutSeconds": str(limit),
        }
        for event in self._events(f"{self._path(Run)}?{urlencode(query)}", limit + 10):
            if event.get("type") == "DELETED":
                raise DeletedError(f"run {name} was deleted")
            if event.get("type") not in ("ADDED", "MODIFIED"):
                return
            yield read(Run, event["object"])

    def _events(self, path: str, silence_s: float) -> Iterator[Document]:
        """Yield the events of a watch; one that cannot go on, or is cut off in the middle, ends."""
        try:
            for line in self.lines(path, silence_s):
                yield json.loads(line)
        except ValueError:
            return
        except CliError as error:
            if error.status != _TOO_OLD:
                raise

    def pod_of(self, job: str) -> NamedOnly | None:
        """Return the first pod of a Job, None where there is none (any more)."""
        query = urlencode({"labelSelector": f"batch.kubernetes.io/job-name={job},{LABEL_RUN_UID}"})
        pods = [
            read(NamedOnly, pod)
            for pod in self._object("GET", f"{self._core('pods')}?{query}")["items"]
        ]
        return min(pods, key=lambda pod: pod.metadata.creation_timestamp, default=None)

    def log(self, pod: str, query: dict[str, str], silence_s: float) -> Iterator[str]:
        """Yield the lines of a pod's agent, which relays what the action prints."""
        return self.lines(
            f"{self._core('pods')}/{_part(pod)}/log?{urlencode({'container': 'agent', **query})}",
            silence_s,
        )

    def frozen_store(self, revision: str) -> ArtifactStore | None:
        """Return the artifact store of what a run executes, None where it cannot be told."""
        revisions = f"/apis/apps/v1/namespaces/{_part(self.namespace)}/controllerrevisions"
        try:
            data = self._object("GET", f"{revisions}/{_part(revision)}").get("data", {})
            found = data.get("artifactStore")
        except UnreachableError:
            raise
        except CliError:
            return None
        return ArtifactStore.model_validate(found) if found else None

    def lines(self, path: str, silence_s: float = STREAM_S) -> Iterator[str]:
        """Yield the lines of an answer as they come.

        It ends when the answer ends, breaks off, or is silent for too long.
        """
        response = self._transport.request("GET", path, stream_s=silence_s)
        if response.status >= 300:
            raise _error(response.status, _document_of(response.read(2_000)))
        rest = b""
        try:
            for chunk in response.stream(65_536):
                *lines, rest = (rest + chunk).split(b"\n")
                yield from (line.decode(errors="replace") for line in lines)
        except urllib3.exceptions.HTTPError:
            return
        finally:
            response.close()
            response.release_conn()
        if rest:
            yield rest.decode(errors="replace")

    def _instead_of_run(self, name: str) -> str:
        pipelines = self._names(Pipeline)
        if name in pipelines:
            return (
                f"; {name} is a Pipeline: name one of its runs, which `penstock runs {name}` shows"
            )
        return meant(name, self._names(Run))

    def _names(self, kind: type[Any]) -> list[str]:
        """Return the names of the namespace's objects, none where one may not see them."""
        items = self._object("GET", self._path(kind)).get("items", [])
        if not items:
            self._check_namespace()
        return [str(item["metadata"]["name"]) for item in items]

    def _check_namespace(self) -> None:
        """Raise CliError if the namespace is not there; who may not look learns nothing by that."""
        try:
            self._object("GET", f"/api/v1/namespaces/{_part(self.namespace)}")
        except CliError as error:
            if error.status != NOT_FOUND:
                return
            raise CliError(
                f"{error}{meant(self.namespace, self._namespaces())}", error.status
            ) from error

    def _namespaces(self) -> list[str]:
        try:
            return [
                str(item["metadata"]["name"])
                for item in self._object("GET", "/api/v1/namespaces")["items"]
            ]
        except CliError:
            return []

    def _path(self, kind: type[Any], name: str = "") -> str:
        path = f"/apis/{API_VERSION}/namespaces/{_part(self.namespace)}/{_KINDS[kind]}"
        return f"{path}/{_part(name)}" if name else path

    def _core(self, plural: str) -> str:
        return f"/api/v1/namespaces/{_part(self.namespace)}/{plural}"

    def _object(self, method: str, path: str, body: Any = None) -> Document:
        response = self._transport.request(method, path, body)
        document = _document_of(response.data)
        if response.status == NOT_FOUND and "kind" not in document:
            raise CliError(
                f"the cluster does not know {API_VERSION}: install the chart (charts/penstock) "
                f"first"
            )
        if response.status >= 300:
            raise _error(response.status, document)
        return document


class DeletedError(CliError):
    """What was watched is gone."""


def _part(name: str) -> str:
    """Return a name as one part of a path, which leads to nothing else."""
    if not name.strip("."):
        raise CliError(f'"{name}" is no name')
    return quote(name, safe="")


def _document_of(data: bytes) -> Document:
    try:
        document: Document = json.loads(data)
    except ValueError:
        return {"message": data[:200].decode(errors="replace")}
    return document if isinstance(document, dict) else {"message": str(document)[:200]}


def _error(status: int, document: Document) -> CliError:
    kind = UnreachableError if is_away(status) else CliError
    return kind(str(document.get("message") or f"HTTP {status}"), status)
