"""Tar headers: reads and writes the few kinds of entry an artifact may hold, without surprises.

The standard library's ``tarfile`` reads extension headers of any length into memory and costs most
of the time packing takes; what we need of the format (POSIX.1-2001 ustar and pax) is small.
"""

import os
from collections.abc import Iterator
from typing import IO, Any, NamedTuple

from penstock.artifacts.errors import ArtifactError, shown

# A tar's unit, by its format.
BLOCK = 512
# A header extension holds names: a longer one is hostile.
_EXTENSION_BYTES = 1024 * 1024
# The most that eleven octal digits can say.
_USTAR_SIZE = 8 * 1024**3
_EXTENSIONS = (b"x", b"X", b"L", b"K")
_LABEL = b"V"


class TarEntry(NamedTuple):
    """One entry. ``kind`` is tar's type flag: 0 file, 1 hard link, 2 symbolic link, 5 folder.

    Other kinds are unwanted.
    """

    name: bytes
    kind: bytes
    mode: int
    size: int = 0
    mtime: int = 0
    target: bytes = b""


def padding(size: int) -> int:
    """Return how many bytes fill the last block of ``size`` bytes."""
    return -size % BLOCK


def header(entry: TarEntry) -> bytes:
    """Return an entry's header blocks, with an extension in front if the header is too small."""
    records = b""
    if len(entry.name) > 100 or not entry.name.isascii():
        records += _record(b"path", entry.name)
    if len(entry.target) > 100 or not entry.target.isascii():
        records += _record(b"linkpath", entry.target)
    if entry.size >= _USTAR_SIZE:
        records += _record(b"size", b"%d" % entry.size)
    block = _block(entry)
    if not records:
        return block
    extension = _block(TarEntry(b"pax", b"x", 0o644, len(records), 0, b""))
    return extension + records + bytes(padding(len(records))) + block


END = bytes(2 * BLOCK)
"""What ends an archive."""


def _record(key: bytes, value: bytes) -> bytes:
    # A record's length counts its own digits, which may make it longer by one more.
    length = len(key) + len(value) + 3
    total = length + len(b"%d" % length)
    if len(b"%d" % total) != len(b"%d" % length):
        total = length + len(b"%d" % total)
    return b"%d %s=%s\n" % (total, key, value)


def _block(entry: TarEntry) -> bytes:
    def octal(value: int, width: int) -> bytes:
        return b"%0*o\0" % (width - 1, min(max(value, 0), 8 ** (width - 1) - 1))

    head = (
        entry.name[:100].ljust(100, b"\0")
        + octal(entry.mode & 0o777, 8)
        + octal(0, 8)
        + octal(0, 8)
    )
    head += octal(entry.size if entry.size < _USTAR_SIZE else 0, 12) + octal(entry.mtime, 12)
    tail = entry.kind + entry.target[:100].ljust(100, b"\0") + b"ustar\x0000" + bytes(247)
    # The sum counts its own field as eight blanks.
    checksum = sum(head) + sum(tail) + 8 * 32
    return (head + b"%06o\0 " % checksum + tail)[:BLOCK]


def read_headers(stream: IO[bytes] | Any) -> Iterator[TarEntry]:
    """Yield entries; the caller reads each file's bytes and padding before asking for the next."""
    extended: dict[bytes, bytes] = {}
    bytes_left = _EXTENSION_BYTES
    while True:
        block = read_exactly(stream, BLOCK)
        if block == bytes(BLOCK):
            return
        entry = _parse(block)
        if entry.kind in _EXTENSIONS:
            # Any number of them may stand before one entry, so they share one limit.
            bytes_left -= entry.size
            extended |= _extension(entry, _body(stream, entry, bytes_left))
        # Global records, by which git tells its commit: nothing of them is needed here.
        elif entry.kind == b"g":
            _body(stream, entry, _EXTENSION_BYTES)
        elif entry.kind != _LABEL:
            yield _extend(entry, extended)
            extended, bytes_left = {}, _EXTENSION_BYTES


def read_exactly(stream: IO[bytes] | Any, size: int) -> bytes:
    """Return exactly ``size`` bytes; raise ArtifactError where the archive is cut off."""
    data: bytes = stream.read(size)
    while len(data) < size:
        more = stream.read(size - len(data))
        if not more:
            raise _malformed("it is cut off")
        data += more
    return data


