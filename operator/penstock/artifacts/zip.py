"""Reads zips, CodePipeline's own format, as `unpacking` reads others: by entry, within bounds."""

import os
import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import IO

from penstock.artifacts import tar
from penstock.artifacts.errors import ArtifactError, shown

# Bytes in memory at a time.
_CHUNK = 256 * 1024
# The largest table of contents, checked first: in memory, all of it takes some ten times this.
_DIRECTORY_BYTES = 16 * 1024 * 1024
# A link's target is a path: Linux takes none that is longer.
_LINK_BYTES = 4096
# Where the end record may stand: its size, the longest comment, and the two records of zip64.
_TAIL = 22 + 65_535 + 20 + 56
# Flags of an entry, by the format's numbers.
_ENCRYPTED, _UTF_8, _PATCHED, _MASKED = 0x1, 0x800, 0x20, 0x2040
# LZMA is left out: its dictionary is as large as the archive says.
_READ = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2}
_METHODS = {
    6: "implode",
    9: "deflate64",
    14: "LZMA",
    93: "Zstandard",
    95: "XZ",
    97: "WavPack",
    98: "PPMd",
    99: "AES",
}
# FAT, HPFS, NTFS (PKWARE's and Info-ZIP's) and VFAT: a backslash there only separates names.
_DOS = {0, 6, 10, 11, 14}
# The attribute by which DOS marks a folder.
_DOS_FOLDER = 0x10
_DRIVE = re.compile(rb"[A-Za-z]:")
# The extra field in which old programs write a name in UTF-8.
_UNICODE_PATH = 0x7075
# Errors that zipfile raises for false archives: it documents none, and fuzzing found these.
_BROKEN = (
    zipfile.BadZipFile, zlib.error, struct.error, EOFError, NotImplementedError, RuntimeError,
    ValueError,
    IndexError, OverflowError, KeyError, OSError,
)  # fmt: skip


class ZipArchive:
    """A zip file. ``limit`` is how many bytes all its files together may have."""

    def __init__(self, file: IO[bytes], limit: int) -> None:
        # Before zipfile opens it: that reads the whole table into memory.
        size = _directory_size(file)
        if size > _DIRECTORY_BYTES:
            raise ArtifactError(
                "ConfigurationError",
                f"the zip's table of contents is larger than {_DIRECTORY_BYTES} bytes",
            )
        self._limit = limit
        self._left = limit
        try:
            self._zip = zipfile.ZipFile(file)
        except _BROKEN as error:
            raise _malformed(error) from error
        self._current: zipfile.ZipInfo | None = None

    def entries(self) -> Iterator[tar.TarEntry]:
        """Yield entries; raise ArtifactError, by name, for an encrypted or oddly packed one."""
        for info in self._zip.infolist():
            name = _name(info)
            if info.flag_bits & (_ENCRYPTED | _MASKED):
                raise _refusal(name, "is encrypted")
            if info.flag_bits & _PATCHED or info.compress_type not in _READ:
                method = _METHODS.get(info.compress_type, "another method")
                raise _refusal(
                    name,
                    f"is compressed with {method} ({info.compress_type}), which is not read; use "
                    f"deflate",
                )
            self._current = info
            yield self._entry(info, name)

    def content(self, size: int) -> Iterator[bytes]:
        """Yield the bytes of the current file; its checksum is verified."""
        assert self._current is not None
        try:
            with self._zip.open(self._current) as plain:
                while data := plain.read(_CHUNK):
                    self._left -= len(data)
                    if self._left < 0:
                        raise ArtifactError(
                            "ConfigurationError",
                            f"the archive unpacks to more than {self._limit} bytes",
                        )
                    yield data
        except _BROKEN as error:
            raise _malformed(error) from error

    def _entry(self, info: zipfile.ZipInfo, name: bytes) -> tar.TarEntry:
        mode = info.external_attr >> 16
        # Programs of DOS and Windows may mark a folder by this attribute alone.
        is_dos_folder = (
            info.create_system in _DOS and info.external_attr & _DOS_FOLDER and not info.file_size
        )
        if name.endswith(b"/") or stat.S_ISDIR(mode) or is_dos_folder:
            return tar.TarEntry(name, b"5", 0o755)
        if stat.S_ISLNK(mode):
            if info.file_size > _LINK_BYTES:
                raise _refusal(name, "is a link to a name that is too long")
            return tar.TarEntry(name, b"2", 0o777, target=b"".join(self.content(info.file_size)))
        if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
            # As a device: the unpacker refuses it by its name.
            return tar.TarEntry(name, b"3", 0)
        return tar.TarEntry(name, b"0", mode & 0o777, size=info.file_size, mtime=_mtime(info))


