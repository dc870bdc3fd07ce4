"""Reads an artifact's manifests: which files, which documents, in which order to apply."""

import json
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from penstock.actions.execution import CONFIGURATION_ERROR, ActionError
from penstock.actions.kubernetes.manifests.streams import read_stream
from penstock.actions.yaml_documents import YamlError
from penstock.api.globs import paths as globs
from penstock.api.globs.lists import split_globs
from penstock.api.globs.syntax import GlobError

_SUFFIXES = (".yaml", ".yml", ".json")
# etcd takes objects of 1.5 MiB: a file of 4 MiB holds several at most.
_FILE_BYTES = 4 * 1024 * 1024
# Each object is applied, watched and listed: more is several deploys.
_OBJECTS = 5000
KUSTOMIZATIONS = ("kustomization.yaml", "kustomization.yml", "Kustomization")
_ORDER = (
    ("Namespace",),
    ("CustomResourceDefinition",),
    ("ServiceAccount", "ClusterRole", "Role", "ClusterRoleBinding", "RoleBinding"),
    ("ResourceQuota", "LimitRange", "PriorityClass", "NetworkPolicy", "ConfigMap", "Secret"),
    ("StorageClass", "PersistentVolume", "PersistentVolumeClaim"),
    ("Service",),
    (),
    (
        "ReplicationController",
        "ReplicaSet",
        "Deployment",
        "StatefulSet",
        "DaemonSet",
        "Pod",
        "Job",
        "CronJob",
    ),
    ("HorizontalPodAutoscaler", "PodDisruptionBudget", "Ingress"),
    (
        "APIService",
        "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding",
        "MutatingWebhookConfiguration",
        "ValidatingWebhookConfiguration",
    ),
)
_RANK = {kind: rank for rank, kinds in enumerate(_ORDER) for kind in kinds}
_OTHERS = _ORDER.index(())


Build = Callable[[str], bytes]
"""Makes YAML of the kustomization in a folder of the artifact."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """One object to apply, and where it stands: file and document number from 1."""

    body: dict[str, Any]
    place: str

    @property
    def kind(self) -> str:
        """The object's kind."""
        return str(self.body["kind"])

    @property
    def api_version(self) -> str:
        """The object's apiVersion."""
        return str(self.body["apiVersion"])

    @property
    def name(self) -> str:
        """The object's name."""
        return str(self.body["metadata"]["name"])


def read_manifests(folder: Path, wanted: str, build: Build) -> tuple[list[Manifest], list[str]]:
    """Return the objects in the order of their application, and the places that were passed over.

    ``wanted`` are files, folders or globs, separated by commas. Without it every manifest in the
    artifact is taken, and since an artifact also holds other YAML, what is no object is passed
    over. A folder that is named and holds a kustomization is what ``build`` makes of it; so is the
    artifact when nothing is named.
    """
    patterns = [_pattern(text) for text in split_globs(wanted)]
    found: list[Manifest] = []
    skipped: list[str] = []
    for path in _Walk(folder, patterns).run():
        for number, document in enumerate(_documents(folder, path, build), 1):
            place = f"{path}, document {number}"
            if document is None:
                continue
            if not patterns and not _is_object(document):
                skipped.append(place)
                continue
            found += [Manifest(body, place) for body in objects_in(document, place)]
            if len(found) > _OBJECTS:
                raise _problem(place, f"there are more than {_OBJECTS} objects")
    if not found:
        raise ActionError(CONFIGURATION_ERROR, "the input artifact holds no manifest")
    return in_order(found), skipped


def in_order(manifests: Iterable[Manifest]) -> list[Manifest]:
    """Return the manifests in the order of their application."""
    return sorted(manifests, key=lambda item: rank_of(item.kind))


def copied(manifest: Manifest) -> Manifest:
    """Return a manifest's copy that shares nothing with it, nor between its parts (aliases)."""
    return Manifest(json.loads(json.dumps(manifest.body)), manifest.place)


def rank_of(kind: str) -> int:
    """Return when a kind is applied: the lower, the earlier."""
    return _RANK.get(kind, _OTHERS)


def _pattern(text: str) -> globs.Pattern:
    try:
        return globs.parse(text)
    except GlobError as error:
        raise ActionError(CONFIGURATION_ERROR, f"ManifestFiles: {error}") from error


_TEXTS = (
    "name",
    "generateName",
    "namespace",
    "uid",
    "resourceVersion",
    "selfLink",
    "creationTimestamp",
)


