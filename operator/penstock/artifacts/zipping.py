"""Packs a folder as a zip, the format that AWS's services read: the same files always give the same bytes.

For folders that the agent itself has unpacked and nothing else can change; what an action's container may
still change is packed by `packing`.
"""

import stat
import zipfile
from pathlib import Path
from typing import IO

from penstock.artifacts.errors import ArtifactError, shown

_EPOCH = (1980, 1, 1, 0, 0, 0)
_CHUNK = 256 * 1024
_UNIX = 3


def zip_folder(folder: Path, sink: IO[bytes], *, max_entries: int, max_bytes: int) -> None:
    """Write every file below the folder, links as what they lead to; raise ArtifactError beyond a bound.

    ``max_entries`` counts files and folders, ``max_bytes`` the files before they are compressed.
    """
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED, allowZip64=True) as archive:
        _Walk(archive, folder, max_entries, max_bytes).folder(folder, (folder.resolve(),))


def zip_file(path: Path, sink: IO[bytes]) -> None:
    """Write one file, under its own name."""
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED, allowZip64=True) as archive:
        _write(archive, path.name, path)


class _Walk:
    """One walk. Links to folders are followed, so it stops at one that leads out, or to a folder it stands in."""

    def __init__(self, archive: zipfile.ZipFile, root: Path, max_entries: int, max_bytes: int) -> None:
        self._archive, self._root = archive, root
        self._inside = root.resolve()
        self._max_entries, self._max_bytes = max_entries, max_bytes
        self._entries = self._bytes = 0

    def folder(self, folder: Path, above: tuple[Path, ...]) -> None:
        for path in sorted(folder.iterdir()):
            shown_name, real = shown(str(path.relative_to(self._root))), path.resolve()
            if not real.is_relative_to(self._inside):
                raise ArtifactError("JobFailed", f'"{shown_name}" is a symbolic link that leads out of the folder')
            if real in above:
                raise ArtifactError("JobFailed", f'"{shown_name}" is a symbolic link to a folder that it stands in')
            self._entries += 1
            if self._entries > self._max_entries:
                raise ArtifactError("JobFailed", f"there are more than {self._max_entries} files and folders")
            if real.is_dir():
                self.folder(path, (*above, real))
            elif real.is_file():
                self._file(path, shown_name)

    def _file(self, path: Path, shown_name: str) -> None:
        self._bytes += path.stat().st_size
        if self._bytes > self._max_bytes:
            raise ArtifactError("JobFailed", f'"{shown_name}" makes it larger than {self._max_bytes} bytes')
        _write(self._archive, str(path.relative_to(self._root)), path)


def _write(archive: zipfile.ZipFile, name: str, path: Path) -> None:
    info = zipfile.ZipInfo(name, _EPOCH)
    info.compress_type = zipfile.ZIP_DEFLATED
    info.create_system = _UNIX
    # Functions run as another user than the one who packed them: what the owner may read, all may.
    mode = 0o755 if path.stat().st_mode & stat.S_IXUSR else 0o644
    info.external_attr = (stat.S_IFREG | mode) << 16
    with path.open("rb") as source, archive.open(info, "w", force_zip64=True) as target:
        while data := source.read(_CHUNK):
            target.write(data)
