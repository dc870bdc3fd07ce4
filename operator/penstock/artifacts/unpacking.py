"""Unpacks an archive that may have been made by anyone: a tar.zst of ours, or what a source brings.

Names are resolved folder by folder from the target, never through a link, whether it stood there or
came with the archive. Links out of the target, devices and all else but files, folders and inner
links are refused; entries, bytes and the ratio of compression are bounded; modes are ours.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO, NamedTuple, Protocol

import zstandard

from penstock.artifacts import tar
from penstock.artifacts.errors import ArtifactError, shown
from penstock.artifacts.packing import MAX_DEPTH, stays_inside

# Bytes in memory at a time.
_CHUNK = 256 * 1024
# zstd may ask for so much memory: larger windows are refused.
_WINDOW = 128 * 1024 * 1024
# A small archive may unfold to this, however well it compresses.
_ALWAYS_ALLOWED = 64 * 1024 * 1024
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class Caps(NamedTuple):
    """An archive's limits: entries, bytes, and bytes per compressed byte (above 64 MiB)."""

    entries: int
    bytes: int
    ratio: int


class Plain(Protocol):
    """A stream of an archive's own bytes, whatever it was compressed with."""

    def read(self, size: int = -1, /) -> bytes:
        """Read at most so many bytes."""


class Archive(Protocol):
    """Entries in their order, and the content of the file that was yielded last."""

    def entries(self) -> Iterator[tar.TarEntry]:
        """Yield what is in it."""

    def content(self, size: int) -> Iterator[bytes]:
        """Yield the bytes of the current file, all of them."""


def unpack(archive: IO[bytes], target: Path, caps: Caps) -> None:
    """Unpack a tar.zst to an existing folder; raise ArtifactError at the first forbidden entry."""
    try:
        with zstandard.ZstdDecompressor(max_window_size=_WINDOW).stream_reader(archive) as plain:
            unpack_archive(TarArchive(plain, most_bytes(archive, caps)), target, caps)
    except zstandard.ZstdError as error:
        raise malformed(error) from error


def unpack_archive(archive: Archive, target: Path, caps: Caps) -> None:
    """Unpack whatever can be read entry by entry."""
    _Unpacker(archive, target, caps.entries).run()


def most_bytes(archive: IO[bytes], caps: Caps) -> int:
    """Return how many bytes a compressed archive may become."""
    return min(caps.bytes, max(_ALWAYS_ALLOWED, os.fstat(archive.fileno()).st_size * caps.ratio))


def malformed(error: Exception) -> ArtifactError:
    """Return the error for an archive that cannot be read."""
    return ArtifactError("ConfigurationError", f"the archive is malformed: {error}")


class TarArchive:
    """A tar as a plain stream, which may give so many bytes and no more."""

    def __init__(self, stream: Plain, limit: int) -> None:
        self._stream = stream
        self._limit = limit
        self._left = limit

    def read(self, size: int) -> bytes:
        """Read at most so many bytes; raise ArtifactError beyond the limit."""
        data = self._stream.read(size)
        self._left -= len(data)
        if self._left < 0:
            raise ArtifactError(
                "ConfigurationError", f"the archive unpacks to more than {self._limit} bytes"
            )
        return data

    def entries(self) -> Iterator[tar.TarEntry]:
        """Yield what is in it."""
        return tar.read_headers(self)

    def content(self, size: int) -> Iterator[bytes]:
        """Yield the bytes of the current file, and pass over what fills its last block."""
        left = size
        while left:
            data = tar.read_exactly(self, min(_CHUNK, left))
            left -= len(data)
            yield data
        tar.read_exactly(self, tar.padding(size))


