"""Walks a folder that the agent has unpacked and nothing else can change: every file, in bounds.

What an action's container may still change is walked by `packing`.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from penstock.artifacts.errors import ArtifactError, shown


class FolderBounds(NamedTuple):
    """The most that a walk may meet: files and folders together, and bytes in files."""

    entries: int
    bytes: int


def files_in(folder: Path, bounds: FolderBounds) -> Iterator[tuple[str, Path]]:
    """Yield each file's path within the folder and its path, in order; follow links inside it.

    Raise ArtifactError for a link that leads out or to a folder that it
    stands in, and beyond a bound.
    """
    walk = _Walk(folder, bounds)
    yield from walk.below(folder, (walk.inside,))


class _Walk:
    def __init__(self, root: Path, bounds: FolderBounds) -> None:
        self._root, self._bounds = root, bounds
        self.inside = root.resolve()
        self._entries = self._bytes = 0

    def below(self, folder: Path, above: tuple[Path, ...]) -> Iterator[tuple[str, Path]]:
        for path in sorted(folder.iterdir()):
            name, real = str(path.relative_to(self._root)), path.resolve()
            if not real.is_relative_to(self.inside):
                raise ArtifactError(
                    "JobFailed", f'"{shown(name)}" is a symbolic link that leads out of the folder'
                )
            if real in above:
                raise ArtifactError(
                    "JobFailed", f'"{shown(name)}" is a symbolic link to a folder that it stands in'
                )
            self._entries += 1
            if self._entries > self._bounds.entries:
                raise ArtifactError(
                    "JobFailed", f"there are more than {self._bounds.entries} files and folders"
                )
            if real.is_dir():
                yield from self.below(path, (*above, real))
            elif real.is_file():
                self._count(name, path)
                yield name, path

    def _count(self, name: str, path: Path) -> None:
        self._bytes += path.stat().st_size
        if self._bytes > self._bounds.bytes:
            raise ArtifactError(
                "JobFailed", f'"{shown(name)}" makes it larger than {self._bounds.bytes} bytes'
            )
