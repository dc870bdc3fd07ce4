"""Bug 14: archives as other tools write them are read as those tools read
them, or refused by name.
"""

from __future__ import annotations

import bz2
import gzip
import io
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from penstock.artifacts.archives import unpack_any
from penstock.artifacts.errors import ArtifactError
from penstock.artifacts.unpacking import Caps

CAPS = Caps(entries=200, bytes=16 * 1024 * 1024, ratio=100)
DOS, UNIX, NTFS, MACOS = 0, 3, 10, 19


class Item:
    """One entry of a zip, byte by byte: zipfile would write another."""

    def __init__(self, name: bytes, content: bytes = b"x", **fields: Any) -> None:
        self.name, self.content = name, content
        self.system = fields.get("system", DOS)
        self.flags = fields.get("flags", 0)
        self.method = fields.get("method", 0)
        self.attributes = fields.get("attributes", 0)
        self.extra = fields.get("extra", b"")
        self.packed = fields.get("packed", content)


def zipped(*items: Item) -> bytes:
    body, directory = b"", b""
    for item in items:
        common = struct.pack(
            "<HHHHHLLLHH", 20, item.flags, item.method, 0, 0x5A21, zlib.crc32(item.content),
            len(item.packed),
            len(item.content), len(item.name), len(item.extra),
        )  # fmt: skip
        directory += b"PK\x01\x02" + bytes([20, item.system]) + common
        directory += (
            struct.pack("<HHHLL", 0, 0, 0, item.attributes, len(body)) + item.name + item.extra
        )
        body += b"PK\x03\x04" + common + item.name + item.extra + item.packed
    count = len(items)
    end = struct.pack("<HHHHLLH", 0, 0, count, count, len(directory), len(body), 0)
    return body + directory + b"PK\x05\x06" + end


def unpacked(data: bytes, folder: Path, caps: Caps = CAPS) -> dict[str, bytes | None]:
    """Return the files that came of it, None for folders."""
    file, target = folder / "archive", folder / "target"
    file.write_bytes(data)
    target.mkdir()
    with file.open("rb") as opened:
        assert unpack_any(opened, target, caps)
    found = sorted(target.rglob("*"))
    return {
        str(path.relative_to(target)): None if path.is_dir() else path.read_bytes()
        for path in found
    }


def unicode_path(raw: bytes, name: str) -> bytes:
    body = b"\x01" + struct.pack("<L", zlib.crc32(raw)) + name.encode()
    return struct.pack("<HH", 0x7075, len(body)) + body


@pytest.mark.parametrize(
    ("items", "found"),
    [
        (
            [Item(b"src\\main.py"), Item(b"src\\lib\\util.py")],
            ["src", "src/lib", "src/lib/util.py", "src/main.py"],
        ),
        ([Item(b"a\\", b""), Item(b"a\\b\\", b""), Item(b"a/c\\d")], ["a", "a/b", "a/c", "a/c/d"]),
        ([Item(b"a\\b", system=NTFS)], ["a", "a/b"]),
        ([Item(b"a\\b", flags=0x800)], ["a", "a/b"]),
        ([Item(b"a\\b", system=UNIX)], ["a\\b"]),
        ([Item(b".\\a\\.\\b")], ["a", "a/b"]),
        ([Item(b"d", b"", attributes=0x10)], ["d"]),
        ([Item(b"d", b"", system=UNIX, attributes=(stat.S_IFDIR | 0o755) << 16)], ["d"]),
        ([Item("é.txt".encode("cp437"))], ["é.txt"]),
        ([Item("é.txt".encode())], ["é.txt"]),
        ([Item("é.txt".encode(), flags=0x800)], ["é.txt"]),
        ([Item("é.txt".encode(), system=MACOS)], ["é.txt"]),
        ([Item("日本.txt".encode(), system=UNIX)], ["日本.txt"]),
        ([Item(b"?.txt", extra=unicode_path(b"?.txt", "é.txt"))], ["é.txt"]),
        ([Item(b"new.txt", extra=unicode_path(b"old.txt", "é.txt"))], ["new.txt"]),
        ([Item(b"C:x", system=UNIX)], ["C:x"]),
        ([Item(b"a", b"x" * 99, method=12, packed=bz2.compress(b"x" * 99))], ["a"]),
    ],
)
def test_bug_14_zip_of_another_system_becomes_the_tree_that_it_was(
    items: list[Item], found: list[str], tmp_path: Path
) -> None:
    assert sorted(unpacked(zipped(*items), tmp_path)) == sorted(found)


