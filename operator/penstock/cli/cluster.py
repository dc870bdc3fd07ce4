"""The cluster as the user's kubeconfig reaches it: plain requests, plain dicts, every wait with a limit."""

import json
import os
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlencode

import urllib3
from kubernetes import config
from kubernetes.client import Configuration

from penstock.api.meta import API_VERSION, LABEL_RUN_UID

Document = dict[str, Any]

_MERGE_PATCH = "application/merge-patch+json"
_JSON_PATCH = "application/json-patch+json"
_LONGEST_NAME = 253
"""What requestedBy holds: a longer name is left out, as a part of it would be refused."""
_READ_S = 30.0
_STREAM_S = 300.0
_RUNS, _PIPELINES = "pipelineruns", "pipelines"


class ClusterError(Exception):
    """The API server said no, or nothing; the message is for people. ``status`` is its HTTP status, 0 for none."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class Cluster:
    """One kubeconfig context, and the namespace that commands work in."""

    def __init__(self, context: str | None, namespace: str | None) -> None:
        settings = Configuration()
        try:
            config.load_kube_config(context=context, client_configuration=settings)
            _, active = config.list_kube_config_contexts()
        except config.ConfigException as error:
            where = os.environ.get("KUBECONFIG") or "~/.kube/config"
            raise ClusterError(f"no cluster to talk to: {where} is no usable kubeconfig; set KUBECONFIG") from error
        self.namespace = namespace or active["context"].get("namespace") or "default"
        self._settings = settings
        self._pool = urllib3.PoolManager(
            ca_certs=settings.ssl_ca_cert,
            cert_file=settings.cert_file,
            key_file=settings.key_file,
            cert_reqs="CERT_REQUIRED" if settings.verify_ssl else "CERT_NONE",
        )

    def run(self, name: str) -> Document:
        """Return a PipelineRun."""
        return self._object("GET", self._penstock(_RUNS, name))

    def runs(self, pipeline: str | None) -> list[Document]:
        """Return the namespace's runs, the newest first; of one pipeline, if it is named."""
        items = self._object("GET", self._penstock(_RUNS))["items"]
        wanted = [run for run in items if pipeline in (None, run["spec"]["pipelineRef"]["name"])]
        return sorted(wanted, key=lambda run: str(run["metadata"]["creationTimestamp"]), reverse=True)

    def pipeline(self, name: str) -> Document:
        """Return a Pipeline."""
        return self._object("GET", self._penstock(_PIPELINES, name))

    def start(self, metadata: Document, spec: Document) -> Document:
        """Create a PipelineRun."""
        return self.create("PipelineRun", _RUNS, metadata, spec)

    def change_run(self, run: Document, spec: Document) -> Document:
        """Merge a patch into a run's spec; a null removes a field."""
        return self.change(_RUNS, run, spec)

    def objects(self, plural: str) -> list[Document]:
        """Return the namespace's objects of a kind."""
        items: list[Document] = self._object("GET", self._penstock(plural))["items"]
        return items

    def create(self, kind: str, plural: str, metadata: Document, spec: Document) -> Document:
        """Create an object; unknown fields are refused by the server."""
        body = {"apiVersion": API_VERSION, "kind": kind, "metadata": metadata, "spec": spec}
        return self._object("POST", f"{self._penstock(plural)}?fieldValidation=Strict", body)

    def change(self, plural: str, found: Document, spec: Document) -> Document:
        """Merge a patch into the spec of this very object; a null removes a field."""
        path = f"{self._penstock(plural, found['metadata']['name'])}?fieldValidation=Strict"
        return self._object("PATCH", path, {"metadata": {"uid": found["metadata"]["uid"]}, "spec": spec})

    def append(self, plural: str, found: Document, field: str, entry: Document) -> Document:
        """Add an entry to a list in the spec of this very object, whatever others have added meanwhile."""
        path = f"{self._penstock(plural, found['metadata']['name'])}?fieldValidation=Strict"
        is_list = field in found["spec"]
        place, value = (f"/spec/{field}/-", entry) if is_list else (f"/spec/{field}", [entry])
        is_same = {"op": "test", "path": "/metadata/uid", "value": found["metadata"]["uid"]}
        return self._object("PATCH", path, [is_same, {"op": "add", "path": place, "value": value}])

    def whoami(self) -> str | None:
        """Return the name by which the API server knows the user, None where it does not say."""
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
        try:
            review = self._object("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", body)
        except ClusterError:
            return None
        name = str(review["status"]["userInfo"]["username"])
        return name if 0 < len(name) <= _LONGEST_NAME else None

    def changes(self, name: str) -> Iterator[Document]:
        """Yield a run as it is and with every change, until the server ends the watch."""
        run = self.run(name)
        yield run
        query = {
            "watch": "1",
            "fieldSelector": f"metadata.name={name}",
            "resourceVersion": run["metadata"]["resourceVersion"],
            "timeoutSeconds": str(int(_STREAM_S)),
        }
        for line in self._lines(f"{self._penstock(_RUNS)}?{urlencode(query)}"):
            event = json.loads(line)
            if event["type"] == "DELETED":
                raise ClusterError(f"run {name} was deleted")
            if event["type"] == "ERROR":
                return
            yield event["object"]

    def pod_of(self, job: str) -> Document | None:
        """Return the first pod of a Job, None where there is none (any more)."""
        query = urlencode({"labelSelector": f"batch.kubernetes.io/job-name={job},{LABEL_RUN_UID}"})
        pods: list[Document] = self._object("GET", f"{self._core('pods')}?{query}")["items"]
        return min(pods, key=lambda pod: str(pod["metadata"]["creationTimestamp"]), default=None)

    def log(self, pod: str, *, follow: bool) -> Iterator[str]:
        """Yield the lines of a pod's agent, which relays what the action prints."""
        query = urlencode({"container": "agent", "follow": str(follow).lower()})
        return self._lines(f"{self._core('pods')}/{pod}/log?{query}")

    def _penstock(self, plural: str, name: str = "") -> str:
        path = f"/apis/{API_VERSION}/namespaces/{self.namespace}/{plural}"
        return f"{path}/{name}" if name else path

    def _core(self, plural: str) -> str:
        return f"/api/v1/namespaces/{self.namespace}/{plural}"

    def _headers(self) -> Mapping[str, str]:
        token = self._settings.get_api_key_with_prefix("authorization")
        return {"Authorization": token} if token else {}

    def _object(self, method: str, path: str, body: Any = None) -> Document:
        response = self._request(method, path, body)
        try:
            document: Document = json.loads(response.data)
        except ValueError:
            document = {"message": response.data[:200].decode(errors="replace")}
        if response.status == 404 and "kind" not in document:
            raise ClusterError(f"the cluster does not know {API_VERSION}: install the chart (charts/penstock) first")
        if response.status >= 300:
            raise ClusterError(str(document.get("message") or f"HTTP {response.status}"), response.status)
        return document

    def _lines(self, path: str) -> Iterator[str]:
        response = self._request("GET", path, None, stream=True)
        if response.status >= 300:
            raise ClusterError(response.read(2_000).decode(errors="replace"))
        rest = b""
        try:
            for chunk in response.stream(65_536):
                *lines, rest = (rest + chunk).split(b"\n")
                yield from (line.decode(errors="replace") for line in lines)
        except urllib3.exceptions.HTTPError:
            return
        finally:
            response.release_conn()
        if rest:
            yield rest.decode(errors="replace")

    def _request(self, method: str, path: str, body: Any, *, stream: bool = False) -> urllib3.BaseHTTPResponse:
        patch = _JSON_PATCH if isinstance(body, list) else _MERGE_PATCH
        timeout = urllib3.Timeout(connect=10.0, read=_STREAM_S + 10 if stream else _READ_S)
        try:
            return self._pool.request(
                method,
                self._settings.host + path,
                headers={**self._headers(), **({"Content-Type": patch} if method == "PATCH" else {})},
                json=body,
                timeout=timeout,
                preload_content=not stream,
                retries=urllib3.Retry(total=2, redirect=0, status=0),
            )
        except urllib3.exceptions.HTTPError as error:
            raise ClusterError(f"the API server at {self._settings.host} does not answer: {error}") from error
