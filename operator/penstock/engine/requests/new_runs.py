"""Lets new runs begin: admits them, says why they wait, refuses others (X-50, Q-05).

It refuses those that never can begin.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from penstock.api.kinds.rollback import RollbackRequest
from penstock.api.kinds.run import PipelineRunStatus, RunState
from penstock.api.times import format_time
from penstock.engine.commands import Command
from penstock.engine.definition.frozen import Definition
from penstock.engine.entry.admission import Admission, Concurrency, Refusal, admit
from penstock.engine.entry.rollback_admission import admit_rollback, target_of
from penstock.engine.entry.starting import trigger_of
from penstock.engine.requests.stop import stopped_before_start
from penstock.engine.settings import Settings
from penstock.engine.snapshot import PipelineObject, Refused, RunObject, Snapshot
from penstock.engine.status.run_conditions import with_conditions
from penstock.engine.tries.facts import Facts


@dataclass(slots=True)
class NewRuns:
    """The door of one pass.

    Its decisions go into the pass's ``statuses``, ``events`` and ``look_again``.
    """

    snapshot: Snapshot
    settings: Settings
    facts: Facts
    concurrency: Concurrency
    thaw: Callable[[PipelineRunStatus], Definition | None]
    version: int | None
    """The definition version of a run admitted now, and its ControllerRevision's name."""
    revision: str | None
    statuses: dict[str, PipelineRunStatus]
    events: list[Command]
    look_again: list[datetime]

    def admit(self, run: RunObject) -> None:
        """Let a new run begin, or say why it waits or cannot."""
        # A stop comes before everything else: such a run needs neither a Pipeline nor a free place.
        if run.spec and run.spec.stop:
            status = stopped_before_start(run, run.spec.stop, self.facts.now)
            self.statuses[run.name] = status
            self._event(run, "RunStopped", f"Run stopped: {status.status_summary}")
            return
        pipeline = self.snapshot.pipeline
        if pipeline is None:
            self._await_pipeline(run)
            return
        if self.concurrency.is_full(pipeline):
            self._wait(run, self.concurrency.why_waiting(pipeline))
            return
        # No status may name a definition that the server does not keep.
        if refused := self.snapshot.refused.get(self.revision or ""):
            self._await_definition(run, refused)
            return
        rollback = run.spec.rollback if run.spec else None
        admitted = (
            self._admit_rollback(rollback, pipeline)
            if rollback
            else admit(run, pipeline, self.facts.now)
        )
        if isinstance(admitted, Refusal):
            self.refuse(run, admitted)
            return
        self.concurrency.take()
        # A rollback executes the definition of its target, which its first status names.
        current = {} if rollback else {"pipeline_version": self.version, "revision": self.revision}
        self.statuses[run.name] = admitted.status.model_copy(
            update={**current, "trigger": trigger_of(run.spec)}
        )
        what = f"rollback of stage {rollback.stage_name}" if rollback else "run"
        version = self.statuses[run.name].pipeline_version
        self._event(
            run, "RunStarted", f"Started {what} of pipeline {pipeline.name}, version {version}"
        )

    def _admit_rollback(
        self, wanted: RollbackRequest, pipeline: PipelineObject
    ) -> Admission | Refusal:
        target = target_of(wanted, self.snapshot)
        frozen = self.thaw(target.status) if target else None
        return admit_rollback(wanted, pipeline, target, frozen, self.facts.now)

    def _await_pipeline(self, run: RunObject) -> None:
        limit = run.created + timedelta(seconds=self.settings.pipeline_missing_s)
        message = (
            f"there is no Pipeline {self.snapshot.name} in namespace {self.snapshot.namespace}"
        )
        if self.facts.now >= limit:
            self.refuse(run, Refusal("PipelineNotFound", message))
            return
        self.look_again.append(limit)
        self._wait(run, Refusal("PipelineNotFound", message))

    def _await_definition(self, run: RunObject, refused: Refused) -> None:
        """Say that what the run shall execute cannot be kept, and give up after a while."""
        what = f"the API server refuses the ControllerRevision of the definition: {refused.message}"
        waiting = Refusal(refused.reason, what)
        limit = run.created + timedelta(seconds=self.settings.start_s)
        if refused.is_final or self.facts.now >= limit:
            self.refuse(run, waiting)
            return
        self.look_again.append(min(self.facts.again_at(refused), limit))
        self._wait(run, waiting)

    def _wait(self, run: RunObject, why: Refusal) -> None:
        """Say why a run does not start yet; written once, however many wait and however long."""
        if (run.status.status_summary, run.status.observed_generation) != (
            why.message,
            run.generation,
        ):
            self.statuses[run.name] = with_conditions(
                run.status,
                generation=run.generation,
                now=self.facts.now,
                reason=why.reason,
                message=why.message,
            )

    def refuse(self, run: RunObject, refusal: Refusal) -> None:
        """End a run as Failed."""
        moment, status = format_time(self.facts.now), self.statuses[run.name]
        ended = {
            "state": RunState.FAILED,
            "start_time": status.start_time or moment,
            "completion_time": moment,
        }
        self.statuses[run.name] = with_conditions(
            status.model_copy(update=ended),
            generation=run.generation,
            now=self.facts.now,
            reason=refusal.reason,
            message=refusal.message,
        )
        self._event(run, "RunFailed", f"{refusal.reason}: {refusal.message}", is_warning=True)

    def _event(
        self, run: RunObject, reason: str, message: str, *, is_warning: bool = False
    ) -> None:
        self.events.append(run.event(reason, message, is_warning=is_warning))
