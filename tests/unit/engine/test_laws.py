"""The laws of the engine, shown on random pipelines under random fates (design: the laws)."""

from dataclasses import dataclass, field
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.api.pipeline import PipelineSpec
from penstock.api.run import ActionExecution, PipelineRunStatus
from penstock.engine.jobs import stage_label
from penstock.engine.observed import Pod
from penstock.engine.settings import Settings
from penstock.engine.snapshot import CreateJob, Plan
from tests.unit.engine.simulation import World, commands_action, stage

FATES = ("succeed", "fail", "lose", "crash", "run", "wait", "sleep", "delete", "start")
REQUESTS = ("stop", "abandon", "disable", "enable", "retry", "retry", "retry-all")


RETRY = {"onFailure": {"result": "RETRY", "retryConfiguration": {"maxAttempts": 2, "backoffSeconds": 5}}}


@st.composite
def stages(draw: st.DrawFn) -> list[dict[str, Any]]:
    return [
        {
            **stage(
                f"S{number}",
                *(
                    commands_action(f"A{number}{index}", runOrder=draw(st.integers(1, 3)))
                    for index in range(draw(st.integers(1, 3)))
                ),
            ),
            **draw(st.sampled_from(({}, {}, RETRY))),
        }
        for number in range(draw(st.integers(1, 3)))
    ]


def meet_fate(world: World, fate: str, pick: int) -> None:
    live = sorted(world.live_jobs())
    job = live[pick % len(live)] if live else None
    if fate == "start" and len(world.runs) < 4:
        world.start(f"run-{len(world.runs) + 1}")
    elif fate in ("stop", "abandon") and world.runs:
        ask_to_stop(world, sorted(world.runs)[pick % len(world.runs)], is_abandoned=fate == "abandon")
    elif fate in ("retry", "retry-all") and world.runs:
        mode = "ALL_ACTIONS" if fate == "retry-all" else "FAILED_ACTIONS"
        run = sorted(world.runs)[pick % len(world.runs)]
        states = world.status(run).stage_states
        world.retry(states[-1].stage_name if states else "S0", mode, run)
    elif fate in ("disable", "enable"):
        declare(world, f"S{pick % 3}", is_disabled=fate == "disable")
    elif fate == "sleep":
        world.advance(7)
    elif job and job in world.manifests:
        if fate == "succeed":
            world.succeed(job)
        elif fate == "fail":
            world.fail(job)
        elif fate == "lose":
            world.end_pod(job, "")
        elif fate == "run":
            world.run_pod(job)
        elif fate == "delete" and job in world.jobs:
            world.delete_job(job)


def ask_to_stop(world: World, run: str, *, is_abandoned: bool) -> None:
    """Ask a run to stop, whatever its state, as far as the schema lets a user ask."""
    spec = world.runs[run].spec
    assert spec is not None
    before = spec.stop.after_retries or 0 if spec.stop else -1
    if spec.stop is None or (is_abandoned and not spec.stop.abandon) or len(spec.retries) > before:
        world.stop(run, abandon=is_abandoned, afterRetries=len(spec.retries))


def declare(world: World, name: str, *, is_disabled: bool) -> None:
    """Edit the Pipeline: the transition into one stage, or into none, is disabled (X-71)."""
    disabled = [{"stageName": name, "reason": "freeze"}] if is_disabled else []
    assert world.pipeline is not None
    assert world.pipeline.spec is not None
    spec = PipelineSpec.model_validate(world.pipeline.spec.to_dict() | {"disableInboundStageTransitions": disabled})
    world.change_pipeline(spec=spec, generation=world.pipeline.generation + 1)


def crash(plan: Plan, pick: int) -> Plan:
    """Return the part of a plan that is written before the operator dies: a prefix, statuses first."""
    cut = pick % (len(plan.run_statuses) + len(plan.commands) + 1)
    statuses = dict(list(plan.run_statuses.items())[:cut])
    commands = plan.commands[: max(0, cut - len(plan.run_statuses))]
    return Plan(revisions=plan.revisions, run_statuses=statuses, commands=commands)


