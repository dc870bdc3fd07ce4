"""Archives that sources bring: zip, tar, tar.gz and tar.zst arrive whole, and
no hostile one leaves its folder.
"""

from __future__ import annotations

import gzip
import io
import os
import stat
import struct
import tarfile
import zipfile
from pathlib import Path

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from penstock.artifacts.archives import unpack_any
from penstock.artifacts.errors import ArtifactError
from penstock.artifacts.unpacking import Caps

CAPS = Caps(entries=1000, bytes=100 * 1024 * 1024, ratio=100)
FILES = {"index.html": b"hello", "css/deep/site.css": b"", "bin/run": b"#!/bin/sh\n" * 5000}


def zipped(files: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", compression) as archive:
        for name, content in files.items():
            info = zipfile.ZipInfo(name, (2026, 1, 2, 3, 4, 6))
            info.external_attr = (
                stat.S_IFREG | (0o755 if name.startswith("bin/") else 0o644)
            ) << 16
            archive.writestr(info, content, compression)
    return data.getvalue()


def tarred(files: dict[str, bytes]) -> bytes:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(content), 0o755 if name.startswith("bin/") else 0o644
            archive.addfile(info, io.BytesIO(content))
    return data.getvalue()


def unpacked(data: bytes, folder: Path, caps: Caps = CAPS) -> bool:
    file, target = folder / "archive", folder / "target"
    file.write_bytes(data)
    target.mkdir()
    with file.open("rb") as opened:
        return unpack_any(opened, target, caps)


def linked(name: str, target: str) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        info = zipfile.ZipInfo(name)
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(info, target)
        archive.writestr(f"{name}/stolen" if "/" not in name else "x", b"x")
    return data.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(zipped(FILES), id="zip"),
        pytest.param(zipped(FILES, zipfile.ZIP_STORED), id="zip-stored"),
        pytest.param(tarred(FILES), id="tar"),
        pytest.param(gzip.compress(tarred(FILES)), id="tar.gz"),
        pytest.param(zstandard.compress(tarred(FILES)), id="tar.zst"),
    ],
)
def test_archive_is_told_by_its_content_and_arrives_whole(data: bytes, tmp_path: Path) -> None:
    assert unpacked(data, tmp_path)
    found = {
        str(p.relative_to(tmp_path / "target")): p
        for p in (tmp_path / "target").rglob("*")
        if p.is_file()
    }
    assert {name: path.read_bytes() for name, path in found.items()} == FILES
    assert os.access(found["bin/run"], os.X_OK)
    assert not found["index.html"].stat().st_mode & 0o111


@pytest.mark.parametrize(
    "data", [b"", b"just text", b"\x1f\x8b" + b"no gzip at all", b"PK but no zip"]
)
def test_what_is_no_archive_is_left_alone(data: bytes, tmp_path: Path) -> None:
    if data.startswith(b"\x1f\x8b"):
        with pytest.raises(ArtifactError, match="malformed"):
            unpacked(data, tmp_path)
        return
    assert not unpacked(data, tmp_path)
    assert list((tmp_path / "target").iterdir()) == []


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (zipped({"../out": b"x"}), '"../out" leads out of the folder'),
        (zipped({"/etc/passwd": b"x"}), '"/etc/passwd" leads out of the folder'),
        (zipped({"a": b"1", "a/b": b"2"}), 'written through "a", which is no folder'),
        (linked("link", "/etc"), '"link" is a symbolic link that leads out of the folder'),
        (linked("in/link", "../../out"), "is a symbolic link that leads out of the folder"),
        (linked("inner", "."), 'written through "inner", which is no folder'),
        (zipped({"a": b"x"}).replace(b"a", b"\0"), "malformed: an entry has no name"),
        (zipped({"bomb": bytes(90 * 1024 * 1024)}), "unpacks to more than 67108864 bytes"),
        (zipped({str(number): b"" for number in range(1001)}), "more than 1000 entries"),
        (zipped(FILES)[:-30], "malformed"),
        (zipped(FILES)[:40] + b"\xff" * 20 + zipped(FILES)[60:], "malformed|Error|leads"),
    ],
)
def test_hostile_zip_is_refused_and_nothing_leaves_the_folder(
    data: bytes, message: str, tmp_path: Path
) -> None:
    with pytest.raises(ArtifactError, match=message):
        unpacked(data, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"archive", "target"}


def test_encrypted_zip_is_refused_by_name(tmp_path: Path) -> None:
    data = bytearray(zipped({"secret": b"x"}))
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = data.index(mark) + offset
        data[at : at + 2] = struct.pack("<H", 1)
    with pytest.raises(ArtifactError, match='"secret" is encrypted'):
        unpacked(bytes(data), tmp_path)


def test_zip_whose_table_of_contents_is_huge_is_refused_before_it_is_read(tmp_path: Path) -> None:
    data = bytearray(zipped({"a": b"x"}))
    at = data.rindex(b"PK\x05\x06") + 12
    data[at : at + 4] = struct.pack("<L", 17 * 1024 * 1024)
    with pytest.raises(ArtifactError, match="table of contents is larger than 16777216 bytes"):
        unpacked(bytes(data), tmp_path)


@given(st.binary(max_size=200), st.integers(0, 400), st.binary(max_size=8))
def test_no_bytes_whatever_end_in_anything_but_an_answer_or_an_artifact_error(
    tmp_path_factory: pytest.TempPathFactory, junk: bytes, at: int, change: bytes
) -> None:
    good = zipped({"a/b": b"content", "c": b"x"})
    for data in (
        junk,
        b"PK\x03\x04" + junk,
        b"\x1f\x8b\x08" + junk,
        good[:at] + change + good[at + len(change) :],
    ):
        try:
            unpacked(data, tmp_path_factory.mktemp("fuzz"))
        except ArtifactError as error:
            assert error.code == "ConfigurationError"