def _name(info: zipfile.ZipInfo) -> bytes:
    """Return an entry's path as its tool meant it; raise ArtifactError if it has none.

    Without a mark for UTF-8, Unix and macOS write the bytes of their file systems, others UTF-8 or
    the code page of DOS. Info-ZIP writes a second name in UTF-8.
    """
    # zipfile has decoded the name; this gives back the bytes that stand in the zip.
    raw = info.orig_filename.encode("utf-8" if info.flag_bits & _UTF_8 else "cp437")
    is_dos = info.create_system in _DOS
    name = _unicode_path(info.extra, raw) or (
        _from_dos(raw) if is_dos and not info.flag_bits & _UTF_8 else raw
    )
    if not name.split(b"\0", 1)[0]:
        raise ArtifactError("ConfigurationError", "the zip is malformed: an entry has no name")
    if b"\0" in name:
        raise _refusal(name, "is no name that a file can have")
    if is_dos:
        name = name.replace(b"\\", b"/")
        if _DRIVE.match(name):
            raise _refusal(name, "leads out of the folder: it names a drive")
    return name


def _from_dos(raw: bytes) -> bytes:
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("cp437").encode("utf-8")
    return raw


def _unicode_path(extra: bytes, raw: bytes) -> bytes:
    """Return Info-ZIP's Unicode Path name, if there is one and it belongs to the other name."""
    while len(extra) >= 4:
        kind, size = struct.unpack_from("<HH", extra)
        body, extra = extra[4 : 4 + size], extra[4 + size :]
        if kind == _UNICODE_PATH and len(body) > 5 and body[0] == 1:
            # A tool that renamed the entry and left this field alone has not renewed the checksum.
            return body[5:] if struct.unpack_from("<L", body, 1)[0] == zlib.crc32(raw) else b""
    return b""


def _refusal(name: bytes, why: str) -> ArtifactError:
    return ArtifactError("ConfigurationError", f'"{shown(os.fsdecode(name[:300]))}" {why}')


def _mtime(info: zipfile.ZipInfo) -> int:
    try:
        # A zip tells no zone with its times.
        return int(datetime(*info.date_time, tzinfo=UTC).timestamp())
    except ValueError:
        return 0


def _directory_size(file: IO[bytes]) -> int:
    """Return the table of contents' size as the zip says; 0 if it says nothing readable."""
    end = file.seek(0, os.SEEK_END)
    file.seek(max(0, end - _TAIL))
    tail = file.read(_TAIL)
    file.seek(0)
    sizes = [
        struct.unpack_from(form, tail, at + offset)[0]
        for mark, form, offset, length in (
            (b"PK\x05\x06", "<L", 12, 22),
            (b"PK\x06\x06", "<Q", 40, 56),
        )
        if 0 <= (at := tail.rfind(mark)) <= len(tail) - length
    ]
    # Where both are there the short field may be all ones, which says that the long one counts.
    return max((size for size in sizes if size != 0xFFFFFFFF), default=0)


def _malformed(error: Exception) -> ArtifactError:
    return ArtifactError("ConfigurationError", f"the zip is malformed: {error}")
