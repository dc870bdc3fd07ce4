"""Runs that start by themselves: a Pipeline's creation, and changes that
polling sees (X-20, X-21, G-04, G-06).

The process runs here, under the chart's account for triggers, so that it can be killed; the last
test uses the chart's own Deployment.
"""

from __future__ import annotations

import base64
import json
import tempfile
import time
from collections.abc import Iterator

import pytest

from tests.cluster import Cluster
from tests.e2e.conftest import QUICK_VALUES, Team, commands, git, stage
from tests.e2e.gates import Gate
from tests.e2e.operator_process import settle
from tests.e2e.triggers_process import POLL_S, TriggersProcess
from tests.support.install import SYSTEM, Repository, install_chart, push_repository, run
from tests.support.kube import Document, Kube, eventually


@pytest.fixture
def triggers(cluster: Cluster, kube: Kube, team: Team) -> Iterator[TriggersProcess]:
    process = TriggersProcess(cluster, kube, namespaces=[team.namespace])
    yield process
    process.stop()


def push(team: Team, text: str, name: str = "web") -> Repository:
    return push_repository(team.cluster, f"{team.namespace}/{name}", {"page": text})


def force(team: Team, commit: str, name: str = "web") -> None:
    """Set main of a repository back to a commit that it had before."""
    url = f"{team.cluster.git.url}/{team.namespace}/{name}.git"
    with tempfile.TemporaryDirectory() as folder:
        run("git", "clone", "-q", url, folder)
        # A branch keeps what main leaves, so that a later clone has it.
        run(
            "git",
            "-C",
            folder,
            "push",
            "-q",
            "--force",
            "origin",
            f"HEAD:refs/heads/kept-{time.monotonic_ns()}",
        )
        run("git", "-C", folder, "push", "-q", "--force", "origin", f"{commit}:refs/heads/main")


def pipeline(team: Team, name: str, *sources: Document, **spec: bool) -> None:
    team.pipeline(name, stage("Source", *sources), **spec)


def main_of(repository: Repository, name: str = "Fetch", **configuration: str) -> Document:
    return git(name, repository.url, output=name, Branch="main", **configuration)


def triggered(team: Team, name: str) -> list[tuple[str, str]]:
    """Return trigger type and detail of a pipeline's runs, oldest first."""
    runs = [
        r
        for r in team.kube.objects("pipelineruns", team.namespace)
        if r["spec"]["pipelineRef"]["name"] == name
    ]
    runs.sort(
        key=lambda r: (r["metadata"]["creationTimestamp"], int(r["metadata"]["resourceVersion"]))
    )
    found = [r["spec"]["trigger"] for r in runs]
    return [(trigger["triggerType"], trigger.get("triggerDetail", "")) for trigger in found]


def polled(team: Team, name: str) -> list[str]:
    return sorted(
        detail for kind, detail in triggered(team, name) if kind == "PollForSourceChanges"
    )


def source_of(team: Team, name: str, action: str = "Fetch") -> Document:
    status = team.kube.get("pipelines", team.namespace, name)["status"]
    return next((s for s in status.get("sources", []) if s["actionName"] == action), {})


def await_mark(team: Team, name: str, revision: str) -> None:
    eventually(
        lambda: source_of(team, name).get("revision") == revision, 30, f"{revision} remembered"
    )


def writes_of_triggers(team: Team, name: str) -> list[Document]:
    """Return what triggers own of a Pipeline and since when: the operator
    writes its status, too, when a run ends.
    """
    fields = team.kube.get("pipelines", team.namespace, name)["metadata"]["managedFields"]
    found = [entry for entry in fields if entry["manager"] == "penstock-triggers"]
    assert found, "the Pipeline does not tell what triggers have written"
    return found


def test_creation_starts_the_first_run_and_a_push_one_more(
    team: Team, triggers: TriggersProcess
) -> None:
    triggers.start()
    first = push(team, "one")
    pipeline(team, "web", main_of(first))
    eventually(lambda: triggered(team, "web"), 30, "the first run")
    await_mark(team, "web", first.commit)
    second, pushed = push(team, "two"), time.monotonic()
    eventually(lambda: polled(team, "web"), 30, "a run for the push", pause=0.02)
    print(f"push to run: {time.monotonic() - pushed:.2f} s at an interval of {POLL_S:g} s")
    await_mark(team, "web", second.commit)
    settle(3 * POLL_S)

    assert [kind for kind, _ in triggered(team, "web")] == [
        "CreatePipeline",
        "PollForSourceChanges",
    ]
    assert polled(team, "web") == [f"source Fetch changed to {second.commit}"]
    status = team.kube.get("pipelines", team.namespace, "web")["status"]
    assert status["startedOnCreate"] is True
    last = status["lastRun"]
    assert team.ended(last)["artifactRevisions"][0]["revisionId"] == second.commit
    written = writes_of_triggers(team, "web")
    settle(3 * POLL_S)
    assert writes_of_triggers(team, "web") == written, "polls are quiet"


