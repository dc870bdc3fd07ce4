"""Passes over a Pipeline on the fake API server: effects in order, and answers that are lost."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from penstock.api.document import Document
from penstock.cluster.errors import ClusterError
from penstock.cluster.resources import PIPELINES, RUNS, Resource
from penstock.triggers.metrics import TriggerMetrics
from penstock.triggers.observations import Failed, Observation, RefsSeen, Seen, Taken
from penstock.triggers.poller import Poller, Schedule
from penstock.triggers.sources.base import Watch
from tests.support.fake_client import FakeClient
from tests.support.fake_server import FakeServer
from tests.unit.engine.test_definition_triggers import push, spec_of, trigger

MAIN, DEV = "refs/heads/main", "refs/heads/dev"


class ApplyingClient(FakeClient):
    """Applies a status by a merge patch: of fields that one owner has alone, both make the same."""

    async def apply_status(
        self, resource: Resource, namespace: str, name: str, document: Document, manager: str
    ) -> Document:
        path = resource.path(namespace, name, "status")
        return await self.send("PATCH", path, body={"status": document["status"]})


class Repository:
    """A source whose every branch a trigger takes; without one, main alone is looked at."""

    trigger = "Webhook"

    def __init__(self, **refs: str) -> None:
        self.refs = {f"refs/heads/{name}": commit for name, commit in refs.items()}
        self.watched: list[Watch] = []
        self.is_away = False
        self.meanwhile: Callable[[], None] = lambda: None
        """What happens while it is looked at."""

    def identity(self, watch: Watch) -> str | None:
        return "repository"

    def repository(self, watch: Watch) -> str:
        return "repository"

    async def look(self, namespace: str, watch: Watch) -> Observation:
        self.watched.append(watch)
        self.meanwhile()
        if self.is_away:
            return Failed("away")
        if not watch.is_filtered:
            return Seen(self.refs[MAIN])
        known = watch.refs
        if known is None:
            return RefsSeen(dict(self.refs))
        changed = {
            ref: Taken(commit, ref, f"{ref} changed to {commit}")
            for ref, commit in self.refs.items()
            if known.get(ref) != commit
        }
        return RefsSeen(dict(self.refs), changed)


class World:
    """A Pipeline, its repository, and triggers that look whenever they are told."""

    def __init__(self, *, starts: bool = False) -> None:
        self.server = FakeServer()
        self.repository = Repository(main="a" * 40, dev="a" * 40)
        ready = {"type": "Ready", "status": "True", "reason": "Valid"}
        spec = spec_of(*([] if starts else [trigger(**push("**"))])).to_dict()
        self.server.create(PIPELINES, "team", {"metadata": {"name": "web"}, "spec": spec})
        status = {"observedGeneration": 1, "conditions": [ready]}
        if not starts:
            status["startedOnCreate"] = False
        self.server.patch(PIPELINES, "team", "web", {"status": status}, "status")
        self.schedule = Schedule()
        self._poller = Poller(
            ApplyingClient(self.server),
            {"CodeStarSourceConnection": self.repository},
            60.0,
            TriggerMetrics(),
        )

    @property
    def pipeline(self) -> Document:
        found = self.server.get(PIPELINES, "team", "web")
        assert found
        return found

    async def look(self) -> None:
        self.schedule.due = {}
        await self.pass_()

    async def pass_(self) -> tuple[Document, float | None]:
        return await self._poller.run(self.pipeline, self.schedule)

    def runs(self) -> list[tuple[str, str]]:
        found = [run["spec"]["sourceRevisions"][0] for run in self.server.all(RUNS)]
        return sorted((each["ref"], each["revisionValue"][0]) for each in found)

    def source(self) -> dict[str, Any]:
        found: dict[str, Any] = self.pipeline["status"]["sources"][0]
        return found


async def test_pass_starts_a_run_for_each_branch_and_remembers_them() -> None:
    world = World()
    await world.look()
    assert world.runs() == []
    world.repository.refs |= {MAIN: "b" * 40, DEV: "c" * 40}
    await world.look()
    await world.look()
    assert world.runs() == [(DEV, "c"), (MAIN, "b")]
    assert world.source()["refs"] == world.repository.refs
    assert [watch.refs is None for watch in world.repository.watched] == [True, False, False]


@pytest.mark.parametrize("is_applied", [True, False], ids=["answer lost", "not created"])
async def test_push_whose_run_was_perhaps_created_starts_one_run_whatever_moves_meanwhile(
    is_applied: bool,
) -> None:
    world = World()
    await world.look()
    world.repository.refs[MAIN] = "b" * 40
    world.server.refuse("POST", "pipelineruns", 503, "ServiceUnavailable", is_applied=is_applied)
    with pytest.raises(ClusterError):
        await world.look()
    # A branch that comes before it takes its place in the order.
    world.repository.refs[DEV] = "c" * 40
    await world.look()
    assert world.runs() == [(DEV, "c"), (MAIN, "b")]
    await world.look()
    assert len(world.runs()) == 2


async def test_run_whose_memory_was_not_written_is_not_started_again() -> None:
    world = World()
    await world.look()
    world.repository.refs[MAIN] = "b" * 40
    world.server.refuse("PATCH", "pipelines/web/status", 503, "ServiceUnavailable")
    with pytest.raises(ClusterError):
        await world.look()
    world.repository.refs[DEV] = "c" * 40
    await world.look()
    assert world.runs() == [(DEV, "c"), (MAIN, "b")]


async def test_first_run_is_not_created_before_its_baseline_is_remembered() -> None:
    """What is pushed after the creation's run is a change (G-06), whatever fails in between."""
    world = World(starts=True)
    world.repository.refs = {MAIN: "a" * 40}
    world.server.refuse("PATCH", "pipelines/web/status", 503, "ServiceUnavailable")
    with pytest.raises(ClusterError):
        await world.look()
    assert list(world.server.all(RUNS)) == []
    world.repository.is_away = True
    await world.look()
    world.repository.is_away = False
    world.repository.refs = {MAIN: "b" * 40}
    await world.look()
    kinds = [run["spec"]["trigger"]["triggerType"] for run in world.server.all(RUNS)]
    assert sorted(kinds) == ["CreatePipeline", "Webhook"]