class _Walk:
    """Finds the files to read, and the folders to build, by the patterns of ManifestFiles."""

    def __init__(self, folder: Path, patterns: list[globs.Pattern]) -> None:
        self._folder, self._patterns = folder, patterns
        self._complete: set[int] = set()
        self.found: list[str] = []

    def run(self) -> list[str]:
        """Return what was found; a pattern that finds nothing is an error."""
        start = globs.start(self._patterns)
        self._complete.update(start.complete)
        is_all = not self._patterns or bool(start.complete)
        if is_all and _is_kustomization(self._folder):
            self.found.append(".")
        else:
            self._walk("", start, is_all)
        for index, pattern in enumerate(self._patterns):
            if index not in self._complete:
                raise ActionError(
                    CONFIGURATION_ERROR, f'ManifestFiles: no manifest matches "{pattern.text}"'
                )
        return self.found

    def _walk(self, path: str, match: globs.Match, is_all: bool) -> None:
        for entry in sorted(os.scandir(self._folder / path), key=lambda item: item.name):
            after = globs.step(self._patterns, match, entry.name)
            name, is_taken = f"{path}{entry.name}", is_all or bool(after.complete)
            if entry.is_dir(follow_symlinks=False):
                is_hidden = not self._patterns and entry.name.startswith(".")
                if (is_taken or after.can_continue) and not is_hidden and name.count("/") < 100:
                    self._take_folder(name, after, is_taken)
            elif is_taken and entry.name in KUSTOMIZATIONS:
                where = path.rstrip("/") or "."
                raise _problem(
                    name,
                    f'to build this kustomization, name its folder in ManifestFiles: "{where}"',
                )
            elif is_taken and name.endswith(_SUFFIXES) and entry.is_file():
                self._complete.update(after.complete)
                self.found.append(name)

    def _take_folder(self, name: str, match: globs.Match, is_taken: bool) -> None:
        self._complete.update(match.complete)
        is_built = bool(match.complete) and _is_kustomization(self._folder / name)
        if is_built:
            self.found.append(name)
        # A pattern may name something below a folder that is built, too.
        if not is_built or match.can_continue:
            self._walk(f"{name}/", match, is_taken and not is_built)


def _is_kustomization(folder: Path) -> bool:
    return any((folder / name).is_file() for name in KUSTOMIZATIONS)


def _documents(folder: Path, name: str, build: Build) -> Iterator[Any]:
    is_built = (folder / name).is_dir()
    data = build(name) if is_built else _content(folder / name, name)
    try:
        yield from read_stream(data, is_called_json=name.endswith(".json"))
    except YamlError as error:
        raise _problem(f"{name}, line {error.line}" if error.line else name, error.why) from error


def _content(path: Path, name: str) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(_FILE_BYTES + 1)
    except OSError as error:
        raise _problem(name, f"the file cannot be read: {error.strerror}") from error
    if len(data) > _FILE_BYTES:
        raise _problem(name, f"the file is larger than {_FILE_BYTES} bytes")
    return data


def _is_object(document: Any) -> bool:
    return isinstance(document, dict) and "apiVersion" in document and "kind" in document


def objects_in(document: Any, place: str) -> Iterator[dict[str, Any]]:
    """Yield a document's objects, those of a List one by one; raise ActionError for all else."""
    if not _is_object(document):
        raise _problem(place, "apiVersion or kind is missing")
    for key in ("apiVersion", "kind"):
        if not isinstance(document[key], str) or not document[key]:
            raise _problem(place, f"{key} is no text; quote it")
    if document["apiVersion"].count("/") > 1:
        raise _problem(
            place,
            f'apiVersion "{document["apiVersion"][:80]}" is neither a version nor group/version',
        )
    metadata = document.get("metadata")
    if "items" in document:
        if not isinstance(metadata, dict | None):
            raise _problem(place, f"{document['kind']}: metadata is no mapping")
        _check_metadata(metadata or {}, document["kind"], place)
        yield from _items(document, place)
        return
    if not isinstance(metadata, dict) or metadata.get("name") in (None, ""):
        raise _problem(place, f"{document['kind']}: metadata.name is missing")
    if not isinstance(metadata["name"], str):
        raise _problem(place, f"{document['kind']}: metadata.name is no text; quote it")
    _check_metadata(metadata, f"{document['kind']} {metadata['name']}", place)
    yield document


def _check_metadata(metadata: dict[str, Any], name: str, place: str) -> None:
    for key in ("labels", "annotations"):
        entries = metadata.get(key) or {}
        if not isinstance(entries, dict):
            raise _problem(place, f"{name}: metadata.{key} is no mapping")
        for entry, value in entries.items():
            if not isinstance(value, str | None):
                raise _problem(place, f"{name}: metadata.{key}.{entry} is no text; quote it")
    for key in _TEXTS:
        if not isinstance(metadata.get(key), str | None):
            raise _problem(place, f"{name}: metadata.{key} is no text; quote it")
    for key in ("finalizers", "ownerReferences"):
        if not isinstance(metadata.get(key), list | None):
            raise _problem(place, f"{name}: metadata.{key} is no list")


def _items(document: dict[str, Any], place: str) -> Iterator[dict[str, Any]]:
    """Yield the objects of a list; in a ConfigMapList they may lack both kind and apiVersion."""
    items, own = document["items"], str(document["kind"]).removesuffix("List")
    if not isinstance(items, list | None):
        raise _problem(place, f"{document['kind']}: items is no list")
    for item in items or []:
        is_bare = (
            own and isinstance(item, dict) and not (item.get("kind") or item.get("apiVersion"))
        )
        head = {"kind": own, "apiVersion": document["apiVersion"]} if is_bare else {}
        yield from objects_in({**item, **head} if head else item, place)


def _problem(place: str, why: str) -> ActionError:
    return ActionError(CONFIGURATION_ERROR, f"{place}: {why}")
