"""A cluster as tests see it: plain requests with an admin's rights, and waits that have a limit."""

from __future__ import annotations

import contextlib
import json
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import urllib3
import yaml
from kubernetes import config
from kubernetes.client import Configuration

Document = dict[str, Any]

_APIS = {
    "pipelines": "apis/penstock.dev/v1alpha1",
    "pipelineruns": "apis/penstock.dev/v1alpha1",
    "approvals": "apis/penstock.dev/v1alpha1",
    "buildprojects": "apis/penstock.dev/v1alpha1",
    "connections": "apis/penstock.dev/v1alpha1",
    "stagetransitions": "apis/penstock.dev/v1alpha1",
    "actiontypes": "apis/penstock.dev/v1alpha1",
    "clusteractiontypes": "apis/penstock.dev/v1alpha1",
    "jobs": "apis/batch/v1",
    "pods": "api/v1",
    "secrets": "api/v1",
    "namespaces": "api/v1",
    "services": "api/v1",
    "configmaps": "api/v1",
    "serviceaccounts": "api/v1",
    "nodes": "api/v1",
    "events": "apis/events.k8s.io/v1",
    "deployments": "apis/apps/v1",
    "poddisruptionbudgets": "apis/policy/v1",
    "customresourcedefinitions": "apis/apiextensions.k8s.io/v1",
    "controllerrevisions": "apis/apps/v1",
    "leases": "apis/coordination.k8s.io/v1",
    "rolebindings": "apis/rbac.authorization.k8s.io/v1",
    "validatingadmissionpolicies": "apis/admissionregistration.k8s.io/v1",
    "validatingadmissionpolicybindings": "apis/admissionregistration.k8s.io/v1",
}


