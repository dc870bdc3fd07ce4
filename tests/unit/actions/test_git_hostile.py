"""Hostile repositories and servers: what is harmless arrives whole, all else
ends with a message, in little memory.
"""

import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from penstock.actions.execution import ActionError
from penstock.actions.git import client
from penstock.actions.git.client import memory_limit
from penstock.actions.git.execution import run
from tests.support.git_objects import Objects
from tests.support.hostile_git_server import serve
from tests.support.hostile_repositories import (
    ARRIVING,
    ARTIFACT_BYTES,
    ARTIFACT_ENTRIES,
    NAMES,
    REFUSED,
    Hostile,
    link_as_folder,
    links,
)
from tests.unit.actions.git_server import GitServer
from tests.unit.actions.jobs import FakeJob, request

MEBIBYTE = 1024 * 1024


@pytest.fixture(autouse=True)
def _small_container(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each git process may have 96 MiB, as in an agent of 192 MiB."""
    group = tmp_path / "memory.max"
    group.write_text(f"{192 * MEBIBYTE}\n")
    monkeypatch.setattr(client, "_MEMORY_GROUPS", (group,))


@pytest.fixture
def server(tmp_path: Path) -> Iterator[GitServer]:
    served = GitServer(tmp_path / "served")
    yield served
    served.close()


def job_for(tmp_path: Path, url: str, **configuration: str) -> FakeJob:
    job = FakeJob(tmp_path / "job", request("git", {"Url": url, "Branch": "main", **configuration}))
    limits = job.request.limits._replace(
        artifact_bytes=ARTIFACT_BYTES, artifact_entries=ARTIFACT_ENTRIES
    )
    job.request = job.request._replace(limits=limits)
    return job


def job_of(case: Hostile, server: GitServer, tmp_path: Path) -> FakeJob:
    case.build(Objects(server.root / "x.git"))
    return job_for(tmp_path, f"{server.address}/x.git", **case.configuration)


@pytest.mark.parametrize("case", ARRIVING, ids=str)
def test_what_is_harmless_arrives(server: GitServer, tmp_path: Path, case: Hostile) -> None:
    outcome = run(job_of(case, server, tmp_path))
    assert outcome.summary.isprintable()
    assert "\0" not in outcome.variables["CommitMessage"]


@pytest.mark.parametrize("case", REFUSED, ids=str)
def test_what_is_not_ends_with_a_message_and_writes_nothing(
    server: GitServer, tmp_path: Path, case: Hostile
) -> None:
    job = job_of(case, server, tmp_path)
    with pytest.raises(ActionError) as caught:
        run(job)
    assert caught.value.code == case.code
    assert re.fullmatch(case.message, caught.value.message)
    assert not (job.source.parent / "x").exists()


def test_names_arrive_as_they_are(server: GitServer, tmp_path: Path) -> None:
    case = next(case for case in ARRIVING if case.name == "names")
    job = job_of(case, server, tmp_path)
    run(job)
    assert sorted(bytes(path.relative_to(job.source)) for path in job.source.rglob("*")) == sorted(
        NAMES
    )


def test_links_are_checked_out_and_never_followed(server: GitServer, tmp_path: Path) -> None:
    job = job_of(Hostile("links", links), server, tmp_path)
    run(job)
    assert [str((job.source / name).readlink()) for name in ("etc", "up")] == ["/etc", "../../.."]


def test_link_and_folder_of_one_name_write_nothing_through_the_link(
    server: GitServer, tmp_path: Path
) -> None:
    job = job_of(Hostile("link-as-folder", link_as_folder), server, tmp_path)
    run(job)
    assert not (job.source / "a").is_symlink()
    assert not Path("/tmp/pwned").exists()


@pytest.mark.parametrize(
    ("kind", "code", "message"),
    [
        ("garbage", "SystemUnavailable", "git failed on {url}: fatal: .*"),
        ("endless", "JobFailed", "{url} was not fetched: git ran out of memory, .*"),
        ("refs", "JobFailed", "{url} was not fetched: git ran out of memory, .*"),
        ("redirect", "ConfigurationError", "{url} redirects elsewhere; .*"),
        (
            "escapes",
            "SystemUnavailable",
            "git failed on {url}: fatal: .* returned error: 500 remote: .*",
        ),
    ],
)
@pytest.mark.parametrize(
    "configuration", [{}, {"OutputArtifactFormat": "CODEBUILD_CLONE_REF"}], ids=["files", "clone"]
)
def test_server_that_answers_badly_is_named(
    tmp_path: Path, kind: str, code: str, message: str, configuration: dict[str, str]
) -> None:
    hostile = serve("127.0.0.1", 0)
    threading.Thread(target=hostile.serve_forever, args=(0.01,), daemon=True).start()
    url = f"http://127.0.0.1:{hostile.server_port}/{kind}.git"
    with pytest.raises(ActionError) as caught:
        run(job_for(tmp_path, url, **configuration))
    hostile.shutdown()
    hostile.server_close()
    assert caught.value.code == code
    assert re.fullmatch(message.format(url=re.escape(url)), caught.value.message)
    assert caught.value.message.isprintable()


@pytest.mark.parametrize(
    ("text", "limit"),
    [("200000000\n", 100_000_000), ("max\n", 2 * 1024**3), ("9223372036854771712", 2 * 1024**3)],
)
def test_git_may_have_half_of_the_containers_memory(tmp_path: Path, text: str, limit: int) -> None:
    (tmp_path / "group").write_text(text)
    assert memory_limit((tmp_path / "none", tmp_path / "group")) == limit
