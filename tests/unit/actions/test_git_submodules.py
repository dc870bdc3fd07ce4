"""Submodules of the Git source, against Git's own HTTP server: fetched as the
source is, or refused by path and URL.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from penstock.actions.execution import ActionError
from penstock.actions.git import submodules
from penstock.actions.git.execution import run
from penstock.actions.git.remote import remote_of
from penstock.actions.git.submodules import MAX_DEPTH, relative_to
from tests.support.git_objects import FOLDER, LINK, SUBMODULE, Objects
from tests.unit.actions.git_server import GitServer
from tests.unit.actions.jobs import FakeJob, request


@pytest.fixture
def server(tmp_path: Path) -> Iterator[GitServer]:
    served = GitServer(tmp_path / "served")
    yield served
    served.close()


@pytest.fixture
def shop(server: GitServer) -> Objects:
    return Objects(server.root / "team/shop.git")


@pytest.fixture
def lib(server: GitServer) -> Objects:
    return Objects(server.root / "team/lib.git")


def job_for(server: GitServer, tmp_path: Path, **configuration: str) -> FakeJob:
    settings = {
        "Url": f"{server.address}/team/shop.git",
        "Branch": "main",
        "FetchSubmodules": "true",
    }
    return FakeJob(tmp_path / "job", request("git", {**settings, **configuration}))


def failure(job: FakeJob) -> tuple[str, str]:
    with pytest.raises(ActionError) as caught:
        run(job)
    return caught.value.code, caught.value.message


def files_below(folder: Path) -> dict[str, str]:
    paths = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return {str(path): (folder / path).read_text() for path in paths if path.parts[0] != ".git"}


@pytest.mark.parametrize("form", ["CODE_ZIP", "CODEBUILD_CLONE_REF"])
def test_submodules_are_checked_out_below_their_paths_without_git_folders(
    server: GitServer, shop: Objects, lib: Objects, tmp_path: Path, form: str
) -> None:
    inner = Objects(server.root / "other/inner.git")
    inner_commit = inner.commit(inner.files({b"c.txt": b"c"}))
    lib_commit = lib.with_submodules(
        {b"inner": ("../../other/inner.git", inner_commit)}, {b"b.txt": b"b"}
    )
    lib.commit(lib.files({b"newer.txt": b""}))
    shop.with_submodules(
        {
            b"relative": ("../lib.git", lib_commit),
            b"absolute": (f"{server.address}/other/inner.git", inner_commit),
        },
        {b"a.txt": b"a"},
    )
    job = job_for(server, tmp_path, OutputArtifactFormat=form)
    run(job)
    found = files_below(job.source)
    assert {name: text for name, text in found.items() if not name.endswith(".gitmodules")} == {
        "a.txt": "a", "relative/b.txt": "b", "relative/inner/c.txt": "c", "absolute/c.txt": "c"
    }  # fmt: skip
    assert [str(path.relative_to(job.source)) for path in job.source.rglob(".git")] == [".git"] * (
        "CLONE" in form
    )
    assert not list(job.scratch.iterdir())


def test_without_the_key_submodules_are_empty_folders_and_the_log_tells(
    server: GitServer, shop: Objects, lib: Objects, tmp_path: Path
) -> None:
    shop.with_submodules({b"lib": ("../lib.git", lib.commit(lib.files({b"b.txt": b""})))})
    job = job_for(server, tmp_path, FetchSubmodules="false")
    run(job)
    assert list((job.source / "lib").iterdir()) == []
    assert job.lines[1] == '1 submodule is an empty folder; set FetchSubmodules to "true" to fetch'


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("file:///etc", "must begin with http:// or https://; nothing else is fetched"),
        ("ssh://host/x", "must begin with http:// or https://; nothing else is fetched"),
        ("git://host/x", "must begin with http:// or https://; nothing else is fetched"),
        ("ext::sh -c id", "holds a space or a control character, or begins with '-'"),
        ("--upload-pack=x", "holds a space or a control character, or begins with '-'"),
        ("host:path", "must begin with http:// or https://; nothing else is fetched"),
        ("/etc", "must begin with http:// or https://; nothing else is fetched"),
        ("../../../../etc", "leads above {address}/"),
    ],
)
def test_url_that_is_not_plain_http_is_refused_with_path_and_url(
    server: GitServer, shop: Objects, tmp_path: Path, url: str, why: str
) -> None:
    """CVE-2018-17456 and its kin: a submodule's URL became an option, a local
    path or a helper's name.
    """
    shop.with_submodules({b"lib": (f'"{url}"', "1" * 40)})
    message = (
        f'Submodule "lib": the url "{url}" in .gitmodules {why.format(address=server.address)}'
    )
    assert failure(job_for(server, tmp_path)) == ("ConfigurationError", message)


def test_credential_in_a_url_is_refused_and_not_repeated(
    server: GitServer, shop: Objects, tmp_path: Path
) -> None:
    shop.with_submodules({b"lib": ("https://user:canary@host/x", "1" * 40)})
    _, message = failure(job_for(server, tmp_path))
    assert "https://***@host/x" in message and "canary" not in message


def test_credential_goes_to_its_own_origin_only(
    server: GitServer, shop: Objects, tmp_path: Path, lib: Objects
) -> None:
    """CVE-2026-40161: a repository names another host, which must not learn the password."""
    other = GitServer(tmp_path / "other")
    theirs = Objects(other.root / "x.git")
    shop.with_submodules({
        b"a": ("../lib.git", lib.commit(lib.files({b"b.txt": b"b"}))),
        b"b": (f"{other.address}/x.git", theirs.commit(theirs.files({b"c.txt": b"c"}))),
    })  # fmt: skip
    server.password = "canary-password"
    job = job_for(server, tmp_path)
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "username").write_text("ada")
    (secret / "password").write_text("canary-password")
    job.request = job.request._replace(secrets={"CredentialsSecret": str(secret)})
    run(job)
    assert sorted(files_below(job.source)) == [".gitmodules", "a/b.txt", "b/c.txt"]
    assert other.authorizations and set(other.authorizations) == {None}
    other.password = "another"
    (job.source / ".gitmodules").unlink()
    _, message = failure(FakeJob(tmp_path / "again", job.request))
    assert message.endswith("; CredentialsSecret is for the host of Url alone")
    other.close()


def test_submodule_without_an_entry_or_commit_is_named(
    server: GitServer, shop: Objects, lib: Objects, tmp_path: Path
) -> None:
    lib.commit(lib.files({}))
    shop.commit(shop.tree((SUBMODULE, b"lib", "1" * 40)))
    assert failure(job_for(server, tmp_path)) == (
        "ConfigurationError", 'Submodule "lib": .gitmodules has no path and url for it'
    )  # fmt: skip
    shop.with_submodules({b"lib": ("../lib.git", "1" * 40)})
    code, message = failure(FakeJob(tmp_path / "again", job_for(server, tmp_path).request))
    missing = f'Submodule "lib": Commit {"1" * 40} was not found in {server.address}/team/lib.git'
    assert (code, message) == ("RevisionUnavailable", missing)


def test_error_deep_below_tells_the_whole_path(
    server: GitServer, shop: Objects, lib: Objects, tmp_path: Path
) -> None:
    commit = lib.with_submodules({b"inner": ("file:///etc", "1" * 40)})
    shop.with_submodules({b"lib": ("../lib.git", commit)})
    assert failure(job_for(server, tmp_path))[1].startswith('Submodule "lib/inner": the url ')


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"[submodule", ".gitmodules is no configuration file of git"),
        (b"\0\xff\n", ".gitmodules is no configuration file of git"),
        (b'[submodule "x"]\n\tpath\n\turl = ../lib.git\n', ".gitmodules has no path and url for "
                                                           "it"),
        (b'[include]\n\tpath = /etc/passwd\n', ".gitmodules has no path and url for it"),
        (b"#" * 2_000_000, ".gitmodules is larger than 1048576 bytes"),
    ],
)  # fmt: skip
def test_gitmodules_that_is_none_is_refused(
    server: GitServer, shop: Objects, tmp_path: Path, text: bytes, why: str
) -> None:
    shop.commit(shop.files({b".gitmodules": text}, (SUBMODULE, b"lib", "1" * 40)))
    assert failure(job_for(server, tmp_path))[1] in (why, f'Submodule "lib": {why}')


def test_chain_longer_than_the_depth_limit_ends(
    server: GitServer, shop: Objects, tmp_path: Path
) -> None:
    commit = shop.commit(shop.files({b"end": b""}))
    for _ in range(MAX_DEPTH + 1):
        commit = shop.with_submodules({b"again": ("../shop.git", commit)})
    path = "/".join(["again"] * (MAX_DEPTH + 1))
    message = f'Submodule "{path}": submodules are nested deeper than {MAX_DEPTH}'
    assert failure(job_for(server, tmp_path)) == ("JobFailed", message)


def test_more_submodules_than_the_limit_end(
    server: GitServer, shop: Objects, lib: Objects, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(submodules, "MAX_NUMBER", 2)
    commit = lib.commit(lib.files({}))
    shop.with_submodules(dict.fromkeys((b"a", b"b", b"c"), ("../lib.git", commit)))
    assert failure(job_for(server, tmp_path)) == (
        "JobFailed",
        'Submodule "c": there are more than 2 submodules',
    )


def test_limits_count_the_whole_checkout(
    server: GitServer, shop: Objects, lib: Objects, tmp_path: Path
) -> None:
    """.gitmodules, two submodules and the one file of each are five entries."""
    commit = lib.commit(lib.files({b"b.txt": b"b"}))
    shop.with_submodules({b"x": ("../lib.git", commit), b"y": ("../lib.git", commit)})
    job = job_for(server, tmp_path)
    job.request = job.request._replace(limits=job.request.limits._replace(artifact_entries=5))
    run(job)
    tight = job.request.limits._replace(artifact_entries=4)
    code, message = failure(FakeJob(tmp_path / "again", job.request._replace(limits=tight)))
    assert (code, message.startswith('Submodule "y": Commit ')) == ("JobFailed", True)
    assert "with all that is checked out before it, is larger than 4 files" in message


def test_path_that_leads_through_a_link_is_not_followed(
    server: GitServer, shop: Objects, lib: Objects, tmp_path: Path
) -> None:
    """CVE-2024-32002: a link stands where the submodule's parent folder is."""
    outside = tmp_path / "outside"
    (outside / "lib").mkdir(parents=True)
    commit = lib.commit(lib.files({b"b.txt": b"b"}))
    folder = shop.tree((SUBMODULE, b"lib", commit))
    text = b'[submodule "x"]\npath = a/lib\nurl = ../lib.git\n'
    link = shop.blob(str(outside).encode())
    shop.commit(shop.files({b".gitmodules": text}, (LINK, b"a", link), (FOLDER, b"a", folder)))
    job = job_for(server, tmp_path)
    with contextlib.suppress(ActionError):
        run(job)
    assert list((outside / "lib").iterdir()) == []


