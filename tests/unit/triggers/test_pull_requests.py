"""Pull requests, as a trigger's filters see them on each kind of host (G-25, O-31)."""

from __future__ import annotations

import asyncio
import base64
import ipaddress
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import create_autospec

import pytest

from penstock.api.kinds.connection import ProviderType
from penstock.api.kinds.triggers import GitConfiguration
from penstock.cluster.resources import CONNECTIONS, SECRETS
from penstock.runtime.turns import Turns
from penstock.triggers.observations import (
    CLOSED_PULL_REQUEST,
    Failed,
    Observation,
    RefsSeen,
    Taken,
)
from penstock.triggers.sources.addresses import AddressRules
from penstock.triggers.sources.base import SecretReader, Watch
from penstock.triggers.sources.connection_reports import ConnectionReports
from penstock.triggers.sources.git import filtered
from penstock.triggers.sources.git.changed_files import ChangedFiles
from penstock.triggers.sources.git.filtered import FilteredLook
from penstock.triggers.sources.git.host import GitHost
from penstock.triggers.sources.git.host_api import HostApi
from penstock.triggers.sources.git.judging import ChangeJudge
from penstock.triggers.sources.git.ls_remote import LsRemote
from penstock.triggers.sources.git.matching import Matching
from penstock.triggers.sources.git.places import ThroughConnection
from penstock.triggers.sources.git.pull_requests import PullPlace, PullRequests
from penstock.triggers.sources.git.sharing import SharedAnswers
from penstock.triggers.sources.git.source import GitLooks, GitSource
from tests.support.fake_client import FakeClient
from tests.support.fake_server import FakeServer
from tests.unit.actions.git_server import git
from tests.unit.triggers.pull_request_host import KINDS, Host, Pull

LOOPBACK = AddressRules(allowed=(ipaddress.ip_network("127.0.0.0/8"),))
PULL = "refs/pull/7"


@pytest.fixture(params=list(KINDS))
def host(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Host]:
    yield from serve(tmp_path, request.param)


@pytest.fixture
def gitea(tmp_path: Path) -> Iterator[Host]:
    yield from serve(tmp_path, ProviderType.GITEA)


def serve(folder: Path, kind: ProviderType) -> Iterator[Host]:
    made = Host(folder / "served", kind)
    yield made
    made.close()


def watch(refs: dict[str, str] | None, **filter_: Any) -> Watch:
    given = {"branches": {"includes": ["main"]}, **filter_}
    trigger = {"sourceActionName": "Source", "pullRequest": [given]}
    configuration = {"ConnectionArn": "corp", "FullRepositoryId": "team/shop", "BranchName": "main"}
    return Watch(configuration, GitConfiguration.model_validate(trigger), refs, 100)


def server_with(host: Host, **secret: str) -> FakeServer:
    server = FakeServer()
    spec = {"providerType": str(host.kind), "endpoint": host.address}
    if secret:
        spec["credentialsSecret"] = "corp"
        data = {key: base64.b64encode(value.encode()).decode() for key, value in secret.items()}
        server.create(SECRETS, "team", {"metadata": {"name": "corp"}, "data": data})
    server.create(CONNECTIONS, "team", {"metadata": {"name": "corp"}, "spec": spec})
    return server


async def look(host: Host, watched: Watch, server: FakeServer | None = None) -> Observation:
    server = server or server_with(host)
    through = ThroughConnection(
        lambda _: list(server.all(CONNECTIONS)), create_autospec(ConnectionReports)
    )
    git_host = GitHost(LOOPBACK, 20)
    with tempfile.TemporaryDirectory() as scratch:
        judge = ChangeJudge(ChangedFiles(git_host, Path(scratch)), Matching(), Turns(2))
        shared = SharedAnswers(0)
        pulls = PullRequests(HostApi(LOOPBACK, 20))
        looks = FilteredLook(LsRemote(git_host), pulls, Turns(2), Matching(), judge, shared)
        source = GitSource(
            SecretReader(FakeClient(server), "ns:triggers"),
            GitLooks(LsRemote(git_host), Turns(2), looks, shared),
            through,
        )
        return await source.look("team", watched)


