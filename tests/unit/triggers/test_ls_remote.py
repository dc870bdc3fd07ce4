"""Addresses that may not be connected to, and answers that are not to be
trusted, with Git's own server.
"""

from __future__ import annotations

import asyncio
import ipaddress
import os
import socketserver
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from penstock.actions.execution import ActionError
from penstock.actions.git.remote import BRANCHES, TAGS, Wanted, remote_of
from penstock.triggers.sources.addresses import (
    AddressRules,
    RefusedAddressError,
    address_of,
    refuse_odd_number,
)
from penstock.triggers.sources.git import ls_remote
from penstock.triggers.sources.git.host import Access, Credential, GitHost
from penstock.triggers.sources.git.ls_remote import LsRemote, commit_of, refs_of
from tests.unit.actions.git_server import GitServer, git

LOCAL = AddressRules(allowed=(ipaddress.ip_network("127.0.0.0/8"),))
MAIN = Wanted("refs/heads/main", branch="main")
A, B = "a" * 40, "b" * 40


def look(rules: AddressRules = LOCAL, seconds: float = 20) -> LsRemote:
    return LsRemote(GitHost(rules, seconds))


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.9.9.9", "0.0.0.0", "10.96.0.1", "172.16.0.1", "192.168.1.1",
        "169.254.169.254", "100.64.0.1",
        "198.18.0.1", "224.0.0.1", "255.255.255.255", "::1", "::", "fe80::1", "fe80::1%eth0",
        "fd00::1", "ff02::1",
        "::ffff:127.0.0.1", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "2002:7f00:1::",
        "fd00:ec2::254",
    ],
)  # fmt: skip
def test_address_that_is_not_the_internets_is_refused(address: str) -> None:
    with pytest.raises(RefusedAddressError, match="allowedHosts"):
        AddressRules().check("host.example", address)


@pytest.mark.parametrize("address", ["140.82.121.3", "2606:50c0:8000::153", "::ffff:140.82.121.3"])
def test_address_of_the_internet_is_allowed_unless_it_is_refused_by_name(address: str) -> None:
    AddressRules().check("host.example", address)
    refused = AddressRules(
        refused=(ipaddress.ip_network("140.82.0.0/16"), ipaddress.ip_network("2606:50c0::/32"))
    )
    with pytest.raises(RefusedAddressError):
        refused.check("host.example", address)


def test_allowed_host_is_that_host_alone() -> None:
    rules = AddressRules(allowed_hosts=frozenset({"git.dev"}))
    rules.check("GIT.dev.", "10.0.0.1")
    for host in ("xgit.dev", "git.dev.evil.example", "git"):
        with pytest.raises(RefusedAddressError):
            rules.check(host, "10.0.0.1")


@pytest.mark.parametrize(
    "host", ["2130706433", "0x7f000001", "0x7f.1", "127.1", "0177.0.0.1", "1.2.3.4.5"]
)
def test_number_in_another_notation_is_refused(host: str) -> None:
    with pytest.raises(RefusedAddressError, match="dotted decimal"):
        refuse_odd_number(host)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "[::1]", "2130706433", "no-such-host.invalid"]
)
async def test_no_child_is_started_for_a_host_that_is_refused(
    host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asyncio, "create_subprocess_exec", None)
    with pytest.raises(ActionError) as found:
        await look(AddressRules(), 5).revision(Access(remote_of(f"http://{host}/r.git")), MAIN)
    assert found.value.code == "ConfigurationError"


async def test_every_address_of_a_name_must_be_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    async def resolved(*_: Any, **__: Any) -> list[Any]:
        return [(0, 0, 0, "", ("140.82.121.3", 80)), (0, 0, 0, "", ("169.254.169.254", 80))]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", resolved)
    with pytest.raises(RefusedAddressError, match=r"169\.254"):
        await address_of("host.example", 80, AddressRules(), 1)


@pytest.mark.parametrize(
    ("answer", "ref", "commit"),
    [
        (f"{A}\trefs/heads/main\n", "refs/heads/main", A),
        (f"{A}\trefs/x/refs/heads/main\n", "refs/heads/main", ""),
        (f"{A}\trefs/tags/v1\n{B}\trefs/tags/v1^{{}}\n", "refs/tags/v1", B),
        (f"{A[:39]}\trefs/heads/main\n", "refs/heads/main", ""),
        (f"{'z' * 40}\trefs/heads/main\n", "refs/heads/main", ""),
        (f"{A}\trefs/heads/main\r\n", "refs/heads/main", ""),
        (f"{A}\tx\n{B}\trefs/heads/ma\nin\n", "refs/heads/main", ""),
        ("\0\n\t\n" + "x" * 100_000, "refs/heads/main", ""),
        ("".join(f"{A}\trefs/heads/b{n}\n" for n in range(10_000)) + f"{B}\tHEAD\n", "HEAD", B),
        ("", "HEAD", ""),
    ],
)
def test_only_the_very_ref_counts_in_an_answer(answer: str, ref: str, commit: str) -> None:
    assert commit_of(answer.encode(), ref) == commit


