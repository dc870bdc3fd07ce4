"""Hostile repositories and servers on a real cluster: the right result or a
clear message, and nobody is hurt.

All are fetched together, each by an agent of 192 MiB. The operator and the triggers run as
processes of this machine, so that their memory can be read; the limits of an artifact are small, so
that a small repository is beyond them.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.cluster import Cluster
from tests.e2e.conftest import Team, commands, git, stage
from tests.e2e.failures import ACTION, STAGE, Failing, assert_shown, new_team
from tests.e2e.operator_process import QUICK_LIMITS, OperatorProcess
from tests.e2e.test_git_source import push
from tests.e2e.triggers_process import TriggersProcess
from tests.support import hostile_git_server
from tests.support.git_objects import Objects
from tests.support.hostile_repositories import (
    ARRIVING,
    ARTIFACT_BYTES,
    ARTIFACT_ENTRIES,
    MAKE_REFS,
    NAMES,
    REFUSED,
    Hostile,
    links,
)
from tests.support.kube import Document, Kube, eventually

MEBIBYTE = 1024 * 1024
GROWTH = 64 * MEBIBYTE
"""What a process may grow by while all this goes on."""
PORT = 18_099
LINKS = Hostile(
    "links",
    links,
    'Output artifact "Source": "etc" is a symbolic link that leads out of the workspace (-> /etc)'
    .replace("(", r"\(").replace(")", r"\)"),
)  # fmt: skip
SERVERS = {
    "garbage": ("SystemUnavailable", "git failed on {url}: fatal: .*"),
    "endless": ("JobFailed", "{url} was not fetched: git ran out of memory, .*"),
    "refs": ("JobFailed", "{url} was not fetched: git ran out of memory, .*"),
    "redirect": ("ConfigurationError", "{url} redirects elsewhere; .*"),
    "escapes": (
        "SystemUnavailable",
        "git failed on {url}: fatal: .* returned error: 500 remote: .*",
    ),
}

pytestmark = [pytest.mark.own_operator, pytest.mark.usefixtures("without_chart")]


@dataclass
class Site:
    """The processes under test, where things are, and what the processes held before."""

    team: Team
    operator: OperatorProcess
    triggers: TriggersProcess
    urls: dict[str, str]
    before: tuple[int, int]

    def failing(self, case: Hostile) -> Failing:
        """Return a case as a pipeline that fails."""
        action = git(ACTION, self.urls[case.name], **{"Branch": "main", **case.configuration})
        return Failing(case.name, action, case.code, re.compile(case.message))

    def failing_server(self, kind: str) -> Failing:
        """Return a server's answer as a pipeline that fails."""
        code, message = SERVERS[kind]
        pattern = re.compile(message.format(url=re.escape(self.urls[f"server-{kind}"])))
        return Failing(
            f"server-{kind}", git(ACTION, self.urls[f"server-{kind}"], Branch="main"), code, pattern
        )


@pytest.fixture(scope="module")
def site(
    cluster: Cluster, kube: Kube, without_chart: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    with new_team(cluster, kube) as team:
        urls = _push_all(cluster, team, tmp_path_factory.mktemp("repositories")) | _serve(
            cluster, team
        )
        # Servers that two dozen pods ask at once may take their time.
        patient = {"connectSeconds": 20.0, "storeTimeoutSeconds": 30.0}
        sizes = {"artifactBytes": ARTIFACT_BYTES, "artifactEntries": ARTIFACT_ENTRIES}
        limits = {**QUICK_LIMITS, **patient, **sizes}
        where: Any = {"namespaces": [team.namespace]}
        operator = OperatorProcess(cluster, kube, engine={"limits": limits}, **where)
        triggers = TriggersProcess(cluster, kube, **where)
        try:
            for process in (operator, triggers):
                process.start()
            eventually(
                lambda: all("Leading" in p.log() for p in (operator, triggers)), 30, "both lead"
            )
            found = Site(team, operator, triggers, urls, (memory_of(operator), memory_of(triggers)))
            _start(found)
            yield found
        finally:
            triggers.stop()
            operator.stop()


def _push_all(cluster: Cluster, team: Team, folder: Path) -> dict[str, str]:
    urls = {}
    for case in (*ARRIVING, *REFUSED, LINKS):
        objects = Objects(folder / f"{case.name}.git")
        case.build(objects)
        refs = "refs/heads/main" if case.name == "refs" else "refs/heads/*"
        urls[case.name] = push(cluster, objects, f"{team.namespace}/{case.name}", refs)
    make = f"cd /data/{team.namespace}/refs.git && {MAKE_REFS}"
    team.kube.kubectl("-n", "penstock-dev", "exec", "git", "--", "sh", "-c", make)
    return urls


def _serve(cluster: Cluster, team: Team) -> dict[str, str]:
    """Start the server that answers badly, at the node's own address: pods
    and triggers may both go there.
    """
    program = Path(hostile_git_server.__file__).read_text()
    container = {
        "name": "server",
        "image": cluster.image,
        "command": ["python3", "-c", program, str(PORT)],
    }
    spec = {"containers": [container], "hostNetwork": True, "terminationGracePeriodSeconds": 0}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "server"}, "spec": spec}
    team.kube.apply([pod], team.namespace)
    eventually(lambda: _is_running(team), 30, "the hostile server runs")
    return {f"server-{kind}": f"http://{cluster.node_ip}:{PORT}/{kind}.git" for kind in SERVERS}