def test_there_and_back_again_makes_three_runs_and_a_pruned_run_is_not_made_again(
    team: Team, triggers: TriggersProcess
) -> None:
    triggers.start()
    first = push(team, "A")
    pipeline(team, "web", main_of(first), startOnCreate=False)
    await_mark(team, "web", first.commit)
    second = push(team, "B")
    await_mark(team, "web", second.commit)
    force(team, first.commit)
    await_mark(team, "web", first.commit)
    force(team, second.commit)
    await_mark(team, "web", second.commit)
    assert len(polled(team, "web")) == 3
    team.kube.request("DELETE", team.kube.path("pipelineruns", team.namespace))
    triggers.kill()
    triggers.start()
    settle(5 * POLL_S)
    assert triggered(team, "web") == []


def test_triggers_that_die_after_each_of_their_writes_lose_no_run_and_start_none_twice(
    team: Team, triggers: TriggersProcess
) -> None:
    def lives_until(revision: str) -> int:
        lives = 0
        while lives < 20 and source_of(team, "web").get("revision") != revision:
            triggers.start(die_after_writes=1)
            eventually(
                lambda: (
                    not triggers.is_running or source_of(team, "web").get("revision") == revision
                ),
                40,
                "a write",
            )
            triggers.kill()
            lives += 1
        return lives

    first = push(team, "one")
    pipeline(team, "web", main_of(first))
    lives = lives_until(first.commit)
    while not team.kube.get("pipelines", team.namespace, "web")["status"].get("startedOnCreate"):
        triggers.start(die_after_writes=1)
        eventually(lambda: not triggers.is_running, 40, "a write")
        lives += 1
    second = push(team, "two")
    lives += lives_until(second.commit)
    triggers.start(die_after_writes=1)
    third = push(team, "three")
    eventually(lambda: not triggers.is_running, 40, "the run's creation")
    force(team, second.commit)
    # Status still says what it said before the crash: only the third run tells that the way back
    # was seen.
    triggers.start()
    eventually(lambda: len(polled(team, "web")) == 3, 40, "the run for the way back")
    await_mark(team, "web", second.commit)
    settle(3 * POLL_S)

    assert lives >= 5, "the fault points were not met"
    details = [
        f"source Fetch changed to {commit}"
        for commit in (second.commit, second.commit, third.commit)
    ]
    assert polled(team, "web") == sorted(details), triggers.log()[-2000:]
    assert [kind for kind, _ in triggered(team, "web")].count("CreatePipeline") == 1


def test_source_that_cannot_be_reached_says_so_and_holds_up_no_other(
    team: Team, triggers: TriggersProcess
) -> None:
    triggers.start()
    first = push(team, "one")
    inside = git("Inside", "http://169.254.169.254/latest.git", output="Inside", Branch="main")
    gone = git("Gone", first.url.replace("web.git", "nope.git"), output="Gone", Branch="main")
    absent = git("Absent", first.url, output="Absent", Branch="nope")
    pipeline(team, "web", main_of(first), inside, gone, absent, startOnCreate=False)
    await_mark(team, "web", first.commit)
    second = push(team, "two")
    await_mark(team, "web", second.commit)

    assert len(polled(team, "web")) == 1
    assert "triggers.allowedHosts" in source_of(team, "web", "Inside")["lastError"]
    assert "not found" in source_of(team, "web", "Gone")["lastError"]
    assert 'Branch "nope" was not found' in source_of(team, "web", "Absent")["lastError"]
    assert "lastError" not in source_of(team, "web")


def test_what_is_switched_off_stays_off(team: Team, triggers: TriggersProcess) -> None:
    triggers.start()
    first = push(team, "one")
    pipeline(team, "deaf", main_of(first, PollForSourceChanges="false"), startOnCreate=False)
    pipeline(team, "first", main_of(first, PollForSourceChanges="false"))
    pipeline(team, "later", main_of(first), startOnCreate=False)
    await_mark(team, "later", first.commit)
    second = push(team, "two")
    await_mark(team, "later", second.commit)
    settle(2 * POLL_S)

    assert triggered(team, "deaf") == []
    assert [kind for kind, _ in triggered(team, "first")] == ["CreatePipeline"]
    assert [kind for kind, _ in triggered(team, "later")] == ["PollForSourceChanges"]
    assert team.kube.get("pipelines", team.namespace, "deaf")["status"]["startedOnCreate"] is False


