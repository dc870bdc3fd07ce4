"""Git sources as the poller looks at them: by their own keys, and through Connections."""

from __future__ import annotations

import asyncio
import base64
import ipaddress
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any
from unittest.mock import AsyncMock, create_autospec

import pytest

from penstock.actions.execution import ActionError
from penstock.actions.github import declaration as github
from penstock.api.kinds.triggers import GitConfiguration
from penstock.cluster.resources import CONNECTIONS, SECRETS
from penstock.runtime.turns import Turns
from penstock.triggers.observations import Failed, Observation, RefsSeen, Seen, Taken
from penstock.triggers.sources.addresses import AddressRules
from penstock.triggers.sources.base import SecretReader, Watch
from penstock.triggers.sources.connection_reports import ConnectionReports
from penstock.triggers.sources.git import judging
from penstock.triggers.sources.git.changed_files import ChangedFiles, Changes, RefChange
from penstock.triggers.sources.git.filtered import FilteredLook
from penstock.triggers.sources.git.host import GitHost
from penstock.triggers.sources.git.host_api import HostApi
from penstock.triggers.sources.git.judging import MOST_JUDGED, ChangeJudge
from penstock.triggers.sources.git.ls_remote import LsRemote
from penstock.triggers.sources.git.matching import Matching
from penstock.triggers.sources.git.places import (
    CodeCommit,
    GitHub,
    GitProvider,
    PlainGit,
    ThroughConnection,
)
from penstock.triggers.sources.git.pull_requests import PullRequests
from penstock.triggers.sources.git.sharing import SharedAnswers
from penstock.triggers.sources.git.source import GitLooks, GitSource
from tests.support.fake_client import FakeClient
from tests.support.fake_server import FakeServer
from tests.unit.actions.git_server import GitServer, git

LOOPBACK = AddressRules(allowed=(ipaddress.ip_network("127.0.0.0/8"),))
ARN = "arn:aws:codeconnections:eu-west-1:123456789012:connection/corp"
SHOP = {"ConnectionArn": ARN, "FullRepositoryId": "team/shop", "BranchName": "main"}
ACCOUNT = "penstock-system:penstock-triggers"


@pytest.fixture
def git_server(tmp_path: Path) -> Iterator[GitServer]:
    served = GitServer(tmp_path / "served")
    repository = served.root / "team/shop.git"
    repository.mkdir(parents=True)
    git(repository, "init", "-q", "-b", "main", ".")
    git(repository, "commit", "-q", "--allow-empty", "-m", "First")
    yield served
    served.close()


@pytest.fixture
def server() -> FakeServer:
    return FakeServer()


def head(served: GitServer) -> str:
    return git(served.root / "team/shop.git", "rev-parse", "HEAD")


async def look(
    server: FakeServer,
    provider: type[GitProvider],
    configuration: Mapping[str, str],
    reports: Any = None,
) -> Observation:
    return await watch(server, provider, Watch(configuration), reports)


async def watch(
    server: FakeServer,
    provider: type[GitProvider],
    watched: Watch,
    reports: Any = None,
    times: int = 1,
    comparing: Turns | None = None,
) -> Observation:
    looks = [watched] * times
    return [each async for each in looked(server, provider, looks, reports, comparing)][-1]


async def looked(
    server: FakeServer,
    provider: type[GitProvider],
    watches: list[Watch],
    reports: Any = None,
    comparing: Turns | None = None,
) -> AsyncIterator[Observation]:
    """Yield what one source sees, look by look."""
    client = FakeClient(server)
    through = ThroughConnection(
        lambda _: list(server.all(CONNECTIONS)), reports or create_autospec(ConnectionReports)
    )
    made = through if provider is ThroughConnection else provider()
    host = GitHost(LOOPBACK, 20)
    with tempfile.TemporaryDirectory() as scratch:
        files = ChangedFiles(host, Path(scratch))
        judge = ChangeJudge(files, Matching(), comparing or Turns(2))
        pulls = PullRequests(HostApi(LOOPBACK, 20))
        shared = SharedAnswers(0)
        filtered = FilteredLook(LsRemote(host), pulls, Turns(2), Matching(), judge, shared)
        looks = GitLooks(LsRemote(host), Turns(2), filtered, shared)
        source = GitSource(SecretReader(client, ACCOUNT), looks, made)
        for each in watches:
            yield await source.look("team", each)