@pytest.mark.parametrize("name", [b".git", b".GIT", b".."])
def test_submodule_at_a_path_of_git_itself_is_refused(
    server: GitServer, shop: Objects, tmp_path: Path, name: bytes
) -> None:
    text = b'[submodule "x"]\npath = %s\nurl = ../lib.git\n' % name
    shop.commit(shop.files({b".gitmodules": text}, (SUBMODULE, name, "1" * 40)))
    code, message = failure(job_for(server, tmp_path))
    assert (code, "was not checked out: " in message or "no folder of the checkout" in message) == (
        "JobFailed",
        True,
    )


@pytest.mark.parametrize(
    ("parent", "url", "result"),
    [
        ("http://h/a/b.git", "../c.git", "http://h/a/c.git"),
        ("http://h/a/b.git/", "../c.git", "http://h/a/c.git"),
        ("http://h/a/b.git", "./c.git", "http://h/a/b.git/c.git"),
        ("https://h:8443/a/b", "../../c/d", "https://h:8443/c/d"),
        ("http://h/a/b.git", "../x/../c.git", "http://h/a/x/../c.git"),
    ],
)
def test_relative_url_is_read_as_git_reads_it(parent: str, url: str, result: str) -> None:
    assert remote_of(relative_to(parent, url)).url == result
