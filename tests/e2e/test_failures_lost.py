"""Things that vanish under a running action: its agent, its Job, its Pipeline."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path

import pytest

from tests.cluster import Cluster
from tests.e2e.conftest import Team, commands, stage
from tests.e2e.failures import (
    ACTION,
    STAGE,
    Failing,
    assert_nothing_runs,
    assert_shown,
    living,
    new_team,
    running_pod,
)
from tests.e2e.gates import Gate
from tests.support.install import SYSTEM
from tests.support.kube import Document, eventually

AT_WORK = "at work"
SLEEPER = commands(ACTION, f"echo {AT_WORK}", "sleep 30")
TRIES = 3


def kill_agent(cluster: Cluster, pod: Document) -> None:
    """End the agent of a pod as the kernel does when memory runs out: SIGKILL to its process.

    Inside its own container PID 1 cannot be killed, so this needs the node's
    processes to be this machine's.
    """
    wanted = f"PENSTOCK_POD_UID={pod['metadata']['uid']}".encode()
    kill_all(
        cluster,
        [int(folder.name) for folder in Path("/proc").glob("[0-9]*") if _is_agent(folder, wanted)],
        pod,
    )


def kill_action(cluster: Cluster, pod: Document) -> None:
    """End the action's container of a pod from outside, likewise."""
    uid = pod["metadata"]["uid"].encode()
    kill_all(
        cluster,
        [int(folder.name) for folder in Path("/proc").glob("[0-9]*") if _is_action(folder, uid)],
        pod,
    )


def kill_all(cluster: Cluster, pids: list[int], pod: Document) -> None:
    """Send SIGKILL to processes of a pod; on a cluster whose processes are
    elsewhere the test is skipped.
    """
    if not pids and cluster.kind != "local":
        pytest.skip(
            f"cannot run on a cluster of kind {cluster.kind}: its processes are not on this machine"
        )
    assert pids, f"no process of this machine is the wanted one of pod {pod['metadata']['name']}"
    for pid in pids:
        # The end of a container's first process ends the others.
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _is_agent(folder: Path, variable: bytes) -> bool:
    try:
        environment = (folder / "environ").read_bytes().split(b"\0")
        return variable in environment and b"penstock-agent" in (folder / "cmdline").read_bytes()
    except OSError:
        return False


def _is_action(folder: Path, pod_uid: bytes) -> bool:
    try:
        is_ours = pod_uid in (folder / "cgroup").read_bytes()
        return is_ours and (folder / "cmdline").read_bytes().startswith(b"sh\0-c\0")
    except OSError:
        return False


def test_action_killed_from_outside_fails_at_once_and_is_not_run_again(
    cluster: Cluster, team: Team
) -> None:
    team.pipeline("web", stage(STAGE, SLEEPER))
    team.start("web", "run")
    kill_action(cluster, running_pod(team, "run", says=AT_WORK))

    message = "the action's container ended before its commands did (exit code 137): Error"
    last = assert_shown(team, Failing("run", SLEEPER, "ActionContainerDied", message))
    assert last["try"] == 1


def open_for_the_second_try(team: Team, gate: Gate) -> None:
    """Open the gate once the first try is given up: until its end it must not get through."""
    eventually(lambda: team.execution(ACTION).get("try") == 2, 60, "another try")
    gate.open()


def test_evicted_pod_leaves_the_try_unknown_and_the_action_is_run_again(team: Team) -> None:
    """By the API, as a node's drain does it."""
    gate = Gate(team.cluster)
    team.pipeline("web", stage(STAGE, commands(ACTION, f"echo {AT_WORK}", gate.line)))
    team.start("web")
    pod = running_pod(team, "run", says=AT_WORK)["metadata"]["name"]
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod}}
    team.kube.request("POST", f"/api/v1/namespaces/{team.namespace}/pods/{pod}/eviction", eviction)
    open_for_the_second_try(team, gate)

    status = team.ended()
    assert status["state"] == "Succeeded"
    first, second = status["stageStates"][0]["actionStates"][0]["executions"]
    assert (first["try"], first["status"], first["errorDetails"]["code"]) == (
        1,
        "Unknown",
        "PodTerminated",
    )
    assert (second["try"], second["status"]) == (2, "Succeeded")


