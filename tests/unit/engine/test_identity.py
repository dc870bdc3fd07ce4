"""Objects are known by uid and controller: what others make or change has no
say, and hangs nothing.
"""

from dataclasses import replace
from datetime import timedelta

import pytest

from penstock.api.contract.contracts import ActionResult
from penstock.engine.commands import CreateJob, DeleteJob, DeleteRun
from penstock.engine.objects.workloads import Container, PodObject
from penstock.engine.snapshot import Refused
from tests.unit.engine.simulation import World, commands_action, stage


def started(*, running: bool = True) -> World:
    world = World.of(stage("Build", commands_action("Make")))
    world.start()
    world.settle()
    if running:
        world.run_pod(world.job_for("Make"))
        world.settle()
    return world


def test_attack_08_result_of_a_pod_that_our_job_did_not_make_counts_for_nothing() -> None:
    world = started()
    job = world.job_for("Make")
    world.succeed(job)
    world.pods[job] = replace(world.pods[job], owner_uid="forged")
    world.settle()
    assert world.status().state == "InProgress"


def test_attack_08_pod_of_an_unknown_job_never_ends_its_action_as_succeeded() -> None:
    """After a restart: the Job is gone, and only its name and a uid that
    anybody could write are left.
    """
    world = started()
    job = world.job_for("Make")
    world.succeed(job)
    world.jobs.clear()
    world.settle()
    row = world.execution("Make")
    assert row and row.error_details
    assert (row.status, row.error_details.code) == ("Failed", "JobDeleted")


def test_attack_08_pod_that_nobody_vouches_for_is_never_named_by_the_status() -> None:
    """What the status names is believed from then on, however its Job is missing."""
    world = started()
    job = world.job_for("Make")
    world.run_pod(job, owner_uid="of-nobody")
    world.refused[job] = Refused("QuotaExceeded", "no more", world.now, is_final=False)
    world.jobs.clear()
    world.advance(world.settings.running_record_s + 1)
    world.settle()
    row = world.execution("Make")
    assert row and row.pod_uid is None


def test_pod_whose_job_was_seen_to_be_deleted_counts_by_what_it_says() -> None:
    world = started()
    job = world.job_for("Make")
    world.succeed(job)
    world.deleted_uids.add(world.jobs.pop(job).uid)
    world.deleted_jobs.add(job)
    world.settle()
    assert world.status().state == "Succeeded"


def test_attack_08_pod_that_claims_a_jobs_name_locks_no_stage() -> None:
    world = started()
    job = world.job_for("Make")
    world.succeed(job)
    world.pods["forged"] = replace(
        world.new_pod(job), name="forged", uid="forged", owner_uid="forged"
    )
    world.settle()
    world.start("run-2")
    world.settle()
    assert world.execution("Make", "run-2") is not None


def test_pod_that_was_relabelled_holds_the_stage_of_its_job() -> None:
    world = started()
    job = world.job_for("Make")
    world.do_pods_linger = True
    world.stop(abandon=True)
    world.pods[job] = replace(world.pods[job], stage_label="other", run_uid="other")
    world.settle()
    world.start("run-2")
    world.settle()
    assert world.execution("Make", "run-2") is None


@pytest.mark.parametrize("what", ["job", "pod"])
def test_attack_04_what_lost_its_label_is_looked_at_live_again_and_again(what: str) -> None:
    world = started()
    job = world.job_for("Make")
    if what == "job":
        world.jobs[job] = replace(world.jobs[job], is_watched=False)
    else:
        world.pods[job] = replace(world.pods[job], is_watched=False)

    assert world.plan().to_confirm == {job}
    world.confirmed = {job: ""}
    again = world.plan().look_again
    assert again is not None
    assert (again - world.now).total_seconds() == world.settings.unwatched_s


