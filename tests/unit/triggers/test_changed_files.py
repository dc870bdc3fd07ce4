"""Which files a push has changed, by Git's own server: with filters of objects, and without."""

from __future__ import annotations

import asyncio
import hashlib
import ipaddress
import struct
import threading
import zlib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from penstock.actions.execution import ActionError
from penstock.actions.git.remote import remote_of
from penstock.triggers.sources.addresses import AddressRules
from penstock.triggers.sources.git import changed_files
from penstock.triggers.sources.git.changed_files import ChangedFiles, Changes, RefChange
from penstock.triggers.sources.git.host import Access, GitHost
from tests.unit.actions.git_server import GitServer, git

LOCAL = AddressRules(allowed=(ipaddress.ip_network("127.0.0.0/8"),))
FEATURE = "refs/heads/feature"


class Remote:
    """A repository with a work tree, behind Git's own server."""

    def __init__(
        self, server: GitServer, scratch: Path, *, has_filters: bool, kind: str = "sha1"
    ) -> None:
        self.folder = server.root / "shop.git"
        self.folder.mkdir()
        git(self.folder, "init", "-q", "-b", "main", f"--object-format={kind}")
        git(self.folder, "config", "uploadpack.allowFilter", str(has_filters).lower())
        self._files = ChangedFiles(GitHost(LOCAL, 30), scratch)
        self._access = Access(remote_of(f"{server.address}/shop.git"))

    def commit(self, *files: str) -> str:
        for name in files:
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{name} {path.stat().st_size if path.exists() else ''}")
        git(self.folder, "add", "-A")
        git(self.folder, "commit", "-q", "--allow-empty", "-m", "change")
        return self.head()

    def head(self) -> str:
        return git(self.folder, "rev-parse", "HEAD")

    def run(self, *arguments: str) -> str:
        return git(self.folder, *arguments)

    async def changed(self, old: str, new: str, ref: str = FEATURE) -> Changes:
        return await self._files.of(self._access, RefChange(ref, old, new))


