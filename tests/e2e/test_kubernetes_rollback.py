"""RollbackOnFailure: a deploy that fails after its first write goes back to
the last that succeeded (ADR 6).
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cluster import Cluster
from tests.e2e.conftest import Team, deploy, stage
from tests.e2e.failures import new_team
from tests.e2e.manifests import allow_edit, config_map, deployment, log_of, make
from tests.support.kube import Kube

BUSYBOX = "docker.io/library/busybox:1.35"
NO_IMAGE = "127.0.0.1:9/team/web:1"
SLEEP = ("sleep", "3600")


@pytest.fixture(scope="module")
def team(cluster: Cluster, kube: Kube) -> Iterator[Team]:
    with new_team(cluster, kube) as team:
        allow_edit(kube, team.namespace, team.namespace)
        good = [deployment("web", BUSYBOX, SLEEP), config_map("settings", x="1"), config_map("old")]
        bad = [
            deployment("web", NO_IMAGE, progressDeadlineSeconds=4),
            config_map("settings", x="2"),
            config_map("added"),
        ]
        team.pipeline(
            "web",
            make(Good=good, Bad=bad),
            *(
                stage(name, deploy(name, name, ApplySet="web", RollbackOnFailure="true"))
                for name in ("Good", "Bad")
            ),
        )
        team.pipeline(
            "first", make(Bad=[config_map("one"), deployment("first", NO_IMAGE,
            progressDeadlineSeconds=3)]),
            stage("Bad", deploy("Bad", "Bad", RollbackOnFailure="true")),
        )  # fmt: skip
        team.start("web", "web")
        team.start("first", "first")
        yield team


def test_broken_image_is_rolled_back_and_the_action_fails_with_its_reason(team: Team) -> None:
    assert team.ended("web")["state"] == "Failed"
    details = team.execution("Bad", "web")["errorDetails"]
    assert details["code"] == "JobFailed"
    assert details["message"].startswith("Deployment web: ProgressDeadlineExceeded: ")
    assert details["message"].endswith("; rolled back to what run web applied"), log_of(
        team, "Bad", "web"
    )
    web = team.kube.get("deployments", team.namespace, "web")
    assert web["spec"]["template"]["spec"]["containers"][0]["image"] == BUSYBOX
    assert (web["status"]["readyReplicas"], web["status"]["updatedReplicas"]) == (1, 1)
    settings = {
        item["metadata"]["name"]: item for item in team.kube.objects("configmaps", team.namespace)
    }
    assert settings["settings"]["data"] == {"x": "1"}
    assert "old" in settings and "added" not in settings


def test_first_deploy_has_nothing_to_go_back_to(team: Team) -> None:
    assert team.ended("first")["state"] == "Failed"
    message = team.execution("Bad", "first")["errorDetails"]["message"]
    assert "; not rolled back: ApplySet penstock-first-bad-" in message
    assert message.endswith(" has had no success with RollbackOnFailure yet")
    assert team.kube.find("configmaps", team.namespace, "one") is not None
