"""Admits a run: may it start, with which variables, on which definition (X-50, X-51)."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from penstock.api.kinds.pipeline import ExecutionMode
from penstock.api.kinds.run import PipelineRunStatus, RunState
from penstock.api.times import format_time
from penstock.engine.definition.findings import INVALID
from penstock.engine.entry.starting import VALIDATION, resolved_variables, revision_problems
from penstock.engine.settings import Settings
from penstock.engine.snapshot import PipelineObject, RunObject


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a run cannot start: the reason of its conditions, and a sentence that names the field."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Admission:
    """The first status of a run."""

    status: PipelineRunStatus


class Concurrency:
    """The count of a pipeline's PARALLEL runs under way.

    Above the limit a start waits instead of failing (Q-05).
    """

    def __init__(self, runs: Iterable[RunObject], settings: Settings) -> None:
        # A run without a state has not begun, and takes no place.
        modes = [run.status.execution_mode for run in runs if run.status.state]
        self._count = modes.count(ExecutionMode.PARALLEL)
        self._default = settings.concurrent_executions

    def is_full(self, pipeline: PipelineObject) -> bool:
        """Whether a run that starts now would be one too many."""
        definition = pipeline.definition
        is_limited = definition is not None and definition.execution_mode is ExecutionMode.PARALLEL
        return is_limited and self._count >= self._limit(pipeline)

    def why_waiting(self, pipeline: PipelineObject) -> Refusal:
        """Return the message of a run that has to wait.

        It stays the same as long as the run waits, so it is written once.
        """
        limit = self._limit(pipeline)
        return Refusal(
            "Queued",
            f"waiting for one of {limit} runs under way to end (spec.maxConcurrentExecutions)",
        )

    def take(self) -> None:
        """Count a run that starts."""
        self._count += 1

    def _limit(self, pipeline: PipelineObject) -> int:
        return (pipeline.spec and pipeline.spec.max_concurrent_executions) or self._default


def admit(run: RunObject, pipeline: PipelineObject, now: datetime) -> Admission | Refusal:
    """Return the first status of a run, or why there is none. The caller adds the revision."""
    if run.spec is None:
        return Refusal("InvalidPipelineRun", run.unreadable)
    definition = pipeline.definition
    if definition is None:
        problems = (
            "; ".join(str(problem) for problem in pipeline.findings.problems) or pipeline.unreadable
        )
        return Refusal(INVALID, f"the pipeline {pipeline.name} is not valid: {problems}")
    variables = resolved_variables(run.spec, definition)
    problem = (
        variables
        if isinstance(variables, str)
        else next(revision_problems(run.spec, definition), None)
    )
    if isinstance(variables, str) or problem:
        return Refusal(VALIDATION, str(problem))
    return Admission(
        PipelineRunStatus(
            state=RunState.IN_PROGRESS,
            execution_mode=definition.execution_mode,
            pipeline_uid=pipeline.uid,
            start_time=format_time(now),
            variables=variables,
        )
    )