@pytest.mark.parametrize("mark", [b"PK00", b"PK\x07\x08"])
def test_bug_14_zip_that_was_meant_to_be_split_is_one(mark: bytes, tmp_path: Path) -> None:
    assert unpacked(mark + zipped(Item(b"a")), tmp_path) == {"a": b"x"}


def streamed(count: int) -> bytes:
    """Return a zip with data descriptors, as Java and Go write it, its sizes behind the files."""

    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

        def tell(self) -> int:
            raise OSError("a pipe")

    data = Pipe()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(count):
            archive.writestr(f"f{number}", b"text")
    return data.getvalue()


def test_zip_with_data_descriptors_arrives(tmp_path: Path) -> None:
    assert unpacked(streamed(2), tmp_path) == {"f0": b"text", "f1": b"text"}


def test_zip64_arrives(tmp_path: Path) -> None:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive, archive.open("a", "w", force_zip64=True) as file:
        file.write(b"text")
    assert unpacked(data.getvalue(), tmp_path) == {"a": b"text"}


LINK = (stat.S_IFLNK | 0o777) << 16


@pytest.mark.parametrize(
    ("item", "why"),
    [
        (Item(b"..\\out"), '"../out" leads out of the folder'),
        (Item(b"a\\..\\..\\out"), "leads out of the folder"),
        (Item(b"\\etc\\passwd"), '"/etc/passwd" leads out of the folder'),
        (Item(b"\\\\server\\share\\x"), "leads out of the folder"),
        (Item(b"C:\\x"), '"C:/x" leads out of the folder: it names a drive'),
        (Item(b"c:x"), "it names a drive"),
        (Item(b"a\0b"), "is no name that a file can have"),
        (Item(b"x", extra=unicode_path(b"x", "../out")), '"../out" leads out of the folder'),
        (
            Item(b"link", b"/etc", system=UNIX, attributes=LINK),
            "is a symbolic link that leads out of the folder",
        ),
        (
            Item(b"pipe", b"", system=UNIX, attributes=(stat.S_IFIFO | 0o644) << 16),
            '"pipe" is neither a file',
        ),
        (
            Item(b"disk", b"", system=UNIX, attributes=(stat.S_IFBLK | 0o644) << 16),
            '"disk" is neither a file',
        ),
        (Item(b"s", method=99, flags=1), '"s" is encrypted'),
        (Item(b"s", flags=0x41), '"s" is encrypted'),
        (Item(b"s", flags=0x2000), '"s" is encrypted'),
        (
            Item(b"big", method=9),
            '"big" is compressed with deflate64 (9), which is not read; use deflate',
        ),
        (Item(b"big", method=14), '"big" is compressed with LZMA (14)'),
        (Item(b"big", method=93), '"big" is compressed with Zstandard (93)'),
        (Item(b"big", method=95), '"big" is compressed with XZ (95)'),
        (Item(b"big", method=98), '"big" is compressed with PPMd (98)'),
        (Item(b"big", method=77), '"big" is compressed with another method (77)'),
        (Item(b"a", method=12, packed=b"no bzip2"), "malformed"),
        (Item(b"a", method=8, packed=b"\xff\xff"), "malformed"),
        (Item(b"a", packed=b"y"), "malformed"),
    ],
)
def test_bug_14_what_is_not_read_is_refused_by_name(item: Item, why: str, tmp_path: Path) -> None:
    with pytest.raises(ArtifactError) as caught:
        unpacked(zipped(item), tmp_path)
    assert why in caught.value.message


def tarred(*items: tuple[tarfile.TarInfo, bytes], format: int = tarfile.PAX_FORMAT) -> bytes:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:", format=format) as archive:
        for info, content in items:
            archive.addfile(info, io.BytesIO(content))
    return data.getvalue()


def named(name: str, size: int = 1, **fields: Any) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size = size
    for key, value in fields.items():
        setattr(info, key, value)
    return info


LONG = "/".join(["folder" * 8] * 6) + "/é.txt"