async def seen(host: Host, refs: dict[str, str] | None, **filter_: Any) -> RefsSeen:
    found = await look(host, watch(refs, **filter_))
    assert isinstance(found, RefsSeen), found
    assert not found.error
    return found


def taken(pull: Pull, what: str) -> dict[str, Taken]:
    ref = f"refs/heads/{pull.branch}"
    into = f"{pull.branch} into {pull.destination}"
    detail = f"pull request {pull.number} {what}: {into}, at {pull.commit}"
    return {f"refs/pull/{pull.number}": Taken(pull.commit, ref, detail)}


# ---- events


async def test_oracle_o_31_opened_pull_request_starts_a_run_of_its_head(host: Host) -> None:
    assert await seen(host, None) == RefsSeen({})
    pull = host.open(7, "feature")
    assert await seen(host, {}) == RefsSeen({PULL: pull.commit}, taken(pull, "opened"))
    assert await seen(host, {PULL: pull.commit}) == RefsSeen({PULL: pull.commit})


async def test_g_25_updated_pull_request_starts_a_run_of_its_new_head(host: Host) -> None:
    first = host.open(7, "feature")
    second = host.open(7, "feature", "other.md")
    found = await seen(host, {PULL: first.commit})
    assert found == RefsSeen({PULL: second.commit}, taken(second, "updated"))


@pytest.mark.parametrize("merged", [False, True], ids=["by hand", "merged"])
async def test_g_25_closed_pull_request_starts_a_run_of_what_it_was(
    host: Host, merged: bool
) -> None:
    pull = host.open(7, "feature")
    host.close(7, merged=merged)
    found = await seen(host, {PULL: pull.commit})
    assert found == RefsSeen({PULL: CLOSED_PULL_REQUEST}, taken(pull, "closed"))
    assert await seen(host, {PULL: CLOSED_PULL_REQUEST}) == RefsSeen({}), "it is forgotten then"


async def test_g_25_events_that_a_filter_leaves_out_are_remembered_and_start_nothing(
    gitea: Host,
) -> None:
    pull = gitea.open(7, "feature")
    assert await seen(gitea, {}, events=["UPDATED"]) == RefsSeen({PULL: pull.commit})
    gitea.close(7)
    closed = await seen(gitea, {PULL: pull.commit}, events=["UPDATED"])
    assert closed == RefsSeen({PULL: CLOSED_PULL_REQUEST})


async def test_first_look_takes_in_what_is_open(gitea: Host) -> None:
    pull = gitea.open(7, "feature")
    assert await seen(gitea, None) == RefsSeen({PULL: pull.commit})


async def test_g_24_branch_of_a_filter_is_the_one_that_it_goes_into(gitea: Host) -> None:
    gitea.open(7, "main-like", destination="dev")
    assert await seen(gitea, {}) == RefsSeen({})


@pytest.mark.parametrize(
    ("files", "is_taken"), [(["svc/**"], True), (["docs/**"], False), (["README.md"], False)]
)
async def test_g_22_files_are_those_since_it_left_where_it_goes(
    host: Host, files: list[str], is_taken: bool
) -> None:
    pull = host.open(7, "feature", "svc/a.go")
    host.commit("main", "docs/later.md")
    criteria = {"file_paths": {"includes": files}}
    opened = await seen(host, {}, **criteria)
    assert opened == RefsSeen({PULL: pull.commit}, taken(pull, "opened") if is_taken else {})
    host.close(7, merged=True)
    closed = await seen(host, {PULL: pull.commit}, **criteria)
    assert closed == RefsSeen(
        {PULL: CLOSED_PULL_REQUEST}, taken(pull, "closed") if is_taken else {}
    )


