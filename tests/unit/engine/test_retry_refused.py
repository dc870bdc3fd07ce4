"""Retries that are refused, with CodePipeline's names, each request once (X-34, X-61..X-63)."""

from __future__ import annotations

from dataclasses import replace

from penstock.engine.settings import Settings
from tests.unit.engine.simulation import World, commands_action, stage
from tests.unit.engine.test_retry import attempts, end, failed
from tests.unit.engine.test_stop import conditions, events, statuses


def refusals(world: World, run: str = "run-1") -> list[tuple[str, str]]:
    """Return the code and the sentence of each answer that is a refusal."""
    return [(a.refused.code, a.refused.message) for a in world.status(run).retries if a.refused]


def two_stages() -> World:
    world = World.of(
        stage("Build", commands_action("Make")),
        stage("Prod", commands_action("Check")),
        executionMode="QUEUED",
    )
    world.start()
    world.settle()
    return world


def test_oracle_o_10_all_actions_are_not_retried_while_one_still_runs() -> None:
    world = failed()
    world.retry("Build", "ALL_ACTIONS")
    world.settle()

    assert refusals(world) == [
        (
            "Conflict",
            "Lint of stage Build still running: ALL_ACTIONS is possible once nothing runs (X-61)",
        )
    ]
    assert conditions(world)["RequestRefused"] == ("True", "Conflict")
    assert attempts(world, "Make") == [(1, 1, "Failed")]
    end(world, "Lint")
    assert world.status().state == "Failed"
    assert conditions(world)["RequestRefused"] == ("True", "Conflict"), (
        "the refusal stays to be read"
    )
    assert [reason for reason, _ in events(world)].count("Conflict") == 1


def test_oracle_o_11_run_is_not_retried_in_a_stage_that_a_newer_one_has_entered() -> None:
    world = two_stages()
    end(world, "Make")
    world.fail(world.job_for("Check"))
    world.settle()
    world.advance(1)
    world.start("run-2")
    world.settle()
    end(world, "Make", run="run-2")
    world.retry("Prod")
    world.settle()

    (refused,) = refusals(world)
    assert refused == (
        "NotLatestPipelineExecution",
        "run run-2 has entered stage Prod since: retry that one, or start a new run (X-34)",
    )
    assert world.status().state == "Failed"
    condition = next(c for c in world.status().conditions if c.type == "RequestRefused")
    assert condition.message == f"spec.retries[0]: {refused[1]}"
    assert world.status().observed_generation == world.runs["run-1"].generation
    assert events(world)[-1] == ("NotLatestPipelineExecution", condition.message)


def test_x_34_newer_run_that_was_pruned_since_is_known_from_the_pipeline() -> None:
    world = two_stages()
    world.fail(world.job_for("Make"))
    world.settle()
    world.advance(1)
    world.start("run-2")
    world.settle()
    end(world, "Make", "Check", run="run-2")
    world.runs.pop("run-2")
    world.retry("Build")
    world.settle()
    assert [code for code, _ in refusals(world)] == ["NotLatestPipelineExecution"]


def test_x_34_run_that_waits_in_front_of_the_stage_has_not_entered_it() -> None:
    world = two_stages()
    end(world, "Make")
    world.advance(1)
    world.start("run-2")
    world.settle()
    end(world, "Make", run="run-2")
    world.retry("Prod", run="run-1")
    world.fail(world.job_for("Check"))
    world.settle()
    assert statuses(world)["Prod"] == "InProgress", "the request is answered before others enter"


def test_x_62_stage_that_succeeded_or_was_never_entered_is_not_retried() -> None:
    world = two_stages()
    end(world, "Make")
    world.retry("Build")
    world.retry("Nope")
    world.settle()
    world.fail(world.job_for("Check"))
    world.settle()
    world.retry("Build")
    world.settle()
    wrong = "stage Build is Succeeded; only one that failed or was stopped is retried (X-62)"
    assert refusals(world) == [
        ("StageNotRetryable", wrong),
        ("StageNotFound", 'the pipeline has no stage "Nope"; it has Build, Prod'),
        ("StageNotRetryable", wrong),
    ]


def test_x_62_waiting_run_is_not_retried() -> None:
    world = two_stages()
    world.start("run-2")
    world.retry("Build", run="run-2")
    world.settle()
    (refused,) = refusals(world, "run-2")
    assert refused[0] == "StageNotRetryable"
    assert conditions(world, "run-2")["Succeeded"] == ("Unknown", "Queued")


def test_x_63_retry_under_way_is_not_retried() -> None:
    world = two_stages()
    world.retry("Build")
    world.settle()
    world.fail(world.job_for("Make"))
    world.settle()
    world.retry("Build")
    world.retry("Build")
    world.settle()
    assert refusals(world) == [
        ("StageNotRetryable", "stage Build is in progress, and nothing in it has failed"),
        ("Conflict", "a retry of stage Build is under way already"),
    ]
    assert attempts(world, "Make") == [(1, 1, "Failed"), (2, 1, "InProgress")]


