"""The status of a Pipeline: version, stages, conditions (X-80, S-06).

The stages are as GetPipelineState shows them.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime

from penstock.api.kinds.pipeline import ExecutionMode, PipelineSpec
from penstock.api.kinds.run import PipelineRunStatus, RunStageState, RunState, StageStatus
from penstock.api.status.condition_states import StageConditionState
from penstock.api.status.conditions import Condition, ConditionType, merge
from penstock.api.status.pipeline_status import (
    LatestExecution,
    PipelineStatus,
    StageState,
    TransitionState,
)
from penstock.api.text import shorten
from penstock.api.times import format_seconds
from penstock.api.walks import stage_names
from penstock.engine.definition.findings import INVALID, Findings, Problem
from penstock.engine.entry.inbound import Queue
from penstock.engine.entry.transitions import InboundTransition
from penstock.engine.snapshot import EndedRun, PipelineObject, RunObject
from penstock.engine.status.sources import source_condition

# Bytes of a condition's message; Kubernetes takes 32 KiB.
_MESSAGE_LENGTH = 4_000


def definition_status(
    pipeline: PipelineObject, findings: Findings, revision: str | None, now: datetime
) -> PipelineStatus:
    """Return the status as far as the definition decides it."""
    status = pipeline.status
    version = status.version
    # An edit that changes nothing of what runs execute raises no version (S-06), and no more does a
    # definition that is not valid: it has no revision.
    if revision is not None and revision != status.revision:
        version = (version or 0) + 1
    # `with_runs` writes this one, and it stays until then.
    kept = tuple(c for c in status.conditions if c.type == ConditionType.LAST_RUN_SUCCEEDED)
    wanted = tuple(
        condition.model_copy(update={"observed_generation": pipeline.generation})
        for condition in _conditions(pipeline, findings)
    )
    return status.model_copy(
        update={
            "observed_generation": pipeline.generation,
            "version": version,
            "revision": revision or status.revision,
            "conditions": merge(status.conditions, (*wanted, *kept), now),
        }
    )


def _conditions(pipeline: PipelineObject, findings: Findings) -> Iterator[Condition]:
    problems = findings.problems
    if pipeline.unreadable:
        problems = (Problem("spec", pipeline.unreadable),)
    if problems:
        reason, message = problems[0].reason, _sentence(problems)
        yield Condition(type=ConditionType.READY, status="False", reason=reason, message=message)
        yield Condition(type=ConditionType.STALLED, status="True", reason=reason, message=message)
    else:
        yield Condition(
            type=ConditionType.READY,
            status="True",
            reason="Valid",
            message="the definition is valid",
        )
    if findings.warnings:
        yield Condition(
            type=ConditionType.WARNINGS,
            status="True",
            reason="AcceptedWithoutEffect",
            message=_sentence(findings.warnings),
        )
    incompatible = findings.incompatibilities
    yield Condition(
        type=ConditionType.CODEPIPELINE_COMPATIBLE,
        status="False" if incompatible or problems else "True",
        reason="RefusedByAWS" if incompatible else INVALID if problems else "Compatible",
        message=_sentence(incompatible or problems),
    )
    yield from source_condition(pipeline.status.sources)


def _sentence(problems: Iterable[Problem]) -> str:
    return shorten("; ".join(str(problem) for problem in problems), _MESSAGE_LENGTH)


def with_inbound(
    status: PipelineStatus,
    spec: PipelineSpec | None,
    queues: Mapping[str, Queue],
    transitions: Mapping[str, InboundTransition],
    now: datetime,
) -> PipelineStatus:
    """Return the status with the runs in front of each stage, and the transitions (X-74).

    Each transition has its state.
    """
    stages = {state.stage_name: state for state in status.stage_states}
    for name in (*queues, *transitions):
        # Runs may wait in front of a stage that none has entered yet.
        stages.setdefault(name, StageState(stage_name=name))
    shown = tuple(
        state.model_copy(
            update={
                "inbound_executions": queues[name].first if name in queues else (),
                "inbound_executions_count": queues[name].length if name in queues else None,
                "inbound_transition_state": _transition(
                    state.inbound_transition_state, transitions.get(name), now
                ),
            }
        )
        for name, state in stages.items()
    )
    # Stages that an edit took away have no place any more, and come last.
    order = stage_names(spec) if spec else []
    last = len(order)
    by_place = sorted(
        shown, key=lambda s: order.index(s.stage_name) if s.stage_name in order else last
    )
    return status.model_copy(update={"stage_states": tuple(by_place)})


def _transition(
    before: TransitionState | None, transition: InboundTransition | None, now: datetime
) -> TransitionState | None:
    """All transitions are enabled at creation (X-71): one that never was disabled has no state."""
    wanted = transition or InboundTransition(is_enabled=True)
    if before is None and wanted.is_enabled:
        return None
    if before and (before.enabled, before.disabled_reason, before.last_changed_by) == (
        wanted.is_enabled,
        wanted.reason,
        wanted.by,
    ):
        return before
    return TransitionState(
        enabled=wanted.is_enabled,
        disabled_reason=wanted.reason,
        last_changed_by=wanted.by,
        last_changed_at=format_seconds(now),
    )


def with_runs(
    status: PipelineStatus,
    runs: Iterable[tuple[RunObject, PipelineRunStatus]],
    ended: Iterable[EndedRun],
    now: datetime,
) -> PipelineStatus:
    """Return the status with stages, last run and outcome of the given runs, oldest first.

    A stage shows the run that entered it last; neither there nor as the last run does one that a
    retry has resumed take the place of a younger one.
    """
    stages = {state.stage_name: state for state in status.stage_states}
    youngest = max(((run.created, run.name) for run in ended), default=None)
    for run, run_status in runs:
        # A PARALLEL run has its stages for itself: the pipeline has no state of them to show
        #
        shared = (
            () if run_status.execution_mode is ExecutionMode.PARALLEL else run_status.stage_states
        )
        for entered in shared:
            known = stages.get(entered.stage_name) or StageState(stage_name=entered.stage_name)
            if _is_latest(known.latest_execution, run, entered):
                stages[entered.stage_name] = _with_latest(
                    known, run, entered, run_status.execution_type
                )
        if youngest is None or (run.created, run.name) >= youngest:
            status = _with_last_run(status, run, run_status, now)
    return status.model_copy(update={"stage_states": tuple(stages.values())})


def is_news(status: PipelineStatus, before: PipelineStatus) -> bool:
    """Return whether a status holds news that people wait for.

    News is a run's start or end, a condition, or another version.
    """
    told = (status.last_run, status.conditions, status.observed_generation, status.revision)
    return told != (before.last_run, before.conditions, before.observed_generation, before.revision)


def without_gone(status: PipelineStatus, gone: Collection[str], now: datetime) -> PipelineStatus:
    """Return the status with runs deleted under way as Cancelled; ``gone`` are names and uids."""
    if not gone:
        return status
    stages = tuple(
        _cancelled(state) if _is_gone(state.latest_execution, gone) else state
        for state in status.stage_states
    )
    kept = tuple(c for c in status.conditions if c.type != ConditionType.LAST_RUN_SUCCEEDED)
    conditions = status.conditions
    if status.last_run in gone:
        last = Condition(
            type=ConditionType.LAST_RUN_SUCCEEDED,
            status="False",
            reason="RunDeleted",
            message=f"{status.last_run}: the run was deleted while it was under way",
        )
        conditions = merge(status.conditions, (*kept, last), now)
    return status.model_copy(update={"stage_states": stages, "conditions": conditions})


def _is_gone(latest: LatestExecution | None, gone: Collection[str]) -> bool:
    return latest is not None and latest.pipeline_execution_id in gone


def _cancelled(state: StageState) -> StageState:
    assert state.latest_execution
    latest = state.latest_execution.model_copy(update={"status": StageStatus.CANCELLED.value})
    return state.model_copy(update={"latest_execution": latest})


def _is_latest(known: LatestExecution | None, run: RunObject, entered: RunStageState) -> bool:
    return (
        known is None
        or known.pipeline_execution_id == run.uid
        or (known.entered or "") <= entered.start_time
    )


def _with_latest(
    known: StageState, run: RunObject, entered: RunStageState, execution_type: str | None
) -> StageState:
    shown = LatestExecution(
        pipeline_execution_id=run.uid,
        run=run.name,
        status=entered.status.value,
        type=execution_type,
        entered=entered.start_time,
    )
    return known.model_copy(
        update={
            "latest_execution": shown,
            "retry_stage_metadata": entered.retry_stage_metadata,
            "before_entry_condition_state": _without_tries(entered.before_entry_condition_state),
            "on_success_condition_state": _without_tries(entered.on_success_condition_state),
            "on_failure_condition_state": _without_tries(entered.on_failure_condition_state),
        }
    )


def _without_tries(condition: StageConditionState | None) -> StageConditionState | None:
    if condition is None:
        return None
    rules = tuple(rule.model_copy(update={"executions": ()}) for rule in condition.rule_states)
    return condition.model_copy(update={"rule_states": rules})


def _with_last_run(
    status: PipelineStatus, run: RunObject, run_status: PipelineRunStatus, now: datetime
) -> PipelineStatus:
    if run_status.state is None:
        return status
    state = run_status.state
    value = "True" if state is RunState.SUCCEEDED else "False" if state.is_terminal else "Unknown"
    last = Condition(
        type=ConditionType.LAST_RUN_SUCCEEDED,
        status=value,
        reason=state.value,
        message=shorten(f"{run.name}: {run_status.status_summary or state.value}", 500)
        if state.is_terminal
        else run.name,
    )
    others = tuple(c for c in status.conditions if c.type != last.type)
    merged = merge(status.conditions, (*others, last), now)
    return status.model_copy(update={"last_run": run.name, "conditions": merged})
