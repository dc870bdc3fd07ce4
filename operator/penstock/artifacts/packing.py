"""Packs a folder that hostile commands have written into a tar.zst stream.

A command controls every name below the workspace, and we hold a token and the store's credentials.
So each path is opened name by name, relative to the folder above it and without following links;
what is not a file, a folder or a link that stays inside is refused. The stream is written as it is
made: flat memory.
"""

import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import zstandard

from penstock.api.globs import paths as globs
from penstock.artifacts import tar
from penstock.artifacts.errors import ArtifactError, shown
from penstock.artifacts.links import LinkError, resolve
from penstock.artifacts.store.store import Sink

# Bytes in memory at a time.
_CHUNK = 256 * 1024
# zstd's own default: level 9 takes four times as long for a tenth less.
_LEVEL = 3
# Folders in folders: the walk calls itself for each.
MAX_DEPTH = 200
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# A FIFO or a terminal may take a file's place: neither may keep the open waiting.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY


class Tree(NamedTuple):
    """The tree to pack: ``path`` below ``root``, patterns, and the artifact's name for errors.

    ``max_bytes`` is of files before they are compressed, as unpacking counts:
    a sparse file costs a command nothing.
    """

    root: str
    path: Sequence[str]
    name: str
    patterns: Sequence[globs.Pattern]
    max_entries: int
    max_bytes: int


def pack(tree: Tree, sink: Sink) -> None:
    """Write matching entries as tar.zst; raise ArtifactError if one may not leave the workspace."""
    with zstandard.ZstdCompressor(level=_LEVEL).stream_writer(sink, closefd=False) as output:  # type: ignore[arg-type]
        _Packer(tree, output).run()


def pack_files(tree: Tree, files: Mapping[str, Sequence[str]], sink: Sink) -> None:
    """Write single files below the tree's folder under paths of their own, as tar.zst."""
    with zstandard.ZstdCompressor(level=_LEVEL).stream_writer(sink, closefd=False) as output:  # type: ignore[arg-type]
        _Packer(tree, output).run_files(files)


class _Place(NamedTuple):
    """A walk's place: path in the artifact, names below the root without links, outer folders."""

    path: str
    real: tuple[str, ...]
    above: tuple[tuple[str, ...], ...] = ()


