"""Custom actions on a real cluster: what they report, how each failure shows,
and that a secret shows nowhere.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Iterator
from typing import Any

import pytest

from tests.cluster import Cluster
from tests.e2e.conftest import Team, commands, stage
from tests.e2e.failures import (
    ACTION,
    STAGE,
    Failing,
    assert_nothing_runs,
    assert_shown,
    new_team,
    running_pod,
)
from tests.e2e.test_failures_container import NO_IMAGE
from tests.e2e.test_secrets import PLURALS, assert_clean, logs, stored
from tests.e2e.test_stop import ask
from tests.support.kube import Document, Kube, eventually

BUSYBOX = "docker.io/library/busybox:1.35"
PLANTED = f"planted-{secrets.token_hex(12)}"
AT_WORK = "at work"
PROPERTIES: list[Document] = [{"name": "Target"}, {"name": "Token", "secret": True}]
DEPLOY = """
set -e
token=$(cat "$PENSTOCK_SECRET_DIR/Token/token"); echo "the token is $token"
target=$(cat "$PENSTOCK_CONFIGURATION_DIR/Target")
echo "$target: $(cat site.txt)" > "$PENSTOCK_OUTPUT_DIR/Receipt/receipt.txt"
cd "$PENSTOCK_RESULT_DIR"
echo "$target" > variables/Deployed
echo "$token" > variables/Stolen
echo "deployed $target with $token" > summary
echo "job/$token" > externalExecutionId
echo 100 > percentComplete
"""


def action_type(name: str, *lines: str, kind: str = "ActionType", **fields: Any) -> Document:
    """Return an ActionType of one's own provider; any number of artifacts is taken."""
    any_number = {"minimumCount": 0, "maximumCount": 5}
    spec = {
        "category": "Deploy",
        "provider": name,
        "configurationProperties": PROPERTIES,
        "inputArtifactDetails": any_number,
        "outputArtifactDetails": any_number,
        "template": {"image": BUSYBOX, "commands": list(lines), **fields.pop("template", {})},
        **fields,
    }
    return {
        "apiVersion": "penstock.dev/v1alpha1",
        "kind": kind,
        "metadata": {"name": name},
        "spec": spec,
    }


def custom(provider: str, name: str = ACTION, **fields: Any) -> Document:
    """Return an action of it."""
    return {
        "name": name,
        "actionTypeId": {
            "category": "Deploy",
            "owner": "Custom",
            "provider": provider,
            "version": "1",
        },
        **fields,
    }


CASES = (
    (
        action_type(
            "own-failure",
            'echo PermissionError > "$PENSTOCK_RESULT_DIR/failureType"',
            'echo "role deployer is gone" > "$PENSTOCK_RESULT_DIR/failureMessage"; exit 3',
        ),
        Failing("own-failure", custom("own-failure"), "PermissionError", "role deployer is gone"),
    ),
    (
        action_type("no-words", "true", "exit 3"),
        Failing(
            "no-words",
            custom("no-words"),
            "JobFailed",
            "no-words: command 2 of 2 ended with exit code 3",
        ),
    ),
    (
        action_type("no-image", "true", template={"image": NO_IMAGE}),
        Failing(
            "no-image",
            custom("no-image"),
            "ImagePullBackOff",
            re.compile(r"container action did not start within 15 s: .*", re.DOTALL),
        ),
    ),
    (
        action_type("no-secret", "true"),
        Failing(
            "no-secret",
            custom("no-secret", configuration={"Token": "nowhere"}),
            "ConfigurationError",
            re.compile(
                "configuration.Token: there is no Secret nowhere in namespace .*, or it is empty"
            ),
        ),
    ),
    (
        action_type("refused-job", "true", template={"priorityClassName": "no..name"}),
        Failing(
            "refused-job",
            custom("refused-job"),
            "Invalid",
            re.compile(
                r"the API server refuses the Job: .*spec.template.spec.priorityClassName: Invalid "
                r".*"
            ),
        ),
    ),
    (
        action_type("too-slow", 'echo 7 > "$PENSTOCK_RESULT_DIR/externalExecutionId"; sleep 600'),
        Failing("too-slow", custom("too-slow"), "TimedOut", "Timed out after 70 s"),
    ),
)


@pytest.fixture(scope="module")
def team(cluster: Cluster, kube: Kube) -> Iterator[Team]:
    """Start what must fail, and what must not, at once."""
    with new_team(cluster, kube) as found:
        secret = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "token"},
            "stringData": {"token": PLANTED},
        }
        settings = {
            "entityUrlTemplate": "https://ci.example.com/{Config:Target}",
            "executionUrlTemplate": "https://ci.example.com/{Config:Target}/{ExternalExecutionId}",
        }
        kube.apply([secret, action_type("ship", DEPLOY, settings=settings)], found.namespace)
        make = commands("Make", "echo text > site.txt", outputArtifacts=[{"name": "Site"}])
        ship = custom(
            "ship",
            "Ship",
            configuration={"Target": "blue green", "Token": "token"},
            inputArtifacts=[{"name": "Site"}],
            outputArtifacts=[{"name": "Receipt"}],
            namespace="Shipped",
        )
        read = commands("Read", 'cat receipt.txt; test "#{Shipped.Deployed}" = "blue green"')
        read |= {"inputArtifacts": [{"name": "Receipt"}]}
        found.pipeline(
            "ship", stage("Make", make), stage("Ship", ship), stage("Read", read), wait=False
        )
        found.start("ship", "ship")
        kube.apply([item for item, _ in CASES], found.namespace)
        for _, case in CASES:
            found.pipeline(case.name, *case.stages, wait=False)
            found.start(case.name, case.name)
        yield found