class _Unpacker:
    """One archive. The folder of the last entry stays open, as entries come folder by folder."""

    def __init__(self, archive: Archive, target: Path, max_entries: int) -> None:
        self._archive = archive
        self._max_entries = max_entries
        self._root = os.open(target, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._folder = self._root
        self._names: tuple[str, ...] = ()
        self._folders = 0

    def run(self) -> None:
        try:
            for count, entry in enumerate(self._archive.entries()):
                self._check_count(count)
                self._entry(entry, os.fsdecode(entry.name))
        finally:
            self._leave()
            os.close(self._root)

    def _check_count(self, count: int) -> None:
        if count >= self._max_entries:
            raise ArtifactError(
                "ConfigurationError", f"the archive has more than {self._max_entries} entries"
            )

    def _entry(self, entry: tar.TarEntry, path: str) -> None:
        names = tuple(name for name in path.split("/") if name not in ("", "."))
        if path.startswith("/") or ".." in names or "\0" in path:
            raise _refusal(path, "leads out of the folder")
        if len(names) > MAX_DEPTH:
            raise _refusal(path, f"is nested deeper than {MAX_DEPTH} folders")
        try:
            if entry.kind == b"5":
                self._enter(names, path)
            elif not names:
                raise _refusal(path, "has no name")
            else:
                self._enter(names[:-1], path)
                self._content(entry, names, path)
        except FileExistsError as error:
            raise _refusal(
                path, "stands in the archive twice; which one counts, tools do not agree about"
            ) from error
        except OSError as error:
            raise _refusal(path, f"cannot be written: {error.strerror}") from error

    def _content(self, entry: tar.TarEntry, names: tuple[str, ...], path: str) -> None:
        if entry.kind == b"0":
            self._file(entry, names[-1])
        elif entry.kind == b"2":
            target = os.fsdecode(entry.target)
            if "\0" in target or not stays_inside("/".join(names), target):
                raise _refusal(
                    path, f"is a symbolic link that leads out of the folder (-> {target})"
                )
            os.symlink(target, names[-1], dir_fd=self._folder)
        elif entry.kind == b"1":
            raise _refusal(path, "is a hard link, which artifacts do not hold")
        else:
            raise _refusal(path, "is neither a file, a folder nor a symbolic link")

    def _file(self, entry: tar.TarEntry, name: str) -> None:
        # Whoever runs the action must be able to change it: the group is the pod's, umask or not.
        mode = 0o775 if entry.mode & 0o111 else 0o664
        file = os.open(name, _NEW_FILE, mode, dir_fd=self._folder)
        try:
            os.fchmod(file, mode)
            for data in self._archive.content(entry.size):
                # os.write may take only a part; a view moves on without a copy of the rest.
                view = memoryview(data)
                while view:
                    view = view[os.write(file, view) :]
            os.utime(file, (entry.mtime, entry.mtime))
        finally:
            os.close(file)

    def _enter(self, names: tuple[str, ...], path: str) -> None:
        """Make these folders the current ones, creating what is missing, following nothing."""
        if names == self._names:
            return
        self._leave()
        for name in names:
            try:
                below = self._open(name)
            except (NotADirectoryError, OSError) as error:
                raise _refusal(
                    path, f'would be written through "{name}", which is no folder'
                ) from error
            if self._folder != self._root:
                os.close(self._folder)
            self._folder = below
        self._names = names

    def _open(self, name: str) -> int:
        try:
            return os.open(name, _FOLDER, dir_fd=self._folder)
        except FileNotFoundError:
            self._check_count(self._folders)  # also of those that only the names of others make
            self._folders += 1
            os.mkdir(name, 0o775, dir_fd=self._folder)
            below = os.open(name, _FOLDER, dir_fd=self._folder)
            # mkdir gives no set-group bit, and heeds the umask.
            os.fchmod(below, 0o2775)
            return below

    def _leave(self) -> None:
        if self._folder != self._root:
            os.close(self._folder)
        self._folder, self._names = self._root, ()


def _refusal(path: str, why: str) -> ArtifactError:
    return ArtifactError("ConfigurationError", f'"{shown(path[:300])}" {why}')
