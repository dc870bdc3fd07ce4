"""Finds the files of an artifact as the buildspec names them (B-40..B-48)."""

import os
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from penstock.actions.codebuild.buildspec import Artifacts
from penstock.actions.execution import JOB_FAILED, ActionError
from penstock.artifacts import globs

_REFERENCE = re.compile(r"\$(?:([A-Za-z_][A-Za-z0-9_]*)|\{([A-Za-z_][A-Za-z0-9_]*)\})")
_DEPTH = 200
NOTHING = "UPLOAD_ARTIFACTS: CLIENT_ERROR Message: no matching artifact paths found"


def names_in(*artifacts: Artifacts) -> set[str]:
    """Return the variables that the paths refer to."""
    texts = [text for item in artifacts for text in (*item.files, *item.exclude_paths, item.base_directory)]
    return references(*texts)


def references(*texts: str) -> set[str]:
    """Return the variables that texts refer to."""
    return {match[1] or match[2] for text in texts for match in _REFERENCE.finditer(text)}


def expand(text: str, values: Mapping[str, str]) -> str:
    """Return a text with its variables' values in their places, nothing for one that has none."""
    return _REFERENCE.sub(lambda match: values.get(match[1] or match[2], ""), text)


def find(
    artifacts: Artifacts, source: Path, values: Mapping[str, str], limit: int, log: Callable[[str], None]
) -> dict[str, tuple[str, ...]]:
    """Return path in the artifact to the names below ``source``; raise ActionError where nothing matches."""

    def pattern(text: str) -> globs.Pattern:
        return globs.parse(expand(text, values).removeprefix(f"{source}/"))

    wanted = [(text, pattern(text)) for text in artifacts.files]
    excluded = [pattern(text) for text in artifacts.exclude_paths]
    found: dict[str, tuple[str, ...]] = {}
    used: set[str] = set()
    for base in _bases(artifacts, source, pattern):
        log(f"[Container] Expanding base directory path: {'/'.join(base) or '.'}")
        for names in _walk(source.joinpath(*base), ()):
            path = "/".join(names)
            matching = {text for text, item in wanted if item.matches(path)}
            if matching and not any(item.matches(path) for item in excluded):
                used |= matching
                found[names[-1] if artifacts.discard_paths else path] = (*base, *names)
                if len(found) > limit:
                    raise ActionError(JOB_FAILED, f"UPLOAD_ARTIFACTS: an artifact has more than {limit} files")
    for text, _ in wanted:
        if text not in used:
            log(f"[Container] Skipping invalid file path {text}")
    if not found:
        raise ActionError(JOB_FAILED, NOTHING)
    log(f"[Container] Found {len(found)} file(s)")
    return found


def _bases(artifacts: Artifacts, source: Path, pattern: Callable[[str], globs.Pattern]) -> list[tuple[str, ...]]:
    if artifacts.base_directory in ("", "."):
        return [()]
    wanted = pattern(artifacts.base_directory)
    return [names for names in _walk(source, (), folders=True) if wanted.matches("/".join(names))]


def _walk(folder: Path, names: tuple[str, ...], *, folders: bool = False) -> Iterator[tuple[str, ...]]:
    """Yield what is below a folder, never through a link: the packer opens each name again without following."""
    if len(names) > _DEPTH or folder.is_symlink():
        return
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:
        return
    for entry in entries:
        path = (*names, entry.name)
        is_folder = entry.is_dir(follow_symlinks=False)
        if is_folder == folders:
            yield path
        if is_folder:
            yield from _walk(folder / entry.name, path, folders=folders)
