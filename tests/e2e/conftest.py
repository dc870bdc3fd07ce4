"""End-to-end tests: the real operator from the chart, real pods, a real Git
server and a real S3 server.

The chart is installed with limits that are short, so that what must time out does so within a test.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from penstock.api.contract.keys import key_of
from tests.cluster import Cluster, load
from tests.e2e.operator_process import QUICK, QUICK_LIMITS
from tests.support.dump import dump, folder_of
from tests.support.install import SYSTEM, TRIGGERS, install_chart, make_bucket, make_store_secret
from tests.support.kube import Document, Kube, eventually
from tests.support.once import once

DUMPS = os.environ.get("E2E_DUMPS", "")
"""The folder for what the cluster knew when a test failed; ``make e2e`` sets it."""
OWN_OPERATOR = "own_operator"
"""The mark of tests that run operators of their own."""
WITH_TRIGGERS = "with_triggers"
"""The mark of tests that need the chart with triggers for every namespace."""
QUICK_VALUES: Document = {
    "engine": {**QUICK, "limits": QUICK_LIMITS},
    # Its account alone: tests run the program as a process.
    "receiver": {"enabled": True, "replicas": 0},
    # So little memory that a test can use it up.
    "computeTypes": {
        "MEDIUM": {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"memory": "32Mi"}}
    },
}


@pytest.fixture(scope="session")
def cluster() -> Cluster:
    return load()


@pytest.fixture(scope="session")
def kube(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory, testrun_uid: str) -> Kube:
    found = Kube(cluster.kubeconfig)

    def install() -> None:
        make_bucket(cluster)
        install_chart(cluster, found, QUICK_VALUES)

    once(tmp_path_factory, testrun_uid, "chart", install)
    return found


@pytest.fixture(scope="module")
def without_chart(
    request: pytest.FixtureRequest,
    kube: Kube,
    tmp_path_factory: pytest.TempPathFactory,
    testrun_uid: str,
) -> Iterator[None]:
    """Scale the chart's operator to none while tests run operators of their own.

    In a session of such tests alone it stays away: other workers need that, too.
    """
    once(tmp_path_factory, testrun_uid, "scale", lambda: scale(kube, 0))
    yield
    if request.config.getoption("markexpr") != OWN_OPERATOR:
        scale(kube, 2)
        for marker in tmp_path_factory.getbasetemp().parent.glob("scale-*"):
            marker.unlink()


@pytest.fixture(scope="module")
def chart_with_triggers(
    request: pytest.FixtureRequest,
    cluster: Cluster,
    kube: Kube,
    tmp_path_factory: pytest.TempPathFactory,
    testrun_uid: str,
) -> Iterator[None]:
    """Install the chart as the demo does: creation and pushes start runs in every namespace.

    In a session of such tests alone it stays so: other workers need that, too.
    """
    values = {**QUICK_VALUES, "triggers": TRIGGERS}
    once(tmp_path_factory, testrun_uid, "triggers", lambda: install_chart(cluster, kube, values))
    yield
    if request.config.getoption("markexpr") != WITH_TRIGGERS:
        install_chart(cluster, kube, QUICK_VALUES)
        for marker in tmp_path_factory.getbasetemp().parent.glob("triggers-*"):
            marker.unlink()


def scale(kube: Kube, replicas: int) -> None:
    """Let the chart's operator have so many pods, and wait until it has."""
    kube.kubectl("-n", SYSTEM, "scale", "deployment/penstock", f"--replicas={replicas}")
    selector = "app.kubernetes.io/name=penstock"
    eventually(
        lambda: len(kube.objects("pods", SYSTEM, selector)) == replicas,
        60,
        f"{replicas} operator pods",
        pause=0.5,
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the tests of a file whose set-up they share with one worker."""
    for item in items:
        if 'scope="module"' in item.path.read_text():
            item.add_marker(pytest.mark.xdist_group(item.path.stem))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Write down what the cluster knows of a test's namespaces when it fails."""
    report = yield
    if report.failed and DUMPS:
        test = item.nodeid.partition("@")[0]
        values = getattr(item, "funcargs", {}).values()
        # By its attribute: pytest loads this file as a module of its own, with a Team of its own.
        teams = {value.namespace for value in values if hasattr(value, "stored_below")}
        dump(load(), sorted(teams), folder_of(Path(DUMPS), test))
        with (Path(DUMPS) / "failed").open("a") as failed:
            failed.write(f"{test}\n")
    return report


@dataclass
class Team:
    """A namespace with everything that a pipeline needs, and short ways to use it."""

    cluster: Cluster
    kube: Kube
    namespace: str
    seen: set[str] = field(default_factory=set)
    """The runs that a test has looked at already."""

    def pipeline(self, name: str, *stages: Document, wait: bool = True, **spec: Any) -> None:
        """Apply a Pipeline and, unless told otherwise, wait until the operator has seen it."""
        body = {
            "apiVersion": "penstock.dev/v1alpha1",
            "kind": "Pipeline",
            "metadata": {"name": name},
            "spec": {"stages": list(stages), **spec},
        }
        self.kube.apply([body], self.namespace)
        if wait:
            eventually(
                lambda: self.condition("pipelines", name, "Ready"), 20, f"pipeline {name} seen"
            )

    def start(self, pipeline: str, name: str = "run", **spec: Any) -> str:
        """Create a run."""
        body = {
            "apiVersion": "penstock.dev/v1alpha1",
            "kind": "PipelineRun",
            "metadata": {"name": name},
            "spec": {"pipelineRef": {"name": pipeline}, **spec},
        }
        self.kube.create("pipelineruns", self.namespace, body)
        return name

    def run(self, name: str = "run") -> Document:
        """Return a run."""
        return self.kube.get("pipelineruns", self.namespace, name)

    def status(self, name: str = "run") -> Document:
        """Return a run's status."""
        found: Document = self.run(name).get("status", {})
        return found

    def ended(self, name: str = "run", seconds: float = 60) -> Document:
        """Wait until a run has ended and return its status."""

        def terminal() -> Document | None:
            status = self.status(name)
            return status if status.get("state") not in (None, "InProgress", "Stopping") else None

        found: Document = eventually(terminal, seconds, f"run {name} ended")
        return found

    def execution(self, action: str, name: str = "run") -> Document:
        """Return the latest try of an action, an empty one if it has not started."""
        for stage in self.status(name).get("stageStates", []):
            for state in stage.get("actionStates", []):
                if state["actionName"] == action and state.get("executions"):
                    found: Document = state["executions"][-1]
                    return found
        return {}

    def stored_below(self, action: str, name: str = "run") -> str:
        """Return what the keys begin with of all that an action's latest try has stored."""
        run = self.run(name)
        status, row = run["status"], self.execution(action, name)
        stage = next(
            s["stageName"]
            for s in status["stageStates"]
            if any(a["actionName"] == action for a in s["actionStates"])
        )
        return key_of(
            status["pipelineUid"],
            run["metadata"]["uid"],
            stage,
            action,
            str(row["attempt"]),
            str(row["podUid"]),
        )

    def condition(self, plural: str, name: str, kind: str) -> Document | None:
        """Return a condition of an object."""
        conditions = (
            self.kube.get(plural, self.namespace, name).get("status", {}).get("conditions", [])
        )
        return next((c for c in conditions if c["type"] == kind), None)

    def pod_of(self, job: str) -> Document | None:
        """Return the pod of a Job."""
        pods = self.kube.objects("pods", self.namespace, f"batch.kubernetes.io/job-name={job}")
        return pods[0] if pods else None


@pytest.fixture
def team(cluster: Cluster, kube: Kube) -> Iterator[Team]:
    with kube.namespace(f"e2e-{secrets.token_hex(4)}") as name:
        make_store_secret(cluster, kube, name)
        yield Team(cluster, kube, name)


def commands(
    name: str, *lines: str, image: str = "docker.io/library/busybox:1.35", **fields: Any
) -> Document:
    """Return a Commands action."""
    return {
        "name": name,
        "actionTypeId": {
            "category": "Compute",
            "owner": "AWS",
            "provider": "Commands",
            "version": "1",
        },
        "configuration": {"Image": image},
        "commands": list(lines),
        **fields,
    }


def git(name: str, url: str, output: str = "Source", **configuration: str) -> Document:
    """Return a Git source action."""
    return {
        "name": name,
        "actionTypeId": {
            "category": "Source",
            "owner": "ThirdParty",
            "provider": "Git",
            "version": "1",
        },
        "configuration": {"Url": url, **configuration},
        "outputArtifacts": [{"name": output}],
    }


def deploy(name: str, artifact: str, **configuration: str) -> Document:
    """Return a Kubernetes deploy action."""
    return {
        "name": name,
        "actionTypeId": {
            "category": "Deploy",
            "owner": "ThirdParty",
            "provider": "Kubernetes",
            "version": "1",
        },
        "configuration": configuration,
        "inputArtifacts": [{"name": artifact}],
    }


def stage(name: str, *actions: Document) -> Document:
    """Return a stage."""
    return {"name": name, "actions": list(actions)}
