"""Reads zip archives, CodePipeline's own format, as `unpacking` reads any other: entry by entry, within bounds."""

import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import IO

from penstock.artifacts import tar
from penstock.artifacts.errors import ArtifactError

_CHUNK = 256 * 1024
_DIRECTORY_BYTES = 16 * 1024 * 1024
"""The table of contents is read into memory as a whole, some ten times its size: it is looked at first."""
_LINK_BYTES = 4096
_TAIL = 22 + 65_535 + 20 + 56
_ENCRYPTED = 0x1


class ZipArchive:
    """A zip file. ``limit`` is how many bytes all its files together may have."""

    def __init__(self, file: IO[bytes], limit: int) -> None:
        size = _directory_size(file)
        if size > _DIRECTORY_BYTES:
            raise ArtifactError(
                "ConfigurationError", f"the zip's table of contents is larger than {_DIRECTORY_BYTES} bytes"
            )
        self._limit = limit
        self._left = limit
        try:
            self._zip = zipfile.ZipFile(file)
        except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
            raise _malformed(error) from error
        self._current: zipfile.ZipInfo | None = None

    def entries(self) -> Iterator[tar.Entry]:
        """Yield what is in it; raise ArtifactError for what is encrypted or has no name."""
        for info in self._zip.infolist():
            if info.flag_bits & _ENCRYPTED:
                raise ArtifactError("ConfigurationError", f'"{info.filename[:300]}" is encrypted')
            if not info.filename:
                raise ArtifactError("ConfigurationError", "the zip is malformed: an entry has no name")
            self._current = info
            yield self._entry(info)

    def content(self, size: int) -> Iterator[bytes]:
        """Yield the bytes of the current file; its checksum is verified."""
        assert self._current is not None
        try:
            with self._zip.open(self._current) as plain:
                while data := plain.read(_CHUNK):
                    self._left -= len(data)
                    if self._left < 0:
                        raise ArtifactError(
                            "ConfigurationError", f"the archive unpacks to more than {self._limit} bytes"
                        )
                    yield data
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
            raise _malformed(error) from error

    def _entry(self, info: zipfile.ZipInfo) -> tar.Entry:
        name, mode = os.fsencode(info.filename), info.external_attr >> 16
        if info.is_dir():
            return tar.Entry(name, b"5", 0o755)
        if stat.S_ISLNK(mode):
            if info.file_size > _LINK_BYTES:
                raise ArtifactError(
                    "ConfigurationError", f'"{info.filename[:300]}" is a link to a name that is too long'
                )
            return tar.Entry(name, b"2", 0o777, target=b"".join(self.content(info.file_size)))
        return tar.Entry(name, b"0", mode & 0o777, size=info.file_size, mtime=_mtime(info))


def _mtime(info: zipfile.ZipInfo) -> int:
    try:
        return int(datetime(*info.date_time, tzinfo=UTC).timestamp())
    except ValueError:
        return 0


def _directory_size(file: IO[bytes]) -> int:
    """Return how long the zip says that its table of contents is; 0 where it says nothing that can be read."""
    end = file.seek(0, os.SEEK_END)
    file.seek(max(0, end - _TAIL))
    tail = file.read(_TAIL)
    file.seek(0)
    sizes = [
        struct.unpack_from(form, tail, at + offset)[0]
        for mark, form, offset, length in ((b"PK\x05\x06", "<L", 12, 22), (b"PK\x06\x06", "<Q", 40, 56))
        if 0 <= (at := tail.rfind(mark)) <= len(tail) - length
    ]
    # Where both are there the short field may be all ones, which says that the long one counts.
    return max((size for size in sizes if size != 0xFFFFFFFF), default=0)


def _malformed(error: Exception) -> ArtifactError:
    return ArtifactError("ConfigurationError", f"the zip is malformed: {error}")