async def test_pushes_and_pull_requests_of_one_trigger_start_a_run_each(gitea: Host) -> None:
    before = git(gitea.folder, "rev-parse", "main")
    pull = gitea.open(7, "feature")
    after = gitea.commit("main", "later.md")
    both = watch({"refs/heads/main": before})
    trigger = GitConfiguration.model_validate(
        {
            "sourceActionName": "Source",
            "push": [{"branches": {"includes": ["main"]}}],
            "pullRequest": [{"branches": {"includes": ["main"]}}],
        }
    )
    found = await look(gitea, both._replace(trigger=trigger))
    assert isinstance(found, RefsSeen)
    assert found.refs == {"refs/heads/main": after, PULL: pull.commit}
    assert set(found.starting) == {"refs/heads/main", PULL}


# ---- whose they are


@pytest.mark.parametrize("fields", [{"repository": 2}, {"repository": None}], ids=["fork", "gone"])
async def test_pull_request_of_a_fork_starts_nothing(host: Host, fields: dict[str, Any]) -> None:
    host.open(7, "feature", **fields)
    assert await seen(host, {}) == RefsSeen({})


@pytest.mark.parametrize("branch", ["refs/pull/7/head", "../x", "no-such-branch"])
async def test_head_that_is_on_no_branch_starts_nothing(gitea: Host, branch: str) -> None:
    """Gitea takes pull requests from people who may not push, and shows them as its own."""
    pull = gitea.open(7, "feature")
    gitea.pulls[7] = Pull(7, branch, pull.commit)
    assert await seen(gitea, {}) == RefsSeen({})


async def test_head_that_has_moved_since_is_for_the_next_look(gitea: Host) -> None:
    first = gitea.open(7, "feature")
    second = gitea.open(7, "feature", "other.md")
    gitea.pulls[7] = first
    assert await seen(gitea, {}) == RefsSeen({})
    assert await seen(gitea, {PULL: "a" * 40}) == RefsSeen({PULL: "a" * 40})
    gitea.pulls[7] = second
    assert (await seen(gitea, {PULL: "a" * 40})).starting.keys() == {PULL}


# ---- what answers leave out


async def test_pull_requests_of_all_pages_are_seen(host: Host) -> None:
    host.page = 3
    pulls = [host.open(number, f"f{number}", f"{number}.md") for number in range(1, 8)]
    found = await seen(host, None)
    assert found.refs == {f"refs/pull/{pull.number}": pull.commit for pull in pulls}
    assert not [path for path in host.paths if "elsewhere" in path], "a link leads nowhere"


