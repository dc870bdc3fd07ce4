"""Plans passes: light ones at once, heavy ones beside the event loop.

Otherwise all namespaces would wait for the heavy ones.
"""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime

from penstock.engine.commands import Plan
from penstock.engine.definition.weight import weight_of, weight_of_frozen
from penstock.engine.plan import plan_pipeline
from penstock.engine.settings import Settings
from penstock.engine.snapshot import Snapshot
from penstock.runtime.turns import Turns

# The interpreter runs one at a time: a second one keeps a heavy plan from blocking the next.
_THREADS = 2
# Limit in characters that are read one by one: at most a tenth of a second. See
# `engine/definition/weight.py`.
LIGHT = 1_000
# A plan that took longer takes a thread next time.
_LIGHT_S = 0.05


@dataclass(slots=True)
class Pace:
    """How long the last plan of a pipeline took: many runs are heavy as well as long texts."""

    seconds: float = 0.0


class Planner:
    """Makes plans. A heavy one takes a thread; a namespace has one of the two at a time.

    A plan is computed from values alone, so that where it is computed changes nothing.
    """

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings, self._clock = settings, clock
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="plan")
        self._turns = Turns(_THREADS)

    async def plan(self, snapshot: Snapshot, now: datetime, pace: Pace) -> Plan:
        """Return what a pass decides; note in ``pace`` how long that took."""
        if pace.seconds < _LIGHT_S and weight_of_pass(snapshot) <= LIGHT:
            return self._compute(snapshot, now, pace)
        loop = asyncio.get_running_loop()
        async with self._turns.of(snapshot.namespace):
            return await loop.run_in_executor(self._threads, self._compute, snapshot, now, pace)

    def _compute(self, snapshot: Snapshot, now: datetime, pace: Pace) -> Plan:
        begun = self._clock()
        plan = plan_pipeline(snapshot, self._settings, now=now)
        pace.seconds = self._clock() - begun
        return plan


def weight_of_pass(snapshot: Snapshot) -> int:
    """Return an upper limit of the characters that a pass reads one by one.

    It counts the Pipeline, and the definitions that its runs execute.
    """
    pipeline = snapshot.pipeline
    now = weight_of(pipeline.spec) if pipeline and pipeline.spec else 0
    return now + sum(map(weight_of_frozen, snapshot.revisions.values()))