class KubeError(Exception):
    """The API server said no; ``status`` is the HTTP status."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status, self.message = status, message


@dataclass
class Kube:
    """One kubeconfig. ``token`` replaces its identity, to act as a service account."""

    kubeconfig: str
    token: str | None = None
    user: str = ""
    """Whom an admin acts as, with ``groups``."""
    groups: tuple[str, ...] = ()
    host: str = ""
    _pool: urllib3.PoolManager = field(default_factory=urllib3.PoolManager)

    def __post_init__(self) -> None:
        settings = Configuration()
        config.load_kube_config(self.kubeconfig, client_configuration=settings)
        self.host = settings.host
        self._pool = urllib3.PoolManager(
            maxsize=8,
            ca_certs=settings.ssl_ca_cert,
            cert_reqs="CERT_REQUIRED",
            cert_file=None if self.token else settings.cert_file,
            key_file=None if self.token else settings.key_file,
        )

    def request(
        self, method: str, path: str, body: Any = None, content_type: str = "application/json"
    ) -> Document:
        """Send one request; raise KubeError for an answer that is no success."""
        headers = urllib3.HTTPHeaderDict({"Content-Type": content_type})
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        if self.user:
            headers["Impersonate-User"] = self.user
        for group in self.groups:
            headers.add("Impersonate-Group", group)
        data = None if body is None else json.dumps(body)
        response = self._pool.request(
            method, self.host + path, body=data, headers=headers, timeout=30.0
        )
        if response.status >= 300:
            with contextlib.suppress(ValueError):
                raise KubeError(response.status, json.loads(response.data).get("message", ""))
            raise KubeError(response.status, response.data[:200].decode(errors="replace"))
        document: Document = json.loads(response.data)
        return document

    def status_of(self, method: str, path: str, body: str) -> int:
        """Send a text that json would not write, and return the status of the answer."""
        headers = {"Content-Type": "application/json"}
        return self._pool.request(
            method, self.host + path, body=body, headers=headers, timeout=30.0
        ).status

    def raw(self, path: str) -> str:
        """Return what a path answers, as text."""
        response = self._pool.request("GET", self.host + path, timeout=30.0)
        if response.status >= 300:
            raise KubeError(response.status, response.data[:500].decode(errors="replace"))
        return response.data.decode()

    def path(self, plural: str, namespace: str | None, name: str = "") -> str:
        """Return the path of a collection or an object."""
        inner = f"namespaces/{namespace}/" if namespace else ""
        return f"/{_APIS[plural]}/{inner}{plural}" + (f"/{name}" if name else "")

    def get(self, plural: str, namespace: str | None, name: str) -> Document:
        """Return an object."""
        return self.request("GET", self.path(plural, namespace, name))

    def find(self, plural: str, namespace: str | None, name: str) -> Document | None:
        """Return an object, None where there is none."""
        try:
            return self.get(plural, namespace, name)
        except KubeError as error:
            if error.status == 404:
                return None
            raise

    def objects(
        self, plural: str, namespace: str | None = None, selector: str = ""
    ) -> list[Document]:
        """Return the objects of a kind."""
        query = f"?{urlencode({'labelSelector': selector})}" if selector else ""
        items: list[Document] = self.request("GET", self.path(plural, namespace) + query)["items"]
        return items

    def create(self, plural: str, namespace: str | None, body: Document) -> Document:
        """Create an object under strict validation."""
        return self.request("POST", f"{self.path(plural, namespace)}?fieldValidation=Strict", body)

    def patch(
        self, plural: str, namespace: str | None, name: str, body: Document, *, part: str = ""
    ) -> Document:
        """Merge a patch into an object, or into a part of it such as ``/status``."""
        return self.request(
            "PATCH",
            self.path(plural, namespace, name) + part,
            body,
            content_type="application/merge-patch+json",
        )

    def delete(self, plural: str, namespace: str | None, name: str, **options: Any) -> None:
        """Delete an object; that it is gone already is success."""
        try:
            self.request(
                "DELETE",
                self.path(plural, namespace, name),
                options or {"propagationPolicy": "Background"},
            )
        except KubeError as error:
            if error.status != 404:
                raise

    def apply(self, documents: str | list[Document], namespace: str = "default") -> None:
        """Apply manifests as a user would, with kubectl; a namespace of "" is
        the kubeconfig's own.
        """
        text = documents if isinstance(documents, str) else yaml.safe_dump_all(documents)
        where = ("-n", namespace) if namespace else ()
        self.kubectl("apply", *where, "--server-side", "--force-conflicts", "-f", "-", text=text)

    def kubectl(self, *arguments: str, text: str | None = None) -> str:
        """Run kubectl and return what it prints."""
        done = subprocess.run(
            ["kubectl", "--kubeconfig", self.kubeconfig, *arguments],
            input=text, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        if done.returncode:
            raise KubeError(0, done.stderr.strip())
        return done.stdout

    def token_of(self, namespace: str, account: str) -> str:
        """Return a token of a service account."""
        path = f"{self.path('serviceaccounts', namespace, account)}/token"
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
        return str(self.request("POST", path, body)["status"]["token"])

    def await_right(self, user: str, **attributes: Any) -> None:
        """Wait until the server knows of a right that was just given: it reads bindings as they
        come, not at once.

        ``attributes`` are ``resourceAttributes`` or ``nonResourceAttributes`` of a
        SubjectAccessReview.
        """
        path = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
        body = {"spec": {"user": user, **attributes}}
        eventually(
            lambda: self.request("POST", path, body)["status"]["allowed"],
            60,
            f"{user} has the right it got",
        )

    def watch(self, plural: str, namespace: str, seconds: float) -> Iterator[Document]:
        """Yield every object of a kind that changes from now on, until the time is over."""
        path = self.path(plural, namespace)
        version = self.request("GET", f"{path}?limit=1")["metadata"]["resourceVersion"]
        query = urlencode(
            {"watch": "1", "resourceVersion": version, "timeoutSeconds": str(int(seconds))}
        )
        response = self._pool.request(
            "GET",
            f"{self.host}{path}?{query}",
            timeout=seconds + 5,
            preload_content=False,
            retries=False,
        )
        return self._events(response)

    @staticmethod
    def _events(response: urllib3.BaseHTTPResponse) -> Iterator[Document]:
        rest = b""
        try:
            for chunk in response.stream(65_536):
                *lines, rest = (rest + chunk).split(b"\n")
                yield from (json.loads(line)["object"] for line in lines)
        finally:
            response.close()

    def log(self, namespace: str, pod: str, container: str = "agent") -> str:
        """Return the log of a container."""
        return self.raw(f"{self.path('pods', namespace, pod)}/log?container={container}")

    @contextlib.contextmanager
    def namespace(self, name: str) -> Iterator[str]:
        """Make a namespace for the time of a test."""
        self.create("namespaces", None, {"metadata": {"name": name}})
        try:
            yield name
        finally:
            self.delete("namespaces", None, name)


def served(kube: Kube, path: str, commit: str) -> str:
    """Return the page that a Service serves, once it is the one of this commit."""
    try:
        page = kube.raw(path)
    except KubeError:  # the Service has no endpoint yet
        return ""
    return page if commit in page else ""


# So many times as long as it should take: what will never come true costs this, and what comes
# late on a loaded machine is no fault.
_PATIENCE = 4


def eventually(check: Callable[[], Any], seconds: float, what: str, pause: float = 0.1) -> Any:
    """Return the first true value that ``check`` gives; fail when none comes within the limit.

    ``seconds`` are those of an idle machine; a loaded one gets more.
    """
    limit = seconds * _PATIENCE
    deadline = time.monotonic() + limit
    while True:
        value = check()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(
                f"{what} did not come true within {limit:g} s; last seen: {value!r}"
            )
        time.sleep(pause)