class _Packer:
    """One walk. Folders stay open during it, so a folder swapped for a link changes nothing."""

    def __init__(self, tree: Tree, output: Sink) -> None:
        self._tree = tree
        self._output = output
        self._complete: set[int] = set()
        self._entries = 0
        self._bytes = 0

    def run(self) -> None:
        real = tuple(self._tree.path)
        with self._open_at(real) as folder:
            match = globs.start(self._tree.patterns)
            self._complete |= match.complete
            place = _Place("", real, (real,))
            self._folder(
                folder, place, match, is_all=not self._tree.patterns or bool(match.complete)
            )
        for index, pattern in enumerate(self._tree.patterns):
            if index not in self._complete:
                raise ArtifactError(
                    "ConfigurationError",
                    f'Output artifact "{self._tree.name}": no file matches the pattern '
                    f'"{pattern.text}"',
                )
        self._output.write(tar.END)

    def run_files(self, files: Mapping[str, Sequence[str]]) -> None:
        for path, names in sorted(files.items()):
            real = tuple(names[1:]) if names[0] == "/" else (*self._tree.path, *names)
            with self._open_at(real[:-1]) as folder:
                self._entry(folder, _Place(path, real), globs.start(()), is_wanted=True)
        self._output.write(tar.END)

    @contextmanager
    def _open_at(self, path: Sequence[str]) -> Iterator[int]:
        """Open a folder below the root, name by name, following nothing."""
        with _opened(os.open(self._tree.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)) as root:
            # Each turn closes the folder that it came from, and the root is closed by its own
            # block.
            folder = os.dup(root)
            for depth, name in enumerate(path):
                with _opened(folder) as parent:
                    try:
                        folder = os.open(name, _FOLDER, dir_fd=parent)
                    except OSError as error:
                        raise self._refusal("/".join(path[: depth + 1]), _why(error)) from error
            with _opened(folder):
                yield folder

    def _folder(self, folder: int, place: _Place, match: globs.Match, *, is_all: bool) -> None:
        path = f"{place.path}/" if place.path else ""
        if path.count("/") >= MAX_DEPTH:
            raise self._refusal(path, f"is nested deeper than {MAX_DEPTH} folders")
        # In order, so that the same tree always gives the same bytes.
        for name in sorted(os.listdir(folder)):
            after = globs.step(self._tree.patterns, match, name) if self._tree.patterns else match
            self._complete |= after.complete
            wanted = is_all or bool(after.complete)
            if wanted or after.can_continue:
                below = _Place(f"{path}{name}", (*place.real, name), place.above)
                self._entry(folder, below, after, is_wanted=wanted)

    def _entry(self, folder: int, place: _Place, match: globs.Match, *, is_wanted: bool) -> None:
        path, name = place.path, place.real[-1]
        try:
            found = os.stat(name, dir_fd=folder, follow_symlinks=False)
        except FileNotFoundError as error:
            raise self._refusal(path, "vanished while it was packed") from error
        if stat.S_ISDIR(found.st_mode):
            if place.real in place.above:
                raise self._refusal(path, "is met again below itself, by a symbolic link")
            if is_wanted:
                self._write(path + "/", b"5", found)
            with self._open(folder, path, name, found, _FOLDER) as below:
                inside = place._replace(above=(*place.above, place.real))
                self._folder(below, inside, match, is_all=is_wanted)
        # Wanted or not: what a pattern matches may lie below the folder that it leads to.
        elif stat.S_ISLNK(found.st_mode) and self._tree.patterns:
            self._followed(place, match, is_wanted=is_wanted)
        elif not is_wanted:
            return
        elif stat.S_ISLNK(found.st_mode):
            self._link(folder, path, name, found)
        elif stat.S_ISREG(found.st_mode):
            with self._open(folder, path, name, found, _FILE) as file:
                self._file(file, path)
        else:
            raise self._refusal(path, f"is a {_kind(found.st_mode)}, which an artifact cannot hold")

    @contextmanager
    def _open(
        self, folder: int, path: str, name: str, found: os.stat_result, flags: int
    ) -> Iterator[int]:
        try:
            opened = os.open(name, flags, dir_fd=folder)
        except PermissionError as error:
            owner = f"owner {found.st_uid}:{found.st_gid}, mode {stat.S_IMODE(found.st_mode):04o}"
            raise self._refusal(
                path, f"cannot be read by the agent ({owner}, agent {os.geteuid()})"
            ) from error
        except OSError as error:
            raise self._refusal(path, _why(error)) from error
        with _opened(opened):
            yield opened

    def _file(self, file: int, path: str) -> None:
        # Another file may have taken the name since it was looked at.
        found = os.fstat(file)
        if not stat.S_ISREG(found.st_mode):
            raise self._refusal(path, "changed while it was packed")
        self._write(path, b"0", found, size=found.st_size)
        # The header has told the size: exactly so many bytes follow, even if the file grows.
        left = found.st_size
        while left:
            data = os.read(file, min(_CHUNK, left))
            if not data:
                raise self._refusal(path, "became shorter while it was packed")
            self._output.write(data)
            left -= len(data)
        self._output.write(bytes(tar.padding(found.st_size)))

    def _followed(self, place: _Place, match: globs.Match, *, is_wanted: bool) -> None:
        """Take a link's target, as patterns may choose files but leave the target itself behind."""
        try:
            real = resolve(self._tree.root, place.real)
        except LinkError as error:
            # A link that leads nowhere matters only if a pattern asks for it.
            if not is_wanted:
                return
            raise self._refusal(place.path, str(error)) from error
        with self._open_at(real[:-1]) as folder:
            self._entry(folder, place._replace(real=real), match, is_wanted=is_wanted)

    def _link(self, folder: int, path: str, name: str, found: os.stat_result) -> None:
        target = os.readlink(name, dir_fd=folder)
        if not stays_inside(path, target):
            raise self._refusal(
                path, f"is a symbolic link that leads out of the workspace (-> {target})"
            )
        self._write(path, b"2", found, target=target)

    def _write(
        self, path: str, kind: bytes, found: os.stat_result, *, size: int = 0, target: str = ""
    ) -> None:
        self._entries += 1
        if self._entries > self._tree.max_entries:
            raise ArtifactError(
                "JobFailed",
                f'Output artifact "{self._tree.name}" has more than {self._tree.max_entries} '
                f"entries",
            )
        self._bytes += size
        if self._bytes > self._tree.max_bytes:
            raise self._refusal(path, f"makes it larger than {self._tree.max_bytes} bytes")
        entry = tar.TarEntry(
            os.fsencode(path),
            kind,
            found.st_mode & 0o777,
            size,
            int(found.st_mtime),
            os.fsencode(target),
        )
        self._output.write(tar.header(entry))

    def _refusal(self, path: str, why: str) -> ArtifactError:
        return ArtifactError(
            "JobFailed", f'Output artifact "{self._tree.name}": "{shown(path.rstrip("/"))}" {why}'
        )


def stays_inside(path: str, target: str) -> bool:
    """Whether a link at ``path`` stays in the tree, whatever links it leads through.

    ``..`` may only stand first: from a link's own folder, which is a real one, so many steps up
    stay inside; behind a name it could go up from wherever another link has led.
    """
    names = [name for name in target.split("/") if name not in ("", ".")]
    ups = next((index for index, name in enumerate(names) if name != ".."), len(names))
    return (
        bool(target)
        and not target.startswith("/")
        and ".." not in names[ups:]
        and ups <= path.count("/")
    )


@contextmanager
def _opened(descriptor: int) -> Iterator[int]:
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _kind(mode: int) -> str:
    if stat.S_ISFIFO(mode):
        return "FIFO"
    return "socket" if stat.S_ISSOCK(mode) else "device"


def _why(error: OSError) -> str:
    return f"could not be opened without following links: {error.strerror}"
