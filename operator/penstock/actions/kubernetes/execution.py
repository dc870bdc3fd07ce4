"""Kubernetes (Deploy): applies an artifact's manifests and waits until each object is what they ask for."""

import time
from dataclasses import dataclass
from typing import Any

from penstock.actions.execution import (
    CONFIGURATION_ERROR,
    JOB_FAILED,
    PERMISSION_ERROR,
    SYSTEM_UNAVAILABLE,
    TIMED_OUT,
    ActionError,
    Job,
    Outcome,
)
from penstock.actions.kubernetes.kstatus import Status, status_of
from penstock.actions.kubernetes.manifests import Manifest, read_manifests
from penstock.actions.kubernetes.reasons import pod_reason
from penstock.actions.kubernetes.server import ApiError, Resource, Server

FIELD_MANAGER = "penstock"
CONFLICT = "ApplyConflict"
_MINUTES = 10
_POLL_S = (0.1, 0.2, 0.4, 0.8, 1.5)
_SAY_EVERY_S = 15.0
_DISCOVERY_S = 10.0
_LAST_WORD_S = 1.0
"""What is kept of the action's time, so that the object that is late is told and not the lateness alone."""
_DEFINITION = "CustomResourceDefinition"


@dataclass(slots=True)
class Applied:
    """An object under way: what the server has of it, and what was last said about it."""

    manifest: Manifest
    resource: Resource
    namespace: str
    item: dict[str, Any]
    said: str = ""

    @property
    def name(self) -> str:
        """The object as kubectl names it."""
        group = self.manifest.api_version.rpartition("/")[0]
        kind = self.manifest.kind.lower() + (f".{group}" if group else "")
        return f"{kind}/{self.manifest.name}"

    @property
    def title(self) -> str:
        """The object as an error names it."""
        return f"{self.manifest.kind} {self.manifest.name}"


def run(job: Job) -> Outcome:
    """Apply every manifest of the first input artifact."""
    return Deployment(job).run()


