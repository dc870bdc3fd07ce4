"""Rolling a stage back on a real cluster (X-67..X-70): what was deployed by
an earlier run is deployed again.
"""

from __future__ import annotations

import json
from typing import Any

from tests.e2e.conftest import Team, commands, stage
from tests.e2e.test_stop import rows
from tests.support.install import BUCKET, s3_client
from tests.support.kube import Document, eventually

SITE = [{"name": "Site", "files": ["site"]}]


def delivery(team: Team, ship: str = "true", **deploy: Any) -> None:
    """Apply a pipeline that builds a site of the run's VERSION, and ships it."""
    makes = commands("Make", 'echo "version $VERSION" > site', outputArtifacts=SITE,
        environmentVariables=[
        {"name": "VERSION", "value": "#{variables.VERSION}"}
    ])  # fmt: skip
    ships = commands(
        "Ship", ship, "cat site", inputArtifacts=[{"name": "Site"}], outputVariables=["SHIPPED"]
    )
    ships["commands"] = [ship, "SHIPPED=$(cat site)"]
    team.pipeline(
        "web",
        stage("Build", makes),
        {**stage("Deploy", ships), **deploy},
        stage("Check", commands("Look", "true")),
        variables=[{"name": "VERSION"}],
    )


def deliver(team: Team, version: int) -> Document:
    run = team.start(
        "web", f"run-{version}", variables=[{"name": "VERSION", "value": str(version)}]
    )
    return team.ended(run)


def roll_back(team: Team, name: str, **rollback: str) -> None:
    """Create a rollback as a user does who has nothing but kubectl."""
    spec = {"pipelineRef": {"name": "web"}, "executionType": "ROLLBACK", "rollback": rollback}
    body = {
        "apiVersion": "penstock.dev/v1alpha1",
        "kind": "PipelineRun",
        "metadata": {"name": name},
        "spec": spec,
    }
    team.kube.kubectl("-n", team.namespace, "create", "-f", "-", text=json.dumps(body))


def shipped(team: Team, run: str) -> str:
    return str(team.execution("Ship", run)["outputVariables"]["SHIPPED"])


def test_x_67_stage_is_rolled_back_to_what_an_earlier_run_deployed(team: Team) -> None:
    delivery(team)
    assert [deliver(team, version)["state"] for version in (1, 2)] == ["Succeeded", "Succeeded"]
    assert shipped(team, "run-2") == "version 2"
    uid = team.run("run-1")["metadata"]["uid"]
    roll_back(team, "back", stageName="Deploy", targetRun="run-1")
    status = team.ended("back")

    assert status["state"] == "Succeeded"
    assert rows(status) == {"Deploy": "Succeeded", "Ship": "Succeeded"}
    assert shipped(team, "back") == "version 1"
    assert (
        status["executionType"],
        status["rollbackMetadata"]["rollbackTargetPipelineExecutionId"],
    ) == (
        "ROLLBACK",
        uid,
    )
    roll_back(
        team,
        "by-id",
        stageName="Deploy",
        targetPipelineExecutionId=team.run("run-2")["metadata"]["uid"],
    )
    assert team.ended("by-id")["state"] == "Succeeded"
    assert shipped(team, "by-id") == "version 2"
    roll_back(team, "again", stageName="Deploy", targetRun="back")
    assert "UnableToRollbackStage" in json.dumps(team.ended("again")["conditions"])


def test_rollback_whose_artifact_is_gone_fails_before_it_has_an_effect_and_names_it(
    team: Team,
) -> None:
    delivery(team)
    deliver(team, 1)
    key = f"{team.stored_below('Make', 'run-1')}/Site"
    s3_client(team.cluster).delete_object(Bucket=BUCKET, Key=key)
    roll_back(team, "back", stageName="Deploy", targetRun="run-1")
    status = team.ended("back")
    assert status["state"] == "Failed"
    assert 'Input artifact "Site" is gone' in status["statusSummary"]
    assert f"the object {key} does not exist" in status["statusSummary"]


def test_oracle_o_13_stage_that_fails_is_rolled_back_by_itself(team: Team) -> None:
    delivery(team, ship="! grep -q 'version 2' site", onFailure={"result": "ROLLBACK"})
    assert deliver(team, 1)["state"] == "Succeeded"
    failed = deliver(team, 2)
    assert failed["state"] == "Failed"
    name = failed["automaticRollback"]["run"]
    assert f"rolled back to run run-1 by run {name}" in failed["statusSummary"]
    eventually(
        lambda: team.kube.find("pipelineruns", team.namespace, name), 10, "the rollback exists"
    )
    status = team.ended(name)
    assert status["state"] == "Succeeded"
    assert shipped(team, name) == "version 1"
    assert rows(status) == {"Deploy": "Succeeded", "Ship": "Succeeded"}