def test_namespace_deleted_mid_run_goes_and_the_operator_goes_on(
    cluster: Cluster, team: Team
) -> None:
    with new_team(cluster, team.kube) as to_delete:
        to_delete.pipeline("web", stage(STAGE, SLEEPER), stage("Never", commands("Next", "true")))
        to_delete.start("web")
        running_pod(to_delete, "run", says=AT_WORK)
        restarts = operator_restarts(team)
        to_delete.kube.delete("namespaces", None, to_delete.namespace)
        eventually(
            lambda: team.kube.find("namespaces", None, to_delete.namespace) is None,
            90,
            "the namespace gone",
        )

    team.pipeline("web", stage(STAGE, commands(ACTION, "true")))
    team.start("web")
    assert team.ended()["state"] == "Succeeded"
    assert operator_restarts(team) == restarts


def operator_restarts(team: Team) -> int:
    pods = team.kube.objects("pods", SYSTEM, "app.kubernetes.io/name=penstock")
    return sum(
        status["restartCount"] for pod in pods for status in pod["status"]["containerStatuses"]
    )


def test_agent_killed_once_leaves_the_try_unknown_and_the_action_is_run_again(
    cluster: Cluster, team: Team
) -> None:
    gate = Gate(cluster)
    team.pipeline("web", stage(STAGE, commands(ACTION, f"echo {AT_WORK}", gate.line)))
    team.start("web")
    kill_agent(cluster, running_pod(team, "run", says=AT_WORK))
    open_for_the_second_try(team, gate)

    status = team.ended()
    assert status["state"] == "Succeeded"
    first, second = status["stageStates"][0]["actionStates"][0]["executions"]
    assert (first["try"], first["status"], first["errorDetails"]["code"]) == (
        1,
        "Unknown",
        "AgentLost",
    )
    assert (second["try"], second["status"]) == (2, "Succeeded")
    assert_nothing_runs(team, "run")


def test_agent_killed_in_every_try_fails_the_action_as_lost(cluster: Cluster, team: Team) -> None:
    team.pipeline("web", stage(STAGE, SLEEPER))
    team.start("web", "run")
    for number in range(1, TRIES + 1):
        kill_agent(cluster, running_pod(team, "run", says=AT_WORK, try_=number))

    case = Failing(
        "run",
        SLEEPER,
        "ExecutionLost",
        f"its pod was lost after {TRIES} tries: the agent ended without a result (reason Error, "
        f"exit code 137); its effect is unknown",
    )
    assert_shown(team, case)
    executions = team.status()["stageStates"][0]["actionStates"][0]["executions"]
    assert [(item["try"], item["status"]) for item in executions] == [
        (1, "Unknown"),
        (2, "Unknown"),
        (3, "Failed"),
    ]


def test_job_deleted_by_hand_fails_the_action_and_nothing_is_run_again(team: Team) -> None:
    team.pipeline("web", stage(STAGE, SLEEPER))
    team.start("web", "run")
    running_pod(team, "run", says=AT_WORK)
    team.kube.delete("jobs", team.namespace, team.execution(ACTION)["jobName"])

    message = "the Job was deleted while the action ran; nothing was run again"
    last = assert_shown(team, Failing("run", SLEEPER, "JobDeleted", message))
    assert last["try"] == 1
    assert team.kube.objects("jobs", team.namespace) == []


def test_pipeline_deleted_in_the_middle_of_a_run_lets_the_action_end_and_cancels_the_run(
    team: Team,
) -> None:
    gate = Gate(team.cluster)
    first = commands(ACTION, f"echo {AT_WORK}", gate.line)
    team.pipeline("web", stage(STAGE, first), stage("Never", commands("Next", "true")))
    team.start("web", "run")
    running_pod(team, "run", says=AT_WORK)
    team.kube.delete("pipelines", team.namespace, "web")
    gate.open()

    status = team.ended("run")
    assert status["state"] == "Cancelled"
    assert status["statusSummary"] == "the Pipeline was deleted while the run was under way"
    conditions = {item["type"]: (item["status"], item["reason"]) for item in status["conditions"]}
    assert conditions == {
        "Succeeded": ("False", "PipelineDeleted"),
        "Ready": ("False", "PipelineDeleted"),
        "Stalled": ("True", "PipelineDeleted"),
    }
    assert [state["stageName"] for state in status["stageStates"]] == [STAGE]
    assert team.execution(ACTION)["status"] == "Succeeded"
    uid = team.run("run")["metadata"]["uid"]
    eventually(lambda: not living(team, uid), 15, "the run's pods ended")
