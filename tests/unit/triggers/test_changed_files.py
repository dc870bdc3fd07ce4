"""Which files a push has changed, by Git's own server: with filters of objects, and without."""

from __future__ import annotations

import ipaddress
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from penstock.actions.execution import ActionError
from penstock.actions.git.remote import remote_of
from penstock.triggers.sources import changed_files
from penstock.triggers.sources.addresses import AddressRules
from penstock.triggers.sources.changed_files import ChangedFiles, Changes, Push
from penstock.triggers.sources.git_host import Access, GitHost
from tests.unit.actions.git_server import GitServer, git

LOCAL = AddressRules(allowed=(ipaddress.ip_network("127.0.0.0/8"),))
FEATURE = "refs/heads/feature"


class Remote:
    """A repository with a work tree, behind Git's own server."""

    def __init__(self, server: GitServer, *, has_filters: bool) -> None:
        self.folder = server.root / "shop.git"
        self.folder.mkdir()
        git(self.folder, "init", "-q", "-b", "main")
        git(self.folder, "config", "uploadpack.allowFilter", str(has_filters).lower())
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
        return await ChangedFiles(GitHost(LOCAL, 30)).of(self._access, Push(ref, old, new))


@pytest.fixture(params=[True, False], ids=["with filters", "without"])
def remote(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Remote]:
    (tmp_path / "served").mkdir()
    server = GitServer(tmp_path / "served")
    yield Remote(server, has_filters=request.param)
    server.close()


@pytest.fixture(autouse=True)
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield
    assert list(folder.iterdir()) == [], "what was fetched is removed"


async def test_g_22_files_of_a_push_are_those_added_changed_and_removed(remote: Remote) -> None:
    old = remote.commit("svc/a.go", "lib/old.go", "odd \n näme", "same")
    remote.run("rm", "-q", "lib/old.go")
    new = remote.commit("svc/a.go", "svc/new.go", "odd \n näme")
    changed = await remote.changed(old, new)
    assert sorted(changed.files) == ["lib/old.go", "odd \n näme", "svc/a.go", "svc/new.go"]
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
    assert sorted((await remote.changed("", new)).files) == ["svc/one", "svc/two"]


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
    assert sorted((await remote.changed("", new)).files) == ["svc/one", "svc/two"]


@pytest.mark.parametrize("is_behind", [True, False])
async def test_new_branch_without_a_commit_of_its_own_has_changed_nothing(
    remote: Remote, is_behind: bool
) -> None:
    new = remote.commit("base")
    remote.run("branch", "feature")
    if is_behind:
        remote.commit("lib/later")
    assert await remote.changed("", new) == Changes(())


async def test_branch_without_a_common_commit_and_the_default_one_itself_are_all_new(
    remote: Remote,
) -> None:
    first = remote.commit("base")
    assert (await remote.changed("", first, "refs/heads/main")).files == ("base",)
    remote.run("checkout", "-q", "--orphan", "feature")
    new = remote.commit("docs/page")
    remote.run("checkout", "-q", "main")
    assert sorted((await remote.changed("", new)).files) == ["base", "docs/page"]


async def test_branch_moved_by_force_is_compared_with_what_it_was_or_else_as_a_new_one(
    remote: Remote,
) -> None:
    remote.commit("base")
    remote.run("checkout", "-q", "-b", "feature")
    old = remote.commit("svc/one")
    remote.run("reset", "-q", "--hard", "HEAD~1")
    new = remote.commit("docs/two")
    remote.run("checkout", "-q", "main")
    assert sorted((await remote.changed(old, new)).files) == ["docs/two", "svc/one"]
    assert (await remote.changed("1" * 40, new)).files == ("docs/two",)


async def test_change_of_more_files_than_can_be_told_says_so(
    remote: Remote, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = remote.commit("base")
    new = remote.commit(*(f"file-{number}" for number in range(200)))
    monkeypatch.setattr(changed_files, "_LIMITS", changed_files._LIMITS._replace(output=1000))
    assert await remote.changed(old, new) == Changes((), is_whole=False)


async def test_history_that_is_too_large_ends_with_a_message(
    remote: Remote, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = remote.commit("base")
    new = remote.commit(*(f"file-{number}" for number in range(200)))
    monkeypatch.setattr(changed_files, "_LIMITS", changed_files._LIMITS._replace(file=500))
    with pytest.raises(ActionError, match=r"larger than|could not be compared|git failed"):
        await remote.changed(old, new)


async def test_commit_that_nobody_has_is_an_error_and_no_change(remote: Remote) -> None:
    old = remote.commit("base")
    with pytest.raises(ActionError):
        await remote.changed(old, "2" * 40)
