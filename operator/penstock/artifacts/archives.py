"""Unpacks what a source brings: a zip, a tar, a tar.gz or a tar.zst, whatever it is called.

Beside `unpacking`, which every action pays for, since zip and gzip take some
milliseconds to import.
"""

import gzip
import zlib
from pathlib import Path
from typing import IO

from penstock.artifacts import tar
from penstock.artifacts.unpacking import (
    Caps,
    TarArchive,
    malformed,
    most_bytes,
    unpack,
    unpack_archive,
)
from penstock.artifacts.zip import ZipArchive

# Bytes by which a format is told: a tar's magic stands at 257.
_HEAD = 512
# An archive that was meant to be split and is whole begins with a mark of its own.
_ZIP = (b"PK\x03\x04", b"PK\x05\x06", b"PK00PK\x03\x04", b"PK\x07\x08PK\x03\x04")
_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"


def unpack_any(archive: IO[bytes], target: Path, caps: Caps) -> bool:
    """Unpack an archive, known by its first bytes, to an existing folder; return False for others.

    Raise ArtifactError at the first entry that is not allowed.
    """
    first = archive.read(_HEAD)
    archive.seek(0)
    limit = most_bytes(archive, caps)
    try:
        if first.startswith(_ZIP):
            unpack_archive(ZipArchive(archive, limit), target, caps)
        elif _is_tar(first):
            unpack_archive(TarArchive(archive, limit), target, caps)
        # A single file may be packed by gzip, too, and is no archive then.
        elif first.startswith(_GZIP) and _is_tar(_start_of(archive)):
            unpack_archive(TarArchive(gzip.GzipFile(fileobj=archive), limit), target, caps)
        elif first.startswith(_ZSTD):
            unpack(archive, target, caps)
        else:
            return False
    except (OSError, EOFError, zlib.error) as error:
        raise malformed(error) from error
    return True


def _is_tar(block: bytes) -> bool:
    """Whether a block is a tar header: by its magic or, in tars from before it, by its checksum."""
    return block[257:262] == b"ustar" or (len(block) == tar.BLOCK and tar.is_header(block))


def _start_of(archive: IO[bytes]) -> bytes:
    try:
        return gzip.GzipFile(fileobj=archive).read(_HEAD)
    finally:
        archive.seek(0)
