"""What a try comes to when its pod does anything but end well."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from penstock.api.contract.contracts import ActionResult
from penstock.engine.commands import CreateJob, DeleteJob
from penstock.engine.objects.workloads import Container
from penstock.engine.settings import Settings
from tests.unit.engine.simulation import World, commands_action, deploy_action, git_action, stage

SHORT = Settings(
    image_pull_s=20,
    container_config_s=10,
    no_pod_s=15,
    start_s=100,
    container_end_s=5,
    running_record_s=3,
)


def running(action: dict[str, Any] | None = None) -> tuple[World, str]:
    world = World.of(stage("Build", action or commands_action("Make")), settings=SHORT)
    world.start()
    world.settle()
    return world, world.job_for("Make")


def details(world: World, action: str = "Make") -> tuple[str, str]:
    execution = world.execution(action)
    assert execution is not None
    assert execution.error_details is not None
    return execution.error_details.code, execution.error_details.message


def waiting(world: World, job: str, reason: str, message: str = "") -> None:
    world.run_pod(job)
    pod = world.pods[job]
    stuck = {name: Container(waiting=reason, waiting_message=message) for name in pod.containers}
    world.pods[job] = replace(pod, phase="Pending", containers=stuck)


@pytest.mark.parametrize(
    ("reason", "after_s", "message"),
    [
        ("InvalidImageName", 0, "the image's name is not valid"),
        ("ImagePullBackOff", 21, "did not start within 20 s: no such image"),
        ("CreateContainerConfigError", 11, "did not start within 10 s: no such image"),
    ],
)
def test_container_that_cannot_start_fails_the_action_after_its_limit(
    reason: str, after_s: int, message: str
) -> None:
    world, job = running()
    waiting(world, job, reason, "no such image")
    if after_s:
        world.settle()
        assert world.status().state == "InProgress"
        world.advance(after_s)
    world.settle()

    assert details(world)[0] == reason
    assert message in details(world)[1]
    assert job in world.deleted_jobs


def test_image_that_is_pulled_again_when_the_limit_passes_fails_with_the_same_code() -> None:
    world, job = running()
    waiting(world, job, "ErrImagePull", "no such image")
    world.advance(21)
    world.settle()

    assert details(world) == (
        "ImagePullBackOff",
        "container agent did not start within 20 s: no such image",
    )


def test_image_without_a_shell_fails_at_once_while_the_agent_still_waits() -> None:
    world, job = running()
    pod = world.run_pod(job)
    ended = Container(
        is_terminated=True, exit_code=128, reason="StartError", message='exec: "sh": not found'
    )
    world.pods[job] = replace(pod, containers={**pod.containers, "action": ended})
    world.settle()

    assert details(world) == (
        "StartError",
        'the action\'s container could not start: exec: "sh": not found; an image needs `sh` to '
        "run commands",
    )
    assert job in world.deleted_jobs


def test_job_without_a_pod_fails_after_its_limit_once_a_live_look_found_none() -> None:
    world, job = running()
    world.advance(16)
    assert world.plan().to_confirm == {job}
    assert world.plan().run_statuses == {}
    world.warning = "exceeded quota: none"
    world.settle()

    assert details(world) == ("NoPod", "no pod was created within 15 s; exceeded quota: none")


def test_agent_without_a_result_makes_the_try_unknown_and_a_new_one() -> None:
    world, job = running()
    world.end_pod(job, "", action_code=0)
    world.settle()
    state = world.status().stage_states[0].action_states[0]

    assert [(row.attempt, row.try_, row.status) for row in state.executions] == [
        (1, 1, "Unknown"),
        (1, 2, "InProgress"),
    ]
    assert state.executions[0].job_name != state.executions[1].job_name


def test_tries_are_bounded_and_the_last_loss_fails_the_action() -> None:
    world, _ = running()
    for _ in range(SHORT.lost_tries):
        world.end_pod(world.job_for("Make"), "")
        world.settle()

    assert world.status().state == "Failed"
    assert details(world)[0] == "ExecutionLost"
    assert len(world.status().stage_states[0].action_states[0].executions) == SHORT.lost_tries


def test_lost_deploy_is_not_run_again() -> None:
    world = World.of(
        stage("Source", git_action(output="Site")),
        stage("Prod", deploy_action("Make")),
        settings=SHORT,
    )
    world.start()
    world.settle()
    world.succeed(world.job_for("Fetch"))
    world.settle()
    world.end_pod(world.job_for("Make"), "")
    world.settle()

    assert world.status().state == "Failed"
    assert details(world)[0] == "ExecutionLost"


def test_foreign_claim_is_a_lost_try_and_not_a_failure() -> None:
    world, job = running()
    world.end_pod(
        job, ActionResult(1, "Lost", code="DuplicateExecution", message="claimed"), action_code=97
    )
    world.settle()

    assert [row.status for row in world.status().stage_states[0].action_states[0].executions] == [
        "Unknown",
        "InProgress",
    ]


def test_evicted_pod_with_a_published_result_counts_as_ended() -> None:
    world, job = running()
    world.succeed(job)
    world.pods[job] = replace(world.pods[job], phase="Failed", reason="Evicted")
    world.settle()

    assert world.status().state == "Succeeded"


def test_evicted_pod_without_a_result_is_lost() -> None:
    world, job = running()
    pod = world.run_pod(job)
    world.pods[job] = replace(pod, phase="Failed", reason="Evicted", message="disk pressure")
    world.settle()
    first = world.status().stage_states[0].action_states[0].executions[0]

    assert first.status == "Unknown"
    assert first.error_details is not None
    assert first.error_details.message == "the pod was lost: Evicted: disk pressure"


def test_agent_gone_while_the_action_runs_is_ended_before_anything_is_run_again() -> None:
    world, job = running()
    pod = world.run_pod(job)
    gone = Container(is_terminated=True, exit_code=137, finished=world.now)
    world.pods[job] = replace(pod, containers={**pod.containers, "agent": gone})
    world.settle()
    world.advance(6)
    assert world.plan().to_confirm == {job}
    world.confirmed = {job: ""}
    plan = world.plan()
    assert [type(command) for command in plan.commands] == [DeleteJob]
    assert world.execution("Make").status == "InProgress"  # type: ignore[union-attr]


def test_job_deleted_by_hand_fails_without_a_rerun_once_the_pod_is_gone() -> None:
    world, job = running()
    world.run_pod(job)
    world.advance(4)
    world.settle()
    world.jobs.pop(job)
    world.deleted_jobs.add(job)
    world.settle()
    assert world.status().state == "InProgress"

    world.pods.pop(job)
    world.settle()
    assert details(world)[0] == "JobDeleted"
    assert len([c for c in world.history if isinstance(c, CreateJob)]) == 1


def ended_from_outside(world: World, job: str, *, action_later_s: float = 0) -> None:
    """Let a pod end as one that is deleted: the agent reports that it was, if it still can."""
    world.run_pod(job)
    pod = world.pods[job]
    terminated = (
        ActionResult(1, "Lost", pod.uid, "PodTerminated", "the pod was deleted").encode() or ""
    )
    agent = Container(is_terminated=True, exit_code=1, message=terminated, finished=world.now)
    action = replace(agent, message="", finished=world.now + timedelta(seconds=action_later_s))
    world.pods[job] = replace(pod, containers={"agent": agent, "action": action})


def test_job_deleted_by_hand_fails_though_the_agent_told_of_its_pods_end() -> None:
    world, job = running()
    world.jobs.pop(job)
    world.deleted_jobs.add(job)
    ended_from_outside(world, job)
    plan = world.plan()
    assert plan.to_confirm == {job}
    assert dict(plan.run_statuses) == {}
    world.settle()

    assert details(world)[0] == "JobDeleted"
    assert len([c for c in world.history if isinstance(c, CreateJob)]) == 1


def test_pod_deleted_by_hand_is_lost_and_run_again() -> None:
    world, job = running()
    ended_from_outside(world, job)
    world.settle()

    assert len([c for c in world.history if isinstance(c, CreateJob)]) == 2


def test_job_that_was_deleted_by_us_leaves_its_try_lost() -> None:
    world, job = running()
    world.deleted_uids.add(world.jobs.pop(job).uid)
    world.deleted_jobs.add(job)
    ended_from_outside(world, job, action_later_s=6)
    world.settle()

    assert len([c for c in world.history if isinstance(c, CreateJob)]) == 2


def test_absence_of_a_job_once_seen_is_looked_up_before_it_counts() -> None:
    world, job = running()
    world.run_pod(job)
    world.advance(4)
    world.settle()
    world.jobs.pop(job)
    world.pods.pop(job)
    plan = world.plan()

    assert plan.to_confirm == {job}
    assert plan.run_statuses == {}


def test_job_that_was_never_created_is_created_again_as_the_same_job() -> None:
    world, job = running()
    first = world.manifests.pop(job)
    world.jobs.pop(job)
    world.advance(30)
    world.settle()

    assert world.manifests[job] == first


def test_success_that_the_exit_code_contradicts_is_a_mismatch() -> None:
    world, job = running()
    world.end_pod(job, ActionResult(1, "Succeeded", exit_code=0), action_code=3)
    world.settle()

    assert details(world)[0] == "ResultMismatch"
    assert "container ended with 3" in details(world)[1]


def test_container_killed_for_memory_is_told_by_that_name() -> None:
    world, job = running()
    world.end_pod(
        job,
        ActionResult(1, "Failed", code="ActionContainerDied"),
        action_code=137,
        reason="OOMKilled",
    )
    world.settle()

    assert details(world) == (
        "OOMKilled",
        "the action's container ended before its commands did (exit code 137); the container used "
        "more memory than its limit: choose a larger ComputeType",
    )


def test_process_killed_for_memory_is_told_by_that_name_though_the_shell_lived_on() -> None:
    world, job = running()
    failed = ActionResult(
        1, "Failed", code="JobFailed", message="Command failed with exit code 2: make", exit_code=2
    )
    world.end_pod(job, failed, action_code=2, reason="OOMKilled")
    world.settle()

    assert details(world) == (
        "OOMKilled",
        "Command failed with exit code 2: make; the container used more memory than its limit: "
        "choose a larger ComputeType",
    )


def test_pod_that_does_not_start_within_the_limit_fails_the_action() -> None:
    world, job = running()
    waiting(world, job, "ContainerCreating")
    world.advance(101)
    pod = world.pods[job].name
    world.settle()

    why = f"`kubectl events --for pod/{pod}` says why"
    assert details(world) == (
        "StartTimedOut",
        f"the action's pod did not start within 100 s; {why}",
    )


def test_pod_that_no_node_takes_says_why_in_the_schedulers_words() -> None:
    world, job = running()
    waiting(world, job, "ContainerCreating")
    world.pods[job] = replace(world.pods[job], unscheduled='persistentvolumeclaim "nope" not found')
    world.advance(101)
    world.settle()

    why = 'the action\'s pod did not start within 100 s; persistentvolumeclaim "nope" not found'
    assert details(world) == ("StartTimedOut", why)


@pytest.mark.parametrize(
    "gone",
    [
        Container(is_terminated=True, exit_code=137, reason="ContainerStatusUnknown", restarts=1),
        Container(reason="ContainerCreating", restarts=1),
    ],
    ids=["the kubelet lost it", "the kubelet would make it anew"],
)
def test_workspace_that_outgrew_its_limit_fails_the_action_and_is_not_tried_again(
    gone: Container,
) -> None:
    world, job = running()
    world.run_pod(job)
    message = 'Usage of EmptyDir volume "workspace" exceeds the limit "10Gi". '
    containers = dict.fromkeys(world.pods[job].containers, gone)
    evicted = replace(world.pods[job], phase="Failed", reason="Evicted", message=message)
    world.pods[job] = replace(evicted, containers=containers)
    world.settle()

    assert details(world) == (
        "WorkspaceFull",
        "the action's files outgrew the limit of its workspace, and the pod was evicted: "
        'Usage of EmptyDir volume "workspace" exceeds the limit "10Gi".',
    )


def test_only_the_recorded_pod_counts() -> None:
    world, job = running()
    world.run_pod(job)
    world.advance(4)
    world.settle()
    assert world.execution("Make").pod_uid == f"pod-{job}"  # type: ignore[union-attr]
    world.succeed(job)
    world.pods[job] = replace(world.pods[job], uid="an-impostor")
    world.settle()

    assert world.status().state == "InProgress"


def test_long_try_has_its_pod_recorded_once() -> None:
    world, job = running()
    world.run_pod(job)
    world.settle()
    assert world.last_plan.look_again == world.now + timedelta(seconds=SHORT.running_record_s)
    world.advance(4)
    world.settle()
    world.advance(4)

    assert world.plan().is_empty
    assert world.execution("Make").pod_name == f"{job}-x"  # type: ignore[union-attr]


def test_job_of_no_known_try_is_deleted_on_sight() -> None:
    world, job = running()
    stray = replace(world.jobs[job], name="stray", uid="stray-uid")
    world.jobs["stray"] = stray
    world.settle()

    assert DeleteJob("stray", "stray-uid") in world.history
    assert job in world.jobs


def test_stage_stays_locked_until_the_job_that_had_no_pod_is_gone() -> None:
    world = World.of(stage("Build", commands_action("Make")), executionMode="QUEUED")
    world.start("run-1")
    world.start("run-2")
    world.settle()
    job = world.job_for("Make", "run-1")
    world.advance(61)
    world.confirmed = {job: ""}
    world.apply(world.plan())
    world.confirmed = {}
    assert (job in world.jobs, world.status("run-1").state) == (False, "InProgress")
    assert world.live_jobs() == [job], "its stage is not yet another's"

    world.settle()
    details = world.execution("Make", "run-1").error_details  # type: ignore[union-attr]
    assert details is not None
    assert details.code == "NoPod"
    assert world.live_jobs() == [world.job_for("Make", "run-2")]