def test_branches_and_tags_of_an_answer_are_those_that_git_could_have() -> None:
    names = ["HEAD", "refs/heads/main", "refs/heads/a..b", "refs/heads/-x", "refs/pull/1/head",
             "refs/tags/v1", "refs/tags/v1^{}", "refs/heads/" + "x" * 300]  # fmt: skip
    answer = "".join(f"{A if name != 'refs/tags/v1^{}' else B}\t{name}\n" for name in names)
    assert refs_of(answer.encode()) == {
        "refs/heads/main": A, "refs/heads/-x": A, "refs/tags/v1": B
    }  # fmt: skip


@pytest.fixture
def server(tmp_path: Path) -> Iterator[GitServer]:
    found = GitServer(tmp_path)
    yield found
    found.close()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "web.git"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    git(folder, "commit", "-q", "--allow-empty", "-m", "first")
    return folder


async def test_real_server_tells_branch_tag_and_head(server: GitServer, repository: Path) -> None:
    git(repository, "tag", "-a", "v1", "-m", "v1")
    commit = git(repository, "rev-parse", "HEAD")
    refs = "".join(f"create refs/heads/branch-{n} {commit}\n" for n in range(10_000))
    (repository / "refs.txt").write_text(refs)
    await asyncio.to_thread(
        os.system, f"git -C {repository} update-ref --stdin < {repository / 'refs.txt'}"
    )
    remote = remote_of(f"{server.address}/web.git")
    for wanted in (MAIN, Wanted("refs/tags/v1"), Wanted()):
        assert await look().revision(Access(remote), wanted) == commit
    assert await look().revision(Access(remote), Wanted("refs/heads/nope")) == ""
    assert await look().default_branch(Access(remote)) == "refs/heads/main"


async def test_real_server_tells_all_branches_and_tags(server: GitServer, repository: Path) -> None:
    first = git(repository, "rev-parse", "HEAD")
    git(repository, "tag", "-a", "v1", "-m", "v1")
    git(repository, "checkout", "-q", "-b", "feature/x")
    git(repository, "commit", "-q", "--allow-empty", "-m", "second")
    second = git(repository, "rev-parse", "HEAD")
    access = Access(remote_of(f"{server.address}/web.git"))
    branches = {"refs/heads/main": first, "refs/heads/feature/x": second}
    tags = {"refs/tags/v1": first}
    assert await look().refs(access, {BRANCHES, TAGS}) == {**branches, **tags}
    assert await look().refs(access, {BRANCHES}) == branches
    assert await look().refs(access, {TAGS}) == tags


async def test_repository_of_too_many_branches_is_told_as_such(
    server: GitServer, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ls_remote, "_OF_ALL", ls_remote._OF_ALL._replace(output=20))
    with pytest.raises(ActionError, match="than a filter looks at; delete those"):
        await look().refs(Access(remote_of(f"{server.address}/web.git")), {BRANCHES})


def test_name_that_is_no_text_is_left_out() -> None:
    lines = [b"refs/heads/caf\xe9", b"refs/heads/caf\xe8", "refs/heads/café".encode()]
    answer = b"".join(A.encode() + b"\t" + line + b"\n" for line in lines)
    assert refs_of(answer) == {"refs/heads/café": A}


async def test_credential_is_sent_to_its_host_and_never_said(
    server: GitServer, repository: Path
) -> None:
    server.password = "s3cret-word"
    remote = remote_of(f"{server.address}/web.git")
    assert await look().revision(Access(remote, Credential("ada", "s3cret-word")), MAIN)
    for credential in (None, Credential("ada", "wrong-word")):
        with pytest.raises(ActionError) as found:
            await look().revision(Access(remote, credential), MAIN)
        assert found.value.code == "PermissionError"
        assert "word" not in found.value.message.replace("password", "")


async def test_git_connects_to_the_address_that_was_checked(
    server: GitServer, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No name server knows this name: git reaches it only because it is told where it is."""

    async def resolved(*_: Any, **__: Any) -> list[Any]:
        return [(0, 0, 0, "", ("127.0.0.1", 80))]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", resolved)
    remote = remote_of(f"http://rebound.invalid:{server.address.rpartition(':')[2]}/web.git")
    assert await look().revision(Access(remote), MAIN) == git(repository, "rev-parse", "HEAD")


async def test_redirect_to_the_inside_is_not_followed(server: GitServer, repository: Path) -> None:
    server.redirect = "http://169.254.169.254/latest/"
    with pytest.raises(ActionError):
        await look().revision(Access(remote_of(f"{server.address}/web.git")), MAIN)


@pytest.mark.parametrize("behaviour", ["silent", "endless"])
async def test_server_that_never_ends_is_left_within_the_limit(behaviour: str) -> None:
    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(65_536)
            if behaviour == "silent":
                time.sleep(6)
                return
            head = (
                b"HTTP/1.1 200 OK\r\nContent-Type: "
                b"application/x-git-upload-pack-advertisement\r\n\r\n"
            )
            line = f"{A} refs/heads/main{'x' * 900}\n".encode()
            packet = f"{len(line) + 4:04x}".encode() + line
            try:
                self.request.sendall(head + b"001e# service=git-upload-pack\n0000")
                while True:
                    self.request.sendall(packet * 1000)
            except OSError:
                return

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        server.block_on_close = False
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        started = time.monotonic()
        with pytest.raises(ActionError):
            await look(seconds=3).revision(
                Access(remote_of(f"http://127.0.0.1:{server.server_address[1]}/r")), MAIN
            )
        assert time.monotonic() - started < 5
        server.shutdown()
