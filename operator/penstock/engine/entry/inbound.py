"""Lets runs into stages, oldest first; supersedes waiting ones (X-22, X-26, X-31..X-33).

It supersedes runs that wait in vain.

A run waits in front of a stage that is locked, or whose inbound transition is disabled (X-72).
Transitions are of the Pipeline as it is now, not of the definition that a run executes.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from penstock.api.kinds.pipeline import ExecutionMode
from penstock.api.kinds.run import RunState
from penstock.api.status.pipeline_status import InboundExecution
from penstock.engine.entry.stage_locks import holder_of
from penstock.engine.objects.workloads import PodObject
from penstock.engine.run.advance import RunAdvance

TRANSITION_DISABLED = "TransitionDisabled"

# How many waiting runs a stage shows: as many as wait at most on AWS.
_SHOWN = 50


class Queue(NamedTuple):
    """The runs in front of a stage: those that enter first, and how many there are."""

    first: tuple[InboundExecution, ...]
    length: int


class Inbound:
    """The runs in front of the stages, in one pass."""

    def __init__(
        self, advances: Sequence[RunAdvance], pods: Iterable[PodObject], disabled: Mapping[str, str]
    ) -> None:
        # A rollback goes first: whoever waits carries what is newer than that to which it goes
        # back.
        self._advances = sorted(advances, key=lambda advance: not advance.is_rollback)
        self._pods, self._disabled = tuple(pods), disabled
        self._holders: dict[str, str] = {}
        self._superseded_by: dict[str, str] = {}

    def let_in(self, waiting: Iterable[RunAdvance]) -> None:
        """Let runs into stages until none can enter; a lock stays with whoever holds it."""
        # A run that enters may leave the stage in the same pass (all skipped): go round until
        # nothing moves.
        waiting = sorted(waiting, key=lambda advance: not advance.is_rollback)
        entered = True
        while entered:
            entered = False
            for advance in _between_stages(waiting):
                stage = advance.next_stage()
                if stage is None:
                    advance.end(RunState.SUCCEEDED)
                elif stage.name in self._disabled:
                    continue
                elif holder := holder_of(stage.name, advance, self._advances, self._pods):
                    self._holders[advance.run.uid] = holder
                else:
                    advance.enter(stage)
                    entered = True
        # Only who is still in front of a stage is superseded: who could enter has.
        self._supersede(_between_stages(waiting))

    def hold(self, waiting: Iterable[RunAdvance], why: str) -> None:
        """Keep runs in front of their stages, and say what holds them."""
        self._holders.update({advance.run.uid: why for advance in waiting})

    def _supersede(self, waiting: Sequence[RunAdvance]) -> None:
        """Let a newer run replace the one that waits for a stage (X-32), never one inside a stage.

        Rollbacks wait beside that place.
        """
        newest: dict[str, RunAdvance] = {}
        # From the newest backwards: the first one met keeps the place.
        for advance in reversed(waiting):
            stage = advance.next_stage()
            has_slot = (
                advance.draft.definition.execution_mode is ExecutionMode.SUPERSEDED
                and not advance.is_rollback
            )
            if stage is None or not has_slot:
                continue
            newer = newest.setdefault(stage.name, advance)
            if newer is not advance:
                self._superseded_by[advance.run.uid] = newer.run.name
                advance.end(RunState.SUPERSEDED)

    def why_waiting(self, advance: RunAdvance) -> tuple[str, str]:
        """Return the reason and the sentence for a run that waits in front of a stage."""
        stage = advance.next_stage()
        name = stage.name if stage else ""
        if name in self._disabled:
            why = (
                f"waiting for stage {name}: its inbound transition is disabled: "
                f"{self._disabled[name]}"
            )
            return TRANSITION_DISABLED, why
        holder = self._holders.get(advance.run.uid, "another run")
        reason = "Waiting" if advance.status.stage_states else "Queued"
        return reason, f"waiting for stage {name}, held by {holder}"

    def queues(self) -> dict[str, Queue]:
        """Return who waits in front of each stage (X-80)."""
        members: dict[str, list[RunAdvance]] = {}
        for advance in _between_stages(self._advances):
            if stage := advance.next_stage():
                members.setdefault(stage.name, []).append(advance)
        return {
            name: Queue(tuple(_inbound(advance) for advance in waiting[:_SHOWN]), len(waiting))
            for name, waiting in members.items()
        }

    def why_superseded(self, advance: RunAdvance) -> str:
        """Return the sentence for a run that was superseded."""
        return f"overtaken by the newer run {self._superseded_by.get(advance.run.uid, '')}".rstrip()


def _between_stages(advances: Iterable[RunAdvance]) -> list[RunAdvance]:
    return [advance for advance in advances if advance.is_between_stages]


def _inbound(advance: RunAdvance) -> InboundExecution:
    states = advance.status.stage_states
    since = (states[-1].completion_time if states else None) or advance.status.start_time
    return InboundExecution(
        pipeline_execution_id=advance.run.uid,
        run=advance.run.name,
        status=RunState.IN_PROGRESS.value,
        type=advance.status.execution_type,
        waiting_since=since or "",
    )