def test_attack_04_pod_that_is_gone_from_sight_is_looked_up_at_once() -> None:
    world = started()
    job = world.job_for("Make")
    del world.pods[job]
    world.podless = frozenset({job})
    assert world.plan().to_confirm == {job}


def test_attack_04_pod_that_is_gone_from_sight_is_looked_up_beside_another() -> None:
    """Without its labels the Job's controller lets a pod go and makes
    another, while the first runs on.
    """
    world = started()
    job = world.job_for("Make")
    world.pods[job] = replace(world.pods[job], uid="replacement")
    world.podless = frozenset({job})
    assert world.plan().to_confirm == {job}


def test_attack_04_pod_is_of_the_job_whose_uid_its_owner_has_whatever_its_name() -> None:
    world = started()
    job = world.job_for("Make")
    world.pods[job] = replace(world.pods[job], job="other")
    world.succeed(job)
    world.settle()
    assert world.status().state == "Succeeded"


def test_attack_04_pod_that_the_status_names_is_looked_up_when_nothing_shows_it() -> None:
    """An operator that began after its labels were taken off has seen nothing of it."""
    world = started()
    world.advance(world.settings.running_record_s)
    world.settle()
    job = world.job_for("Make")
    assert (row := world.execution("Make")) and row.pod_uid
    world.pods[job] = replace(world.pods[job], uid="replacement")
    assert world.plan().to_confirm == {job}


def test_attack_04_pod_that_is_gone_while_its_job_stays_is_lost() -> None:
    """Its owner was taken off, and the garbage collector took it: the Job knows nothing of that."""
    world = started()
    world.advance(world.settings.running_record_s)
    world.settle()
    job = world.job_for("Make")
    del world.pods[job]
    world.advance(world.settings.no_pod_s)
    world.settle()

    rows = world.runs["run-1"].status.stage_states[0].action_states[0].executions
    assert rows[0].error_details
    assert [(row.try_, row.status) for row in rows] == [(1, "Unknown"), (2, "InProgress")]
    assert rows[0].error_details.code == "PodLost"
    assert [c.name for c in world.history if isinstance(c, DeleteJob)] == [job]
    assert rows[1].waiting is None


def duplicate(world: World, job: str) -> PodObject:
    """Return a second pod of a Job, created before the first, whose agent
    found the try claimed by the first.
    """
    message = (
        ActionResult(1, "Lost", code="DuplicateExecution", message="started before").encode() or ""
    )
    over = Container(is_terminated=True, message=message, started=world.now, finished=world.now)
    pod = world.new_pod(job)
    earlier = pod.created - timedelta(seconds=5)
    return replace(
        pod,
        name="a",
        uid="duplicate",
        created=earlier,
        containers=dict.fromkeys(pod.containers, over),
    )


def test_attack_04_pod_that_found_its_try_claimed_says_nothing_beside_another() -> None:
    world = started()
    job = world.job_for("Make")
    world.pods["duplicate"] = duplicate(world, job)
    world.settle()
    assert world.status().state == "InProgress"
    assert len([c for c in world.history if isinstance(c, CreateJob)]) == 1

    world.succeed(job)
    world.settle()
    assert world.status().state == "Succeeded"


def test_attack_04_of_two_pods_of_a_job_the_one_that_began_first_counts() -> None:
    world = started()
    job = world.job_for("Make")
    pod = world.pods[job]
    unstarted = dict.fromkeys(pod.containers, Container())
    world.pods["second"] = replace(
        pod, name="a", uid="second", phase="Pending", containers=unstarted
    )
    world.succeed(job)
    world.settle()
    assert world.status().state == "Succeeded"


def test_pod_that_found_its_try_claimed_by_nobody_that_is_left_is_lost() -> None:
    world = started()
    job = world.job_for("Make")
    world.pods[job] = duplicate(world, job)
    world.settle()
    row = world.runs["run-1"].status.stage_states[0].action_states[0].executions[0]
    assert row.error_details
    assert (row.status, row.error_details.code) == ("Unknown", "DuplicateExecution")


