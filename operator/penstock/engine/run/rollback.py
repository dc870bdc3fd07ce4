"""Rolls a failed stage back by itself to the execution that succeeded in it last (X-70)."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from penstock.api.kinds.pipeline import Stage
from penstock.api.kinds.rollback import AutomaticRollback, ExecutionType
from penstock.api.kinds.run import PipelineRunStatus, RunStageState, StageStatus
from penstock.api.meta import API_VERSION, LABEL_MANAGED_BY, MANAGED_BY, PIPELINE_RUN
from penstock.api.names import child_name
from penstock.api.text import shorten
from penstock.api.times import format_time, parse_time
from penstock.engine.commands import CreateRun
from penstock.engine.snapshot import RunObject, Snapshot

TRIGGER = "AutomatedRollback"
# Of the server's words in a message.
_MESSAGE = 500


def rolls_back(stage: Stage) -> bool:
    """Whether a stage declares that it is rolled back when it fails."""
    failure = stage.on_failure
    results = (
        (failure.result, *(condition.result for condition in failure.conditions)) if failure else ()
    )
    return "ROLLBACK" in results


@dataclass(frozen=True, slots=True)
class _Success:
    """A run that succeeded in a stage."""

    completed: str
    name: str
    uid: str


class Rollbacks:
    """The basis of one pass's automatic rollbacks: who succeeded where, and which runs exist."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._names = {run.name for run in snapshot.runs if run.spec and run.spec.rollback}
        self._names |= {run.name for run in snapshot.ended if run.is_rollback}

    def exists(self, run: str) -> bool:
        """Whether there is a rollback of that name."""
        return run in self._names

    def name_of(self, run: RunObject, stage: RunStageState) -> str:
        """Return the name of the run that rolls back this very failure of a stage.

        It is the same whoever asks, and how often.
        """
        # A retried stage may fail again: by their tries two failures have two names.
        tries = sum(len(action.executions) for action in stage.action_states)
        return child_name(f"{self._snapshot.name}-rollback", run.uid, stage.stage_name, tries)

    def settle(
        self, run: RunObject, stage: RunStageState, now: datetime, wait: timedelta
    ) -> tuple[AutomaticRollback, datetime | None]:
        """Return the rollback of a failed stage, and when to look again whether its run exists.

        The time is None once the run exists, or never will.
        """
        known = run.status.automatic_rollback
        # A record with another name is of a failure before the last retry.
        if known is None or known.run != self.name_of(run, stage):
            known = self.begin(run, run.status, stage, now)
        if known.run is None or self.exists(known.run):
            return known, None
        limit = (parse_time(known.time) or now) + wait
        if now < limit:
            return known, limit
        refused = self._snapshot.refused.get(known.run)
        # Time alone says nothing: an operator that was away has yet to ask.
        if refused is None:
            return known, now + wait
        # The failed run ends all the same, and says that it was not rolled back.
        why = f"the run could not be created: {refused.message}"
        return known.model_copy(update={"message": shorten(why, _MESSAGE)}), None

    def begin(
        self, run: RunObject, status: PipelineRunStatus, stage: RunStageState, now: datetime
    ) -> AutomaticRollback:
        """Return the target and the new run of a stage's rollback, or why there is none (X-70)."""
        name, rollback_run = stage.stage_name, self.name_of(run, stage)
        found = max(
            self._successes(run, status, name),
            default=None,
            # The name decides between equal times, so that each pass chooses the same target.
            key=lambda item: (item.completed, item.name),
        )
        if found is None:
            why = f"no other run has succeeded in stage {name} under this version of the pipeline"
            return AutomaticRollback(stage_name=name, time=format_time(now), message=why)
        return AutomaticRollback(
            stage_name=name,
            run=rollback_run,
            target_run=found.name,
            target_pipeline_execution_id=found.uid,
            time=format_time(now),
        )

    def _successes(
        self, run: RunObject, status: PipelineRunStatus, stage: str
    ) -> Iterator[_Success]:
        for other in self._snapshot.ended:
            became = other.stages.get(stage)
            is_candidate = (
                # CodePipeline takes no target from before an edit (O-14), and no rollback either.
                other.uid != run.uid and other.revision == status.revision and not other.is_rollback
            )
            if is_candidate and became and became.status == StageStatus.SUCCEEDED:
                yield _Success(became.completed, other.name, other.uid)
        # A run that goes on in a later stage has succeeded in this one.
        for going in self._snapshot.runs:
            is_candidate = going.uid != run.uid and going.status.revision == status.revision
            if is_candidate and going.status.execution_type is not ExecutionType.ROLLBACK:
                yield from _success_of(going, stage)

    def create(self, run: RunObject, rollback: AutomaticRollback) -> CreateRun:
        """Return the command that creates a rollback's run; its name makes a repeat harmless."""
        spec: dict[str, Any] = {
            "pipelineRef": {"name": self._snapshot.name},
            "executionType": ExecutionType.ROLLBACK.value,
            "rollback": {
                "stageName": rollback.stage_name,
                "targetPipelineExecutionId": rollback.target_pipeline_execution_id,
            },
            "trigger": {"triggerType": TRIGGER, "triggerDetail": run.uid},
        }
        return CreateRun(
            {
                "apiVersion": API_VERSION,
                "kind": PIPELINE_RUN,
                "metadata": {
                    "namespace": run.namespace,
                    "name": rollback.run,
                    "labels": {LABEL_MANAGED_BY: MANAGED_BY},
                },
                "spec": spec,
            }
        )


def _success_of(run: RunObject, stage: str) -> Iterable[_Success]:
    return (
        _Success(state.completion_time or "", run.name, run.uid)
        for state in run.status.stage_states
        if state.stage_name == stage and state.status is StageStatus.SUCCEEDED
    )