async def test_more_pages_than_are_looked_at_are_told(
    gitea: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    gitea.page = 0
    gitea.open(7, "feature")
    found = await look(gitea, watch({}))
    assert isinstance(found, Failed)
    assert "team/shop has more than 500 open pull requests" in found.error


async def test_pull_requests_that_are_not_told_of_are_kept_or_it_is_said(gitea: Host) -> None:
    """None is forgotten in silence: it would be opened once more when it comes back."""
    gitea.status = 500
    both = {"branches": {"includes": ["**"]}}
    trigger = GitConfiguration.model_validate(
        {"sourceActionName": "Source", "push": [both], "pullRequest": [both]}
    )
    main = git(gitea.folder, "rev-parse", "main")
    known = {"refs/heads/gone": "b" * 40, PULL: "a" * 40}
    full = watch(known)._replace(trigger=trigger, most_refs=2)
    found = await look(gitea, full)
    assert isinstance(found, RefsSeen)
    assert found.refs == {"refs/heads/main": main, PULL: "a" * 40}
    found = await look(gitea, full._replace(most_refs=1))
    assert isinstance(found, Failed)
    assert "watch 2 branches, tags and pull requests" in found.error


async def test_pull_request_that_was_merged_before_it_is_judged_starts_a_run(gitea: Host) -> None:
    """Nobody can tell its files any more: a run too many does less harm than a lost one."""
    pull = gitea.open(7, "feature", "svc/a.go")
    git(gitea.folder, "merge", "-q", "--no-ff", "-m", "merged", "feature")
    found = await seen(gitea, {}, file_paths={"includes": ["docs/**"]})
    assert found.starting == taken(pull, "opened")


async def test_pull_request_that_is_left_out_is_open_until_its_host_says_that_it_is_not(
    gitea: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    pull = gitea.open(7, "feature")
    monkeypatch.setattr(gitea, "_list", lambda _: (200, {}, b"[]"))
    assert await seen(gitea, {PULL: pull.commit}) == RefsSeen({PULL: pull.commit})
    del gitea.pulls[7]
    assert await seen(gitea, {PULL: pull.commit}) == RefsSeen({}), "it was deleted: no event"


async def test_closed_one_within_the_list_of_the_open_ones_says_nothing(
    gitea: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The list's state may be newer than its choice, and its head is not looked for on a branch."""
    pull = gitea.open(7, "feature")
    listed = [{**gitea._document(pull), "state": "closed"}]
    gitea.pulls[8] = Pull(8, "feature", "e" * 40, state="closed")
    answer = json.dumps([*listed, gitea._document(gitea.pulls[8])]).encode()
    monkeypatch.setattr(gitea, "_list", lambda _: (200, {}, answer))
    assert await seen(gitea, {}) == RefsSeen({})
    assert await seen(gitea, {PULL: pull.commit}) == RefsSeen({PULL: pull.commit})


async def test_closed_pull_request_whose_branch_goes_on_runs_what_it_was(host: Host) -> None:
    pull = host.open(7, "develop")
    host.close(7, merged=True, keep_branch=True)
    host.commit("develop", "later.md")
    found = await seen(host, {PULL: pull.commit})
    assert found == RefsSeen({PULL: CLOSED_PULL_REQUEST}, taken(pull, "closed"))


async def test_pull_request_whose_list_is_behind_its_branch_is_no_news_later(gitea: Host) -> None:
    first = gitea.open(7, "feature")
    second = gitea.open(7, "feature", "other.md")
    gitea.pulls[7] = first
    assert await seen(gitea, None) == RefsSeen({PULL: second.commit})


async def test_pull_request_that_is_merged_while_it_is_judged_still_has_its_files(
    gitea: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    pull = gitea.open(7, "feature", "svc/a.go")
    compared = ChangedFiles.of

    async def of(files: ChangedFiles, access: Any, change: Any) -> Any:
        git(gitea.folder, "merge", "-q", "--no-ff", "-m", "merged", "feature")
        return await compared(files, access, change)

    monkeypatch.setattr(ChangedFiles, "of", of)
    found = await seen(gitea, {}, file_paths={"includes": ["svc/**"]})
    assert found.starting == taken(pull, "opened")


@pytest.mark.parametrize("fault", ["list", "one"])
async def test_pull_requests_that_cannot_be_told_keep_no_push_from_being_seen(
    gitea: Host, fault: str
) -> None:
    before = git(gitea.folder, "rev-parse", "main")
    after = gitea.commit("main", "later.md")
    gitea.status, gitea.refused = 500, fault
    both = {"branches": {"includes": ["main"]}}
    trigger = GitConfiguration.model_validate(
        {"sourceActionName": "Source", "push": [both], "pullRequest": [both]}
    )
    known = {"refs/heads/main": before, PULL: "a" * 40}
    found = await look(gitea, watch(known)._replace(trigger=trigger))
    assert isinstance(found, RefsSeen)
    assert found.refs == {"refs/heads/main": after, PULL: "a" * 40}
    assert found.starting.keys() == {"refs/heads/main"}
    assert found.error == "SystemUnavailable: 127.0.0.1 answered with 500"


async def test_pull_request_that_goes_elsewhere_now_is_forgotten_when_it_is_closed(
    gitea: Host,
) -> None:
    pull = gitea.open(7, "feature", destination="dev")
    git(gitea.folder, "branch", "dev", "main")
    known = {PULL: pull.commit}
    assert await seen(gitea, known) == RefsSeen(known)
    gitea.close(7)
    assert await seen(gitea, known) == RefsSeen({})


async def test_of_many_that_were_closed_some_are_asked_for_at_each_look(
    gitea: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filtered, "_MOST_ASKED", 2)
    known = {}
    for number in range(1, 6):
        pull = gitea.open(number, f"f{number}", f"{number}.md")
        known[pull_ref := f"refs/pull/{number}"] = pull.commit
        gitea.close(number)
        assert pull_ref in known
    found = await seen(gitea, known)
    closed = [ref for ref, commit in found.refs.items() if commit == CLOSED_PULL_REQUEST]
    assert (len(closed), len(found.refs)) == (2, 5)


# ---- credentials, and hosts that do not help


@pytest.mark.parametrize(
    ("kind", "secret", "header"),
    [
        (ProviderType.GITHUB, {"token": "t0ken"}, "Bearer t0ken"),
        (ProviderType.GITLAB, {"token": "t0ken"}, "Bearer t0ken"),
        (ProviderType.GITLAB, {"username": "bot", "password": "t0ken"}, "Bearer t0ken"),
        (ProviderType.GITEA, {"token": "t0ken"}, "Basic Z2l0OnQwa2Vu"),
        (ProviderType.GITEA, {"username": "bot", "password": "p"}, "Basic Ym90OnA="),
    ],
)
async def test_credential_is_sent_as_its_host_asks(
    tmp_path: Path, kind: ProviderType, secret: dict[str, str], header: str
) -> None:
    for host in serve(tmp_path, kind):
        await look(host, watch(None), server_with(host, **secret))
        asked = zip(host.paths, host.authorizations, strict=True)
        assert {given for path, given in asked if path.startswith("/api/")} == {header}


async def test_public_github_is_asked_at_its_own_api_and_another_one_at_its_own() -> None:
    asked: list[str] = []

    class Api(HostApi):
        async def get(self, url: str, headers: Any, read: Any) -> Any:
            asked.append(url.partition("?")[0])
            return [], False

    for endpoint in ("https://github.com", "https://github.com/", "https://ghe.example.com"):
        place = PullPlace(ProviderType.GITHUB, endpoint, "octo/shop")
        await PullRequests(Api(LOOPBACK, 20)).open(place, None)
    assert asked == [
        "https://api.github.com/repos/octo/shop/pulls",
        "https://api.github.com/repos/octo/shop/pulls",
        "https://ghe.example.com/api/v3/repos/octo/shop/pulls",
    ]


@pytest.mark.parametrize(
    ("status", "headers", "words"),
    [
        (401, {}, "PermissionError: 127.0.0.1 does not let the credential read pull requests"),
        (403, {}, "PermissionError: 127.0.0.1 does not let the credential read pull requests"),
        (403, {"X-RateLimit-Remaining": "0"}, "SystemUnavailable: 127.0.0.1 takes no more"),
        (403, {"Retry-After": "60"}, "SystemUnavailable: 127.0.0.1 takes no more"),
        (429, {}, "takes no more requests for now (429); with a token in credentialsSecret"),
        (301, {"Location": "http://169.254.169.254/"}, "has moved (301): name where"),
        (404, {}, "was not found, or the credential may not read its pull requests"),
        (500, {}, "SystemUnavailable: 127.0.0.1 answered with 500"),
    ],
)
async def test_host_that_refuses_is_told_in_words_of_its_own(
    gitea: Host, status: int, headers: dict[str, str], words: str
) -> None:
    gitea.status, gitea.extra = status, headers
    found = await look(gitea, watch({}))
    assert isinstance(found, Failed)
    assert words in found.error


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"<html>", "answers with what is no JSON"),
        (b"[" * 100_000, "answers with what is no JSON"),
        (b'{"message": "hello"}', "the answer is no list"),
        (b'"' + b"x" * (9 * 1024 * 1024) + b'"', "answers with more than 8,192 KiB; shorten"),
        (b"[" + b"{}," * 200_000 + b"{}]", "answers with more than 200,000 values"),
        (b"[" + b'"aa",' * 400_000 + b'""]', "answers with more than 200,000 values; shorten"),
    ],
)
async def test_answer_that_is_none_is_told(
    gitea: Host, monkeypatch: pytest.MonkeyPatch, body: bytes, words: str
) -> None:
    monkeypatch.setattr(gitea, "_list", lambda _: (200, {}, body))
    found = await look(gitea, watch({}))
    assert isinstance(found, Failed)
    assert words in found.error


def entry_with(
    number: object = 8, sha: object = "a" * 40, ref: object = "f", base: object = "main"
) -> dict[str, Any]:
    """Return a pull request as Gitea shows one, with some fields of any kind."""
    head = {"sha": sha, "ref": ref, "repo": {"id": 1}}
    into = {"ref": base, "sha": "b" * 40, "repo": {"id": 1}}
    return {"number": number, "state": "open", "head": head, "base": into}


@pytest.mark.parametrize(
    "entry",
    [
        None,
        7,
        {},
        {"number": "x"},
        {"number": 8, "head": None, "base": None, "state": "open"},
        entry_with(number=-7),
        entry_with(number=1e999),
        entry_with(sha="--x"),
        entry_with(sha=None),
        entry_with(sha=7),
        entry_with(sha=["a"] * 40),
        entry_with(ref=7),
        entry_with(ref="\ud800"),
        entry_with(base=["main"]),
        entry_with(base="\ud800"),
        entry_with(base="x" * 1_000_000),
    ],
)
async def test_entry_of_any_other_shape_is_passed_over(
    gitea: Host, monkeypatch: pytest.MonkeyPatch, entry: object
) -> None:
    pull = gitea.open(7, "feature")
    listed = [entry, gitea._document(pull)]
    monkeypatch.setattr(gitea, "_list", lambda _: (200, {}, json.dumps(listed).encode()))
    assert (await seen(gitea, {})).refs == {PULL: pull.commit}


async def test_texts_of_pull_requests_count_for_one_value_whatever_stands_in_them(
    gitea: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    pull = gitea.open(7, "feature")
    body = ':[{,"\\' * 50_000
    listed = json.dumps([{**gitea._document(pull), "body": body}]).encode()
    monkeypatch.setattr(gitea, "_list", lambda _: (200, {}, listed))
    assert (await seen(gitea, {})).refs == {PULL: pull.commit}


async def test_host_that_is_silent_is_given_up(
    gitea: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def silent(*_: object) -> None:
        await asyncio.sleep(3600)

    monkeypatch.setattr(filtered, "_LONGEST_S", 0.2)
    monkeypatch.setattr(HostApi, "_answer", silent)
    found = await look(gitea, watch({}))
    assert found == Failed("TimedOut: listing the open pull requests took longer than 0.2 s")


@pytest.mark.parametrize("kind", [ProviderType.BITBUCKET, ProviderType.AZURE_DEVOPS])
async def test_host_that_is_not_asked_for_pull_requests_says_so(
    gitea: Host, kind: ProviderType
) -> None:
    gitea.kind = kind
    found = await look(gitea, watch({}))
    assert isinstance(found, Failed)
    assert f"pull requests of a host of {kind} are not looked at; take pullRequest" in found.error


async def test_address_within_the_cluster_is_not_asked() -> None:
    api = HostApi(AddressRules(), 5)
    with pytest.raises(Exception, match="an address within the cluster"):
        await api.get("http://127.0.0.1:9/api", {}, list)


async def test_token_that_no_header_can_hold_is_told_without_it(tmp_path: Path) -> None:
    for host in serve(tmp_path, ProviderType.GITHUB):
        found = await look(host, watch({}), server_with(host, token="a\r\nX-Evil: s3cret"))
        assert isinstance(found, Failed)
        assert "s3cret" not in found.error