@pytest.fixture
def scratch(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "scratch"
    folder.mkdir()
    yield folder
    assert list(folder.iterdir()) == [], "what was fetched is removed"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[GitServer]:
    (tmp_path / "served").mkdir()
    found = GitServer(tmp_path / "served")
    yield found
    found.close()


@pytest.fixture(params=[True, False], ids=["with filters", "without"])
def remote(request: pytest.FixtureRequest, server: GitServer, scratch: Path) -> Remote:
    return Remote(server, scratch, has_filters=request.param)


async def test_g_22_files_of_a_push_are_those_added_changed_and_removed(remote: Remote) -> None:
    old = remote.commit("svc/a.go", "lib/old.go", "odd \n näme", "same")
    remote.run("rm", "-q", "lib/old.go")
    new = remote.commit("svc/a.go", "svc/new.go", "odd \n näme")
    changed = await remote.changed(old, new)
    assert sorted(changed.files()) == ["lib/old.go", "odd \n näme", "svc/a.go", "svc/new.go"]
    assert changed.is_whole


async def test_g_26_first_push_of_a_branch_is_compared_with_where_it_left_the_default_one(
    remote: Remote,
) -> None:
    remote.commit("base")
    remote.run("checkout", "-q", "-b", "feature")
    remote.commit("svc/one")
    new = remote.commit("svc/two")
    remote.run("checkout", "-q", "main")
    remote.commit("lib/later")
    assert sorted((await remote.changed("", new)).files()) == ["svc/one", "svc/two"]


async def test_default_branch_that_was_merged_in_is_no_change_of_the_branch(remote: Remote) -> None:
    remote.commit("base")
    remote.run("checkout", "-q", "-b", "feature")
    remote.commit("svc/one")
    remote.run("checkout", "-q", "main")
    remote.commit("lib/later")
    remote.run("checkout", "-q", "feature")
    remote.run("merge", "-q", "--no-edit", "main")
    new = remote.commit("svc/two")
    remote.run("checkout", "-q", "main")
    remote.commit("lib/last")
    assert sorted((await remote.changed("", new)).files()) == ["svc/one", "svc/two"]


@pytest.mark.parametrize("is_behind", [True, False])
async def test_new_branch_without_a_commit_of_its_own_has_changed_nothing(
    remote: Remote, is_behind: bool
) -> None:
    new = remote.commit("base")
    remote.run("branch", "feature")
    if is_behind:
        remote.commit("lib/later")
    assert await remote.changed("", new) == Changes(b"")


async def test_branch_without_a_common_commit_and_the_default_one_itself_are_all_new(
    remote: Remote,
) -> None:
    first = remote.commit("base")
    assert list((await remote.changed("", first, "refs/heads/main")).files()) == ["base"]
    remote.run("checkout", "-q", "--orphan", "feature")
    new = remote.commit("docs/page")
    remote.run("checkout", "-q", "main")
    assert sorted((await remote.changed("", new)).files()) == ["base", "docs/page"]


async def test_branch_moved_by_force_is_compared_with_what_it_was_or_else_as_a_new_one(
    remote: Remote,
) -> None:
    remote.commit("base")
    remote.run("checkout", "-q", "-b", "feature")
    old = remote.commit("svc/one")
    remote.run("reset", "-q", "--hard", "HEAD~1")
    new = remote.commit("docs/two")
    remote.run("checkout", "-q", "main")
    assert sorted((await remote.changed(old, new)).files()) == ["docs/two", "svc/one"]
    assert list((await remote.changed("1" * 40, new)).files()) == ["docs/two"]


async def test_change_of_more_files_than_can_be_told_says_so(
    remote: Remote, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = remote.commit("base")
    new = remote.commit(*(f"file-{number}" for number in range(200)))
    monkeypatch.setattr(changed_files, "_LIMITS", changed_files._LIMITS._replace(output=1000))
    assert await remote.changed(old, new) == Changes(b"", is_whole=False)


async def test_history_that_is_too_large_ends_with_a_message(
    remote: Remote, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = remote.commit("base")
    new = remote.commit(*(f"file-{number}" for number in range(200)))
    monkeypatch.setattr(changed_files, "_LIMITS", changed_files._LIMITS._replace(file=500))
    with pytest.raises(ActionError, match="index-pack"):
        await remote.changed(old, new)


async def test_commit_that_nobody_has_is_an_error_and_no_change(remote: Remote) -> None:
    old = remote.commit("base")
    with pytest.raises(ActionError):
        await remote.changed(old, "2" * 40)


async def test_repository_of_sha_256_is_compared(server: GitServer, scratch: Path) -> None:
    remote = Remote(server, scratch, has_filters=True, kind="sha256")
    old, new = remote.commit("base"), remote.commit("svc/a")
    assert list((await remote.changed(old, new, "refs/heads/main")).files()) == ["svc/a"]


@pytest.mark.parametrize("end", ["\f", "\r", "\x1c", "\u2028", "\n"])
async def test_message_of_a_commit_is_no_option_and_no_commit(remote: Remote, end: str) -> None:
    remote.run("checkout", "-q", "-b", "feature")
    remote.commit("docs/page")
    remote.run("commit", "-q", "--amend", "-m", f"Say{end}parent --stdin{end}parent {'3' * 40}")
    new = remote.head()
    remote.run("checkout", "-q", "--orphan", "main")
    remote.run("rm", "-q", "-rf", ".")
    remote.commit("base")
    assert list((await remote.changed("", new)).files()) == ["docs/page"]


@pytest.mark.parametrize("old", ["--depth=1000000", "HEAD", "refs/heads/main", "a" * 39])
async def test_old_revision_that_is_no_commit_is_not_given_to_git(remote: Remote, old: str) -> None:
    remote.commit("base")
    remote.run("checkout", "-q", "-b", "feature")
    new = remote.commit("svc/one")
    remote.run("checkout", "-q", "main")
    assert list((await remote.changed(old, new)).files()) == ["svc/one"]


async def test_volume_that_is_full_or_gone_is_an_error_that_is_told(
    remote: Remote, scratch: Path
) -> None:
    old, new = remote.commit("base"), remote.commit("svc/a")
    await asyncio.to_thread(scratch.rmdir)
    with pytest.raises(ActionError, match="no folder to compare in"):
        await remote.changed(old, new)
    await asyncio.to_thread(scratch.mkdir)


async def test_folders_of_an_earlier_process_are_removed(scratch: Path) -> None:
    (scratch / "left" / "behind").mkdir(parents=True)
    ChangedFiles(GitHost(LOCAL, 1), scratch).begin()


def packet(text: bytes) -> bytes:
    return b"%04x" % (len(text) + 4) + text


class MissingBases(BaseHTTPRequestHandler):
    """Answers every fetch with a delta whose base it leaves out, another one each time."""

    asked: ClassVar[list[bytes]] = []

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        said = (b"version 2\n", b"ls-refs=unborn\n", b"fetch=shallow wait-for-done filter\n",
                b"object-format=sha1\n")  # fmt: skip
        service = packet(b"# service=git-upload-pack\n") + b"0000"
        self._answer(service + b"".join(map(packet, said)) + b"0000", "advertisement")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if b"command=ls-refs" in body:
            return self._answer(b"0000", "result")
        self.asked.append(body)
        base = hashlib.sha1(b"%d" % len(self.asked)).digest()
        entry = bytes([0x74]) + base + zlib.compress(b"\x05\x05\x90\x05")
        pack = b"PACK" + struct.pack(">II", 2, 1) + entry
        pack += hashlib.sha1(pack).digest()
        return self._answer(packet(b"packfile\n") + packet(b"\x01" + pack) + b"0000", "result")

    def _answer(self, body: bytes, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", f"application/x-git-upload-pack-{kind}")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


async def test_server_that_leaves_out_what_it_refers_to_is_not_asked_again(scratch: Path) -> None:
    """Git would, from within itself, and so on: 800 processes in eight seconds (seen)."""
    MissingBases.asked = []
    with ThreadingHTTPServer(("127.0.0.1", 0), MissingBases) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        access = Access(remote_of(f"http://127.0.0.1:{server.server_port}/r.git"))
        files = ChangedFiles(GitHost(LOCAL, 20), scratch)
        with pytest.raises(ActionError):
            await files.of(access, RefChange(FEATURE, "1" * 40, "2" * 40))
        server.shutdown()
    assert len(MissingBases.asked) == 1
