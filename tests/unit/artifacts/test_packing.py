"""Packing and unpacking: what goes in comes out, and nothing else goes in or out."""

import contextlib
import io
import os
import socket
import stat
import tempfile
from pathlib import Path

import pytest
import zstandard
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from penstock.api.globs import paths as globs
from penstock.api.globs.syntax import GlobError
from penstock.artifacts import tar
from penstock.artifacts.errors import ArtifactError
from penstock.artifacts.packing import MAX_DEPTH, Tree, pack
from penstock.artifacts.unpacking import Caps, unpack
from tests.support.properties import examples

CAPS = Caps(entries=1000, bytes=200 * 1024 * 1024, ratio=1000)


def packed(
    root: Path, *patterns: str, folder: str = "src", max_entries: int = 1000, max_bytes: int = 10**9
) -> bytes:
    sink = io.BytesIO()
    found = [globs.parse(text) for text in patterns]
    pack(Tree(str(root), folder.split("/"), "Out", found, max_entries, max_bytes), sink)
    return sink.getvalue()


def unpacked(archive: bytes, target: Path, caps: Caps = CAPS) -> Path:
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile() as file:
        file.write(archive)
        file.seek(0)
        unpack(file, target, caps)
    return target


def tree_of(folder: Path) -> dict[str, object]:
    found: dict[str, object] = {}
    for path in folder.rglob("*"):
        name = str(path.relative_to(folder))
        if path.is_symlink():
            found[name] = ("link", str(path.readlink()))
        elif path.is_dir():
            found[name] = "folder"
        else:
            found[name] = (path.read_bytes(), bool(path.stat().st_mode & 0o100))
    return found


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "root/src").mkdir(parents=True)
    return tmp_path / "root"


names = st.binary(min_size=1, max_size=120).filter(
    lambda b: b"/" not in b and b"\0" not in b and b not in (b".", b"..")
)
trees = st.recursive(
    st.one_of(st.tuples(st.binary(max_size=2000), st.booleans()), st.just("link")),
    lambda below: st.dictionaries(names, below, max_size=4),
    max_leaves=8,
)


def write_tree(folder: Path, tree: object) -> None:
    if not isinstance(tree, dict):
        return
    for name, item in tree.items():
        path = folder / os.fsdecode(name)
        if isinstance(item, dict):
            path.mkdir()
            write_tree(path, item)
        elif item == "link":
            path.symlink_to(os.fsdecode(name + b"/x"))
        else:
            path.write_bytes(item[0])
            path.chmod(0o755 if item[1] else 0o644)


@examples(60, suppress_health_check=[HealthCheck.too_slow])
@given(tree=st.dictionaries(names, trees, max_size=5))
def test_any_tree_packed_and_unpacked_is_the_same_tree(tree: dict[bytes, object]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "src").mkdir()
        write_tree(root / "src", tree)
        target = unpacked(packed(root), root / "target")
        assert tree_of(target) == tree_of(root / "src")


def test_packing_the_same_tree_twice_gives_the_same_bytes(root: Path) -> None:
    (root / "src/b").write_text("b")
    (root / "src/a").write_text("a")
    assert packed(root) == packed(root)


def test_gnu_tar_reads_what_we_pack(root: Path, tmp_path: Path) -> None:
    import tarfile

    (root / "src/däta" / ("n" * 120)).mkdir(parents=True)
    (root / "src/däta" / ("n" * 120) / "file").write_text("x" * 1000)
    plain = zstandard.ZstdDecompressor().stream_reader(io.BytesIO(packed(root))).read()
    with tarfile.open(fileobj=io.BytesIO(plain)) as archive:
        member = archive.getmember(f"däta/{'n' * 120}/file")
        assert (member.size, member.isreg()) == (1000, True)


@pytest.mark.parametrize(
    ("target", "fails"),
    [
        ("../../etc/passwd", True),
        ("/var/run/secrets/kubernetes.io/serviceaccount/token", True),
        ("..", True),
        ("sub/../../x", True),
        ("sub/..", True),
        ("sub/file", False),
        ("missing", False),
    ],
)
def test_link_that_leads_out_fails_and_one_that_stays_is_kept(
    root: Path, tmp_path: Path, target: str, fails: bool
) -> None:
    (root / "src/link").symlink_to(target)
    if fails:
        with pytest.raises(ArtifactError) as caught:
            packed(root)
        assert caught.value.message == (
            f'Output artifact "Out": "link" is a symbolic link that leads out of the workspace (-> '
            f"{target})"
        )
    else:
        assert tree_of(unpacked(packed(root), tmp_path / "t")) == {"link": ("link", target)}