def test_p_81_custom_action_reads_its_inputs_and_reports_what_it_made(team: Team) -> None:
    assert team.ended("ship")["statusSummary"] == "all stages succeeded"
    row = team.execution("Ship", "ship")
    assert row["outputVariables"] == {"Deployed": "blue green", "Stolen": "***"}
    assert (row["summary"], row["percentComplete"]) == ("deployed blue green with ***", 100)
    assert row["externalExecutionId"] == "job/***"
    assert row["externalExecutionUrl"] == "https://ci.example.com/blue%20green/job%2F%2A%2A%2A"
    assert row["entityUrl"] == "https://ci.example.com/blue%20green"
    frozen = row["actionType"]
    live = team.kube.get("actiontypes", team.namespace, "ship")
    assert (frozen["kind"], frozen["uid"], frozen["generation"]) == (
        "ActionType",
        live["metadata"]["uid"],
        1,
    )


@pytest.mark.parametrize("case", [case for _, case in CASES], ids=str)
def test_failed_custom_action_shows_its_cause(team: Team, case: Failing) -> None:
    last = assert_shown(team, case)
    if case.name == "too-slow":
        assert last["externalExecutionId"] == "7"


def test_planted_secret_is_in_no_log_object_event_or_artifact(cluster: Cluster, team: Team) -> None:
    team.ended("ship")
    found = dict(logs(team)) | dict(stored(cluster, team))
    assert any(b"the token is ***" in data for data in found.values())
    found |= {
        name: json.dumps(team.kube.objects(name, team.namespace)).encode()
        for name in (*PLURALS, "actiontypes")
    }
    assert_clean(found, {"planted secret": PLANTED.encode()})


def test_lost_pod_is_not_run_again_unless_the_action_type_says_so(team: Team) -> None:
    """By eviction, as a node's drain does it; the type is edited meanwhile,
    which changes nothing under way.
    """
    work = f"echo {AT_WORK}; sleep ${{PENSTOCK_TRY:+6}}"
    for name in ("fail", "rerun"):
        team.kube.apply([action_type(f"on-lost-{name}", work, onLostPod=name)], team.namespace)
        team.pipeline(f"lost-{name}", stage(STAGE, custom(f"on-lost-{name}")))
        team.start(f"lost-{name}", f"lost-{name}")
    for name in ("fail", "rerun"):
        pod = running_pod(team, f"lost-{name}", says=AT_WORK)["metadata"]["name"]
        team.kube.apply([action_type(f"on-lost-{name}", "exit 9", onLostPod=name)], team.namespace)
        eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod}}
        team.kube.request(
            "POST", f"/api/v1/namespaces/{team.namespace}/pods/{pod}/eviction", eviction
        )

    assert team.ended("lost-fail")["state"] == "Failed"
    row = team.execution(ACTION, "lost-fail")
    assert (row["try"], row["errorDetails"]["code"]) == (1, "ExecutionLost")
    assert team.ended("lost-rerun")["state"] == "Succeeded"
    row = team.execution(ACTION, "lost-rerun")
    assert (row["try"], row["actionType"]["generation"]) == (2, 1)


def test_custom_action_is_stopped_as_any_other(team: Team) -> None:
    team.kube.apply([action_type("slow", f"echo {AT_WORK}; sleep 300")], team.namespace)
    team.pipeline("stopped", stage(STAGE, custom("slow")))
    team.start("stopped", "stopped")
    running_pod(team, "stopped", says=AT_WORK)
    ask(team, "stopped", abandon=True)
    assert team.ended("stopped")["state"] == "Stopped"
    assert team.execution(ACTION, "stopped")["status"] == "Abandoned"
    assert_nothing_runs(team, "stopped")


def test_clusters_action_type_makes_a_pipeline_ready_and_the_namespaces_is_preferred(
    kube: Kube, team: Team
) -> None:
    name = f"everywhere-{secrets.token_hex(3)}"
    team.pipeline("shared", stage(STAGE, custom(name)))

    def ready() -> tuple[str, str]:
        found = team.condition("pipelines", "shared", "Ready") or {}
        return found.get("status", ""), found.get("message", "")

    missing = (
        f"spec.stages[0].actions[0].actionTypeId: there is no ActionType Deploy / Custom / {name} "
        f"/ 1; "
    )
    status, message = ready()
    assert status == "False"
    assert message.startswith(missing)
    kube.apply([action_type(name, "true", kind="ClusterActionType")], "")
    try:
        eventually(lambda: ready()[0] == "True", 20, "the Pipeline is valid")
        team.start("shared", "of-the-cluster")
        assert team.ended("of-the-cluster")["state"] == "Succeeded"
        assert team.execution(ACTION, "of-the-cluster")["actionType"]["kind"] == "ClusterActionType"
        kube.apply([action_type(name, "exit 5")], team.namespace)
        eventually(lambda: _runs_own(team, name), 60, "a run on the namespace's own")
    finally:
        kube.delete("clusteractiontypes", None, name)


def _runs_own(team: Team, name: str) -> bool:
    """Whether a new run is on the namespace's own type; which one a start
    sees depends on its watch.
    """
    run = team.start("shared", f"own-{secrets.token_hex(3)}")
    team.ended(run)
    row = team.execution(ACTION, run)
    return bool(
        row["actionType"]["kind"] == "ActionType"
        and row["errorDetails"]["message"].endswith("exit code 5")
    )
