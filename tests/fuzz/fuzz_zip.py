"""Zips: whatever the bytes, files come of them within the folder and the caps, or ArtifactError."""

from __future__ import annotations

import io
import random
import stat
import tempfile
import warnings
import zipfile
from pathlib import Path

from penstock.artifacts.archives import unpack_any
from penstock.artifacts.errors import ArtifactError
from penstock.artifacts.unpacking import Caps
from tests.fuzz.mutations import mutated

_CAPS = Caps(entries=50, bytes=1024 * 1024, ratio=100)
_WORDS = [
    b"PK\x03\x04",
    b"PK\x01\x02",
    b"PK\x05\x06",
    b"PK\x06\x06",
    b"PK\x06\x07",
    b"../",
    b"..\\",
    b"C:\\",
    b"/",
    b"\0",
    b"up\x0a\x00\x01",
    b"\x01\x00\x10\x00",
    b"\xff\xff\xff\xff",
]


def _zip(source: random.Random) -> bytes:
    data = io.BytesIO()
    with warnings.catch_warnings(action="ignore"), zipfile.ZipFile(data, "w") as archive:
        for number in range(source.randint(0, 4)):
            info = zipfile.ZipInfo(
                source.choice(["a", "a/b", "d/", "é", "a\\b", "../x", f"f{number}", "l"])
            )
            info.create_system = source.choice([0, 3, 10, 19])
            mode = source.choice(
                [0, stat.S_IFREG | 0o644, stat.S_IFLNK | 0o777, stat.S_IFDIR | 0o755, stat.S_IFIFO]
            )
            info.external_attr = mode << 16 | source.choice([0, 0x10])
            info.compress_type = source.choice(
                [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2]
            )
            archive.writestr(info, source.choice([b"", b"a", b"../x", bytes(5000), b"/etc/passwd"]))
    return data.getvalue()


def one(source: random.Random) -> None:
    """Unpack one hostile archive; raise AssertionError with it if anything else comes out."""
    data = mutated(source, _zip(source), _WORDS)
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
