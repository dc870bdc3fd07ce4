"""The Git source on a real cluster: what it brings beside a commit's own files."""

from __future__ import annotations

from pathlib import Path

from tests.cluster import Cluster
from tests.e2e.conftest import Team, commands, git, stage
from tests.git_objects import Objects


def push(cluster: Cluster, objects: Objects, name: str) -> str:
    """Push all branches of a repository to the cluster's Git server; return the URL that pods know it by."""
    user = f"{cluster.git.user}:{cluster.git.password}@"
    objects.git("push", "-q", f"{cluster.git.url.replace('://', '://' + user)}/{name}.git", "refs/heads/*")
    return f"{cluster.git.cluster_url}/{name}.git"


def test_submodules_arrive_in_the_next_action_in_both_formats(cluster: Cluster, team: Team, tmp_path: Path) -> None:
    """The parent and one submodule are private; .git holds the history of the parent alone."""
    inner, lib, shop = (Objects(tmp_path / name) for name in ("inner", "lib", "shop"))
    inner_commit = inner.commit(inner.files({b"c.txt": b"c"}))
    push(cluster, inner, f"{team.namespace}/inner")
    lib_commit = lib.with_submodules({b"inner": (f"../../{team.namespace}/inner.git", inner_commit)}, {b"b.txt": b"b"})
    push(cluster, lib, f"private/{team.namespace}-lib")
    shop.with_submodules({b"lib": (f"../{team.namespace}-lib.git", lib_commit)}, {b"a.txt": b"a"})
    url = push(cluster, shop, f"private/{team.namespace}-shop")
    keys = {"username": cluster.git.user, "password": cluster.git.password}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "login"}, "type": "kubernetes.io/basic-auth"}
    team.kube.apply([{**secret, "stringData": keys}], team.namespace)
    check = (
        'test "$(cat a.txt lib/b.txt lib/inner/c.txt)" = abc',
        'FOUND=$(find . -name .git | tr "\\n" " ")',
    )
    forms = {"Files": "CODE_ZIP", "Clone": "CODEBUILD_CLONE_REF"}
    settings = {"Branch": "main", "FetchSubmodules": "true", "CredentialsSecret": "login"}
    team.pipeline(
        "web",
        stage("Source", *(git(name, url, name, OutputArtifactFormat=form, **settings) for name, form in forms.items())),
        stage("Use", *(
            commands(f"Use{name}", *check, inputArtifacts=[{"name": name}], outputVariables=["FOUND"])
            for name in forms
        )),
    )  # fmt: skip
    team.start("web")
    assert team.ended()["state"] == "Succeeded", team.status()["statusSummary"]
    assert [team.execution(f"Use{name}")["outputVariables"]["FOUND"] for name in forms] == ["", "./.git "]
