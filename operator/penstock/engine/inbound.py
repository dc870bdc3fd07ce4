"""Lets runs into stages, the oldest first, and supersedes those that wait in vain (X-22, X-26, X-31..X-33)."""

from collections.abc import Iterable, Sequence

from penstock.api.pipeline import ExecutionMode
from penstock.api.run import RunState
from penstock.engine.locks import holder_of
from penstock.engine.observed import Pod
from penstock.engine.run import RunAdvance


class Inbound:
    """The runs in front of the stages, in one pass."""

    def __init__(self, advances: Sequence[RunAdvance], pods: Iterable[Pod]) -> None:
        self._advances, self._pods = advances, tuple(pods)
        self._holders: dict[str, str] = {}
        self._superseded_by: dict[str, str] = {}

    def let_in(self, waiting: Iterable[RunAdvance]) -> None:
        """Let runs into stages until none can enter; a lock stays with whoever holds it."""
        waiting = tuple(waiting)
        entered = True
        while entered:
            entered = False
            for advance in _between_stages(waiting):
                stage = advance.next_stage()
                if stage is None:
                    advance.end(RunState.SUCCEEDED)
                elif holder := holder_of(stage.name, advance, self._advances, self._pods):
                    self._holders[advance.run.uid] = holder
                else:
                    advance.enter(stage)
                    entered = True
        self._supersede(_between_stages(waiting))

    def _supersede(self, waiting: Sequence[RunAdvance]) -> None:
        """X-32: one execution waits in front of a stage; a newer one takes its place. Never inside a stage."""
        newest: dict[str, RunAdvance] = {}
        for advance in reversed(waiting):
            stage = advance.next_stage()
            if stage is None or advance.definition.execution_mode is not ExecutionMode.SUPERSEDED:
                continue
            newer = newest.setdefault(stage.name, advance)
            if newer is not advance:
                self._superseded_by[advance.run.uid] = newer.run.name
                advance.end(RunState.SUPERSEDED)

    def why_waiting(self, advance: RunAdvance) -> tuple[str, str]:
        """Return the reason and the sentence for a run that waits in front of a stage."""
        stage, holder = advance.next_stage(), self._holders.get(advance.run.uid, "another run")
        reason = "Waiting" if advance.status.stage_states else "Queued"
        return reason, f"waiting for stage {stage.name if stage else ''}, held by {holder}"

    def why_superseded(self, advance: RunAdvance) -> str:
        """Return the sentence for a run that was superseded."""
        return f"overtaken by the newer run {self._superseded_by.get(advance.run.uid, '')}".rstrip()


def _between_stages(advances: Iterable[RunAdvance]) -> list[RunAdvance]:
    return [advance for advance in advances if advance.is_between_stages]