@pytest.mark.parametrize("format", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_long_names_of_gnu_and_pax_arrive(format: int, tmp_path: Path) -> None:
    assert unpacked(tarred((named(LONG), b"x"), format=format), tmp_path)[LONG] == b"x"


@pytest.mark.parametrize(
    "change",
    [
        lambda block: block[:257] + bytes(255),  # before there was a magic
        lambda block: (
            block[:136] + b"\xff" * 12 + block[148:]
        ),  # one second before 1970, as GNU writes it
        lambda block: block[:100] + b"0100644\0" + block[108:],  # with the type in the mode
    ],
)
def test_bug_14_headers_of_old_tars_are_read(
    change: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    data = tarred((named("a"), b"x"), format=tarfile.USTAR_FORMAT)
    block = change(data[:512])
    block = block[:148] + b"%06o\0 " % (sum(block[:148]) + 8 * 32 + sum(block[156:])) + block[156:]
    assert unpacked(block + data[512:], tmp_path) == {"a": b"x"}


def test_bug_14_signed_checksums_are_checksums(tmp_path: Path) -> None:
    data = tarred((named("é"), b"x"), format=tarfile.GNU_FORMAT)
    block = data[:148] + b" " * 8 + data[156:512]
    signed = sum(byte - 256 * (byte > 127) for byte in block)
    assert unpacked(data[:148] + b"%06o\0 " % signed + data[156:], tmp_path) == {"é": b"x"}


def test_bug_14_labels_and_folders_without_a_type_are_passed_over_or_made(tmp_path: Path) -> None:
    data = tarred(
        (named("volume 1", 0, type=b"V"), b""), (named("d/", 0, type=tarfile.AREGTYPE), b""),
        (named("d/a", pax_headers={"comment": "x", "mtime": "1.5", "path": "d/a"}), b"x"),
        format=tarfile.GNU_FORMAT,
    )  # fmt: skip
    assert unpacked(data, tmp_path) == {"d": None, "d/a": b"x"}


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (
            tarred((named("s", 0, type=tarfile.GNUTYPE_SPARSE), b""), format=tarfile.GNU_FORMAT),
            '"s" is a sparse file',
        ),
        (
            tarred(
                (
                    named(
                        "GNUSparseFile.1/s",
                        pax_headers={"GNU.sparse.major": "1", "GNU.sparse.name": "s"},
                    ),
                    b"x",
                )
            ),
            '"s" is a sparse file',
        ),
        (tarred((named("h", 0, type=tarfile.LNKTYPE, linkname="a"), b"")), '"h" is a hard link'),
        (tarred((named("f", 0, type=tarfile.FIFOTYPE), b"")), '"f" is neither a file'),
        (
            gzip.compress(tarred((named("a"), b"1"), (named("a"), b"2")), mtime=0),
            '"a" stands in the archive twice',
        ),
        (zipped(Item(b"a"), Item(b"a")), '"a" stands in the archive twice'),
        (zipped(Item(b"a\\b"), Item(b"a/b")), '"a/b" stands in the archive twice'),
        (
            tarred((named("m", 0, type=b"M"), b""), format=tarfile.GNU_FORMAT),
            '"m" is neither a file',
        ),
        (
            tarred((named("x", pax_headers={"comment": "x" * 2**20}), b"x")),
            "extension headers of an entry have more",
        ),
    ],
)
def test_bug_14_tar_that_is_not_read_is_refused_by_name(
    data: bytes, why: str, tmp_path: Path
) -> None:
    with pytest.raises(ArtifactError) as caught:
        unpacked(data, tmp_path)
    assert why in caught.value.message


def test_weak_pax_records_that_pile_up_before_one_entry_are_bounded(tmp_path: Path) -> None:
    one = tarred((named("x", pax_headers={"comment": "x" * 300_000}), b"x"))
    extension = one[: 512 + 300_032]
    assert unpacked(one, tmp_path) == {"x": b"x"}
    again = tmp_path / "again"
    again.mkdir()
    with pytest.raises(
        ArtifactError, match="extension headers of an entry have more than 1048576 bytes"
    ):
        unpacked(extension * 4 + one, again)


def test_weak_folders_that_only_names_make_are_counted(tmp_path: Path) -> None:
    items = [
        Item("/".join(f"{number}-{depth}" for depth in range(50)).encode()) for number in range(5)
    ]
    with pytest.raises(ArtifactError, match="more than 200 entries"):
        unpacked(zipped(*items), tmp_path)
