"""How a run goes through its stages (X-22..X-24, X-26, X-28), played against
the simulated cluster.
"""

import json
import uuid
from dataclasses import replace

from penstock.api.contract.contracts import ArtifactLocation
from penstock.engine.commands import CreateJob
from tests.unit.engine.simulation import World, commands_action, git_action, stage


def three_stages() -> World:
    return World.of(
        stage("Source", git_action()),
        stage(
            "Build",
            commands_action(
                "Make", inputArtifacts=[{"name": "Source"}], outputArtifacts=[{"name": "Site"}]
            ),
        ),
        stage("Prod", commands_action("Check", inputArtifacts=[{"name": "Site"}])),
    )


def test_run_of_three_stages_starts_each_after_the_one_before() -> None:
    world = three_stages()
    world.start()
    seen = []
    for action in ("Fetch", "Make", "Check"):
        world.settle()
        assert world.live_jobs() == [world.job_for(action)]
        seen.append(action)
        world.succeed(world.job_for(action))
    world.settle()

    assert world.status().state == "Succeeded"
    assert [state.status for state in world.status().stage_states] == ["Succeeded"] * 3


def test_next_action_starts_in_the_same_pass_that_ends_the_one_before() -> None:
    world = three_stages()
    world.start()
    world.settle()
    world.succeed(world.job_for("Fetch"))
    plan = world.plan()

    (created,) = [command for command in plan.commands if isinstance(command, CreateJob)]
    started = plan.run_statuses["run-1"].stage_states[1].action_states[0].executions[0]

    assert created.manifest["metadata"]["name"] == started.job_name


def test_members_of_a_group_run_together_and_groups_one_after_the_other() -> None:
    world = World.of(
        stage(
            "Build",
            commands_action("C", runOrder=20),
            commands_action("A", runOrder=4),
            commands_action("B", runOrder=4),
        )
    )
    world.start()
    world.settle()
    assert sorted(world.live_jobs()) == sorted([world.job_for("A"), world.job_for("B")])

    world.succeed(world.job_for("A"))
    world.settle()
    assert world.execution("C") is None

    world.succeed(world.job_for("B"))
    world.settle()
    assert world.live_jobs() == [world.job_for("C")]


def test_oracle_o_08_a_failed_member_lets_its_siblings_end_and_starts_no_later_group() -> None:
    world = World.of(
        stage(
            "Build",
            commands_action("Fast"),
            commands_action("Slow"),
            commands_action("Later", runOrder=2),
        )
    )
    world.start()
    world.settle()
    world.fail(world.job_for("Fast"), message="exit code 1")
    world.settle()
    assert world.status().state == "InProgress"
    assert world.live_jobs() == [world.job_for("Slow")]

    world.succeed(world.job_for("Slow"))
    world.settle()
    assert world.status().state == "Failed"
    assert world.status().stage_states[0].status == "Failed"
    assert world.execution("Slow").status == "Succeeded"  # type: ignore[union-attr]
    assert world.execution("Later") is None
    assert world.status().status_summary == "Build/Fast: exit code 1"


def test_stage_admits_one_run_at_a_time_and_the_older_first() -> None:
    world = World.of(
        stage("Build", commands_action("Make")),
        stage("Prod", commands_action("Check")),
        executionMode="QUEUED",
    )
    for name in ("run-1", "run-2", "run-3"):
        world.start(name)
    world.settle()
    assert world.live_jobs() == [world.job_for("Make", "run-1")]
    assert [world.reason(name) for name in ("run-1", "run-2", "run-3")] == [
        "InProgress",
        "Queued",
        "Queued",
    ]

    world.succeed(world.job_for("Make", "run-1"))
    world.settle()
    assert world.live_jobs() == [world.job_for("Check", "run-1"), world.job_for("Make", "run-2")]

    world.succeed(world.job_for("Make", "run-2"))
    world.settle()
    assert world.reason("run-2") == "Waiting"
    assert world.status("run-2").status_summary == "waiting for stage Prod, held by another run"
    assert world.live_jobs() == [world.job_for("Check", "run-1"), world.job_for("Make", "run-3")]


def test_waiting_run_is_not_written_again_after_its_first_queued_status() -> None:
    world = World.of(stage("Build", commands_action("Make")), executionMode="QUEUED")
    for name in ("run-1", "run-2", "run-3"):
        world.start(name)
    world.settle()
    queued = world.status("run-3")
    world.succeed(world.job_for("Make", "run-1"))
    world.settle()

    assert world.status("run-3") == queued


def test_stage_stays_locked_while_a_pod_of_an_ended_run_may_run_in_it() -> None:
    world = World.of(stage("Build", commands_action("Make")))
    world.start("run-1")
    world.settle()
    job = world.job_for("Make", "run-1")
    pod = world.run_pod(job)
    del world.runs["run-1"]
    world.start("run-2")
    world.deleted_jobs.add(job)
    world.jobs.pop(job)
    world.settle()
    assert world.live_jobs() == []
    assert world.status("run-2").status_summary == (
        f"waiting for stage Build, held by pod {pod.name}; if its node is lost: kubectl delete pod "
        f"{pod.name} --force"
    )

    world.end_pod(pod.job, "")
    world.settle()
    assert world.live_jobs() == [world.job_for("Make", "run-2")]


