"""The operator dies, is stale, is deaf, or is fooled by names: nothing
happens twice, nothing is lost.

These are the rows of the design's table of interleavings that need a real API
server and real pods. The chart's operator is scaled down meanwhile; the same
program runs as a process here, under the chart's account.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.cluster import Cluster
from tests.e2e.conftest import Team, commands, stage
from tests.e2e.effects import Effects, tries_of
from tests.e2e.failures import living
from tests.e2e.gates import Gate
from tests.e2e.operator_process import OperatorProcess
from tests.support.kube import Kube, eventually

pytestmark = [pytest.mark.own_operator, pytest.mark.usefixtures("without_chart")]


@pytest.fixture
def operator(cluster: Cluster, kube: Kube, team: Team) -> Iterator[OperatorProcess]:
    # No test here is about pods that do not start, and kills take of the time that a pod has.
    engine = {"startSeconds": 600.0}
    process = OperatorProcess(cluster, kube, engine=engine, namespaces=[team.namespace])
    yield process
    process.stop()


@pytest.fixture
def effects(cluster: Cluster) -> Effects:
    return Effects(cluster)


def is_over(team: Team, *runs: str) -> bool:
    return all(team.status(run).get("state") not in (None, "InProgress") for run in runs)


def test_operator_that_dies_after_each_of_its_writes_does_nothing_twice(
    team: Team, operator: OperatorProcess, effects: Effects
) -> None:
    """A fault point after every write there is: each life of the operator has
    one write, then it is killed.
    """
    team.pipeline(
        "web",
        stage("Build", effects.action("A"), effects.action("B"), effects.action("C", runOrder=2)),
        stage("Prod", effects.action("D")),
        wait=False,
    )
    team.start("web")
    lives = 0
    while not is_over(team, "run") and lives < 60:
        operator.start(die_after_writes=1)
        eventually(
            lambda: not operator.is_running or is_over(team, "run"), 60, "a write, or the end"
        )
        operator.kill()
        lives += 1
    run = team.run()

    assert run["status"]["state"] == "Succeeded", operator.log()[-2000:]
    assert lives > 8, "the fault points were not met"
    assert effects.per_try() == dict.fromkeys(tries_of(run), 1)
    assert len(tries_of(run)) == 4, "a try was lost though no pod was"


def test_operator_that_dies_after_each_of_its_writes_supersedes_the_run_that_was_overtaken(
    team: Team, operator: OperatorProcess, effects: Effects
) -> None:
    """X-31, X-32: whatever is written when the operator dies, one run waits in front of Prod, and
    nothing ran twice.
    """
    disabled = [{"stageName": "Prod", "reason": "wait here"}]
    stages = (stage("Build", effects.action("A")), stage("Prod", effects.action("B")))
    team.pipeline("web", *stages, wait=False, disableInboundStageTransitions=disabled)
    team.start("web", "first")
    operator.start()
    eventually(
        lambda: team.condition("pipelineruns", "first", "Succeeded"), 30, "the first run seen"
    )
    operator.kill()
    team.start("web", "second")

    def is_settled() -> bool:
        stages = team.status("second").get("stageStates", [{}])
        return (
            team.status("first").get("state") == "Superseded"
            and stages[0].get("status") == "Succeeded"
        )

    lives = 0
    while not is_settled() and lives < 60:
        operator.start(die_after_writes=1)
        eventually(lambda: not operator.is_running or is_settled(), 60, "a write, or the end")
        operator.kill()
        lives += 1
    assert is_settled(), operator.log()[-2000:]
    assert lives > 3, "the fault points were not met"
    tries = [*tries_of(team.run("first")), *tries_of(team.run("second"))]
    assert effects.per_try() == dict.fromkeys(tries, 1)
    assert len(tries) == 2, "something ran that was not asked for"


@pytest.mark.parametrize("abandon", [False, True], ids=["wait", "abandon"])
def test_operator_that_dies_after_each_of_its_writes_stops_a_run_all_the_same(
    team: Team, operator: OperatorProcess, effects: Effects, abandon: bool
) -> None:
    """X-53, X-54: whatever is written of a stop when the operator dies, the
    run is Stopped and starts nothing.
    """
    gate = Gate(team.cluster)
    both = [effects.action(name, before=gate) for name in ("A", "B")]
    team.pipeline("web", stage("Build", *both, effects.action("C", runOrder=2)), wait=False)
    team.start("web")
    operator.start()
    eventually(
        lambda: all(is_running(team, job_of(team, name)) for name in ("A", "B")),
        30,
        "both pods running",
    )
    operator.kill()
    team.kube.patch("pipelineruns", team.namespace, "run", {"spec": {"stop": {"abandon": abandon}}})
    lives = 0
    while team.status()["state"] != "Stopped" and lives < 30:
        operator.start(die_after_writes=1)
        eventually(
            lambda: not operator.is_running or team.status()["state"] == "Stopped",
            60,
            "a write, or the end",
        )
        operator.kill()
        lives += 1
        # The actions end only after the first write: else one write would say all.
        if not abandon:
            gate.open()
    status = team.status()
    rows = [
        action["executions"][-1]["status"] for action in status["stageStates"][0]["actionStates"]
    ]

    assert status["state"] == "Stopped", operator.log()[-2000:]
    assert lives > 1, "the fault points were not met"
    assert rows == ["Abandoned" if abandon else "Succeeded"] * 2
    assert effects.per_try() == ({} if abandon else dict.fromkeys(tries_of(team.run()), 1))
    eventually(lambda: not living(team, team.run()["metadata"]["uid"]), 10, "its pods ended")


def test_operator_that_dies_after_each_of_its_writes_retries_a_stage_all_the_same(
    team: Team, operator: OperatorProcess, effects: Effects
) -> None:
    """X-60, X-61: whatever is written of a retry when the operator dies, each
    attempt has one effect.
    """
    fails = commands("A", '[ "$PENSTOCK_ATTEMPT" = 2 ]')
    team.pipeline(
        "web",
        stage("Build", fails, effects.action("B"), effects.action("C", runOrder=2)),
        wait=False,
    )
    team.start("web")
    operator.start()
    team.ended()
    operator.kill()
    retries = [{"stageName": "Build", "retryMode": "ALL_ACTIONS"}]
    team.kube.patch("pipelineruns", team.namespace, "run", {"spec": {"retries": retries}})
    lives = 0
    while team.status()["state"] != "Succeeded" and lives < 30:
        operator.start(die_after_writes=1)
        eventually(
            lambda: not operator.is_running or team.status()["state"] == "Succeeded",
            60,
            "a write, or the end",
        )
        operator.kill()
        lives += 1

    assert team.status()["state"] == "Succeeded", operator.log()[-2000:]
    assert lives > 3, "the fault points were not met"
    tries = tries_of(team.run())
    uid = team.run()["metadata"]["uid"]
    assert tries == [f"{uid}/Build/{t}/1" for t in ("A/1", "A/2", "B/1", "B/2", "C/1")]
    assert effects.per_try() == dict.fromkeys(tries[2:], 1)


def test_operator_that_dies_after_each_of_its_writes_rolls_a_stage_back_once(
    team: Team, operator: OperatorProcess, effects: Effects
) -> None:
    """X-70: whatever is written of a failure when the operator dies, it leads
    to one rollback, of one stage.
    """
    gate = Gate(team.cluster)
    ships = commands("Ship", f'[ "$PENSTOCK_RUN" != second ] || {{ {gate.line}; exit 1; }}')
    deploy = {**stage("Deploy", ships, effects.action("Tell")), "onFailure": {"result": "ROLLBACK"}}
    team.pipeline("web", deploy, stage("After", commands("Look", "true")), wait=False)
    team.start("web", "first")
    operator.start()
    team.ended("first")
    team.start("web", "second")
    eventually(
        lambda: is_running(team, str(team.execution("Ship", "second").get("jobName", "none"))),
        30,
        "it ships",
    )
    operator.kill()
    gate.open()
    lives, back = 0, ""
    while not (back and is_over(team, back)) and lives < 40:
        operator.start(die_after_writes=1)
        eventually(
            lambda: not operator.is_running or (back and is_over(team, back)),  # noqa: B023
            60,
            "a write, or the end",
        )
        operator.kill()
        name = team.status("second").get("automaticRollback", {}).get("run", "none")
        back = name if team.kube.find("pipelineruns", team.namespace, name) else ""
        lives += 1
    runs = {
        run["metadata"]["name"]: run for run in team.kube.objects("pipelineruns", team.namespace)
    }

    assert {name: run["status"]["state"] for name, run in runs.items()} == {
        "first": "Succeeded", "second": "Failed", back: "Succeeded"
    }, operator.log()[-2000:]  # fmt: skip
    told = {t for run in runs.values() for t in tries_of(run) if "/Tell/" in t}
    assert effects.per_try() == dict.fromkeys(told, 1)
    assert lives > 3, "the fault points were not met"
    assert len(told) == 3, "a try was lost though no pod was"
    assert [state["stageName"] for state in runs[back]["status"]["stageStates"]] == ["Deploy"], (
        "the rollback went on"
    )


def test_operator_killed_twenty_times_during_ten_runs_leaves_one_effect_per_try(
    team: Team, operator: OperatorProcess, effects: Effects
) -> None:
    """Each life is long enough to get some way, and ends at another moment; a
    run starts before every other kill.
    """
    runs = [f"run-{number}" for number in range(10)]
    for run in runs:
        actions = (effects.action("A", sleep_s=0.3), effects.action("B", sleep_s=0.1))
        team.pipeline(
            run,
            stage("Build", *actions),
            stage("Prod", effects.action("C", sleep_s=0.2)),
            wait=False,
        )
    for kill in range(20):
        if kill % 2 == 0:
            team.start(runs[kill // 2], runs[kill // 2])
        operator.start()
        eventually(lambda: operator.log().count("Leading") > kill, 60, "the operator leads")  # noqa: B023
        time.sleep(0.05 + 0.13 * (kill % 7))
        operator.kill()
    assert not is_over(team, runs[-1]), "the last kills came too late to matter"
    operator.start()
    eventually(lambda: is_over(team, *runs), 120, "ten runs ended", pause=0.5)
    ended = [team.run(run) for run in runs]

    assert [run["status"]["state"] for run in ended] == ["Succeeded"] * len(runs), operator.log()[
        -2000:
    ]
    assert effects.per_try() == dict.fromkeys([t for run in ended for t in tries_of(run)], 1)


def test_leader_that_stands_still_past_its_lease_is_followed_by_the_other_and_does_nothing_more(
    cluster: Cluster, kube: Kube, team: Team, operator: OperatorProcess, effects: Effects
) -> None:
    """Two replicas; SIGSTOP: the other takes over and goes on; the old one
    wakes, finds its lease gone, and ends.
    """
    other = OperatorProcess(cluster, kube, identity="other-operator", namespaces=[team.namespace])
    gate = Gate(cluster)
    team.pipeline(
        "web",
        stage("Build", effects.action("A", before=gate)),
        stage("Prod", effects.action("B")),
        wait=False,
    )
    try:
        operator.start()
        eventually(lambda: "Leading" in operator.log(), 60, "the first replica leads")
        other.start()
        team.start("web")
        eventually(lambda: team.execution("A").get("jobName"), 30, "the action started")
        operator.pause()
        gate.open()
        assert team.ended()["state"] == "Succeeded"
        assert "Leading" in other.log()
        written = team.run()["metadata"]["resourceVersion"]
        operator.resume()
        assert operator.wait(60) != 0, "the old leader went on"
        assert team.run()["metadata"]["resourceVersion"] == written
    finally:
        other.stop()
    assert effects.per_try() == dict.fromkeys(tries_of(team.run()), 1)


def test_job_that_ran_unseen_and_was_deleted_is_a_lost_try_and_not_a_second_effect(
    team: Team, operator: OperatorProcess, effects: Effects
) -> None:
    """Crash after create; the Job ran and was deleted meanwhile: the new
    agent meets a foreign claim.
    """
    team.pipeline("web", stage("Build", effects.action("A")), wait=False)
    team.start("web")
    operator.start()
    job = eventually(lambda: team.execution("A").get("jobName"), 30, "the action started")
    eventually(lambda: team.kube.find("jobs", team.namespace, job), 10, "its Job")
    operator.kill()
    eventually(lambda: effects.keys(), 30, "its effect")
    eventually(lambda: is_complete(team, job), 30, "its Job complete")
    assert team.status()["state"] == "InProgress", "the operator saw the end before it was killed"
    team.kube.delete("jobs", team.namespace, job)
    eventually(lambda: team.pod_of(job) is None, 60, "its pod gone")

    operator.start()
    status = team.ended(seconds=60)
    rows = status["stageStates"][0]["actionStates"][0]["executions"]
    assert [(row["try"], row["status"]) for row in rows] == [(1, "Unknown"), (2, "Succeeded")]
    assert rows[0]["errorDetails"]["code"] == "DuplicateExecution"
    assert effects.per_try() == dict.fromkeys(tries_of(team.run()), 1)


def is_complete(team: Team, job: str) -> bool:
    conditions = team.kube.get("jobs", team.namespace, job).get("status", {}).get("conditions", [])
    return any(c["type"] == "Complete" and c["status"] == "True" for c in conditions)


def test_conflict_before_every_second_status_write_delays_and_changes_nothing(
    team: Team, operator: OperatorProcess, effects: Effects
) -> None:
    team.pipeline(
        "web", stage("Build", effects.action("A")), stage("Prod", effects.action("B")), wait=False
    )
    team.start("web")
    operator.start(conflict_every=2)
    assert team.ended()["state"] == "Succeeded"
    assert effects.per_try() == dict.fromkeys(tries_of(team.run()), 1)


def test_watch_that_delivers_no_jobs_and_pods_is_made_up_for_by_the_resync(
    team: Team, operator: OperatorProcess, effects: Effects
) -> None:
    team.pipeline("web", stage("Build", effects.action("A")), wait=False)
    team.start("web")
    operator.start(drop_events="Job,Pod")
    assert team.ended(seconds=90)["state"] == "Succeeded"
    assert effects.per_try() == dict.fromkeys(tries_of(team.run()), 1)


def test_namesake_of_a_deleted_run_starts_afresh_once_the_old_pods_are_gone(
    team: Team, operator: OperatorProcess, effects: Effects
) -> None:
    slow = commands("A", "trap 'sleep 2; exit 1' TERM; sleep 20 & wait")
    team.pipeline("web", stage("Build", slow, effects.action("B", runOrder=2)), wait=False)
    team.start("web")
    operator.start()
    job = eventually(lambda: team.execution("A").get("jobName"), 30, "the action started")
    pod = eventually(lambda: team.pod_of(job), 30, "its pod")
    eventually(lambda: is_running(team, job), 30, "its pod running")
    team.kube.delete("pipelineruns", team.namespace, "run")
    eventually(
        lambda: team.kube.find("pipelineruns", team.namespace, "run") is None, 10, "the run gone"
    )
    team.kube.apply([pipeline_of(team, effects)], team.namespace)
    team.start("web")
    new = eventually(
        lambda: team.execution("A").get("jobName"), 60, "the namesake's action started"
    )
    still_there = team.kube.find("pods", team.namespace, pod["metadata"]["name"])

    assert new != job
    assert still_there is None or is_terminated(still_there), "two pods ran in one stage"
    assert team.ended()["state"] == "Succeeded"


def pipeline_of(team: Team, effects: Effects) -> dict[str, object]:
    found = team.kube.get("pipelines", team.namespace, "web")
    spec = {"stages": [stage("Build", commands("A", "true"), effects.action("B", runOrder=2))]}
    return {
        "apiVersion": found["apiVersion"],
        "kind": "Pipeline",
        "metadata": {"name": "web"},
        "spec": spec,
    }


def job_of(team: Team, action: str) -> str:
    return str(team.execution(action).get("jobName", "none"))


def is_running(team: Team, job: str) -> bool:
    pod = team.pod_of(job)
    return bool(pod and pod["status"].get("phase") == "Running")


def is_terminated(pod: dict[str, object]) -> bool:
    statuses = pod["status"].get("containerStatuses", [])  # type: ignore[attr-defined]
    return all("terminated" in status["state"] for status in statuses)
