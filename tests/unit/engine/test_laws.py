"""The laws of the engine, shown on random pipelines under random fates (design: the laws)."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.engine.settings import Settings
from penstock.engine.snapshot import CreateJob, Plan
from tests.unit.engine.simulation import World, commands_action, stage

FATES = ("succeed", "fail", "lose", "crash", "run", "wait", "sleep", "delete", "start")


@st.composite
def stages(draw: st.DrawFn) -> list[dict[str, Any]]:
    return [
        stage(
            f"S{number}",
            *(
                commands_action(f"A{number}{index}", runOrder=draw(st.integers(1, 3)))
                for index in range(draw(st.integers(1, 3)))
            ),
        )
        for number in range(draw(st.integers(1, 3)))
    ]


def meet_fate(world: World, fate: str, pick: int) -> None:
    live = sorted(world.live_jobs())
    job = live[pick % len(live)] if live else None
    if fate == "start" and len(world.runs) < 4:
        world.start(f"run-{len(world.runs) + 1}")
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


def crash(plan: Plan, pick: int) -> Plan:
    """Return the part of a plan that is written before the operator dies: a prefix, statuses first."""
    cut = pick % (len(plan.run_statuses) + len(plan.commands) + 1)
    statuses = dict(list(plan.run_statuses.items())[:cut])
    commands = plan.commands[: max(0, cut - len(plan.run_statuses))]
    return Plan(revisions=plan.revisions, run_statuses=statuses, commands=commands)


def check_laws(world: World, ended: dict[str, object]) -> None:
    for name, run in world.runs.items():
        if run.status.state and run.status.state.is_terminal:
            assert ended.setdefault(name, run.status) == run.status, "a terminal status changed"
    created = [c.manifest["metadata"]["name"] for c in world.history if isinstance(c, CreateJob)]
    assert len(set(created)) == len(world.manifests)
    holders: dict[str, str] = {}
    for name, run in world.runs.items():
        for state in run.status.stage_states:
            if state.status == "InProgress":
                assert holders.setdefault(state.stage_name, name) == name, "two runs hold one stage"


@settings(max_examples=150, deadline=None)
@given(stages(), st.lists(st.tuples(st.sampled_from(FATES), st.integers(0, 99)), max_size=25))
def test_every_run_ends_and_no_law_is_broken_whatever_happens(
    wanted: list[dict[str, Any]], story: list[tuple[str, int]]
) -> None:
    world = World.of(*wanted, settings=Settings(container_end_s=5, no_pod_s=60, start_s=60))
    world.start()
    ended: dict[str, object] = {}
    for fate, pick in story:
        meet_fate(world, fate, pick)
        if fate == "crash":
            world.apply(crash(world.plan(), pick))
        else:
            world.settle()
            assert world.plan().is_empty, "planning after applying plans something"
        check_laws(world, ended)
    for _ in range(60):
        world.settle()
        live = world.live_jobs()
        if not live and all(run.status.state and run.status.state.is_terminal for run in world.runs.values()):
            break
        for job in live:
            if job in world.jobs:
                world.succeed(job)
        world.advance(10)
    check_laws(world, ended)
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