def test_run_executes_the_definition_it_was_admitted_with() -> None:
    world = three_stages()
    world.start()
    world.settle()
    changed = World.of(
        stage("Source", git_action()), stage("Other", commands_action("New")), onUpdate="Finish"
    )
    world.change_pipeline(generation=2, spec=changed.spec)
    world.succeed(world.job_for("Fetch"))
    world.settle()

    assert world.live_jobs() == [world.job_for("Make")]
    assert world.pipeline is not None
    assert world.pipeline.status.version == 2


def test_artifact_bound_to_a_run_is_the_one_that_very_run_made() -> None:
    world = World.of(
        stage("Source", git_action()),
        stage("Prod", commands_action("Check", inputArtifacts=[{"name": "Source"}])),
    )
    world.start("run-1")
    world.settle()
    world.succeed(world.job_for("Fetch", "run-1"))
    world.start("run-2")
    world.settle()
    first = world.request(world.job_for("Check", "run-1")).inputs[0].key
    world.succeed(world.job_for("Fetch", "run-2"))
    world.succeed(world.job_for("Check", "run-1"))
    world.settle()
    second = world.request(world.job_for("Check", "run-2")).inputs[0].key

    assert (
        first
        == f"pipeline-uid/uid-run-1/Source/Fetch/1/pod-{world.job_for('Fetch', 'run-1')}/Source"
    )
    assert (
        second
        == f"pipeline-uid/uid-run-2/Source/Fetch/1/pod-{world.job_for('Fetch', 'run-2')}/Source"
    )


def test_key_that_a_pod_reports_is_not_believed() -> None:
    world = World.of(
        stage("Source", git_action()),
        stage("Prod", commands_action("Check", inputArtifacts=[{"name": "Source"}])),
    )
    world.start()
    world.settle()
    stolen = ArtifactLocation("Source", "another-pipeline/secret", 10, "00" * 32)
    world.succeed(world.job_for("Fetch"), outputs=(stolen,))
    world.settle()
    assert (
        world.request(world.job_for("Check"))
        .inputs[0]
        .key.startswith("pipeline-uid/uid-run-1/Source/Fetch/1/")
    )


def test_status_of_a_thousand_actions_stays_below_400_kilobytes() -> None:
    names = [f"Action-{number:02}" for number in range(50)]
    world = World.of(
        *(
            stage(f"Stage-{place:02}", *(commands_action(f"{name}-{place:02}") for name in names))
            for place in range(20)
        )
    )
    world.start()
    world.settle()
    while live := world.live_jobs():
        for job in live:
            uid = str(uuid.UUID(int=len(world.pods)))
            world.run_pod(job, name=f"{job}-abcde", uid=uid)
            world.succeed(job, pod_uid=uid, log=f"logs/{job}")
        world.settle()
    status = world.status()
    assert status.state == "Succeeded"
    assert len(json.dumps(status.to_dict(), separators=(",", ":"))) < 400_000


def at_the_door_of_prod(mode: str) -> World:
    """Return a world where A is in Prod, B waits in front of it, and C has just come there, too."""
    world = World.of(
        stage("Build", commands_action("Make")),
        stage("Prod", commands_action("Check")),
        executionMode=mode,
    )
    for name in ("A", "B", "C"):
        world.start(name)
        world.settle()
        world.succeed(world.job_for("Make", name))
        world.settle()
    assert world.live_jobs() == [world.job_for("Check", "A")]
    return world


def test_oracle_o_02_superseded_mode_lets_the_newest_wait_and_ends_the_one_before() -> None:
    world = at_the_door_of_prod("SUPERSEDED")
    assert [world.status(name).state for name in "ABC"] == [
        "InProgress",
        "Superseded",
        "InProgress",
    ]
    assert world.status("B").status_summary == "overtaken by the newer run C"
    conditions = {condition.type: condition.status for condition in world.status("B").conditions}
    assert conditions == {"Succeeded": "False", "Ready": "True"}

    world.succeed(world.job_for("Check", "A"))
    world.settle()
    assert world.live_jobs() == [world.job_for("Check", "C")]
    assert [state.stage_name for state in world.status("B").stage_states] == ["Build"]


def test_oracle_o_03_queued_mode_lets_all_wait_and_enter_in_order() -> None:
    world = at_the_door_of_prod("QUEUED")
    assert [world.status(name).state for name in "ABC"] == ["InProgress"] * 3
    for holder, following in (("A", "B"), ("B", "C")):
        world.succeed(world.job_for("Check", holder))
        world.settle()
        assert world.live_jobs() == [world.job_for("Check", following)]


def test_run_inside_a_stage_is_never_superseded() -> None:
    world = World.of(stage("Build", commands_action("Make")))
    world.start("run-1")
    world.settle()
    for name in ("run-2", "run-3", "run-4"):
        world.start(name)
    world.settle()

    assert [world.status(f"run-{n}").state for n in range(1, 5)] == [
        "InProgress",
        "Superseded",
        "Superseded",
        "InProgress",
    ]
    assert world.status("run-2").stage_states == ()


def test_run_of_the_same_second_does_not_enter_a_stage_that_another_holds() -> None:
    """Kubernetes counts creation in seconds: by name the later of the two may stand first."""
    world = World.of(stage("Build", commands_action("Make")), executionMode="QUEUED")
    world.start("b")
    world.settle()
    world.start("a")
    world.runs["a"] = replace(world.runs["a"], created=world.runs["b"].created)
    world.settle()
    assert world.live_jobs() == [world.job_for("Make", "b")]
    assert world.status("a").stage_states == ()


def test_same_snapshot_gives_the_same_plan() -> None:
    world = three_stages()
    world.start()
    assert world.plan() == world.plan()
    assert not world.plan().is_empty