def test_run_that_is_being_stopped_is_not_retried() -> None:
    world = failed()
    world.stop()
    world.settle()
    world.retry("Build")
    world.settle()
    assert [code for code, _ in refusals(world)] == ["Conflict"]
    end(world, "Lint")
    assert world.status().state == "Stopped"
    world.retry("Build")
    world.settle()
    assert statuses(world)["Make"] == "InProgress"
    assert "RequestRefused" not in conditions(world), "what is followed takes the refusal away"


def test_x_63_run_is_not_retried_once_its_pipeline_was_changed() -> None:
    world = two_stages()
    world.fail(world.job_for("Make"))
    world.settle()
    other = World.of(stage("Build", commands_action("Make", "make all"))).spec
    world.change_pipeline(spec=other, generation=2)
    world.retry("Build")
    world.settle()
    assert [code for code, _ in refusals(world)] == ["StageNotRetryable"]
    assert "was edited since the run started" in refusals(world)[0][1]


def test_run_is_retried_on_the_definition_it_started_with_where_edits_do_not_cancel() -> None:
    world = two_stages()
    world.fail(world.job_for("Make"))
    world.settle()
    world.edit(onUpdate="Finish", stages=[stage("Build", commands_action("Make", "make all"))])
    world.retry("Build")
    world.settle()
    end(world, "Make", "Check")
    assert world.status().state == "Succeeded"


def test_x_63_parallel_run_is_not_retried_above_the_limit_of_its_pipeline() -> None:
    world = World.of(
        stage("Build", commands_action("Make")), executionMode="PARALLEL", maxConcurrentExecutions=1
    )
    world.start()
    world.settle()
    world.fail(world.job_for("Make"))
    world.settle()
    world.start("run-2")
    world.settle()
    world.retry("Build")
    world.settle()
    assert [code for code, _ in refusals(world)] == ["ConcurrentPipelineExecutionsLimitExceeded"]
    end(world, "Make", run="run-2")
    world.retry("Build")
    world.start("run-3")
    world.settle()
    assert statuses(world)["Make"] == "InProgress", (
        "a newer run that entered the stage is no hindrance (X-38)"
    )
    assert world.status("run-3").stage_states == (), "the resumed run counts"


def test_run_is_not_retried_once_its_pipeline_is_gone_or_is_another() -> None:
    world = two_stages()
    world.fail(world.job_for("Make"))
    world.settle()
    before = world.pipeline
    world.pipeline, world.is_pipeline_absent = None, True
    world.retry("Build")
    world.settle()
    assert before is not None
    world.pipeline, world.is_pipeline_absent = replace(before, uid="another"), False
    world.retry("Build")
    world.settle()
    assert [code for code, _ in refusals(world)] == ["PipelineNotFound", "PipelineNotFound"]


def test_run_whose_definition_is_gone_is_not_retried() -> None:
    world = two_stages()
    world.fail(world.job_for("Make"))
    world.settle()
    world.revisions.clear()
    assert world.pipeline is not None
    world.change_pipeline(spec=None, unreadable="spec: broken")
    world.retry("Build")
    world.settle()
    assert [code for code, _ in refusals(world)] == ["DefinitionLost"]
    assert world.status().state == "Failed"


def test_each_request_of_an_ended_run_is_answered_once_and_costs_nothing_later() -> None:
    world = two_stages()
    end(world, "Make", "Check")
    world.retry("Build")
    world.settle()
    world.settle()
    assert [code for code, _ in refusals(world)] == ["StageNotRetryable"]
    assert len([1 for reason, _ in events(world) if reason == "StageNotRetryable"]) == 1
    assert world.snapshot().late == ()


def test_stop_that_came_too_late_is_not_told_again_when_a_retry_is_refused() -> None:
    world = two_stages()
    end(world, "Make", "Check")
    world.stop()
    world.settle()
    assert conditions(world)["RequestRefused"] == ("True", "PipelineExecutionNotStoppable")
    world.retry("Build")
    world.settle()
    assert conditions(world)["RequestRefused"] == ("True", "StageNotRetryable")
    assert [reason for reason, _ in events(world)].count("PipelineExecutionNotStoppable") == 1


def test_run_that_was_refused_at_its_start_is_not_retried() -> None:
    world = World.of(stage("Build", commands_action("Make")), settings=Settings())
    world.start(variables=[{"name": "nope", "value": "x"}])
    world.settle()
    world.retry("Build")
    world.settle()
    assert [code for code, _ in refusals(world)] == ["StageNotRetryable"]