def test_weak_job_that_somebodys_finalizer_keeps_does_not_hang_the_run() -> None:
    world = started(running=False)
    job = world.job_for("Make")
    world.jobs[job] = replace(world.jobs[job], is_deleted=True, deleted=world.now)
    world.settle()
    assert world.status().state == "InProgress", "a pod may have been on its way"

    world.advance(world.settings.container_end_s)
    world.settle()
    row = world.execution("Make")
    assert row and row.error_details
    assert row.error_details.code == "JobDeleted"
    assert world.status().state == "Failed"


def test_weak_deleted_run_that_somebodys_finalizer_keeps_is_cancelled() -> None:
    world = started()
    job = world.job_for("Make")
    world.runs["run-1"] = replace(world.runs["run-1"], is_deleted=True)
    world.settle()

    assert world.status().state == "Cancelled"
    assert world.reason() == "RunDeleted"
    assert [c.name for c in world.history if isinstance(c, DeleteJob)] == [job]


def test_gitops_5_run_deleted_under_way_leaves_the_pipeline_with_the_truth() -> None:
    world = started()
    uid = world.runs.pop("run-1").uid
    world.gone_runs = frozenset({uid, "run-1"})
    world.settle()

    assert world.pipeline
    (shown,) = world.pipeline.status.stage_states
    (last,) = (c for c in world.pipeline.status.conditions if c.type == "LastRunSucceeded")
    assert shown.latest_execution and shown.latest_execution.status == "Cancelled"
    assert (last.status, last.reason) == ("False", "RunDeleted")


def test_bug_18_pipeline_made_anew_shows_no_run_of_the_old_one() -> None:
    world = started()
    assert world.pipeline
    world.change_pipeline(uid="another", status=type(world.pipeline.status)())
    world.settle()
    assert world.pipeline.status.last_run is None
    assert world.status().state == "InProgress", "its running action ends by itself"


def test_attack_02_pipeline_that_cannot_be_read_lets_nobody_in_and_deletes_nothing() -> None:
    """Its spec may be left out for want of memory: what it keeps closed stays
    closed, what it keeps is kept.
    """
    world = World.of(
        stage("Build", commands_action("Make")), stage("Prod", commands_action("Ship"))
    )
    world.start()
    world.settle()
    world.succeed(world.job_for("Make"))
    world.change_pipeline(spec=None, unreadable="too much")
    world.settle()

    assert world.execution("Ship") is None
    assert world.status().state == "InProgress"
    assert "which cannot be read" in (world.status().status_summary or "")
    assert not [command for command in world.history if isinstance(command, DeleteRun)]


def test_attack_02_run_whose_spec_was_left_out_begins_with_nothing_else() -> None:
    world = World.of(stage("Build", commands_action("Make")), executionMode="QUEUED")
    for name in ("run-1", "run-2"):
        world.start(name)
        world.settle()
    world.runs["run-2"] = replace(
        world.runs["run-2"], spec=None, unreadable="take more than 24 MiB"
    )
    world.settle()

    assert world.status("run-2").state == "Failed"
    assert "take more than 24 MiB" in (world.status("run-2").status_summary or "")


def test_attack_08_job_that_another_run_controls_is_not_the_trys_own() -> None:
    world = started(running=False)
    job = world.job_for("Make")
    world.jobs[job] = replace(world.jobs[job], owner_uid="other")
    world.succeed(job)
    world.settle()
    assert world.status().state != "Succeeded"


def test_attack_06_job_that_took_the_name_says_nothing_while_it_is_there() -> None:
    world = started(running=False)
    job = world.job_for("Make")
    world.succeed(job)
    world.refused[job] = Refused("NameTaken", "Job exists", world.now)
    world.settle()
    row = world.execution("Make")
    assert row and row.waiting
    assert (row.status, row.waiting.code) == ("InProgress", "NameTaken")
