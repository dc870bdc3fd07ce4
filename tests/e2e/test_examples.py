"""Every example reaches the end that its README promises, through the CLI
where a user would use it.

Triggers are on, as the chart has them (first hour, 16): creating a Pipeline starts its first run,
and so does a push.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from functools import partial

import pytest
import yaml

from tests.cluster import Cluster
from tests.e2e import demo, sam_demo
from tests.e2e.conftest import Team
from tests.support.approvals import pending
from tests.support.install import (
    ROOT,
    files_below,
    make_store_secret,
    push_repository,
)
from tests.support.kube import Kube, KubeError, eventually, served

pytestmark = [pytest.mark.with_triggers, pytest.mark.usefixtures("chart_with_triggers")]


def penstock(team: Team, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the penstock command in the team's namespace."""
    return subprocess.run(
        [sys.executable, "-m", "penstock.cli", "-n", team.namespace, *arguments],
        env={**os.environ, "KUBECONFIG": team.cluster.kubeconfig, "COLUMNS": "200"},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def first_run(
    team: Team, pipeline: str, trigger: str = "CreatePipeline", seconds: float = 90
) -> str:
    """Wait for the run that nobody here has started, and for its success; return its name."""

    def found() -> str | None:
        for run in team.kube.objects("pipelineruns", team.namespace):
            of, kind = (
                run["spec"]["pipelineRef"]["name"],
                run["spec"].get("trigger", {}).get("triggerType"),
            )
            if (of, kind) == (pipeline, trigger) and run["metadata"]["name"] not in team.seen:
                return str(run["metadata"]["name"])
        return None

    name: str = eventually(found, 60, f"a run of {pipeline} by {trigger}")
    team.seen.add(name)
    status = team.ended(name, seconds=seconds)
    assert status["state"] == "Succeeded", status.get("statusSummary")
    return name


def started(team: Team, pipeline: str) -> list[str]:
    """Return the trigger types of a pipeline's runs."""
    runs = team.kube.objects("pipelineruns", team.namespace)
    return [
        run["status"]["trigger"]["triggerType"]
        for run in runs
        if run["spec"]["pipelineRef"]["name"] == pipeline
    ]


def is_ready(team: Team, pipeline: str) -> bool:
    """Whether the operator found a definition valid."""
    condition = team.condition("pipelines", pipeline, "Ready")
    return condition is not None and condition["status"] == "True"


def test_all_examples_are_run_here() -> None:
    assert sorted(path.name for path in (ROOT / "examples").iterdir()) == [
        "01-hello",
        "02-web",
        "03-devops",
        "04-source-build-deploy",
        "05-approval",
        "06-modes",
        "07-conditions-and-rollback",
        "08-sam-five-stages",
        "09-custom-action",
    ]


def test_01_hello_greets_whom_it_is_told_to(team: Team) -> None:
    team.kube.apply((ROOT / "examples" / "01-hello" / "pipeline.yaml").read_text(), team.namespace)
    created = first_run(team, "hello")
    assert "[Greet/Hello] Hello, world" in penstock(team, "logs", created).stdout.splitlines()
    begun = penstock(team, "start", "hello", "--var", "Whom=Penstock", "--name", "first", "--watch")
    assert begun.returncode == 0, begun.stderr
    assert "Greet/Hello: Succeeded" in begun.stdout

    logs = penstock(team, "logs", "first").stdout
    assert "[Greet/Hello] Hello, Penstock" in logs.splitlines()
    assert f"This is run {team.run('first')['metadata']['uid']}" in logs
    assert team.execution("Hello", "first")["outputVariables"] == {"GREETED": "Penstock"}
    described = penstock(team, "describe", "first").stdout
    assert "variable  Whom = Penstock" in described
    assert "output    Greet/Hello  GREETED = Penstock" in described
    assert "first" in penstock(team, "runs", "hello").stdout


WEB = "/api/v1/namespaces/web-production/services/web:http/proxy/"


def test_02_web_serves_the_page_of_the_commit(cluster: Cluster, kube: Kube) -> None:
    """Twice: a second commit replaces the page of the first."""
    example = ROOT / "examples" / "02-web"
    make_store_secret(cluster, kube, "default")
    team = Team(cluster, kube, "default")
    kube.kubectl("delete", "pipeline", "web", "--ignore-not-found", "-n", "default")
    team.seen |= {run["metadata"]["name"] for run in kube.objects("pipelineruns", "default")}
    for heading, trigger in (
        ("First page", "CreatePipeline"),
        ("Second page", "PollForSourceChanges"),
    ):
        files = files_below(example / "repository")
        files["page/index.html"] = files["page/index.html"].replace("Deployed by Penstock", heading)
        repository = push_repository(cluster, "examples/web", files, message=heading)
        kube.apply((example / "pipeline.yaml").read_text(), "")
        eventually(lambda: is_ready(team, "web"), 20, "pipeline web ready")
        name = first_run(team, "web", trigger)
        status = team.status(name)
        assert status["artifactRevisions"][0]["revisionId"] == repository.commit
        assert status["artifactRevisions"][0]["revisionSummary"] == heading
        page = eventually(partial(served, kube, WEB, repository.commit), 30, "the new page served")
        assert heading in page
        artifacts = team.execution("Render", name)["outputArtifacts"]
        assert [artifact["name"] for artifact in artifacts] == ["Site"]
        assert len(artifacts[0]["sha256"]) == 64


def test_03_devops_tells_the_founding_story(cluster: Cluster, kube: Kube) -> None:
    """As `make demo` does: four pushes, four runs, each ending as it must."""
    demo.Demo(cluster, kube).tell()


def test_04_source_build_deploy_serves_each_environment_its_own_page(
    cluster: Cluster, kube: Kube
) -> None:
    """The default environment by nothing, the others by the variable;
    production has two replicas.
    """
    example = ROOT / "examples" / "04-source-build-deploy"
    make_store_secret(cluster, kube, "default")
    team = Team(cluster, kube, "default")
    kube.kubectl("delete", "pipeline", "quotes", "--ignore-not-found", "-n", "default")
    team.seen |= {run["metadata"]["name"] for run in kube.objects("pipelineruns", "default")}
    repository = push_repository(cluster, "examples/quotes", files_below(example / "repository"))
    kube.apply((example / "pipeline.yaml").read_text(), "")
    eventually(lambda: is_ready(team, "quotes"), 20, "pipeline quotes ready")
    first_run(team, "quotes")
    for environment in ("development", "production"):
        name = f"quotes-{secrets.token_hex(3)}"
        given = [] if environment == "development" else ["--var", f"Environment={environment}"]
        begun = penstock(team, "start", "quotes", "--name", name, "--watch", *given)
        assert begun.returncode == 0, begun.stdout + begun.stderr
        path = f"/api/v1/namespaces/quotes-{environment}/services/quotes:http/proxy/"
        page = eventually(partial(served, kube, path, repository.commit), 30, "the page served")
        assert f"<p>{environment}, commit" in page
        replicas = kube.get("deployments", f"quotes-{environment}", "quotes")["status"][
            "readyReplicas"
        ]
        assert replicas == (2 if environment == "production" else 1)
    assert " deployment.apps/quotes" in penstock(team, "logs", name, "Deploy/Deploy").stdout


def test_05_approval_ships_when_somebody_else_agreed(team: Team) -> None:
    """With kubectl alone: who started the run is refused, another's decision ships it."""
    kubectl = partial(team.kube.kubectl, "-n", team.namespace)
    team.kube.apply(
        (ROOT / "examples" / "05-approval" / "pipeline.yaml").read_text(), team.namespace
    )
    eventually(lambda: is_ready(team, "release"), 20, "pipeline release ready")
    carol, alice = (("--as", name, "--as-group", "system:masters") for name in ("carol", "alice"))
    run = {
        "apiVersion": "penstock.dev/v1alpha1",
        "kind": "PipelineRun",
        "metadata": {"name": "release-1"},
    }
    spec = {"pipelineRef": {"name": "release"}, "requestedBy": "carol"}
    kubectl("create", "-f", "-", *carol, text=yaml.safe_dump({**run, "spec": spec}))
    asked = pending(team.kube, team.namespace, "release-1", seconds=30)
    assert asked["spec"]["customData"] == "Ship version 1.4.2 to production?"
    assert asked["spec"]["externalEntityLink"] == "https://example.com/releases/1.4.2"
    assert "Pending" in kubectl("get", "appr")

    def patch(user: str) -> tuple[str, ...]:
        made = {"user": user, "decision": "Approved", "comment": "the tests look good"}
        added = json.dumps([{"op": "add", "path": "/spec/decisions/-", "value": made}])
        return "patch", "appr", asked["metadata"]["name"], "--type=json", "-p", added

    with pytest.raises(KubeError, match="carol"):
        kubectl(*patch("carol"), *carol)
    kubectl(*patch("alice"), *alice)
    kubectl("wait", "--for=condition=Succeeded", "plr/release-1", "--timeout=55s")
    assert "shipped 1.4.2" in penstock(team, "logs", "release-1").stdout
    assert team.execution("Agree", "release-1")["lastUpdatedBy"] == "alice"
    assert started(team, "release") == ["StartPipelineExecution"], "the page's run is the only one"


def test_06_modes_let_runs_meet_as_each_promises(team: Team) -> None:
    """With kubectl alone: nine runs pile up in front of Deploy, one of them
    is stopped, then the way is opened.
    """
    modes, order = ("superseded", "queued", "parallel"), ("first", "second", "third")
    team.kube.apply((ROOT / "examples" / "06-modes" / "pipeline.yaml").read_text(), team.namespace)
    kubectl = partial(team.kube.kubectl, "-n", team.namespace)
    for mode in modes:
        eventually(partial(is_ready, team, mode), 20, f"pipeline {mode} ready")
        switch = {
            "pipelineName": mode,
            "stageName": "Deploy",
            "enabled": False,
            "reason": "look first",
        }
        meta = {
            "apiVersion": "penstock.dev/v1alpha1",
            "kind": "StageTransition",
            "metadata": {"name": f"{mode}-freeze"},
        }
        kubectl("create", "-f", "-", text=yaml.safe_dump({**meta, "spec": switch}))

    def waits(run: str) -> str:
        condition = team.condition("pipelineruns", run, "Succeeded")
        return str(condition["reason"]) if condition else ""

    for run in order:
        for mode in modes:
            team.start(mode, f"{mode}-{run}")
        for mode in modes:
            reason = "Queued" if (mode, run) == ("parallel", "third") else "TransitionDisabled"
            name = f"{mode}-{run}"
            eventually(lambda: waits(name) == reason, 30, f"{name} {reason}")  # noqa: B023
    assert [team.status(f"superseded-{run}")["state"] for run in order] == [
        "Superseded",
        "Superseded",
        "InProgress",
    ]
    kubectl(
        "patch",
        "plr",
        "queued-second",
        "--type=merge",
        "-p",
        '{"spec": {"stop": {"reason": "not needed"}}}',
    )
    kubectl("delete", "stt", *(f"{mode}-freeze" for mode in modes))

    ended = {
        f"{mode}-{run}": team.ended(f"{mode}-{run}")["state"] for mode in modes for run in order
    }
    assert ended == {
        **{f"{mode}-{run}": "Succeeded" for mode in modes for run in order},
        "superseded-first": "Superseded",
        "superseded-second": "Superseded",
        "queued-second": "Stopped",
    }


def test_07_conditions_let_numbered_versions_in_and_a_failure_is_rolled_back(team: Team) -> None:
    """With kubectl alone: two versions are deployed, one fails and is rolled
    back, one is refused and overridden.
    """
    team.kube.apply(
        (ROOT / "examples/07-conditions-and-rollback/pipeline.yaml").read_text(), team.namespace
    )
    eventually(partial(is_ready, team, "shop"), 20, "pipeline shop ready")
    decided = partial(team.kube.get, "pipelines", team.namespace, "shop")
    eventually(
        lambda: decided()["status"].get("startedOnCreate") is False,
        30,
        "its creation starts nothing",
    )
    assert not team.kube.objects("pipelineruns", team.namespace)

    def deliver(version: str) -> dict[str, object]:
        name = team.start(
            "shop", f"shop-{version}", variables=[{"name": "Version", "value": version}]
        )
        return team.ended(name)

    assert [deliver(version)["state"] for version in ("12", "12.1", "13", "beta")] == [
        "Succeeded", "Succeeded", "Failed", "Failed"
    ]  # fmt: skip
    failed = team.status("shop-13")
    assert failed["automaticRollback"]["targetRun"] == "shop-12.1"
    back = failed["automaticRollback"]["run"]
    assert team.ended(back)["executionType"] == "ROLLBACK"
    assert team.execution("Ship", back)["outputVariables"] == {"SHIPPED": "shop 12.1"}
    refused = team.condition("pipelineruns", "shop-beta", "Succeeded")
    assert refused is not None
    assert refused["reason"] == "ConditionFailed"

    kubectl = partial(team.kube.kubectl, "-n", team.namespace)
    overrides = json.dumps(
        {"spec": {"overrides": [{"stageName": "Deploy", "conditionType": "BEFORE_ENTRY"}]}}
    )
    kubectl("patch", "plr", "shop-beta", "--type=merge", "-p", overrides)
    eventually(lambda: team.status("shop-beta")["state"] == "Succeeded", 30, "the run went on")
    team.start(
        "shop",
        "shop-back",
        executionType="ROLLBACK",
        rollback={"stageName": "Deploy", "targetRun": "shop-12"},
    )
    assert team.ended("shop-back")["state"] == "Succeeded"
    assert team.execution("Ship", "shop-back")["outputVariables"] == {"SHIPPED": "shop 12"}
    kubectl(
        "patch",
        "plr",
        "shop-13",
        "--type=merge",
        "-p",
        '{"spec": {"retries": [{"stageName": "Deploy"}]}}',
    )
    newer = eventually(
        lambda: team.condition("pipelineruns", "shop-13", "RequestRefused"), 10, "the refusal"
    )
    assert newer["reason"] == "NotLatestPipelineExecution"


def test_08_sam_five_stages_deploys_rolls_back_and_publishes(cluster: Cluster, kube: Kube) -> None:
    """As `make sam` does: a stack, a template that fails, and another version."""
    sam_demo.Demo(cluster, kube).tell()


def test_09_custom_action_checks_in_perl_and_deploys_by_a_script(team: Team) -> None:
    """The pages are deployed as the pipeline says; with a lower bound the
    check says which page is too long.
    """
    team.kube.apply((ROOT / "examples/09-custom-action/pipeline.yaml").read_text(), team.namespace)
    eventually(partial(is_ready, team, "pages"), 20, "pipeline pages ready")
    first = first_run(team, "pages")
    read, deployed = team.execution("Read", first), team.execution("Deploy", first)
    assert read["outputVariables"] == {"Words": "15"}
    assert (read["summary"], read["entityUrl"]) == (
        "2 pages of 15 words",
        "https://example.com/pages/txt",
    )
    assert [artifact["name"] for artifact in read["outputArtifacts"]] == ["Report"]
    assert deployed["summary"] == "deployed 15 words to staging in eu-central-1"
    assert (
        deployed["externalExecutionUrl"]
        == "https://example.com/deployments/eu-central-1-staging-15"
    )
    described = penstock(team, "describe", first).stdout
    assert (
        "link      Deploy/Deploy  https://example.com/deployments/eu-central-1-staging-15"
        in described
    )

    refused = penstock(
        team, "start", "pages", "--name", "second", "--var", "MostWords=5", "--watch"
    )
    assert refused.returncode == 1, refused.stdout
    assert (
        team.status("second")["statusSummary"] == "Check/Read: actions.txt has 8 words, more than 5"
    )
