"""Action pods in namespaces that enforce Pod Security levels, and containers
of different users in one pod.
"""

from __future__ import annotations

import re

import pytest

from tests.e2e.conftest import Team, commands, git, stage
from tests.support.install import push_repository

BUSYBOX, DEBIAN = "docker.io/library/busybox:1.35", "docker.io/library/debian:12-slim"


def enforce(team: Team, level: str) -> None:
    label = {"pod-security.kubernetes.io/enforce": level}
    team.kube.request(
        "PATCH",
        f"/api/v1/namespaces/{team.namespace}",
        {"metadata": {"labels": label}},
        content_type="application/merge-patch+json",
    )


@pytest.mark.parametrize("image", [BUSYBOX, DEBIAN], ids=["busybox", "debian"])
def test_root_of_an_image_works_at_the_baseline_level_and_its_files_reach_the_next_action(
    team: Team, image: str
) -> None:
    enforce(team, "baseline")
    team.pipeline(
        "p",
        stage("Build", commands("Make", "mkdir -p out/deep; umask 022; echo made > "
                                        "out/deep/file", image=image,
                                outputArtifacts=[{"name": "Out", "files": ["out/**/*"]}])),
        stage("Use", commands("Read", "test \"$(cat out/deep/file)\" = made", "echo more >> "
                                                                              "out/deep/file",
                                                                                  image=image,
                              inputArtifacts=[{"name": "Out"}])),
    )  # fmt: skip
    team.start("p")
    status = team.ended()
    assert status["state"] == "Succeeded", status.get("statusSummary")


def test_image_whose_user_is_not_root_reads_and_changes_what_the_agent_unpacked(team: Team) -> None:
    """The Penstock image itself runs as 65532; root's files of the action
    before reach it through the group.
    """
    team.pipeline(
        "p",
        stage("Build", commands("Make", "echo made > file", image=BUSYBOX,
        outputArtifacts=[{"name": "Out"}])),
        stage("Use", commands("Read", 'test "$(id -u)" = 65532', "echo more >> file",
        "grep -q made file",
                              image=team.cluster.image, inputArtifacts=[{"name": "Out"}])),
    )  # fmt: skip
    team.start("p")
    status = team.ended()
    assert status["state"] == "Succeeded", status.get("statusSummary")


def test_action_of_the_agent_alone_works_at_the_restricted_level(team: Team) -> None:
    enforce(team, "restricted")
    repository = push_repository(team.cluster, f"security/{team.namespace}", {"file": "x"})
    team.pipeline("p", stage("Source", git("Fetch", repository.cluster_url)))
    team.start("p")
    status = team.ended()
    assert status["state"] == "Succeeded", status.get("statusSummary")


def test_pod_that_the_restricted_level_refuses_fails_the_action_with_where_to_look(
    team: Team,
) -> None:
    enforce(team, "restricted")
    team.pipeline("p", stage("Build", commands("Make", "true")))
    team.start("p")
    status = team.ended()
    details = team.execution("Make")["errorDetails"]
    assert status["state"] == "Failed"
    assert details["code"] == "NoPod"
    assert re.fullmatch(
        'no pod was created within 15 s; .*violates PodSecurity "restricted:latest": .+',
        details["message"],
    )
