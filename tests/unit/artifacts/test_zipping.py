"""Zips for AWS: every file, deterministic, and nothing from outside the folder."""

from __future__ import annotations

import io
import tempfile
import zipfile
from pathlib import Path

import pytest

from penstock.artifacts.archives import unpack_any
from penstock.artifacts.errors import ArtifactError
from penstock.artifacts.folders import FolderBounds
from penstock.artifacts.unpacking import Caps
from penstock.artifacts.zipping import zip_file, zip_folder


def zipped(folder: Path, max_entries: int = 100, max_bytes: int = 1000) -> bytes:
    sink = io.BytesIO()
    zip_folder(folder, sink, FolderBounds(max_entries, max_bytes))
    return sink.getvalue()


def test_every_file_and_its_rights_come_back(tmp_path: Path) -> None:
    (source := tmp_path / "a").mkdir()
    (source / "sub").mkdir()
    (source / "sub/run").write_text("#!/bin/sh\n")
    (source / "sub/run").chmod(0o700)
    (source / "text").write_text("x" * 100)
    (target := tmp_path / "b").mkdir()
    with tempfile.TemporaryFile() as file:
        file.write(zipped(source))
        file.seek(0)
        assert unpack_any(file, target, Caps(10, 1000, 1000))
    assert (target / "text").read_text() == "x" * 100
    assert (target / "sub/run").stat().st_mode & 0o111


def test_the_same_files_give_the_same_bytes(tmp_path: Path) -> None:
    contents = []
    for name in ("one", "other"):
        (folder := tmp_path / name).mkdir()
        for file in sorted("abc", reverse=name == "other"):
            (folder / file).write_text(file)
        contents.append(zipped(folder))
    assert contents[0] == contents[1]


def test_links_inside_are_followed(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real/file").write_text("text")
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "gone").symlink_to("nowhere")
    assert zipfile.ZipFile(io.BytesIO(zipped(tmp_path))).namelist() == ["link/file", "real/file"]


@pytest.mark.parametrize(
    ("target", "why"), [("/etc/passwd", "leads out"), ("..", "leads out"), (".", "stands in")]
)
def test_links_out_and_round_are_refused(tmp_path: Path, target: str, why: str) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/link").symlink_to(target)
    with pytest.raises(ArtifactError, match=why):
        zipped(tmp_path / "sub")


def test_bounds_are_kept(tmp_path: Path) -> None:
    for name in "abc":
        (tmp_path / name).write_text("12345")
    with pytest.raises(ArtifactError, match="more than 2 files"):
        zipped(tmp_path, max_entries=2)
    with pytest.raises(ArtifactError, match='"c" makes it larger than 10 bytes'):
        zipped(tmp_path, max_bytes=10)


def test_a_single_file_stands_alone(tmp_path: Path) -> None:
    (tmp_path / "handler.py").write_text("text")
    sink = io.BytesIO()
    zip_file(tmp_path / "handler.py", sink)
    assert zipfile.ZipFile(sink).namelist() == ["handler.py"]
