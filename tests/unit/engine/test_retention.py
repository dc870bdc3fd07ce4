"""What is kept of ended runs: so many runs, so many Jobs, so many definitions."""

from penstock.engine.commands import DeleteJobsOfRuns, DeleteRevision, DeleteRun
from penstock.engine.settings import Settings
from tests.unit.engine.simulation import World, commands_action, stage


def play(world: World, runs: int, *, failing: bool = False, first: int = 1) -> None:
    for number in range(first, first + runs):
        name = f"{'bad' if failing else 'run'}-{number}"
        world.start(name)
        world.settle()
        if failing:
            world.fail(world.job_for("Make", name))
        else:
            world.succeed(world.job_for("Make", name))
        world.advance(1)
        world.settle()


def test_oldest_runs_over_the_limits_are_deleted_each_kind_by_its_own() -> None:
    world = World.of(
        stage("Build", commands_action("Make")),
        successfulRunsHistoryLimit=2,
        failedRunsHistoryLimit=1,
    )
    play(world, 4)
    play(world, 3, failing=True)

    assert sorted(world.runs) == ["bad-3", "run-3", "run-4"]
    assert [c.name for c in world.history if isinstance(c, DeleteRun)] == [
        "run-1",
        "run-2",
        "bad-1",
        "bad-2",
    ]


def test_jobs_of_older_runs_go_several_runs_at_a_time() -> None:
    world = World.of(
        stage("Build", commands_action("Make")),
        settings=Settings(runs_with_jobs=2, successful_runs=50),
    )
    play(world, 8)
    deletions = [c for c in world.history if isinstance(c, DeleteJobsOfRuns)]

    assert [len(deletion.run_uids) for deletion in deletions] == [3, 3]
    assert len(world.jobs) == 2


def test_revision_that_nothing_names_is_deleted_beyond_the_newest() -> None:
    world = World.of(
        stage("Build", commands_action("Make")),
        settings=Settings(kept_revisions=2, successful_runs=1),
    )
    for number in range(5):
        play(world, 1, first=number)
        changed = World.of(stage(f"Build{number}", commands_action("Make")))
        world.change_pipeline(generation=number + 2, spec=changed.spec)
    world.settle()
    deleted = [c.name for c in world.history if isinstance(c, DeleteRevision)]

    assert deleted
    assert world.pipeline is not None
    assert world.pipeline.status.revision not in deleted
    assert not set(deleted) & {run.status.revision for run in world.runs.values()}


def test_gitops_1_run_that_a_tool_declares_is_never_deleted_and_counts_in_no_limit() -> None:
    """Deleted, it would be made anew, and an old release would go live by itself."""
    world = World.of(stage("Build", commands_action("Make")), successfulRunsHistoryLimit=1)
    world.declared = {"run-1"}
    play(world, 4)
    assert sorted(world.runs) == ["run-1", "run-4"]


def test_gitops_1_so_many_declared_runs_are_named_in_the_warnings() -> None:
    world = World.of(
        stage("Build", commands_action("Make")), settings=Settings(successful_runs=100)
    )
    world.declared = {f"run-{number}" for number in range(1, 52)}
    play(world, 50)
    assert world.pipeline
    assert not [c for c in world.pipeline.status.conditions if c.type == "Warnings"]
    play(world, 2, first=51)
    (warning,) = (c for c in world.pipeline.status.conditions if c.type == "Warnings")
    assert "51 ended runs are declared by a tool" in (warning.message or "")