class Deployment:
    """One deploy: apply in order, wait for definitions before what may use them, then wait for all."""

    def __init__(self, job: Job) -> None:
        configuration = job.request.configuration
        self._job = job
        self._server = Server(job)
        self._target = configuration.get("Namespace")
        self._namespace = self._target or job.request.attempt.namespace
        self._force = configuration.get("ForceConflicts") == "true"
        minutes = float(configuration.get("TimeoutInMinutes") or _MINUTES)
        self._limit_s = min(minutes * 60, max(job.remaining() - _LAST_WORD_S, 0))
        self._deadline = time.monotonic() + self._limit_s

    def run(self) -> Outcome:
        """Apply and wait."""
        folder = next(iter(self._job.inputs.values()))
        manifests, skipped = read_manifests(folder, self._job.request.configuration.get("ManifestFiles", ""))
        for place in skipped:
            self._job.log(f"passed over: {place} is no Kubernetes object")
        applied: list[Applied] = []
        for manifest in manifests:
            if manifest.kind != _DEFINITION and any(item.manifest.kind == _DEFINITION for item in applied):
                self._wait([item for item in applied if item.manifest.kind == _DEFINITION])
            applied.append(self._apply(manifest))
        self._wait(applied)
        return Outcome(summary=f"{len(applied)} objects applied to namespace {self._namespace}")

    def _apply(self, manifest: Manifest) -> Applied:
        resource = self._resource(manifest)
        metadata = manifest.body["metadata"]
        own = metadata.get("namespace")
        if resource.is_namespaced and own and self._target and own != self._target:
            raise ActionError(
                CONFIGURATION_ERROR,
                f"{manifest.place}: {manifest.kind} {manifest.name} names namespace {own}, the action {self._target}",
            )
        namespace = str(own or self._namespace)
        body = manifest.body
        if resource.is_namespaced and not own:
            body = {**body, "metadata": {**metadata, "namespace": namespace}}
        under_way = Applied(manifest, resource, namespace, {})
        try:
            path = resource.path(namespace, manifest.name)
            under_way.item = self._server.apply(path, body, manager=FIELD_MANAGER, force=self._force)
        except ApiError as error:
            raise _refused(under_way, error) from error
        self._job.log(f"{under_way.name} applied")
        return under_way

    def _resource(self, manifest: Manifest) -> Resource:
        """Find the kind; one that was defined a moment ago may take the server a moment more."""
        end = time.monotonic() + _DISCOVERY_S
        try:
            while (found := self._server.resource(manifest.api_version, manifest.kind)) is None:
                if manifest.api_version.count(".") == 0 or time.monotonic() > end:
                    raise ActionError(
                        CONFIGURATION_ERROR,
                        f'{manifest.place}: no kind "{manifest.kind}" in version "{manifest.api_version}"',
                    )
                self._pause(0.5)
        except ApiError as error:
            raise ActionError(_code(error), f"{manifest.place}: {error.message}") from error
        return found

    def _wait(self, applied: list[Applied]) -> None:
        """Wait until all are Current; the first that failed, or the deadline, ends it."""
        waiting = [item for item in applied if not self._is_current(item)]
        turn, said = 0, time.monotonic()
        while waiting:
            self._pause(_POLL_S[min(turn, len(_POLL_S) - 1)])
            turn += 1
            for item in waiting:
                self._refresh(item)
            waiting = [item for item in waiting if not self._is_current(item)]
            if turn == 1 or time.monotonic() > said + _SAY_EVERY_S:
                said = time.monotonic()
                for item in waiting:
                    self._say(item)
            if waiting and time.monotonic() >= self._deadline:
                raise self._too_late(waiting[0])

    def _is_current(self, item: Applied) -> bool:
        verdict = status_of(item.item)
        if verdict.status is Status.FAILED:
            raise ActionError(JOB_FAILED, self._with_pod(item, verdict.message))
        return verdict.status is Status.CURRENT

    def _refresh(self, item: Applied) -> None:
        try:
            item.item = self._server.get(item.resource.path(item.namespace, item.manifest.name))
        except ApiError as error:
            if error.status == 404:
                raise ActionError(JOB_FAILED, f"{item.title} was deleted while the action waited for it") from error
            raise _refused(item, error) from error

    def _say(self, item: Applied) -> None:
        text = self._with_pod(item, status_of(item.item).message)
        if text != item.said:
            item.said = text
            self._job.log(f"waiting: {text}")

    def _with_pod(self, item: Applied, message: str) -> str:
        reason = pod_reason(self._server, item.item, item.namespace)
        return f"{item.title}: {message}" + (f" ({reason})" if reason else "")

    def _too_late(self, item: Applied) -> ActionError:
        text = self._with_pod(item, status_of(item.item).message)
        return ActionError(TIMED_OUT, f"not ready after {self._limit_s:.0f} s: {text}")

    def _pause(self, seconds: float) -> None:
        time.sleep(max(0.0, min(seconds, self._job.remaining(), self._deadline - time.monotonic() + 0.01)))


def _code(error: ApiError) -> str:
    if error.status in (401, 403):
        return PERMISSION_ERROR
    if error.status == 409:
        return CONFLICT
    return CONFIGURATION_ERROR if 400 <= error.status < 500 and error.status != 429 else SYSTEM_UNAVAILABLE


def _refused(item: Applied, error: ApiError) -> ActionError:
    """Return the server's sentence; about a Secret only its reason, as the sentence may quote a value."""
    text = error.message
    if item.manifest.kind == "Secret" and error.status not in (401, 403):
        text = f"{error.reason} (the server's sentence is withheld: it may quote a value)"
    hint = '; set ForceConflicts to "true" to take these fields over' if error.status == 409 else ""
    return ActionError(_code(error), f"{item.manifest.place}: {item.title}: {text}{hint}")