def connect(server: FakeServer, served: GitServer, **fields: str) -> None:
    spec = {"providerType": "Gitea", "endpoint": served.address, **fields}
    server.create(CONNECTIONS, "team", {"metadata": {"name": "corp"}, "spec": spec})


def keep_secret(server: FakeServer, name: str, **values: str) -> None:
    data = {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}
    server.create(SECRETS, "team", {"metadata": {"name": name}, "data": data})


@pytest.mark.parametrize("keys", [{"token": "t0ken"}, {"username": "git", "password": "t0ken"}])
async def test_source_is_looked_at_through_its_connection(
    server: FakeServer, git_server: GitServer, keys: dict[str, str]
) -> None:
    git_server.user, git_server.password = "git", "t0ken"
    connect(server, git_server, credentialsSecret="corp")
    keep_secret(server, "corp", **keys)
    reports = create_autospec(ConnectionReports)
    assert await look(server, ThroughConnection, SHOP, reports) == Seen(head(git_server))
    ((document, error),) = (call.args for call in reports.tell.await_args_list)
    assert (document["metadata"]["name"], error) == ("corp", None)


async def test_connection_that_is_missing_is_told_with_the_lines_to_apply(
    server: FakeServer,
) -> None:
    seen = await look(server, ThroughConnection, SHOP)
    assert isinstance(seen, Failed)
    assert seen.error.startswith(f"ConfigurationError: there is no Connection for {ARN}; apply one")


async def test_secret_that_may_not_be_read_comes_with_the_commands_that_allow_it(
    server: FakeServer, git_server: GitServer
) -> None:
    connect(server, git_server, credentialsSecret="corp")
    server.refuse("GET", "secrets/corp", 403, "Forbidden", "no")
    seen = await look(server, ThroughConnection, SHOP)
    assert seen == Failed(
        "PermissionError: triggers may not read the Secret corp; let them, by `kubectl -n team "
        "create role penstock-corp --verb=get --resource=secrets --resource-name=corp` and "
        "`kubectl -n team create rolebinding penstock-corp-penstock-triggers --role=penstock-corp "
        f'--serviceaccount={ACCOUNT}`, or set DetectChanges to "false"'
    )


async def test_commands_that_allow_it_are_whole_with_long_names(
    server: FakeServer, git_server: GitServer
) -> None:
    name = "s" * 200
    connect(server, git_server, credentialsSecret=name)
    server.refuse("GET", f"secrets/{name}", 403, "Forbidden", "no")
    seen = await look(server, ThroughConnection, SHOP)
    assert isinstance(seen, Failed)
    assert seen.error.endswith(f'--serviceaccount={ACCOUNT}`, or set DetectChanges to "false"')


async def test_secret_without_the_keys_says_which_are_wanted(
    server: FakeServer, git_server: GitServer
) -> None:
    connect(server, git_server, credentialsSecret="corp")
    keep_secret(server, "corp", key="x")
    assert await look(server, ThroughConnection, SHOP) == Failed(
        "ConfigurationError: the Secret corp has no key token, or username and password"
    )


async def test_host_that_wants_a_credential_is_told_with_the_connection(
    server: FakeServer, git_server: GitServer
) -> None:
    git_server.password = "right"
    connect(server, git_server)
    reports = create_autospec(ConnectionReports)
    seen = await look(server, ThroughConnection, SHOP, reports)
    assert reports.tell.await_args.args[1].code == "PermissionError"
    assert isinstance(seen, Failed)
    assert seen.error.endswith(
        "name a Secret that holds them in credentialsSecret of Connection corp"
    )


