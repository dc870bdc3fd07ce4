"""Tars, plain and packed: whatever the bytes, files come of them within the
folder and the caps, or ArtifactError.
"""

from __future__ import annotations

import gzip
import io
import random
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path

import zstandard

from penstock.artifacts.archives import unpack_any
from penstock.artifacts.errors import ArtifactError
from penstock.artifacts.unpacking import Caps
from tests.fuzz.mutations import mutated

_CAPS = Caps(entries=50, bytes=1024 * 1024, ratio=100)
_TYPES = [
    tarfile.REGTYPE,
    tarfile.DIRTYPE,
    tarfile.SYMTYPE,
    tarfile.LNKTYPE,
    tarfile.FIFOTYPE,
    tarfile.AREGTYPE,
    b"V",
    b"S",
    b"g",
]
_NAMES = ["a", "a/b", "d/", "é", "../x", "/x", "x" * 150, "d/" * 120, "l", "l/x"]
_WORDS = [
    b"ustar\x0000",
    b"ustar  \0",
    b"11 path=a\n",
    b"GNU.sparse.name=",
    b"9999999 path=x\n",
    bytes(512),
    b"\x80" + bytes(10),
    b"\xff" * 12,
]


def _tar(source: random.Random) -> bytes:
    data = io.BytesIO()
    form = source.choice([tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
    with tarfile.open(fileobj=data, mode="w:", format=form) as archive:
        for _ in range(source.randint(0, 4)):
            info = tarfile.TarInfo(source.choice(_NAMES))
            info.type, info.linkname = (
                source.choice(_TYPES),
                source.choice(["", "a", "../x", "/etc", "d"]),
            )
            content = (
                source.choice([b"", b"a", bytes(5000)])
                if info.type in (tarfile.REGTYPE, tarfile.AREGTYPE)
                else b""
            )
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return data.getvalue()


def _packed(source: random.Random) -> bytes:
    """Return a hostile tar, or a tar in a hostile packing; checksums are put
    right, or nothing else is ever met.
    """
    kind = source.randint(0, 3)
    plain = _tar(source) if kind == 3 else _repaired(mutated(source, _tar(source), _WORDS))
    packers: list[Callable[[bytes], bytes]] = [
        bytes,
        gzip.compress,
        zstandard.compress,
        gzip.compress,
    ]
    packed = packers[kind](plain)
    return mutated(source, packed) if kind == 3 else packed


def _repaired(data: bytes) -> bytes:
    found = bytearray(data)
    for at in range(0, len(found) - 511, 512):
        block = found[at : at + 512]
        if block[257:262] == b"ustar":
            found[at + 148 : at + 156] = b"%06o\0 " % (sum(block[:148]) + 8 * 32 + sum(block[156:]))
    return bytes(found)


def one(source: random.Random) -> None:
    """Unpack one hostile archive; raise AssertionError with it if anything else comes out."""
    data = _packed(source)
    with tempfile.TemporaryDirectory() as folder:
        root, target = Path(folder), Path(folder, "target")
        target.mkdir()
        (root / "archive").write_bytes(data)
        try:
            with (root / "archive").open("rb") as opened:
                unpack_any(opened, target, _CAPS)
        except ArtifactError as error:
            assert error.code == "ConfigurationError", data
        except Exception as error:
            raise AssertionError(f"{error!r}: {data!r}") from error
        _check(root, target, data)


def _check(root: Path, target: Path, data: bytes) -> None:
    """Nothing stands beside the folder, and in it not more than the caps allow."""
    assert {path.name for path in root.iterdir()} == {"archive", "target"}, data
    found = list(target.rglob("*"))
    assert len(found) <= 2 * _CAPS.entries + 1, data
    assert (
        sum(path.lstat().st_size for path in found if path.is_file() and not path.is_symlink())
        <= _CAPS.bytes
    ), data
    for path in found:
        if path.is_symlink():
            assert not str(path.readlink()).startswith("/"), data
