"""Finds the files of an artifact as the buildspec names them (B-40..B-48)."""

import os
import posixpath
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from penstock.actions.codebuild.buildspec import Artifacts
from penstock.actions.codebuild.outside import copied
from penstock.actions.execution import JOB_FAILED, ActionError
from penstock.api.globs import paths as globs
from penstock.api.globs.syntax import GlobError
from penstock.artifacts.errors import ArtifactError, shown
from penstock.artifacts.links import DanglingError, LinkError, resolve

_REFERENCE = re.compile(r"\$(?:([A-Za-z_][A-Za-z0-9_]*)|\{([A-Za-z_][A-Za-z0-9_]*)\})")
# As deep as an artifact may be packed; a link to a folder above ends here, too.
_DEPTH = 200
# How often a search may meet entries of an artifact: links can make many folders of one.
_VISITS = 10
NOTHING = "UPLOAD_ARTIFACTS: CLIENT_ERROR Message: no matching artifact paths found"


def names_in(*artifacts: Artifacts) -> set[str]:
    """Return the variables that the paths refer to."""
    texts = [
        text
        for item in artifacts
        for text in (*item.files, *item.exclude_paths, item.base_directory)
    ]
    return references(*texts)


def references(*texts: str) -> set[str]:
    """Return the variables that texts refer to."""
    return {match[1] or match[2] for text in texts for match in _REFERENCE.finditer(text)}


def expand(text: str, values: Mapping[str, str]) -> str:
    """Return a text with its variables' values in their places, nothing for one that has none."""
    return _REFERENCE.sub(lambda match: values.get(match[1] or match[2], ""), text)


def find(
    artifacts: Artifacts,
    source: Path,
    values: Mapping[str, str],
    limit: int,
    log: Callable[[str], None],
) -> dict[str, tuple[str, ...]]:
    """Return names by path in the artifact: below ``source``, or after "/" below the workspace.

    Links are followed unless the buildspec keeps them (B-42). Raise ActionError where nothing
    matches, ArtifactError for what leads out or cannot be read.
    """
    return _Finder(artifacts, source, values, limit, log).run()


class _Found(NamedTuple):
    """A file or folder: its path as the buildspec sees it and its real path below the workspace.

    ``problem`` says why a link is left out.
    """

    path: tuple[str, ...]
    real: tuple[str, ...]
    is_folder: bool = False
    problem: str = ""