async def test_p_05_github_source_is_looked_at_with_its_token(
    server: FakeServer, git_server: GitServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(github, "HOST", git_server.address)
    git_server.user, git_server.password = "x-access-token", "t0ken"
    keep_secret(server, "github", token="t0ken")
    given = {"Owner": "team", "Repo": "shop", "Branch": "main", "OAuthToken": "github"}
    assert await look(server, GitHub, given) == Seen(head(git_server))


def commit_place(server: GitServer, **configuration: str) -> dict[str, str]:
    given = {"Endpoint": server.address, "Region": "eu-west-1", "RepositoryName": "shop"}
    return {**given, "BranchName": "main", "CredentialsSecret": "aws", **configuration}


async def test_p_02_codecommit_source_is_looked_at_with_the_keys_of_its_secret(
    server: FakeServer, git_server: GitServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved = git_server.root / "v1/repos"
    moved.mkdir(parents=True)
    (git_server.root / "team/shop.git").rename(moved / "shop")
    seen: list[str] = []

    def accepts(given: str) -> bool:
        seen.append(given)
        return True

    monkeypatch.setattr(git_server, "accepts", accepts)
    keep_secret(server, "aws", accessKeyId="AKID", secretAccessKey="s3cret")
    found = await look(server, CodeCommit, commit_place(git_server))
    assert found == Seen(git(moved / "shop", "rev-parse", "HEAD"))
    users = {base64.b64decode(h.removeprefix("Basic ")).partition(b":")[0] for h in seen}
    assert users == {b"AKID"}


@pytest.mark.parametrize("missing", ["Region", "CredentialsSecret"])
async def test_codecommit_source_that_cannot_be_polled_says_what_is_missing(
    server: FakeServer, git_server: GitServer, missing: str
) -> None:
    seen = await look(server, CodeCommit, commit_place(git_server, **{missing: ""}))
    assert isinstance(seen, Failed)
    assert "name Region and CredentialsSecret" in seen.error


@pytest.mark.parametrize(
    ("provider", "where", "off"),
    [
        (ThroughConnection, SHOP, {"DetectChanges": "false"}),
        (
            GitHub,
            {"Owner": "team", "Repo": "shop", "Branch": "main"},
            {"PollForSourceChanges": "false"},
        ),
        (
            CodeCommit,
            {"RepositoryName": "shop", "BranchName": "main", "Region": "eu-west-1"},
            {"PollForSourceChanges": "false"},
        ),
        (PlainGit, {"Url": "https://x/y", "Branch": "main"}, {"PollForSourceChanges": "false"}),
        (PlainGit, {"Url": "https://x/y"}, {"Commit": "1" * 40}),
    ],
)
def test_g_02_source_is_another_one_when_its_place_changes_and_none_where_it_is_switched_off(
    provider: type[GitProvider], where: dict[str, str], off: dict[str, str]
) -> None:
    changed = [{}, *({key: "other"} for key in where)]
    assert len({provider.identity({**where, **change}) for change in changed}) == len(changed)
    assert provider.identity({**where, **off}) is None


MAIN, DEV = "refs/heads/main", "refs/heads/dev"


def trigger(**criteria: list[str]) -> GitConfiguration:
    push = {key: {"includes": includes} for key, includes in criteria.items()}
    return GitConfiguration.model_validate({"sourceActionName": "Source", "push": [push]})


def watched(refs: dict[str, str] | None, **criteria: list[str]) -> Watch:
    return Watch(SHOP, trigger(**criteria), refs, 100)


def taking(refs: Mapping[str, str], *starting: str) -> RefsSeen:
    """Return what a look has seen, with the changes that start runs."""
    return RefsSeen(
        refs, {ref: Taken(refs[ref], ref, f"{ref} changed to {refs[ref]}") for ref in starting}
    )


def commit(served: GitServer, name: str, branch: str = "main") -> str:
    repository = served.root / "team/shop.git"
    git(repository, "checkout", "-q", "-B", branch)
    (repository / name).write_text(name)
    git(repository, "add", "-A")
    git(repository, "commit", "-q", "-m", name)
    return head(served)


async def test_first_look_of_a_trigger_takes_in_what_its_filters_watch(
    server: FakeServer, git_server: GitServer
) -> None:
    connect(server, git_server)
    first = head(git_server)
    other = commit(git_server, "page", "feature/x")
    git(git_server.root / "team/shop.git", "branch", "other")
    found = await watch(server, ThroughConnection, watched(None, branches=["main", "feature/**"]))
    assert found == RefsSeen({MAIN: first, "refs/heads/feature/x": other})


async def test_push_is_judged_by_its_branch_and_its_files(
    server: FakeServer, git_server: GitServer
) -> None:
    connect(server, git_server)
    before = head(git_server)
    after = commit(git_server, "page.md")

    async def seen(**criteria: list[str]) -> Observation:
        return await watch(server, ThroughConnection, watched({MAIN: before}, **criteria))

    assert await seen(branches=["main"]) == taking({MAIN: after}, MAIN)
    files = {"branches": ["main"], "file_paths": ["*.md"]}
    assert await seen(**files) == taking({MAIN: after}, MAIN)
    assert await seen(**{**files, "file_paths": ["*.go"]}) == RefsSeen({MAIN: after})


async def test_look_judges_ten_branches_and_leaves_the_others_to_the_next_one(
    server: FakeServer, git_server: GitServer
) -> None:
    connect(server, git_server)
    for number in range(15):
        git(git_server.root / "team/shop.git", "branch", f"b{number}")
    found = await watch(server, ThroughConnection, watched({}, branches=["b*"]))
    assert isinstance(found, RefsSeen)
    assert (len(found.starting), len(found.undecided)) == (MOST_JUDGED, 5)
    assert found.is_partial
    assert not found.error


async def test_push_that_cannot_be_judged_waits_says_why_and_starts_a_run_in_the_end(
    server: FakeServer, git_server: GitServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect(server, git_server)
    before, after = head(git_server), commit(git_server, "page.md")
    git(git_server.root / "team/shop.git", "branch", "dev")
    criteria = watched({MAIN: before}, branches=["**"], file_paths=["**"])

    async def of(_: ChangedFiles, __: object, change: RefChange) -> Changes:
        if change.ref == MAIN:
            raise ActionError("SystemUnavailable", "the host is away")
        return Changes(b"", is_whole=False)

    monkeypatch.setattr(ChangedFiles, "of", of)

    async def seen(times: int) -> RefsSeen:
        found = await watch(server, ThroughConnection, criteria, times=times)
        assert isinstance(found, RefsSeen)
        assert found.refs == {MAIN: after, DEV: after}
        return found

    for times in (1, 2):
        found = await seen(times)
        assert set(found.starting) == {DEV}, "what is too large to be told starts a run"
        assert (set(found.undecided), found.is_partial) == ({MAIN}, True)
        assert found.error == (
            f"SystemUnavailable: which files {MAIN} has changed is not known, try {times} of 3, "
            f"after which it starts a run: the host is away"
        )
    found = await seen(3)
    assert found == taking(found.refs, MAIN, DEV)


async def test_comparison_that_has_no_turn_leaves_its_push_to_the_next_look(
    server: FakeServer, git_server: GitServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect(server, git_server)
    before, after = head(git_server), commit(git_server, "page.md")
    monkeypatch.setattr(judging, "_LONGEST_WAIT_S", 0.1)
    comparing = Turns(2)
    criteria = watched({MAIN: before}, branches=["**"], file_paths=["**"])
    async with comparing.of("team"):
        found = await watch(server, ThroughConnection, criteria, comparing=comparing)
    assert found == RefsSeen({MAIN: after}, undecided=frozenset({MAIN}))


async def test_tries_of_one_source_are_not_anothers(
    server: FakeServer, git_server: GitServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect(server, git_server)
    before = head(git_server)
    commit(git_server, "page.md")
    monkeypatch.setattr(
        ChangedFiles, "of", AsyncMock(side_effect=ActionError("SystemUnavailable", "no space"))
    )
    criteria = watched({MAIN: before}, branches=["**"], file_paths=["**"])
    looks = [criteria._replace(name=name) for name in ("a", "b", "c", "a", "a")]
    found = [each async for each in looked(server, ThroughConnection, looks)]
    assert [isinstance(each, RefsSeen) and MAIN in each.starting for each in found] == [
        False, False, False, False, True,
    ]  # fmt: skip


async def test_branch_that_an_answer_leaves_out_stays_known_as_long_as_there_is_room(
    server: FakeServer, git_server: GitServer
) -> None:
    connect(server, git_server)
    first = head(git_server)
    known = {MAIN: first, DEV: "d" * 40}
    found = await watch(server, ThroughConnection, watched(known, branches=["**"]))
    assert found == RefsSeen(known), "it may come back, and would be no change then"
    full = watched(known, branches=["**"])._replace(most_refs=1)
    assert await watch(server, ThroughConnection, full) == RefsSeen({MAIN: first})


def test_filters_are_another_source_when_they_change_but_not_with_the_actions_branch() -> None:
    source = GitSource(
        create_autospec(SecretReader),
        create_autospec(GitLooks),
        ThroughConnection(lambda _: [], create_autospec(ConnectionReports)),
    )
    one = watched(None, branches=["main"])
    assert source.identity(one) == source.identity(
        one._replace(configuration={**SHOP, "BranchName": "other"})
    )
    others = [
        watched(None, branches=["next"]),
        watched(None, tags=["main"]),
        one._replace(configuration={**SHOP, "FullRepositoryId": "team/other"}),
        one._replace(trigger=None),
    ]
    assert len({source.identity(each) for each in (one, *others)}) == 5


async def test_trigger_that_watches_more_than_is_remembered_is_refused(
    server: FakeServer, git_server: GitServer
) -> None:
    connect(server, git_server)
    git(git_server.root / "team/shop.git", "branch", "dev")
    found = await watch(
        server, ThroughConnection, watched(None, branches=["**"])._replace(most_refs=1)
    )
    assert isinstance(found, Failed)
    assert "watch 2 branches, tags and pull requests" in found.error
    assert found.error.endswith(
        "more than the 1 that are remembered; write narrower includes, or excludes"
    )


async def test_repository_that_names_nothing_is_not_believed(
    server: FakeServer, git_server: GitServer
) -> None:
    connect(server, git_server)
    git(git_server.root / "team/shop.git", "update-ref", "-d", MAIN)
    found = await watch(server, ThroughConnection, watched({MAIN: "a" * 40}, branches=["**"]))
    assert found == RefsSeen({MAIN: "a" * 40})


async def test_g_03_trigger_without_filters_means_the_actions_own_branch(
    server: FakeServer, git_server: GitServer
) -> None:
    connect(server, git_server)
    bare = Watch(SHOP, GitConfiguration(source_action_name="Source"))
    assert await watch(server, ThroughConnection, bare) == Seen(head(git_server))


async def test_pipelines_that_watch_the_same_share_a_look(
    server: FakeServer, git_server: GitServer
) -> None:
    connect(server, git_server)
    git(git_server.root / "team/shop.git", "branch", "dev")
    main, dev = Watch(SHOP), Watch({**SHOP, "BranchName": "dev"})
    source = source_on(server, SharedAnswers(60))
    found = await asyncio.gather(*(source.look("team", each) for each in [main, dev] * 20))
    assert set(found) == {Seen(head(git_server))}
    asked = [path for path in git_server.paths if "info/refs" in path]
    assert len(asked) == 2, "one for each branch"
    told = main._replace(not_before=time.monotonic())
    after = commit(git_server, "page")
    assert await source.look("team", told) == Seen(after)


def source_on(server: FakeServer, shared: SharedAnswers) -> GitSource:
    through = ThroughConnection(
        lambda _: list(server.all(CONNECTIONS)), create_autospec(ConnectionReports)
    )
    ls_remote, turns = LsRemote(GitHost(LOOPBACK, 20)), Turns(4)
    filtered = create_autospec(FilteredLook)
    looks = GitLooks(ls_remote, turns, filtered, shared)
    return GitSource(SecretReader(FakeClient(server), ACCOUNT), looks, through)
