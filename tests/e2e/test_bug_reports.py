"""Public bug reports of comparable tools that need a real cluster: all of
them at once, in one namespace.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from tests.cluster import Cluster
from tests.e2e.conftest import Team, commands, deploy, stage
from tests.e2e.manifests import allow_edit
from tests.support.install import make_store_secret
from tests.support.kube import Document, Kube

BUSYBOX = "docker.io/library/busybox:1.35"


def job(name: str, script: str, **spec: int) -> Document:
    container = {"name": "x", "image": BUSYBOX, "command": ["sh", "-c", script]}
    template = {"spec": {"restartPolicy": "Never", "containers": [container]}}
    body = {"backoffLimit": 0, "template": template, **spec}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}, "spec": body}


def config_map(name: str, **data: str) -> Document:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


@dataclass(frozen=True)
class Deployed:
    """A pipeline that deploys these objects, with TimeoutInMinutes where the wait is the case."""

    name: str
    objects: tuple[Document, ...]
    configuration: Document = field(default_factory=dict)

    def stages(self) -> list[Document]:
        text = "\n---\n".join(json.dumps(item) for item in self.objects)
        out = [{"name": "Out", "files": ["all.yaml"]}]
        make = commands("Make", f"cat > all.yaml <<'END'\n{text}\nEND", outputArtifacts=out)
        wanted = {"TimeoutInMinutes": "2", "ApplySet": self.name, **self.configuration}
        return [stage("Make", make), stage("Prod", deploy("Deploy", "Out", **wanted))]


DEPLOYED = (
    Deployed("bug-05", ({**config_map("matcher"), "data": {"matchType": "="}},)),
    Deployed("bug-07", (job("migrate", "sleep 1", ttlSecondsAfterFinished=0), config_map("after"))),
    Deployed(
        "bug-07-fails", (job("broken", "exit 3", ttlSecondsAfterFinished=0), config_map("never"))
    ),
    Deployed(
        "bug-09-first",
        (job("fixed", "true"), config_map("beside", value="1")),
        {"ApplySet": "fixed"},
    ),
)
AGAIN = Deployed(
    "bug-09", (job("fixed", "echo other"), config_map("beside", value="2")), {"ApplySet": "fixed"}
)


@pytest.fixture(scope="module")
def team(cluster: Cluster, kube: Kube) -> Iterator[Team]:
    with kube.namespace(f"e2e-{secrets.token_hex(4)}") as name:
        make_store_secret(cluster, kube, name)
        allow_edit(kube, name, name)
        yield Team(cluster, kube, name)


@pytest.fixture(scope="module")
def ended(team: Team) -> dict[str, Document]:
    """Every pipeline's first run, as it ended; the deploy of what was changed
    comes after the first one.
    """
    team.pipeline("bug-17", *umask(), startOnCreate=False, wait=False)
    team.start("bug-17", "bug-17")
    for case in DEPLOYED:
        team.pipeline(case.name, *case.stages(), startOnCreate=False, wait=False)
        team.start(case.name, case.name)
    found = {name: team.ended(name, 180) for name in ("bug-17", *(case.name for case in DEPLOYED))}
    team.pipeline(AGAIN.name, *AGAIN.stages(), startOnCreate=False, wait=False)
    team.start(AGAIN.name, AGAIN.name)
    return {**found, AGAIN.name: team.ended(AGAIN.name, 180)}


def umask() -> list[Document]:
    """A tight umask, and variables that a later action reads."""
    made = commands(
        "Set", "umask 077", "export TAG=1.2.3", outputVariables=["TAG"], namespace="Bld"
    )
    return [stage("Make", made), stage("Use", commands("Print", '[ "#{Bld.TAG}" = 1.2.3 ]'))]


def test_bug_05_bare_equals_sign_is_deployed_as_kubectl_does(
    team: Team, ended: dict[str, Document]
) -> None:
    assert ended["bug-05"]["state"] == "Succeeded", ended["bug-05"]["statusSummary"]
    assert team.kube.get("configmaps", team.namespace, "matcher")["data"] == {"matchType": "="}


def test_bug_07_job_that_cleans_up_after_itself_has_done_its_work(
    team: Team, ended: dict[str, Document]
) -> None:
    assert ended["bug-07"]["state"] == "Succeeded", ended["bug-07"]["statusSummary"]
    assert team.kube.find("configmaps", team.namespace, "after")


def test_bug_07_job_that_failed_and_is_gone_fails_the_deploy(ended: dict[str, Document]) -> None:
    assert ended["bug-07-fails"]["state"] == "Failed"
    assert "Job broken" in ended["bug-07-fails"]["statusSummary"]


def test_bug_09_why_a_job_cannot_be_changed_is_said_everywhere(
    team: Team, ended: dict[str, Document]
) -> None:
    status = ended["bug-09"]
    assert status["state"] == "Failed"
    told = [status["statusSummary"], *(c["message"] for c in status["conditions"])]
    told.append(team.execution("Deploy", "bug-09")["errorDetails"]["message"])
    assert all("immutable" in text for text in told), told
    assert team.kube.get("configmaps", team.namespace, "beside")["data"] == {"value": "1"}, (
        "nothing was changed"
    )


def test_bug_17_output_variables_arrive_whatever_the_umask(ended: dict[str, Document]) -> None:
    assert ended["bug-17"]["state"] == "Succeeded", ended["bug-17"]["statusSummary"]
