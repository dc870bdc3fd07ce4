"""Plans: light ones at once, heavy ones in a thread, of which a namespace has one."""

import asyncio
import threading
from datetime import UTC, datetime
from typing import Any

import pytest

from penstock.api.kinds.pipeline import PipelineSpec
from penstock.api.status.pipeline_status import PipelineStatus
from penstock.controller.planner import Pace, Planner
from penstock.engine.commands import Plan
from penstock.engine.plan import plan_pipeline
from penstock.engine.settings import Settings
from penstock.engine.snapshot import PipelineObject, Snapshot

NOW = datetime(2026, 11, 28, tzinfo=UTC)
COMMANDS = {"category": "Compute", "owner": "AWS", "provider": "Commands", "version": "1"}
HEAVY = ['echo "#{codepipeline.PipelineExecutionId}"'.ljust(900)] * 2


def snapshot(namespace: str, *commands: str) -> Snapshot:
    action = {"name": "A", "actionTypeId": COMMANDS, "commands": list(commands)}
    spec = PipelineSpec.model_validate({"stages": [{"name": "S", "actions": [action]}]})
    pipeline = PipelineObject(namespace, "web", "u", 1, PipelineStatus(), spec)
    return Snapshot(namespace=namespace, name="web", pipeline=pipeline)


class Held:
    """Plans that take until they are let go; notes in which thread each was made."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.go, self.begun = threading.Event(), list[tuple[str, bool]]()
        monkeypatch.setattr("penstock.controller.planner.plan_pipeline", self._plan)

    def _plan(self, snapshot: Snapshot, *arguments: Any, **keywords: Any) -> Plan:
        is_beside = threading.current_thread() is not threading.main_thread()
        self.begun.append((snapshot.namespace, is_beside))
        assert not is_beside or self.go.wait(60)
        return plan_pipeline(snapshot, *arguments, **keywords)

    async def count(self, wanted: int) -> None:
        async with asyncio.timeout(60):
            while len(self.begun) < wanted:  # noqa: ASYNC110 — the threads know no asyncio.Event
                await asyncio.sleep(0.01)


async def test_attack_02_heavy_pipelines_of_one_namespace_hold_up_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    held, made = Held(monkeypatch), Planner(Settings())
    noisy = [
        asyncio.create_task(made.plan(snapshot("noisy", *HEAVY), NOW, Pace())) for _ in range(6)
    ]
    await held.count(1)
    light = await made.plan(snapshot("calm", "true"), NOW, Pace())
    heavy = asyncio.create_task(made.plan(snapshot("calm", *HEAVY), NOW, Pace()))
    await held.count(3)

    assert light.pipeline_status
    assert held.begun == [("noisy", True), ("calm", False), ("calm", True)], (
        "the second thread is another namespace's"
    )
    held.go.set()
    assert all(plan.pipeline_status for plan in await asyncio.gather(heavy, *noisy))


async def test_pipeline_whose_last_plan_took_long_is_planned_beside_the_loop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Many runs are as heavy as long texts."""
    held, pace, ticks = Held(monkeypatch), Pace(), iter([0.0, 3.0, 3.0, 3.0])
    made = Planner(Settings(), clock=lambda: next(ticks))
    held.go.set()
    for _ in range(2):
        await made.plan(snapshot("calm", "true"), NOW, pace)
    assert held.begun == [("calm", False), ("calm", True)]
