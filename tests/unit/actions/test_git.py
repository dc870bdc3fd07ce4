"""The Git source against Git's own HTTP server."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from penstock.actions.execution import ActionError, Outcome
from penstock.actions.git.execution import run
from penstock.actions.git.remote import remote_of, wanted_of
from penstock.api.contract.contracts import Limits, Revision
from tests.unit.actions.git_server import GitServer, git
from tests.unit.actions.jobs import FakeJob, request


@pytest.fixture
def server(tmp_path: Path) -> Iterator[GitServer]:
    served = GitServer(tmp_path / "served")
    repository = served.root / "team/shop.git"
    repository.mkdir(parents=True)
    git(repository, "init", "-q", "-b", "trunk", ".")
    (repository / "a.txt").write_text("one")
    git(repository, "add", ".")
    git(repository, "commit", "-q", "-m", "First")
    git(repository, "tag", "-a", "-m", "annotated", "v1")
    (repository / "a.txt").write_text("two")
    git(repository, "commit", "-q", "-a", "-m", "Second `id` $(id)\n\nWith a body\n'quoted'")
    git(repository, "branch", "feature/x")
    yield served
    served.close()


def head(server: GitServer, name: str = "HEAD") -> str:
    return git(server.root / "team/shop.git", "rev-parse", f"{name}^{{commit}}")


def job_for(
    server: GitServer, tmp_path: Path, revision: str | None = None, **configuration: str
) -> FakeJob:
    configuration.setdefault("Url", f"{server.address}/team/shop.git")
    return FakeJob(tmp_path / "job", request("git", configuration, revision=revision))


def failure(job: FakeJob) -> ActionError:
    with pytest.raises(ActionError) as caught:
        run(job)
    return caught.value


def test_without_revision_the_remote_head_is_fetched_and_described(
    server: GitServer, tmp_path: Path
) -> None:
    job = job_for(server, tmp_path)
    commit = head(server)
    message = "Second `id` $(id)\n\nWith a body\n'quoted'"
    assert run(job) == Outcome(
        variables={
            "AuthorDate": "2026-01-02T03:04:05+00:00",
            "BranchName": "trunk",
            "CommitId": commit,
            "CommitMessage": message,
            "FullRepositoryName": "team/shop",
        },
        revision=Revision(id=commit, summary=message, created="2026-01-02T03:04:06+00:00"),
        external_execution_id=commit,
        summary=f"{commit[:12]} Second `id` $(id)",
    )
    assert {path.name: path.read_text() for path in job.source.iterdir()} == {"a.txt": "two"}


@pytest.mark.parametrize(
    ("configuration", "branch", "text"),
    [
        ({"Branch": "feature/x"}, "feature/x", "two"),
        ({"Tag": "v1"}, "", "one"),
        ({"Commit": "v1"}, "", "one"),
        ({"Branch": "trunk", "revision": "v1"}, "trunk", "one"),
    ],
)
@pytest.mark.parametrize("form", ["CODE_ZIP", "CODEBUILD_CLONE_REF"])
def test_named_revision_is_fetched(
    server: GitServer,
    tmp_path: Path,
    configuration: dict[str, str],
    branch: str,
    text: str,
    form: str,
) -> None:
    for key in ("Commit", "revision"):
        if key in configuration:
            configuration = {**configuration, key: head(server, configuration[key])}
    job = job_for(server, tmp_path, OutputArtifactFormat=form, **configuration)
    outcome = run(job)
    assert ((job.source / "a.txt").read_text(), outcome.variables["BranchName"]) == (text, branch)
    assert (job.source / ".git").exists() == (form == "CODEBUILD_CLONE_REF")


def test_clone_ref_brings_history_branches_and_no_credential(
    server: GitServer, tmp_path: Path
) -> None:
    server.password = "canary-password"
    job = job_for(server, tmp_path, Branch="trunk", OutputArtifactFormat="CODEBUILD_CLONE_REF")
    with_secret(job, tmp_path, "canary-password")
    run(job)
    environment = {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "safe.directory",
        "GIT_CONFIG_VALUE_0": "*",
    }
    assert git(job.source, "log", "--format=%s", **environment).splitlines() == [
        "Second `id` $(id)",
        "First",
    ]
    assert git(job.source, "status", "--porcelain", "-b", **environment) == "## trunk"
    assert "remotes/origin/feature/x" in git(job.source, "branch", "-a", **environment)
    assert not [
        path for path in job.root.rglob("*") if path.is_file() and b"canary" in path.read_bytes()
    ]


def with_secret(job: FakeJob, tmp_path: Path, password: str) -> None:
    folder = tmp_path / "secret"
    folder.mkdir()
    (folder / "username").write_text("ada")
    (folder / "password").write_text(password + "\n")
    job.request = job.request._replace(secrets={"CredentialsSecret": str(folder)})


def test_code_zip_fetches_one_commit_only(
    server: GitServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = job_for(server, tmp_path, Branch="trunk")
    run(job)
    assert job.lines == [
        f'Fetching Branch "trunk" of {server.address}/team/shop.git',
        f"Checked out {head(server)}",
    ]
    assert not list(job.scratch.iterdir())


@pytest.mark.parametrize(
    ("configuration", "message"),
    [
        ({"Branch": "nope"}, 'Branch "nope" was not found in {url}'),
        ({"Tag": "nope"}, 'Tag "nope" was not found in {url}'),
        ({"Commit": "0" * 40}, f"Commit {'0' * 40} was not found in {{url}}"),
        ({"Branch": "a*"}, 'Branch "a*" was not found in {url}'),
        ({"Branch": "x:refs/heads/y"}, 'Branch "x:refs/heads/y" was not found in {url}'),
        ({"Branch": "a\nb"}, 'Branch "a\nb" was not found in {url}'),
    ],
)
@pytest.mark.parametrize("form", ["CODE_ZIP", "CODEBUILD_CLONE_REF"])
def test_missing_revision_is_named(
    server: GitServer, tmp_path: Path, configuration: dict[str, str], message: str, form: str
) -> None:
    error = failure(job_for(server, tmp_path, OutputArtifactFormat=form, **configuration))
    assert (error.code, error.message) == (
        "RevisionUnavailable",
        message.format(url=f"{server.address}/team/shop.git"),
    )


@pytest.mark.parametrize(
    "revision", ["--upload-pack=touch /tmp/pwned", "main", "-x", "HEAD~1", "abc"]
)
def test_revision_that_is_no_commit_id_is_refused(revision: str) -> None:
    """CVE-2026-40938: a revision became a git option."""
    with pytest.raises(ActionError) as caught:
        wanted_of({"Branch": "main"}, revision)
    assert caught.value.code == "ConfigurationError"


@pytest.mark.parametrize("key", ["Branch", "Tag"])
def test_name_that_begins_with_a_dash_is_refused(key: str) -> None:
    """CVE-2026-40938, for the other names."""
    with pytest.raises(ActionError, match="git would read as an option"):
        wanted_of({key: "--upload-pack=x"}, None)


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc",
        "/etc",
        "ext::sh -c id",
        "ext::id",
        "git://host/x",
        "ssh://host/x",
        "--upload-pack=x",
        "http://user:secret@host/x",
        "https://token@host/x",
        "http://",
        "http://ho st/x",
        "http://host/x\ny",
        "http://host:port/x",
        "http://-host/x",
        "host:path",
    ],
)
def test_url_that_is_not_plain_http_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(ActionError) as caught:
        remote_of(url)
    assert caught.value.code == "ConfigurationError"
    assert "secret" not in caught.value.message and "token" not in caught.value.message


def test_wrong_credentials_give_a_permission_error(server: GitServer, tmp_path: Path) -> None:
    server.password = "right-password"
    job = job_for(server, tmp_path)
    with_secret(job, tmp_path, "wrong-password")
    error = failure(job)
    assert (error.code, "refused access" in error.message) == ("PermissionError", True)
    assert "wrong-password" not in error.message


def test_private_repository_without_credentials_asks_nobody(
    server: GitServer, tmp_path: Path
) -> None:
    server.password = "right-password"
    assert failure(job_for(server, tmp_path, Branch="trunk")).code == "PermissionError"


def test_credential_is_never_sent_to_the_host_of_a_redirect(
    server: GitServer, tmp_path: Path
) -> None:
    """CVE-2026-40161: a credential is bound to its host."""
    other = GitServer(server.root)
    server.redirect = other.address
    job = job_for(server, tmp_path)
    with_secret(job, tmp_path, "canary-password")
    error = failure(job)
    other.close()
    assert (error.code, "redirects elsewhere" in error.message) == ("ConfigurationError", True)
    assert other.authorizations == []


def test_missing_repository_is_a_configuration_error(server: GitServer, tmp_path: Path) -> None:
    error = failure(job_for(server, tmp_path, Url=f"{server.address}/team/none.git"))
    assert (error.code, "was not found" in error.message) == ("ConfigurationError", True)


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/x.git", "http://no-such-host.invalid/x.git"])
def test_host_that_does_not_answer_is_named(server: GitServer, tmp_path: Path, url: str) -> None:
    error = failure(job_for(server, tmp_path, Url=url))
    assert error.code == "SystemUnavailable"
    assert "Git host " in error.message and " could not be reached: " in error.message


def test_tree_that_is_too_large_is_refused_before_it_is_written(
    server: GitServer, tmp_path: Path
) -> None:
    job = job_for(server, tmp_path)
    job.request = job.request._replace(
        limits=Limits(timeout_s=20, artifact_bytes=100_000, artifact_entries=0)
    )
    assert failure(job).code == "JobFailed"
    assert not list(job.source.iterdir())


def test_hook_filter_and_ambient_configuration_do_nothing(
    server: GitServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    marker = tmp_path / "ran"
    home = tmp_path / "home"
    home.mkdir()
    (home / ".gitconfig").write_text(
        f'[filter "x"]\n smudge = touch {marker}\n[core]\n hooksPath = {home}\n'
    )
    (home / "post-checkout").write_text(f"#!/bin/sh\ntouch {marker}\n")
    (home / "post-checkout").chmod(0o755)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "core.hooksPath")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", str(home))
    repository = server.root / "team/shop.git"
    (repository / ".gitattributes").write_text("* filter=x\n")
    git(repository, "add", ".gitattributes")
    git(repository, "commit", "-q", "-m", "Attributes")
    run(job_for(server, tmp_path))
    assert not marker.exists()


def test_link_in_a_repository_stays_a_link(server: GitServer, tmp_path: Path) -> None:
    """CVE-2026-33211: nothing outside the checkout is read; packing then refuses such a link."""
    repository = server.root / "team/shop.git"
    (repository / "out").symlink_to("../../var/run/secrets/token")
    git(repository, "add", "out")
    git(repository, "commit", "-q", "-m", "Link")
    job = job_for(server, tmp_path)
    run(job)
    assert str((job.source / "out").readlink()) == "../../var/run/secrets/token"


def test_long_commit_message_is_cut(server: GitServer, tmp_path: Path) -> None:
    repository = server.root / "team/shop.git"
    git(repository, "commit", "-q", "--allow-empty", "-m", "ä" * 5000)
    outcome = run(job_for(server, tmp_path))
    assert outcome.variables["CommitMessage"] == "ä" * 500 + "…"
