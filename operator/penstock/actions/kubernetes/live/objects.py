"""The objects of a deploy: content to apply, place on the server, and name."""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

from penstock.actions.execution import (
    CONFIGURATION_ERROR,
    PERMISSION_ERROR,
    SYSTEM_UNAVAILABLE,
    ActionError,
)
from penstock.actions.kubernetes.live.refusals import advice, sentence
from penstock.actions.kubernetes.live.server import ApiError, ServedResource
from penstock.actions.kubernetes.live.session import Session
from penstock.actions.kubernetes.manifests.files import Manifest

CONFLICT = "ApplyConflict"
DEFINITION = "CustomResourceDefinition"
# How long a kind may be unknown after its definition was applied: the server needs seconds.
_DISCOVERY_S = 10.0


class ObjectIdentity(NamedTuple):
    """An object's identity, in any API version; a cluster-wide one has an empty namespace."""

    group: str
    kind: str
    namespace: str
    name: str

    @property
    def group_kind(self) -> str:
        """The kind as ApplySets write it."""
        return f"{self.kind}.{self.group}" if self.group else self.kind

    def named(self, home: str) -> str:
        """Return the object as kubectl names it, with its namespace where that is not ``home``."""
        where = f" (namespace {self.namespace})" if self.namespace not in ("", home) else ""
        return f"{self.group_kind.lower()}/{self.name}{where}"


@dataclass(slots=True)
class Target:
    """An object to apply. ``live`` stood on the server before; ``current`` stands there now.

    ``is_defined`` is False for a kind whose definition comes with the same deploy, ``is_touched``
    True once the object may have been changed.
    """

    manifest: Manifest
    resource: ServedResource
    namespace: str
    is_defined: bool = True
    live: dict[str, Any] | None = None
    current: dict[str, Any] | None = None
    is_touched: bool = False
    said: str = ""

    @property
    def identity(self) -> ObjectIdentity:
        """Which object it is."""
        group = self.manifest.api_version.rpartition("/")[0]
        return ObjectIdentity(group, self.manifest.kind, self.namespace, self.manifest.name)

    @property
    def title(self) -> str:
        """The object as an error names it."""
        return f"{self.manifest.kind} {self.manifest.name}"

    @property
    def path(self) -> str:
        """Where it stands."""
        return self.resource.path(self.namespace, self.manifest.name)

    @property
    def body(self) -> dict[str, Any]:
        """What is applied: the manifest, with its namespace filled in."""
        metadata = self.manifest.body["metadata"]
        if not self.resource.is_namespaced or metadata.get("namespace"):
            return self.manifest.body
        return {**self.manifest.body, "metadata": {**metadata, "namespace": self.namespace}}


def resolve(session: Session, manifests: Iterable[Manifest]) -> list[Target]:
    """Find where every object stands; an object written twice must be the same both times."""
    manifests = list(manifests)
    coming = _definitions(manifests)
    found: dict[ObjectIdentity, Target] = {}
    for manifest in manifests:
        item = _item(session, manifest, coming.get((manifest.api_version, manifest.kind)))
        first = found.setdefault(item.identity, item)
        if first.manifest.body != manifest.body:
            raise ActionError(
                CONFIGURATION_ERROR,
                f"{manifest.place}: {item.title} stands in {first.manifest.place}, too, "
                f"differently",
            )
    return list(found.values())


def read_live(session: Session, items: Iterable[Target]) -> None:
    """Read what stands there now."""
    for item in items:
        # Of a kind that this deploy brings there can be no object yet.
        if item.is_defined:
            try:
                item.live = session.server.find(item.path)
            except ApiError as error:
                raise refused(item, error) from error


def find_resource(session: Session, manifest: Manifest) -> ServedResource:
    """Find the kind; one that was defined a moment ago may take the server a moment more."""
    end = time.monotonic() + _DISCOVERY_S
    while (found := _discovered(session, manifest)) is None:
        if time.monotonic() > end:
            raise _no_kind(manifest)
        session.pause(0.5)
    return found


def code_of(error: ApiError) -> str:
    """Return the failure's code for what the server said."""
    if error.status in (401, 403):
        return PERMISSION_ERROR
    if error.status == 409:
        return CONFLICT
    # 429 asks for patience: of all the 4xx it alone says nothing about the manifest.
    return (
        CONFIGURATION_ERROR
        if 400 <= error.status < 500 and error.status != 429
        else SYSTEM_UNAVAILABLE
    )


def refused(item: Target, error: ApiError) -> ActionError:
    """Return the server's sentence; for a Secret only the reason, as sentences may quote values."""
    text = sentence(error)
    if item.manifest.kind == "Secret" and error.status not in (401, 403):
        text = f"{error.reason} (the server's sentence is withheld: it may quote a value)"
    return ActionError(
        code_of(error),
        f"{item.manifest.place}: {item.title}: {text}{advice(item.manifest.body, error)}",
    )


def _item(session: Session, manifest: Manifest, coming: ServedResource | None) -> Target:
    resource = _discovered(session, manifest)
    if resource is None and coming is None:
        raise _no_kind(manifest)
    where = resource or coming
    assert where is not None  # for the type checker: one of the two is there
    own, target = manifest.body["metadata"].get("namespace"), session.options.target
    if where.is_namespaced and own and target and own != target:
        raise ActionError(
            CONFIGURATION_ERROR,
            f"{manifest.place}: {manifest.kind} {manifest.name} names namespace {own}, the action "
            f"{target}",
        )
    namespace = str(own or session.options.namespace) if where.is_namespaced else ""
    return Target(manifest, where, namespace, is_defined=resource is not None)


def _discovered(session: Session, manifest: Manifest) -> ServedResource | None:
    try:
        return session.server.resource(manifest.api_version, manifest.kind)
    except ApiError as error:
        raise ActionError(code_of(error), f"{manifest.place}: {error.message}") from error


def _definitions(manifests: Iterable[Manifest]) -> dict[tuple[str, str], ServedResource]:
    """Return the kinds the set defines: (apiVersion, kind) to the later place of their objects."""
    found: dict[tuple[str, str], ServedResource] = {}
    for manifest in manifests:
        spec = manifest.body.get("spec")
        names = (
            spec.get("names") if manifest.kind == DEFINITION and isinstance(spec, dict) else None
        )
        if not isinstance(spec, dict) or not isinstance(names, dict):
            continue
        versions = spec.get("versions")
        for version in versions if isinstance(versions, list) else []:
            name = version.get("name") if isinstance(version, dict) else version
            api_version = f"{spec.get('group')}/{name}"
            resource = ServedResource(
                f"/apis/{api_version}", str(names.get("plural")), spec.get("scope") != "Cluster"
            )
            found[api_version, str(names.get("kind"))] = resource
    return found


def _no_kind(manifest: Manifest) -> ActionError:
    return ActionError(
        CONFIGURATION_ERROR,
        f'{manifest.place}: no kind "{manifest.kind}" in version "{manifest.api_version}"',
    )