@dataclass
class Seen:
    """What laws about more than one moment need to remember of each run, and of each attempt of it."""

    ended: dict[tuple[str, int], object] = field(default_factory=dict)
    stopping: dict[tuple[str, int], list[str]] = field(default_factory=dict)
    rows: dict[str, object] = field(default_factory=dict)


def check_laws(world: World, seen: Seen) -> None:
    for name, run in world.runs.items():
        attempt = (name, run.status.execution_attempt or 1)
        if run.status.state and run.status.state.is_terminal:
            what_became = run.status.model_dump(exclude={"conditions", "observed_generation", "retries"})
            assert seen.ended.setdefault(attempt, what_became) == what_became, "a terminal status changed"
        if run.status.stop_trigger and not run.status.stop_trigger.resumed_time:
            tries = [row.job_name for row in rows_of(run.status)]
            assert seen.stopping.setdefault(attempt, tries) == tries, "something started in a run that is stopping"
        for row in rows_of(run.status):
            if row.status != "InProgress":
                assert seen.rows.setdefault(row.job_name, row) == row, "a try that had ended changed"
        check_attempts(run.status)
    created = [c.manifest["metadata"]["name"] for c in world.history if isinstance(c, CreateJob)]
    assert len(set(created)) == len(world.manifests)
    holders: dict[str, str] = {}
    for name, run in world.runs.items():
        for state in run.status.stage_states:
            if state.status.is_open:
                assert holders.setdefault(state.stage_name, name) == name, "two runs hold one stage"
                others = [pod for pod in pods_in(world, state.stage_name) if pod.run_uid != run.uid]
                assert not others, "a run is in a stage where containers of another still run"


def rows_of(status: PipelineRunStatus) -> list[ActionExecution]:
    return [row for stage in status.stage_states for action in stage.action_states for row in action.executions]


def check_attempts(status: PipelineRunStatus) -> None:
    """A new attempt follows one that had ended; only a retry leads to one."""
    for state in status.stage_states:
        retried = state.retry_stage_metadata
        allowed = 1 + (
            ((retried.auto_stage_retry_attempt or 0) + (retried.manual_stage_retry_attempt or 0)) if retried else 0
        )
        for action in state.action_states:
            numbers = [(row.attempt, row.try_) for row in action.executions]
            assert numbers == sorted(set(numbers)), "a try was made twice"
            assert not numbers or numbers[-1][0] <= allowed, "an attempt that nobody asked for"
            assert [row for row in action.executions[:-1] if row.status == "InProgress"] == []


def pods_in(world: World, stage_name: str) -> list[Pod]:
    return [pod for pod in world.pods.values() if pod.stage_label == stage_label(stage_name) and pod.may_run]


@settings(max_examples=150, deadline=None)
@given(stages(), st.lists(st.tuples(st.sampled_from(FATES + REQUESTS), st.integers(0, 99)), max_size=25), st.booleans())
def test_every_run_ends_and_no_law_is_broken_whatever_happens(
    wanted: list[dict[str, Any]], story: list[tuple[str, int]], do_pods_linger: bool
) -> None:
    world = World.of(*wanted, settings=Settings(container_end_s=5, no_pod_s=60, start_s=60))
    world.do_pods_linger = do_pods_linger
    world.start()
    seen = Seen()
    for fate, pick in story:
        meet_fate(world, fate, pick)
        if fate == "crash":
            world.apply(crash(world.plan(), pick))
        else:
            world.settle()
            assert world.plan().is_empty, "planning after applying plans something"
        check_laws(world, seen)
    declare(world, "", is_disabled=False)
    for _ in range(90):
        world.settle()
        live = world.live_jobs()
        if not live and all(run.status.state and run.status.state.is_terminal for run in world.runs.values()):
            break
        for job in {*live, *world.pods}:
            if job in world.jobs or job in world.pods:
                world.succeed(job)
        world.advance(10)
    check_laws(world, seen)
    assert {
        name for name, run in world.runs.items() if not (run.status.state and run.status.state.is_terminal)
    } == set()


@settings(max_examples=50, deadline=None)
@given(stages(), st.integers(0, 50))
def test_same_snapshot_gives_the_same_plan(wanted: list[dict[str, Any]], seconds: int) -> None:
    world = World.of(*wanted)
    world.start()
    world.advance(seconds)
    assert world.plan() == world.plan()
