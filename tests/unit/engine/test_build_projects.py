"""A BuildProject is read once, when an attempt starts: whatever becomes of
it, the attempt stays what it was.
"""

from collections.abc import Callable
from dataclasses import replace

import pytest

from penstock.api.kinds.build_project import BuildProjectSpec
from penstock.engine.commands import CreateJob, Plan
from tests.unit.engine.simulation import World, build_action, git_action, stage

BEFORE = BuildProjectSpec(image="debian:12", compute_type="LARGE", timeout_in_minutes=90)
AFTER = BuildProjectSpec(image="debian:13", timeout_in_minutes=5)


def about_to_build(name: str = "web") -> World:
    """Return a world whose next plan starts the CodeBuild action."""
    action = build_action(configuration={"ProjectName": name})
    variables = [{"name": "PROJECT", "defaultValue": "web"}]
    world = World.of(
        stage("Source", git_action()),
        stage("Build", action),
        variables=variables,
        pipelineType="V2",
    )
    world.build_projects["web"] = BEFORE
    world.start()
    world.settle()
    world.succeed(world.job_for("Fetch"))
    return world


def crash_after_status(world: World) -> Plan:
    """Apply a plan up to its statuses, as an operator does that dies before its commands."""
    plan = world.plan()
    world.apply(replace(plan, commands=()))
    return plan


def edit(world: World) -> None:
    world.build_projects["web"] = AFTER
    world.generations["web"] = 2


def delete(world: World) -> None:
    del world.build_projects["web"]


def test_row_says_what_the_attempt_runs_on() -> None:
    world = about_to_build("#{variables.PROJECT}")
    world.settle()
    row = world.execution("Compile")
    assert row and row.build_project
    frozen = row.build_project
    assert (frozen.name, frozen.uid, frozen.generation) == ("web", "uid-web", 1)
    assert world.revisions[frozen.revision]["data"]["buildProject"] == BEFORE.to_dict()
    assert (
        world.revisions[frozen.revision]["metadata"]["ownerReferences"][0]["uid"] == "pipeline-uid"
    )


@pytest.mark.parametrize("change", [edit, delete])
def test_job_that_a_crash_kept_back_is_the_one_that_was_meant(
    change: Callable[[World], None],
) -> None:
    world = about_to_build()
    meant = [
        item.manifest for item in crash_after_status(world).commands if isinstance(item, CreateJob)
    ]
    change(world)
    world.settle()
    assert [world.manifests[world.job_for("Compile")]] == meant


@pytest.mark.parametrize("change", [edit, delete])
def test_further_try_of_an_attempt_runs_on_the_same_project(
    change: Callable[[World], None],
) -> None:
    world = about_to_build()
    world.settle()
    job = world.job_for("Compile")
    world.run_pod(job, phase="Failed", reason="Evicted")
    change(world)
    world.settle()
    row = world.execution("Compile")
    assert row and row.build_project
    assert (row.try_, row.build_project.generation) == (2, 1)
    assert world.request(row.job_name).build == world.request(job).build
    assert world.request(row.job_name).limits.timeout_s == 90 * 60


def test_next_run_reads_the_project_again() -> None:
    world = about_to_build()
    world.settle()
    world.succeed(world.job_for("Compile"))
    edit(world)
    world.start("run-2")
    world.settle()
    world.succeed(world.job_for("Fetch", "run-2"))
    world.settle()
    row = world.execution("Compile", "run-2")
    assert row and row.build_project
    build = world.request(row.job_name).build
    assert build
    assert (row.build_project.generation, build.image) == (2, "debian:13")


def test_job_that_cannot_be_built_again_fails_the_action() -> None:
    world = about_to_build()
    crash_after_status(world)
    row = world.execution("Compile")
    assert row and row.build_project
    del world.revisions[row.build_project.revision]
    world.settle()
    row = world.execution("Compile")
    assert row and row.error_details
    assert row.error_details.code == "DefinitionLost"


def test_frozen_projects_are_kept_for_running_tries_and_in_limits() -> None:
    world = about_to_build()
    world.settings = replace(world.settings, kept_revisions=2)
    for number in range(1, 6):
        world.settle()
        world.succeed(world.job_for("Compile", f"run-{number}"))
        world.settle()
        world.advance(1)
        world.build_projects["web"] = BuildProjectSpec(image=f"debian:{number}")
        world.start(f"run-{number + 1}")
        world.settle()
        world.succeed(world.job_for("Fetch", f"run-{number + 1}"))
    world.settle()
    kept = [
        item["data"]["buildProject"]["image"]
        for item in world.revisions.values()
        if "buildProject" in item["data"]
    ]
    assert sorted(kept) == ["debian:4", "debian:5"]