def _malformed(why: str) -> ArtifactError:
    return ArtifactError("ConfigurationError", f"the archive is malformed: {why}")


def is_header(block: bytes) -> bool:
    """Whether the checksum of a block is one and right."""
    digits = block[148:156].strip(b" \0")
    return bool(digits) and not digits.strip(b"01234567") and int(digits, 8) in _checksums(block)


def _checksums(block: bytes) -> tuple[int, int]:
    """Return the sum that the standard wants, and the one of signed bytes that old tools write."""
    unsigned = sum(block[:148]) + 8 * 32 + sum(block[156:])
    return unsigned, unsigned - 256 * sum(1 for byte in block[:148] + block[156:] if byte > 127)


def _parse(block: bytes) -> TarEntry:
    if not is_header(block):
        raise _malformed("a header's checksum is wrong")
    name = block[:100].split(b"\0", 1)[0]
    # In GNU's own format other fields stand in this place.
    prefix = block[345:500].split(b"\0", 1)[0] if block[257:263] == b"ustar\0" else b""
    kind = block[156:157]
    size = _number(block[124:136])
    if size < 0:
        raise _malformed("a size is no number")
    return TarEntry(
        name=prefix + b"/" + name if prefix else name,
        # The oldest tars have no type for a file, and type 7 is a file that lies in one piece.
        kind=b"0" if kind in (b"\0", b"7") else kind,
        mode=_number(block[100:108]) & 0o7777,
        size=size,
        mtime=max(0, min(_number(block[136:148]), 1 << 33)),
        target=block[157:257].split(b"\0", 1)[0],
    )


def _number(data: bytes) -> int:
    if data[0] in (0x80, 0xFF):  # GNU's base 256; a time before 1970 is negative
        return int.from_bytes(data[1:], "big", signed=data[0] == 0xFF)
    text = data.strip(b" \0")
    if not text:
        return 0
    if text.strip(b"01234567"):
        raise _malformed("a number in a header is none")
    return int(text, 8)


def _body(stream: IO[bytes] | Any, entry: TarEntry, most: int) -> bytes:
    if entry.size > _EXTENSION_BYTES or most < 0:
        raise _malformed(
            f"the extension headers of an entry have more than {_EXTENSION_BYTES} bytes"
        )
    return read_exactly(stream, entry.size + padding(entry.size))[: entry.size]


def _extension(entry: TarEntry, body: bytes) -> dict[bytes, bytes]:
    if entry.kind == b"L":
        return {b"path": body.rstrip(b"\0")}
    if entry.kind == b"K":
        return {b"linkpath": body.rstrip(b"\0")}
    records: dict[bytes, bytes] = {}
    while body:
        digits, space, _ = body.partition(b" ")
        if (
            not space
            or not digits.isdigit()
            or len(digits) > 7
            or not len(digits) < int(digits) <= len(body)
        ):
            raise _malformed("an extension record is none")
        record, body = body[: int(digits)], body[int(digits) :]
        key, equals, value = record[len(digits) + 1 :].partition(b"=")
        if not equals or not value.endswith(b"\n"):
            raise _malformed("an extension record is none")
        records[key] = value[:-1]
    return records


def _extend(entry: TarEntry, extended: dict[bytes, bytes]) -> TarEntry:
    """Return an entry as its extension headers say.

    An entry with a folder's name is a folder, as in the oldest tars.
    """
    name = extended.get(b"path") or entry.name
    kind = b"5" if entry.kind == b"0" and name.endswith(b"/") else entry.kind
    if kind == b"S" or any(key.startswith(b"GNU.sparse") for key in extended):
        real = extended.get(b"GNU.sparse.name") or name
        why = (
            f'"{shown(os.fsdecode(real[:300]))}" is a sparse file, which is not read; pack it '
            f"without --sparse"
        )
        raise ArtifactError("ConfigurationError", why)
    size = extended.get(b"size", b"%d" % entry.size)
    if not size.isdigit() or len(size) > 19:
        raise _malformed("a size is no number")
    return TarEntry(
        name=name,
        kind=kind,
        mode=entry.mode,
        size=int(size),
        mtime=entry.mtime,
        target=extended.get(b"linkpath") or entry.target,
    )