def test_chain_of_links_that_each_look_harmless_cannot_lead_out(root: Path) -> None:
    (root / "src/deep").mkdir()
    (root / "src/deep/q").symlink_to("..")
    (root / "src/p").symlink_to("deep/q/..")
    with pytest.raises(ArtifactError, match="leads out of the workspace"):
        packed(root)


def test_source_folder_swapped_for_a_link_is_not_followed(root: Path, tmp_path: Path) -> None:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets/token").write_text("canary")
    (root / "src").rmdir()
    (root / "src").symlink_to(tmp_path / "secrets")
    with pytest.raises(ArtifactError, match="without following links"):
        packed(root)


def test_fifo_fails_without_being_opened(root: Path) -> None:
    os.mkfifo(root / "src/pipe")
    with pytest.raises(ArtifactError, match='"pipe" is a FIFO, which an artifact cannot hold'):
        packed(root)


def test_socket_fails(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root / "src")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("sock")
        with pytest.raises(ArtifactError, match='"sock" is a socket'):
            packed(root)


@pytest.mark.skipif(os.geteuid() != 0, reason="changes its user")
@pytest.mark.parametrize("is_folder", [True, False])
def test_unreadable_output_fails_naming_path_owner_and_mode(
    tmp_path: Path, is_folder: bool
) -> None:
    root = Path(tempfile.mkdtemp())
    root.chmod(0o755)
    (root / "src").mkdir()
    (root / "src/private").mkdir() if is_folder else (root / "src/private").write_text("x")
    (root / "src/private").chmod(0)
    os.chown(root / "src/private", 1000, 1001)
    os.seteuid(65532)
    try:
        with pytest.raises(ArtifactError) as caught:
            packed(root)
    finally:
        os.seteuid(0)
    assert caught.value.message == (
        'Output artifact "Out": "private" cannot be read by the agent (owner 1000:1001, mode 0000, '
        "agent 65532)"
    )


def test_patterns_select_files_and_whole_folders(root: Path, tmp_path: Path) -> None:
    for name in ("dist/a/b.js", "dist/c.txt", "docs/readme.md", "docs/x/y.md", "top.md", "other/z"):
        (root / "src" / name).parent.mkdir(parents=True, exist_ok=True)
        (root / "src" / name).write_text(name)
    target = unpacked(packed(root, "dist/", "./docs/**/*.md", "to?.m*"), tmp_path / "t")
    files = {name for name, item in tree_of(target).items() if item != "folder"}
    assert files == {"dist/a/b.js", "dist/c.txt", "docs/readme.md", "docs/x/y.md", "top.md"}


def test_pattern_that_matches_nothing_fails_naming_it(root: Path) -> None:
    (root / "src/a").write_text("")
    with pytest.raises(ArtifactError) as caught:
        packed(root, "a", "dist/*.jar")
    assert caught.value.message == 'Output artifact "Out": no file matches the pattern "dist/*.jar"'


@pytest.mark.parametrize("pattern", ["../x", "/etc/passwd", "a/../../b"])
def test_pattern_that_leads_out_is_refused(pattern: str) -> None:
    with pytest.raises(GlobError, match="leads out of the source folder"):
        globs.parse(pattern)


def test_pattern_with_many_stars_takes_linear_time(root: Path) -> None:
    assert not globs.parse("*a" * 100 + "b").matches("a" * 1000)
    (root / "src/a/a/a/a/a/a/a/a/a/a/a/a").mkdir(parents=True)
    with pytest.raises(ArtifactError, match="no file matches"):
        packed(root, "**/a/" * 20 + "b")


def test_more_entries_than_allowed_fail(root: Path) -> None:
    for index in range(5):
        (root / f"src/{index}").write_text("")
    with pytest.raises(ArtifactError, match="more than 3 entries"):
        packed(root, max_entries=3)


def test_files_larger_than_allowed_fail_before_they_are_read(root: Path) -> None:
    """A sparse file of terabytes costs a command nothing, and nobody could unpack it."""
    (root / "src/a").write_bytes(b"x" * 60)
    with (root / "src/huge").open("wb") as file:
        file.truncate(100 * 1024**3)
    with pytest.raises(ArtifactError, match='"huge" makes it larger than 1000 bytes'):
        packed(root, max_bytes=1000)
    (root / "src/huge").unlink()
    packed(root, max_bytes=60)
    with pytest.raises(ArtifactError, match='"a" makes it larger than 59 bytes'):
        packed(root, max_bytes=59)


def test_tree_deeper_than_allowed_fails(root: Path) -> None:
    (root / "src" / "/".join("d" * (MAX_DEPTH + 2))).mkdir(parents=True)
    with pytest.raises(ArtifactError, match="nested deeper"):
        packed(root)


