"""Things that vanish under a running action: its agent, its Job, its Pipeline."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.cluster import Cluster
from tests.e2e.conftest import Team, commands, stage
from tests.e2e.failures import ACTION, STAGE, Failing, assert_nothing_runs, assert_shown, living, running_pod
from tests.e2e.kube import Document, eventually

AT_WORK = "at work"
SLEEPER = commands(ACTION, f"echo {AT_WORK}", "sleep 30")
TRIES = 3


def kill_agent(cluster: Cluster, pod: Document) -> None:
    """End the agent of a pod as the kernel does when memory runs out: SIGKILL to its process.

    Inside its own container PID 1 cannot be killed, so this needs the node's processes to be this machine's.
    """
    wanted = f"PENSTOCK_POD_UID={pod['metadata']['uid']}".encode()
    pids = [int(folder.name) for folder in Path("/proc").glob("[0-9]*") if _is_agent(folder, wanted)]
    if not pids and cluster.kind != "local":
        pytest.skip(f"cannot run on a cluster of kind {cluster.kind}: the agent's process is not on this machine")
    assert pids, f"no process of this machine is the agent of pod {pod['metadata']['name']}"
    for pid in pids:
        os.kill(pid, signal.SIGKILL)


def _is_agent(folder: Path, variable: bytes) -> bool:
    try:
        environment = (folder / "environ").read_bytes().split(b"\0")
        return variable in environment and b"penstock-agent" in (folder / "cmdline").read_bytes()
    except OSError:
        return False


def test_agent_killed_once_leaves_the_try_unknown_and_the_action_is_run_again(cluster: Cluster, team: Team) -> None:
    team.pipeline("web", stage(STAGE, commands(ACTION, f"echo {AT_WORK}", "sleep 5")))
    team.start("web")
    kill_agent(cluster, running_pod(team, "run", says=AT_WORK))

    status = team.ended()
    assert status["state"] == "Succeeded"
    first, second = status["stageStates"][0]["actionStates"][0]["executions"]
    assert (first["try"], first["status"], first["errorDetails"]["code"]) == (1, "Unknown", "AgentLost")
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
        f"its pod was lost after {TRIES} tries: the agent ended without a result "
        "(reason Error, exit code 137); its effect is unknown",
    )
    assert_shown(team, case)
    executions = team.status()["stageStates"][0]["actionStates"][0]["executions"]
    assert [(item["try"], item["status"]) for item in executions] == [(1, "Unknown"), (2, "Unknown"), (3, "Failed")]


def test_job_deleted_by_hand_fails_the_action_and_nothing_is_run_again(team: Team) -> None:
    team.pipeline("web", stage(STAGE, SLEEPER))
    team.start("web", "run")
    running_pod(team, "run", says=AT_WORK)
    team.kube.delete("jobs", team.namespace, team.execution(ACTION)["jobName"])

    message = "the Job was deleted while the action ran; nothing was run again"
    last = assert_shown(team, Failing("run", SLEEPER, "JobDeleted", message))
    assert last["try"] == 1
    assert team.kube.objects("jobs", team.namespace) == []


def test_pipeline_deleted_in_the_middle_of_a_run_lets_the_action_end_and_cancels_the_run(team: Team) -> None:
    first = commands(ACTION, f"echo {AT_WORK}", "sleep 3")
    team.pipeline("web", stage(STAGE, first), stage("Never", commands("Next", "true")))
    team.start("web", "run")
    running_pod(team, "run", says=AT_WORK)
    team.kube.delete("pipelines", team.namespace, "web")

    status = team.ended("run")
    assert status["state"] == "Cancelled"
    assert status["statusSummary"] == "the Pipeline was deleted while the run was under way"
    conditions = {item["type"]: (item["status"], item["reason"]) for item in status["conditions"]}
    assert conditions == {"Succeeded": ("False", "PipelineDeleted"), "Ready": ("True", "PipelineDeleted")}
    assert [state["stageName"] for state in status["stageStates"]] == [STAGE]
    assert team.execution(ACTION)["status"] == "Succeeded"
    uid = team.run("run")["metadata"]["uid"]
    eventually(lambda: not living(team, uid), 15, "the run's pods ended")
