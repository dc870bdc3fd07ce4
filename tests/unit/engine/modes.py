"""What CodePipeline says of stage locks and queues (X-22..X-43, X-53..X-58), as a model small
enough to be read whole.

Three stages of one action each. The model knows nothing of Jobs, pods or
statuses: a run waits in front of a stage, is inside one, is inside one for
the last time since it was stopped or cancelled, or has ended.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

STAGES = 3
MIDDLE = 1
"""The stage whose inbound transition is disabled and enabled."""

WAITING, INSIDE, STOPPING, CANCELLING = "waiting", "inside", "stopping", "cancelling"
HOLDING = (INSIDE, STOPPING, CANCELLING)


class Run(NamedTuple):
    """What a run does, and in or in front of which stage; an ended run keeps no stage."""

    doing: str = WAITING
    stage: int = 0

    @property
    def is_over(self) -> bool:
        """Whether the run has ended."""
        return self.doing not in (WAITING, *HOLDING)


class Event(NamedTuple):
    """Something that happens: to the pipeline, or to the run of a number."""

    name: str
    run: int = -1


@dataclass(frozen=True)
class Model:
    """A pipeline and its runs, the oldest first."""

    mode: str
    runs: tuple[Run, ...] = ()
    is_disabled: bool = False
    is_edited: bool = False

    @property
    def future(self) -> Model:
        """The model as far as it decides what can still happen: how a run ended does not matter.

        Which one it was matters not either where runs are independent (X-38).
        """
        runs = [Run("over") if run.is_over else run for run in self.runs]
        return replace(self, runs=tuple(sorted(runs) if self.mode == "PARALLEL" else runs))

    def events(self, most_runs: int) -> Iterator[Event]:
        """Yield what may happen next."""
        if len(self.runs) < most_runs:
            yield Event("start")
        yield Event("enable" if self.is_disabled else "disable")
        if not self.is_edited:
            yield Event("edit")
        for number, run in enumerate(self.runs):
            if run.doing in HOLDING:
                yield from (Event("finish", number), Event("fail", number))
            if run.doing in (WAITING, INSIDE, CANCELLING):
                yield Event("stop", number)

    def after(self, event: Event) -> Model:
        """Return what becomes of the pipeline and all its runs."""
        match event.name:
            case "start":
                return replace(self, runs=(*self.runs, Run()))._settled()
            case "disable" | "enable":
                return replace(self, is_disabled=event.name == "disable")._settled()
            case "edit":
                edited = (
                    self.runs
                    if self.mode == "PARALLEL"
                    else tuple(_edited(run) for run in self.runs)
                )
                return replace(self, is_edited=True, runs=edited)._settled()
        runs = list(self.runs)
        runs[event.run] = _after(runs[event.run], event.name)
        return replace(self, runs=tuple(runs))._settled()

    def _settled(self) -> Model:
        """Let in who may enter, the oldest first; then at most one waits in front of a stage if
        SUPERSEDED (X-32).
        """
        runs = list(self.runs)
        for number, run in enumerate(runs):
            if run.doing == WAITING and self._may_enter(runs, number):
                runs[number] = Run(INSIDE, run.stage)
        if self.mode == "SUPERSEDED":
            for number, run in enumerate(runs):
                if run.doing == WAITING and any(later == run for later in runs[number + 1 :]):
                    runs[number] = Run("Superseded")
        return replace(self, runs=tuple(runs))

    def _may_enter(self, runs: list[Run], number: int) -> bool:
        stage = runs[number].stage
        if self.is_disabled and stage == MIDDLE:
            return False
        is_ahead = Run(WAITING, stage) in runs[:number]
        is_held = any(run.doing in HOLDING and run.stage == stage for run in runs)
        return self.mode == "PARALLEL" or not (is_ahead or is_held)


def _edited(run: Run) -> Run:
    """X-40: what waits is cancelled, what is inside a stage when its action has ended."""
    changed = {WAITING: Run("Cancelled"), INSIDE: Run(CANCELLING, run.stage)}
    return changed.get(run.doing, run)


def _after(run: Run, event: str) -> Run:
    if event == "stop":
        return Run("Stopped") if run.doing == WAITING else Run(STOPPING, run.stage)
    if run.doing == STOPPING:
        return Run("Stopped")
    if event == "fail":
        return Run("Failed")
    if run.stage + 1 == STAGES:
        return Run("Succeeded")  # also under an edit: nothing was left to cancel
    return Run("Cancelled") if run.doing == CANCELLING else Run(WAITING, run.stage + 1)