async def test_run_that_is_refused_is_decided_anew() -> None:
    """A run that must not be is no reason to look at nothing until a restart."""
    world = World()
    await world.look()
    world.repository.refs[MAIN] = "b" * 40
    world.server.refuse("POST", "pipelineruns", 403, "Forbidden", "exceeded quota")
    with pytest.raises(ClusterError):
        await world.look()
    world.repository.refs[MAIN] = "c" * 40
    await world.look()
    assert world.runs() == [(MAIN, "c")]


async def test_source_that_is_told_of_while_it_is_looked_at_is_looked_at_again() -> None:
    world = World()
    await world.look()
    key = (world.source()["stageName"], world.source()["actionName"])
    world.repository.meanwhile = lambda: world.schedule.make_due([key])
    world.schedule.make_due([key])
    _, again = await world.pass_()
    assert again == 0.0, "the look may not have seen what was told of meanwhile"
    world.repository.meanwhile = lambda: None
    _, again = await world.pass_()
    assert again, "then it waits for its time"
    befores = [watch.not_before for watch in world.repository.watched]
    assert befores[-1] > 0.0, "an answer from before the news is none"


async def test_first_look_at_a_source_takes_no_answer_from_before() -> None:
    """What was pushed before there was the Pipeline is no change of it."""
    world, before = World(), time.monotonic()
    await world.look()
    await world.look()
    first, second = world.repository.watched
    assert first.not_before >= before
    assert second.not_before == 0.0, "from here on looks are shared"
