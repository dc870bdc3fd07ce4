"""The Git source on a real cluster: what it brings beside a commit's own files."""

from __future__ import annotations

import hashlib
import random
from pathlib import Path

from tests.cluster import Cluster
from tests.e2e.conftest import Team, commands, git, stage
from tests.e2e.manifests import log_of
from tests.support.git_lfs import ATTRIBUTES, pointer, put
from tests.support.git_objects import Objects


def push(cluster: Cluster, objects: Objects, name: str, refs: str = "refs/heads/*") -> str:
    """Push a repository's branches to the cluster's Git server; return the
    URL that pods know it by.
    """
    user = f"{cluster.git.user}:{cluster.git.password}@"
    objects.git("push", "-q", f"{cluster.git.url.replace('://', '://' + user)}/{name}.git", refs)
    return f"{cluster.git.cluster_url}/{name}.git"


def login(team: Team) -> None:
    """Create the Secret ``login`` for what is private on the Git server."""
    keys = {"username": team.cluster.git.user, "password": team.cluster.git.password}
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "login"},
        "type": "kubernetes.io/basic-auth",
    }
    team.kube.apply([{**secret, "stringData": keys}], team.namespace)


def test_submodules_arrive_in_the_next_action_in_both_formats(
    cluster: Cluster, team: Team, tmp_path: Path
) -> None:
    """The parent and one submodule are private; .git holds the history of the parent alone."""
    inner, lib, shop = (Objects(tmp_path / name) for name in ("inner", "lib", "shop"))
    inner_commit = inner.commit(inner.files({b"c.txt": b"c"}))
    push(cluster, inner, f"{team.namespace}/inner")
    lib_commit = lib.with_submodules(
        {b"inner": (f"../../{team.namespace}/inner.git", inner_commit)}, {b"b.txt": b"b"}
    )
    push(cluster, lib, f"private/{team.namespace}-lib")
    shop.with_submodules({b"lib": (f"../{team.namespace}-lib.git", lib_commit)}, {b"a.txt": b"a"})
    url = push(cluster, shop, f"private/{team.namespace}-shop")
    login(team)
    check = (
        'test "$(cat a.txt lib/b.txt lib/inner/c.txt)" = abc',
        'FOUND=$(find . -name .git | tr "\\n" " ")',
    )
    forms = {"Files": "CODE_ZIP", "Clone": "CODEBUILD_CLONE_REF"}
    settings = {"Branch": "main", "FetchSubmodules": "true", "CredentialsSecret": "login"}
    team.pipeline(
        "web",
        stage("Source", *(git(name, url, name, OutputArtifactFormat=form, **settings) for name,
        form in forms.items())),
        stage("Use", *(
            commands(f"Use{name}", *check, inputArtifacts=[{"name": name}],
            outputVariables=["FOUND"])
            for name in forms
        )),
    )  # fmt: skip
    team.start("web")
    assert team.ended()["state"] == "Succeeded", team.status()["statusSummary"]
    assert [team.execution(f"Use{name}")["outputVariables"]["FOUND"] for name in forms] == [
        "",
        "./.git ",
    ]


def test_files_in_git_lfs_arrive_whole_and_one_that_is_missing_is_named(
    cluster: Cluster, team: Team, tmp_path: Path
) -> None:
    """Sixty megabytes pass an agent of 192 MiB; a submodule has LFS files of its own, and the log
    tells of pointers.
    """
    large, small = random.Random(1).randbytes(60_000_000), b"small"
    lib, shop = (Objects(tmp_path / name) for name in ("lib", "shop"))
    lib_commit = lib.commit(lib.files({b".gitattributes": ATTRIBUTES, b"b.bin": pointer(small)}))
    store = f"{cluster.git.url}/private/{team.namespace}"
    push(cluster, lib, f"private/{team.namespace}-lib")
    put(f"{store}-lib.git", small, cluster.git.user, cluster.git.password)
    files = {b".gitattributes": ATTRIBUTES, b"a.bin": pointer(large)}
    shop.with_submodules({b"lib": (f"../{team.namespace}-lib.git", lib_commit)}, files)
    url = push(cluster, shop, f"private/{team.namespace}-shop")
    login(team)
    settings = {"Branch": "main", "FetchSubmodules": "true", "CredentialsSecret": "login"}
    check = "DIGEST=$(cat a.bin lib/b.bin | sha256sum | cut -c 1-64)"
    use = commands("Use", check, inputArtifacts=[{"name": "Source"}], outputVariables=["DIGEST"])
    team.pipeline(
        "web", stage("Source", git("Fetch", url, FetchLfs="true", **settings)), stage("Use", use)
    )
    team.pipeline("pointers", stage("Source", git("Fetch", url, **settings)))
    team.start("web", "missing")
    details = team.ended("missing") and team.execution("Fetch", "missing")["errorDetails"]
    assert details["code"] == "JobFailed"
    assert details["message"].startswith(f'Git LFS server {url}/info/lfs: "a.bin" (')

    put(f"{store}-shop.git", large, cluster.git.user, cluster.git.password)
    team.start("web")
    team.start("pointers", "pointers")
    assert team.ended()["state"] == "Succeeded", team.status()["statusSummary"]
    digest = hashlib.sha256(large + small).hexdigest()
    assert team.execution("Use")["outputVariables"]["DIGEST"] == digest
    assert team.ended("pointers")["state"] == "Succeeded"
    told = '1 file is a Git LFS pointer; set FetchLfs to "true" to fetch what they stand for'
    assert sum(told in line for line in log_of(team, "Fetch", "pointers")) == 2