def _is_running(team: Team) -> bool:
    return bool(team.kube.get("pods", team.namespace, "server")["status"].get("phase") == "Running")


def _start(site: Site) -> None:
    team = site.team
    failing = [site.failing(case) for case in (*REFUSED, LINKS)] + [
        site.failing_server(kind) for kind in SERVERS
    ]
    for case in failing:
        team.pipeline(case.name, *case.stages, wait=False, startOnCreate=False)
    for harmless in ARRIVING:
        source = git(
            "Fetch", site.urls[harmless.name], **{"Branch": "main", **harmless.configuration}
        )
        listing = "DIGEST=$(find . -type f -print0 | sort -z | sha256sum | cut -c 1-64)"
        use = commands(
            "Use", listing, inputArtifacts=[{"name": "Source"}], outputVariables=["DIGEST"]
        )
        stages = (stage("Source", source), stage("Use", use))
        team.pipeline(
            harmless.name,
            *stages[: 2 if harmless.name == "names" else 1],
            wait=False,
            startOnCreate=False,
        )
    for name in (*(case.name for case in failing), *(case.name for case in ARRIVING)):
        team.start(name, name)


def memory_of(process: OperatorProcess) -> int:
    """Return the most that a process has held at once, in bytes."""
    assert process.process is not None
    lines = Path(f"/proc/{process.process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))


def only_try(team: Team, name: str, action: str) -> Document:
    """Return an action's last try, which is its first: no agent was lost."""
    row = team.execution(action, name)
    assert row["try"] == 1
    return row


@pytest.mark.parametrize("case", ARRIVING, ids=str)
def test_what_is_harmless_arrives(site: Site, case: Hostile) -> None:
    status = site.team.ended(case.name, 90)
    assert status["state"] == "Succeeded", status["statusSummary"]
    only_try(site.team, case.name, "Fetch")
    if case.name == "names":
        listed = b"".join(sorted(b"./" + name + b"\0" for name in NAMES))
        row = only_try(site.team, case.name, "Use")
        assert row["outputVariables"]["DIGEST"] == hashlib.sha256(listed).hexdigest()


@pytest.mark.parametrize("case", [*REFUSED, LINKS], ids=str)
def test_what_is_not_fails_with_a_message(site: Site, case: Hostile) -> None:
    assert_shown(site.team, site.failing(case))
    only_try(site.team, case.name, ACTION)


@pytest.mark.parametrize("kind", SERVERS)
def test_server_that_answers_badly_is_named(site: Site, kind: str) -> None:
    assert_shown(site.team, site.failing_server(kind))
    only_try(site.team, f"server-{kind}", ACTION)


def test_triggers_look_at_one_of_ten_thousand_refs_and_name_servers_that_answer_badly(
    site: Site, cluster: Cluster
) -> None:
    """Polling finds main where 10,000 branches are; the Pipelines of bad
    servers say so in their status.
    """
    outside = site.urls["refs"].replace(cluster.git.cluster_url, cluster.git.url)
    site.team.pipeline(
        "polled", stage(STAGE, git(ACTION, outside, Branch="main")), startOnCreate=False
    )
    revision = eventually(
        lambda: source_of(site.team, "polled").get("revision"), 30, "main was seen"
    )
    assert revision == site.team.ended("refs")["artifactRevisions"][0]["revisionId"]
    for kind in ("endless", "refs", "garbage", "redirect"):
        error = eventually(
            lambda: source_of(site.team, f"server-{kind}").get("lastError"),  # noqa: B023
            30,
            f"{kind} is named",
        )
        assert site.urls[f"server-{kind}"] in error and error.isprintable()


def source_of(team: Team, name: str) -> Document:
    """Return what the triggers know of a pipeline's source."""
    sources = team.kube.get("pipelines", team.namespace, name).get("status", {}).get("sources", [])
    return next(iter(sources), {})


def test_operator_and_triggers_stay_up_and_small(site: Site) -> None:
    for name in site.urls:
        site.team.ended(name, 90)
    after = (memory_of(site.operator), memory_of(site.triggers))
    print(
        "MiB before and after, operator and triggers:",
        [n // MEBIBYTE for n in (*site.before, *after)],
    )
    assert site.operator.is_running and site.triggers.is_running
    assert [
        f"{process.log().count('Traceback')}" for process in (site.operator, site.triggers)
    ] == ["0", "0"]
    assert all(now - then < GROWTH for then, now in zip(site.before, after, strict=True))
