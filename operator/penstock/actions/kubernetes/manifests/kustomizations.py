"""Checks a kustomization before its build: the artifact must hold every file and base it names."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from penstock.actions.execution import CONFIGURATION_ERROR, ActionError
from penstock.actions.kubernetes.manifests.dialect import TEXTS
from penstock.actions.kubernetes.manifests.files import KUSTOMIZATIONS
from penstock.actions.kubernetes.manifests.streams import read_yaml
from penstock.actions.yaml_documents import DocumentBounds, YamlError

# A kustomization has some kilobytes.
_BYTES = 1024 * 1024
_BOUNDS = DocumentBounds(20_000, 4 * 1024 * 1024)
# Folders that may name each other; a loop ends here.
_MOST = 500
_BASES = ("resources", "bases", "components")
_PLUGINS = ("generators", "transformers", "validators")
_FILES = ("crds", "configurations", "patchesStrategicMerge")
_WITH_PATH = ("patches", "patchesJson6902", "replacements")
_GENERATED = ("configMapGenerator", "secretGenerator")
_HELM = ("helmCharts", "helmChartInflationGenerator", "helmGlobals")
_REFUSED = "is not in the artifact; remote bases and files are refused"


def check(folder: Path, path: str) -> None:
    """Check a kustomization and its dependencies; raise ActionError for the first missing one."""
    root = Path(os.path.realpath(folder))
    waiting, seen = [root / path], set[Path]()
    while waiting:
        directory = waiting.pop()
        if directory in seen:
            continue
        seen.add(directory)
        if len(seen) > _MOST:
            raise _problem(path, f"it stands on more than {_MOST} kustomizations")
        waiting += _bases(root, directory)


def _bases(root: Path, directory: Path) -> Iterator[Path]:
    """Check one kustomization; yield the folders it stands on."""
    file = _kustomization(root, directory)
    place = str(file.relative_to(root))
    documents = _documents(_read(file, place), place)
    document = documents[0] if len(documents) == 1 else None
    if not isinstance(document, dict):
        raise _problem(place, "a kustomization is one mapping")
    for key in _HELM:
        if document.get(key):
            raise _problem(
                place, f"{key}: Helm charts are not built; render them in an action before"
            )
    for key, name in _names(document):
        if key in _PLUGINS and "\n" in name.strip():
            _check_plugin(name, f"{place}: {key}")
            continue
        target = _target(root, directory, name)
        if target is None:
            raise _problem(place, f'{key}: "{name[:200]}" {_REFUSED}')
        if key in (*_BASES, *_PLUGINS) and target.is_dir():
            yield target
        elif key in _PLUGINS:
            _check_plugin(_read(target, name), str(target.relative_to(root)))


def _target(root: Path, directory: Path, name: str) -> Path | None:
    """Return the file or folder in the artifact that a name names, None if there is none."""
    # A folder may be called "http:", and the program would still look for the host.
    if ":" in name or "\0" in name:
        return None
    target = Path(os.path.realpath(directory / name))
    try:
        return target if target.is_relative_to(root) and target.exists() else None
    except OSError:  # the name is too long to be one
        return None


def _kustomization(root: Path, directory: Path) -> Path:
    found = [directory / name for name in KUSTOMIZATIONS if (directory / name).is_file()]
    if len(found) != 1:
        where = directory.relative_to(root)
        raise _problem(
            str(where),
            f"{len(found)} of {', '.join(KUSTOMIZATIONS)} are in this folder; one is wanted",
        )
    file = Path(os.path.realpath(found[0]))
    if not file.is_relative_to(root):
        raise _problem(str(found[0].relative_to(root)), "it is a link out of the artifact")
    return file


def _names(document: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield every file or folder that a kustomization names, with the key that does."""
    for key in (*_BASES, *_PLUGINS, *_FILES):
        # Patches may be written in place: then they are of several lines.
        is_name = key not in _FILES
        yield from (
            (key, name) for name in _texts(document.get(key)) if is_name or "\n" not in name.strip()
        )
    for key in _WITH_PATH:
        yield from (
            (f"{key}.path", name)
            for entry in _mappings(document.get(key))
            for name in _texts([entry.get("path")])
        )
    for key in _GENERATED:
        for entry in _mappings(document.get(key)):
            yield from (
                (f"{key}.files", name.rpartition("=")[2]) for name in _texts(entry.get("files"))
            )
            yield from (
                (f"{key}.envs", name)
                for name in _texts([*_texts(entry.get("envs")), entry.get("env")])
            )
    yield from (
        ("openapi.path", name)
        for entry in _mappings([document.get("openapi")])
        for name in _texts([entry.get("path")])
    )


def _texts(value: Any) -> list[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def _mappings(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _check_plugin(text: str, place: str) -> None:
    """A plugin's configuration may name files in any field: none of them may be remote."""
    pending: list[Any] = _documents(text, place)
    while pending:
        node = pending.pop()
        if isinstance(node, dict | list):
            pending.extend(node.values() if isinstance(node, dict) else node)
        elif isinstance(node, str) and node.rpartition("=")[2].strip().lower().startswith(
            ("http:", "https:")
        ):
            raise _problem(place, f'"{node[:200]}" {_REFUSED}')


def _read(file: Path, place: str) -> str:
    try:
        with file.open("rb") as opened:
            data = opened.read(_BYTES + 1)
    except OSError as error:
        raise _problem(place, f"the file cannot be read: {error.strerror}") from error
    if len(data) > _BYTES:
        raise _problem(place, f"the file is larger than {_BYTES} bytes")
    return data.decode("utf-8", "replace")


def _documents(text: str, place: str) -> list[Any]:
    try:
        return [document for document in read_yaml(text, TEXTS, _BOUNDS) if document is not None]
    except YamlError as error:
        raise _problem(
            place, f"{error.why} (line {error.line})" if error.line else error.why
        ) from error


def _problem(place: str, why: str) -> ActionError:
    return ActionError(CONFIGURATION_ERROR, f"{place}: {why}")
