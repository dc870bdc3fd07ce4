"""Packs files as a zip, the format AWS's services read: the same files give the same bytes."""

import stat
import zipfile
from pathlib import Path
from typing import IO

from penstock.artifacts.folders import FolderBounds, files_in

# The first moment that a zip can hold: one content, one file, whenever it is packed.
_EPOCH = (1980, 1, 1, 0, 0, 0)
# Bytes in memory at a time.
_CHUNK = 256 * 1024
# The system that gives an entry's attributes their meaning: permissions.
_UNIX = 3


def zip_folder(folder: Path, sink: IO[bytes], bounds: FolderBounds) -> None:
    """Write every file below a folder that only the agent writes.

    Raise ArtifactError as `files_in` does.
    """
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED, allowZip64=True) as archive:
        for name, path in files_in(folder, bounds):
            _write(archive, name, path)


def zip_file(path: Path, sink: IO[bytes]) -> None:
    """Write one file, under its own name."""
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED, allowZip64=True) as archive:
        _write(archive, path.name, path)


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