def test_unpacked_files_are_writable_by_the_group_and_never_setuid(
    root: Path, tmp_path: Path
) -> None:
    (root / "src/tool").write_text("")
    (root / "src/tool").chmod(0o4511)
    mode = (unpacked(packed(root), tmp_path / "t") / "tool").stat().st_mode
    assert stat.S_IMODE(mode) == 0o775


def archive(*entries: tuple[str, bytes, bytes | str]) -> bytes:
    """An archive of (name, kind, content or target)."""
    plain = b""
    for name, kind, content in entries:
        body = content if isinstance(content, bytes) else b""
        target = content.encode() if isinstance(content, str) else b""
        plain += tar.header(tar.TarEntry(os.fsencode(name), kind, 0o7777, len(body), 0, target))
        plain += body + bytes(tar.padding(len(body)))
    return zstandard.compress(plain + tar.END)


HOSTILE = {
    "CVE-2025-62156 zip slip": [("../escaped", b"0", b"x")],
    "absolute path": [("/tmp/escaped", b"0", b"x")],
    "parent within the path (CVE-2026-40923)": [("a/../../escaped", b"0", b"x")],
    "CVE-2025-66626 link, then a file through it": [("l", b"2", "."), ("l/escaped", b"0", b"x")],
    "link out": [("l", b"2", "../.."), ("l/escaped", b"0", b"x")],
    "absolute link": [("l", b"2", "/etc")],
    "file over a link": [("l", b"2", "target"), ("l", b"0", b"x")],
    "file over a file": [("f", b"0", b"x"), ("f", b"0", b"y")],
    "link through a name and up": [("d", b"5", b""), ("d/l", b"2", ".."), ("m", b"2", "d/l/..")],
    "hard link": [("f", b"0", b"x"), ("h", b"1", "f")],
    "hard link out": [("h", b"1", "../../../etc/passwd")],
    "character device": [("null", b"3", b"")],
    "block device": [("disk", b"4", b"")],
    "fifo": [("pipe", b"6", b"")],
    "no name": [("", b"0", b"x")],
    "sparse or unknown kind": [("s", b"S", b"x")],
    "depth": [("/".join("d" * 300), b"5", b"")],
    "extension of two megabytes": [("x", b"x", b"0" * 2_000_000)],
    "extension that is none": [("x", b"x", b"99999 path=a\n")],
    "long name of the GNU kind": [("x", b"L", b"../" * 50 + b"e"), ("short", b"0", b"x")],
}


@pytest.mark.parametrize("entries", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_archive_is_refused_and_nothing_is_written_outside(
    tmp_path: Path, entries: list[tuple[str, bytes, bytes | str]]
) -> None:
    with pytest.raises(ArtifactError):
        unpacked(archive(*entries), tmp_path / "a/b/target")
    assert not list(tmp_path.rglob("escaped"))
    assert {path.name for path in (tmp_path / "a/b").iterdir()} == {"target"}


def test_link_that_stood_there_before_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "target").mkdir()
    (tmp_path / "target/l").symlink_to("../outside")
    with pytest.raises(ArtifactError, match="no folder"):
        unpacked(archive(("l/f", b"0", b"x")), tmp_path / "target")
    assert not list((tmp_path / "outside").iterdir())


def test_archive_of_too_many_bytes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="unpacks to more than 1000 bytes"):
        unpacked(archive(("zeros", b"0", bytes(5000))), tmp_path / "t", Caps(10, 1000, 1000))


def test_archive_that_compresses_too_well_is_refused(tmp_path: Path) -> None:
    bomb = archive(("zeros", b"0", bytes(80 * 1024 * 1024)))
    with pytest.raises(ArtifactError, match="unpacks to more than"):
        unpacked(bomb, tmp_path / "t", Caps(10, 1 << 40, 100))


def test_archive_of_too_many_entries_is_refused(tmp_path: Path) -> None:
    entries = [(str(index), b"0", b"") for index in range(5)]
    with pytest.raises(ArtifactError, match="more than 4 entries"):
        unpacked(archive(*entries), tmp_path / "t", Caps(4, 1 << 40, 100))


@examples(150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_broken_archive_gives_an_artifact_error_or_unpacks_inside(
    data: st.DataObject, tmp_path: Path
) -> None:
    plain = bytearray(
        zstandard.decompress(archive(("a/b", b"0", b"hello"), ("l", b"2", "a")), 100_000)
    )
    for _ in range(data.draw(st.integers(1, 4))):
        plain[data.draw(st.integers(0, len(plain) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(plain)))
    with tempfile.TemporaryDirectory(dir=tmp_path) as target, contextlib.suppress(ArtifactError):
        unpacked(zstandard.compress(bytes(plain[:cut])), Path(target))
    assert not list(tmp_path.iterdir())