def test_bug_18_pipeline_made_anew_under_way_starts_its_first_run(
    team: Team, triggers: TriggersProcess
) -> None:
    """`kubectl replace --force` while a run of the old one is in a command:
    the new one's run follows it.
    """
    triggers.start()
    gate = Gate(team.cluster)
    team.pipeline("web", stage("Build", commands("Long", gate.line)))
    eventually(lambda: len(triggered(team, "web")) == 1, 30, "the first run of the old Pipeline")
    eventually(
        lambda: team.kube.get("pipelines", team.namespace, "web")["status"].get("lastRun"),
        30,
        "it is shown",
    )
    old = team.kube.get("pipelines", team.namespace, "web")
    body = {key: old[key] for key in ("apiVersion", "kind")}
    text = json.dumps({**body, "metadata": {"name": "web"}, "spec": old["spec"]})
    team.kube.kubectl("-n", team.namespace, "replace", "--force", "-f", "-", text=text)
    assert (
        team.kube.get("pipelines", team.namespace, "web")["metadata"]["uid"]
        != old["metadata"]["uid"]
    )
    eventually(lambda: len(triggered(team, "web")) == 2, 30, "the first run of the new Pipeline")
    gate.open()

    runs = team.kube.objects("pipelineruns", team.namespace)
    new = next(
        run["metadata"]["name"]
        for run in runs
        if run["metadata"]["name"] != old["status"]["lastRun"]
    )
    assert [kind for kind, _ in triggered(team, "web")] == ["CreatePipeline", "CreatePipeline"]
    assert team.ended(new)["state"] == "Succeeded"
    settle(2 * POLL_S)
    assert len(triggered(team, "web")) == 2
    assert team.kube.get("pipelines", team.namespace, "web")["status"]["startedOnCreate"] is True


def test_private_repository_is_polled_once_its_secret_is_opened_and_the_secret_stays_one(
    team: Team, triggers: TriggersProcess
) -> None:
    found, password = team.cluster.git, team.cluster.git.password
    repository = push(team, "one")
    keys = {"username": found.user, "password": password}
    secret: Document = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "git"},
        "stringData": keys,
    }
    team.kube.apply([{**secret, "type": "kubernetes.io/basic-auth"}], team.namespace)
    pipeline(
        team,
        "web",
        git("Fetch", repository.url, Branch="main", CredentialsSecret="git"),
        startOnCreate=False,
    )
    triggers.start()
    eventually(
        lambda: "may not read the Secret git" in source_of(team, "web").get("lastError", ""),
        30,
        "the refusal",
    )
    grant(team)
    await_mark(team, "web", repository.commit)

    basic = base64.b64encode(f"{found.user}:{password}".encode()).decode()
    said = triggers.log() + "".join(
        json.dumps(team.kube.objects(plural, team.namespace))
        for plural in ("pipelines", "pipelineruns", "events")
    )
    assert repository.commit in said, "the search looks at what there is"
    assert password not in said
    assert basic not in said


def test_second_replica_waits_and_takes_over(
    cluster: Cluster, kube: Kube, team: Team, triggers: TriggersProcess
) -> None:
    other = TriggersProcess(cluster, kube, identity="other-triggers", namespaces=[team.namespace])
    try:
        triggers.start()
        first = push(team, "one")
        pipeline(team, "web", main_of(first))
        await_mark(team, "web", first.commit)
        other.start()
        second = push(team, "two")
        await_mark(team, "web", second.commit)
        assert "Leading" not in other.log()
        triggers.kill()
        third = push(team, "three")
        await_mark(team, "web", third.commit)
        assert "Leading" in other.log()
    finally:
        other.stop()
    assert len(polled(team, "web")) == 2


def grant(team: Team, secret: str = "git") -> None:
    """What the chart's triggers.credentials makes of a namespace and a Secret's name."""
    api = "rbac.authorization.k8s.io"
    rules = [
        {"apiGroups": [""], "resources": ["secrets"], "resourceNames": [secret], "verbs": ["get"]}
    ]
    role = {"apiVersion": f"{api}/v1", "kind": "Role", "metadata": {"name": "poll"}, "rules": rules}
    subject = {"kind": "ServiceAccount", "name": "penstock-triggers", "namespace": SYSTEM}
    reference = {"apiGroup": api, "kind": "Role", "name": "poll"}
    binding = {
        "kind": "RoleBinding",
        "metadata": {"name": "poll"},
        "subjects": [subject],
        "roleRef": reference,
    }
    team.kube.apply([role, {"apiVersion": f"{api}/v1", **binding}], team.namespace)


@pytest.mark.alone(reason="it installs the chart with triggers, for one namespace")
def test_chart_runs_triggers(cluster: Cluster, kube: Kube, team: Team) -> None:
    """Limited to one namespace: Pipelines that other tests left shall start nothing."""
    repository = push(team, "one")
    only: Document = {"watchNamespaces": [team.namespace]}
    values = {"allowedHosts": ["git.penstock-dev"], "pollSeconds": 1}
    try:
        install_chart(cluster, kube, {**QUICK_VALUES, **only, "triggers": values})
        team.pipeline("web", stage("Source", git("Fetch", repository.cluster_url, Branch="main")))
        eventually(lambda: triggered(team, "web"), 60, "the first run")
        second = push(team, "two")
        await_mark(team, "web", second.commit)
        assert [kind for kind, _ in triggered(team, "web")] == [
            "CreatePipeline",
            "PollForSourceChanges",
        ]
    finally:
        install_chart(cluster, kube, QUICK_VALUES)