class _Finder:
    def __init__(
        self,
        artifacts: Artifacts,
        source: Path,
        values: Mapping[str, str],
        limit: int,
        log: Callable[[str], None],
    ) -> None:
        self._artifacts, self._source, self._values, self._limit, self._log = (
            artifacts,
            source,
            values,
            limit,
            log,
        )
        self._root, self._home = str(source.parents[1]), (source.parent.name, source.name)
        self._visits = 0
        self._found: dict[str, tuple[str, ...]] = {}

    def run(self) -> dict[str, tuple[str, ...]]:
        used = {text for text in self._artifacts.files if self._take_copied(text)}
        wanted = [(text, self._pattern(text)) for text in self._artifacts.files if text not in used]
        excluded = [self._pattern(text) for text in self._artifacts.exclude_paths]
        for base in self._bases() if wanted else ():
            self._log(f"[Container] Expanding base directory path: {'/'.join(base.path) or '.'}")
            for item in self._walk(_Found((), base.real), (base.real,)):
                path = "/".join(item.path)
                matching = {text for text, pattern in wanted if pattern.matches(path)}
                if (
                    item.is_folder
                    or not matching
                    or any(pattern.matches(path) for pattern in excluded)
                ):
                    continue
                self._take(item, base)
                used |= matching
        for text in self._artifacts.files:
            if text not in used:
                self._log(f"[Container] Skipping invalid file path {text}")
        if not self._found:
            raise ActionError(JOB_FAILED, NOTHING)
        self._log(f"[Container] Found {len(self._found)} file(s)")
        return self._found

    def _take(self, item: _Found, base: _Found) -> None:
        path = "/".join(item.path)
        if item.problem:
            raise ArtifactError(
                JOB_FAILED, f'"{shown("/".join((*base.path, *item.path)))}" {item.problem}'
            )
        self._add(item.path[-1] if self._artifacts.discard_paths else path, item.real)

    def _add(self, path: str, real: tuple[str, ...]) -> None:
        is_inside = real[: len(self._home)] == self._home
        # Of several files with one path the last one stays (B-44).
        self._found[path] = real[len(self._home) :] if is_inside else ("/", *real)
        if len(self._found) > self._limit:
            raise ActionError(
                JOB_FAILED, f"UPLOAD_ARTIFACTS: an artifact has more than {self._limit} files"
            )

    def _take_copied(self, text: str) -> bool:
        """Take a file from outside of the source folder, which the program has copied (B-40)."""
        path = self._relative(text)
        if not path.startswith("/") or (names := copied(self._root, path)) is None:
            return False
        self._add(posixpath.basename(path), names)
        return True

    def _relative(self, text: str) -> str:
        """Return a path below the source folder, or the absolute path of what is elsewhere."""
        expanded = posixpath.normpath(expand(text.strip(), self._values) or ".")
        home = str(self._source)
        if expanded == home or expanded.startswith(f"{home}/"):
            return expanded[len(home) + 1 :] or "."
        return expanded

    def _pattern(self, text: str) -> globs.Pattern:
        return _parsed(self._relative(text))

    def _bases(self) -> list[_Found]:
        source = _Found((), self._home)
        wanted = self._relative(self._artifacts.base_directory)
        if wanted == ".":
            return [source]
        pattern = _parsed(wanted)
        return [
            item
            for item in self._walk(source, (self._home,))
            if item.is_folder and _matches(pattern, item)
        ]

    def _walk(self, folder: _Found, above: tuple[tuple[str, ...], ...]) -> Iterator[_Found]:
        """Yield what is below a folder; a link is what is at its end, or a problem."""
        if len(folder.path) > _DEPTH:
            return
        for entry in self._entries(folder):
            self._count()
            item = _Found(
                (*folder.path, entry.name),
                (*folder.real, entry.name),
                entry.is_dir(follow_symlinks=False),
            )
            if entry.is_symlink() and not self._artifacts.keeps_links:
                followed = self._followed(item, above)
                if followed is None:
                    continue
                item = followed
            yield item
            if item.is_folder:
                yield from self._walk(item, (*above, item.real))

    def _entries(self, folder: _Found) -> list[os.DirEntry[str]]:
        path = Path(self._root, *folder.real)
        try:
            # A command may have put a link into the place of a folder.
            if path.is_symlink():
                return []
            with os.scandir(path) as entries:
                return sorted(entries, key=lambda entry: entry.name)
        except FileNotFoundError:
            return []
        except OSError as error:
            name = shown("/".join(folder.path)) or "."
            why = f'the folder "{name}" cannot be read by the agent: {error.strerror}'
            raise ArtifactError(JOB_FAILED, f"UPLOAD_ARTIFACTS: {why}") from error

    def _followed(self, link: _Found, above: tuple[tuple[str, ...], ...]) -> _Found | None:
        name = shown("/".join(link.path))
        try:
            real = resolve(self._root, link.real)
        except DanglingError as error:
            self._log(f'[Container] Warning: "{name}" {error}; it is left out')
            return None
        except LinkError as error:
            return link._replace(problem=str(error))
        is_folder = Path(self._root, *real).is_dir()
        if is_folder and any(folder[: len(real)] == real for folder in above):
            self._log(
                f'[Container] Warning: "{name}" is a symbolic link to a folder that it stands in; '
                f"it is left out"
            )
            return None
        return link._replace(real=real, is_folder=is_folder)

    def _count(self) -> None:
        self._visits += 1
        if self._visits > _VISITS * max(self._limit, 1000):
            raise ActionError(
                JOB_FAILED,
                f"UPLOAD_ARTIFACTS: links make the source more than {self._visits - 1} files",
            )


def _parsed(text: str) -> globs.Pattern:
    try:
        return globs.parse(text)
    except GlobError as error:
        raise ArtifactError("ConfigurationError", str(error)) from error


def _matches(pattern: globs.Pattern, item: _Found) -> bool:
    return pattern.matches("/".join(item.path))
