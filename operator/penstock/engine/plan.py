"""Plans one pass over one pipeline: the whole decision, as a pure function of a snapshot and the time.

The pipeline is the unit, since its runs compete for its stages. Runs are taken in the order of their
creation; a stage admits one run at a time, and who came first enters first.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from pydantic import ValidationError

from penstock.api.approval import ApprovalStatus
from penstock.api.pipeline_status import PipelineStatus
from penstock.api.retry import RefusedRequest
from penstock.api.run import PipelineRunStatus, RunState, StageStatus
from penstock.engine.admission import Concurrency, Refusal
from penstock.engine.approvals import close_unknown
from penstock.engine.cancellation import Cancellation, cancellation_of
from penstock.engine.definition import Definition, pipeline_owner, revision_manifest
from penstock.engine.entry import Entry
from penstock.engine.explain import explain, is_news
from penstock.engine.inbound import Inbound
from penstock.engine.locks import leaving_first
from penstock.engine.observed import format_seconds, format_time
from penstock.engine.pipeline_status import definition_status, with_inbound, with_runs, without_gone
from penstock.engine.retention import housekeeping, kept_warnings
from penstock.engine.retry_requests import LIMIT_EXCEEDED, cancelled_since
from penstock.engine.run import RunAdvance
from penstock.engine.run_conditions import with_conditions
from penstock.engine.settings import Settings
from penstock.engine.snapshot import (
    Command,
    DeleteJob,
    EmitEvent,
    PipelineObject,
    Plan,
    Refused,
    RunObject,
    Snapshot,
    status_refusal,
)
from penstock.engine.stop import (
    NOT_STOPPABLE,
    answer,
    asked_by,
    go_on_stopping,
    is_too_late,
    refusal,
)
from penstock.engine.sweep import sweep
from penstock.engine.transitions import disabled_stages, switches_of, with_transitions
from penstock.engine.unwritable import shrunk, why
from penstock.engine.user_requests import UserRequests, has_unanswered, is_answered_anew
from penstock.engine.world import world_of


def plan_pipeline(snapshot: Snapshot, settings: Settings, *, now: datetime) -> Plan:
    """Return everything this pass decides; an empty plan when nothing has to change."""
    return _Pass(snapshot, settings, now).plan()


class _Pass:
    """One pass. Statuses and commands gather here until `plan` hands them out as one value."""

    def __init__(self, snapshot: Snapshot, settings: Settings, now: datetime) -> None:
        self.snapshot, self.settings, self.now = snapshot, settings, now
        self.seconds = format_seconds(now)
        self.commands: list[Command] = []
        self.events: list[Command] = []
        self.revisions: list[dict[str, object]] = []
        self.look_up: set[str] = set()
        self.look_up_approvals: set[str] = set()
        self.approval_statuses: dict[str, ApprovalStatus] = {}
        self.look_again: list[datetime] = []
        self._thawed: dict[str, Definition | None] = {}
        self.statuses: dict[str, PipelineRunStatus] = {run.name: run.status for run in (*snapshot.runs, *snapshot.late)}
        self.world = world_of(snapshot, settings, now)

    def plan(self) -> Plan:
        pipeline = self.snapshot.pipeline
        pipeline_status = self._plan_definition(pipeline)
        self.current = pipeline.definition if pipeline else None
        self.revision = pipeline.revision if pipeline else None
        self.concurrency = Concurrency(self.snapshot.runs, self.settings)
        self.entry = Entry(
            self.snapshot,
            self.settings,
            self.world,
            self.concurrency,
            self._frozen,
            version=pipeline_status.version if pipeline_status else None,
            revision=self.revision,
            statuses=self.statuses,
            events=self.events,
            look_again=self.look_again,
        )
        self.requests = UserRequests(self.snapshot, self.statuses, self.now)
        asked = sorted((*self.snapshot.runs, *self.snapshot.late), key=lambda run: run.arrival)
        advances = [advance for run in asked if (advance := self._advance(run))]
        self.events += self.requests.events
        self.advances = advances
        self.switches = switches_of(pipeline.spec if pipeline else None, self.snapshot.transitions)
        self.inbound = Inbound(advances, self.world.all_pods, disabled_stages(self.switches))
        going = [advance for advance in advances if not self._cancellation(advance)]
        if self._is_blind():
            self.inbound.hold(going, "the Pipeline or one of its StageTransitions, which cannot be read")
        else:
            self.inbound.let_in(going)
        for advance in advances:
            self._finish(advance)
        for run in (*self.snapshot.runs, *self.snapshot.late):
            self._answer(run)
        ending = [command.name for command in self.commands if isinstance(command, DeleteJob)]
        self.commands += sweep(self.snapshot.jobs, self.world.pods, self.statuses.values(), ending)
        unsettled = [item for item in self.snapshot.approvals if item.name not in self.approval_statuses]
        self.commands += close_unknown(unsettled, self.statuses.values(), self.now)
        self.commands += housekeeping(self.snapshot, self.statuses, self.revision, self.settings)
        runs = (*self.snapshot.runs, *self.snapshot.late)
        return Plan(
            revisions=(*self.revisions, *self.world.freezer.revisions.values()),
            run_statuses=leaving_first({r.name: new for r in runs if (new := self.statuses[r.name]) != r.status}),
            approval_statuses=self.approval_statuses,
            pipeline_status=self._due(pipeline, pipeline_status) if pipeline and pipeline_status else None,
            commands=(*self.commands, *self.events),
            look_up=frozenset(self.look_up),
            look_up_approvals=frozenset(self.look_up_approvals),
            look_again=min((moment for moment in self.look_again), default=None),
        )

    # ---- the pipeline

    def _is_blind(self) -> bool:
        """Whether a Pipeline or a switch in front of its stages cannot be read: then no run enters a stage."""
        pipeline = self.snapshot.pipeline
        return (pipeline is not None and pipeline.spec is None) or any(
            t.spec is None for t in self.snapshot.transitions
        )

    def _plan_definition(self, pipeline: PipelineObject | None) -> PipelineStatus | None:
        """Return the status as the definition decides it, and see to the definition's ControllerRevision."""
        if pipeline is None:
            return None
        findings = with_transitions(pipeline.findings, pipeline.spec, self.snapshot.transitions)
        findings = replace(findings, warnings=(*findings.warnings, *kept_warnings(self.snapshot.ended)))
        status = definition_status(pipeline, findings, pipeline.revision, self.seconds)
        is_kept = not pipeline.revision or pipeline.revision in self.snapshot.known_revisions
        refused = self.world.refusal_now(pipeline.revision or "") if not is_kept else None
        if refused and not refused.is_final:
            self.look_again.append(self.world.again_at(refused))
        if pipeline.definition and not is_kept and not refused:
            owner = pipeline_owner(pipeline.name, pipeline.uid)
            self.revisions.append(
                revision_manifest(pipeline.namespace, pipeline.name, owner, pipeline.definition, status.version or 1)
            )
        return status

    def _due(self, pipeline: PipelineObject, status: PipelineStatus) -> PipelineStatus | None:
        """Return the pipeline's new status if it is to be written now: at a run's start or end, else seldom."""
        resumed = {advance.run.uid for advance in self.advances}
        asked = (*self.snapshot.runs, *(run for run in self.snapshot.late if run.uid in resumed))
        runs = [(run, self.statuses[run.name]) for run in asked]
        # A run of a Pipeline that had this one's name is none of its runs.
        runs = [(run, new) for run, new in runs if new.pipeline_uid in (None, pipeline.uid)]
        status = without_gone(status, self.snapshot.gone_runs, self.seconds)
        status = with_runs(status, runs, self.snapshot.ended, self.seconds)
        status = with_inbound(status, pipeline.spec, self.inbound.queues(), self.switches, self.seconds)
        before = pipeline.status
        if status == before:
            return None
        is_news = (status.last_run, status.conditions, status.observed_generation, status.revision) != (
            before.last_run,
            before.conditions,
            before.observed_generation,
            before.revision,
        )
        written = self.snapshot.pipeline_status_written
        due = written + timedelta(seconds=self.settings.pipeline_status_s) if written else self.now
        if is_news or self.now >= due:
            return status
        self.look_again.append(due)
        return None

    # ---- runs

    def _advance(self, run: RunObject) -> RunAdvance | None:
        """Admit a new run, or read what became of one under way; None where it cannot go on in this pass."""
        if run.status.state is None:
            self.entry.admit(run)
        status = self.statuses[run.name]
        if run.spec is None and status.state is RunState.IN_PROGRESS and not status.stage_states:
            # What it was asked to run with is not known: it does not begin with anything else.
            self.entry.refuse(run, Refusal("InvalidRun", run.unreadable))
            return None
        if status.state is None or (status.state.is_terminal and not has_unanswered(run, status)):
            return None
        definition = self._frozen(status)
        if definition is None and not status.state.is_terminal:
            gone = f"the ControllerRevision {status.revision}, which the run executes, is gone: start a new run"
            self.entry.refuse(run, Refusal("DefinitionLost", gone))
            return None
        advance = RunAdvance(replace(run, status=status), definition, self.world) if definition else None
        if advance and not status.state.is_terminal:
            advance.observe()
        hindrance = self._hindrance(advance) if advance else None
        answered = self.requests.answer(run, advance.status if advance else status, definition, hindrance)
        if advance is None or (status.state.is_terminal and answered.state is status.state):
            self.statuses[run.name] = answered
            return None
        advance.status = answered
        if status.state.is_terminal and advance.is_parallel:
            self.concurrency.take()
        if answered.state and not answered.state.is_terminal:
            self._go_on(advance)
        return advance

    def _hindrance(self, advance: RunAdvance) -> RefusedRequest | None:
        """X-63: a run is not retried under a Pipeline that would cancel it at once, nor above its limit."""
        if cancelled := self._cancellation(advance):
            return cancelled_since(cancelled)
        pipeline, state = self.snapshot.pipeline, advance.status.state
        is_one_more = advance.is_parallel and state is not None and state.is_terminal
        return LIMIT_EXCEEDED if is_one_more and pipeline and self.concurrency.is_full(pipeline) else None

    def _go_on(self, advance: RunAdvance) -> None:
        advance.give_up_overridden()
        if advance.stop:
            go_on_stopping(advance, advance.stop, format_time(self.now))
        elif not self._cancellation(advance):
            advance.proceed()
        elif advance.run.is_deleted:
            advance.abandon()
            advance.close_current(StageStatus.CANCELLED)
            advance.end(RunState.CANCELLED)
        else:
            advance.abandon_waits()
            if not advance.has_running_actions() and not advance.remains():
                advance.close_current(StageStatus.CANCELLED)
                advance.end(RunState.CANCELLED)

    def _answer(self, run: RunObject) -> None:
        """X-55: tell what was asked of a run that has ended that it comes too late."""
        before = self.statuses[run.name]
        # What was answered in this very pass is of this generation already.
        if is_answered_anew(run.status, before) or (answered := answer(run, before, self.seconds)) is None:
            return
        self.statuses[run.name] = answered
        if is_too_late(run, before):
            self._event(run, NOT_STOPPABLE, refusal(before), is_warning=True)

    def _frozen(self, status: PipelineRunStatus) -> Definition | None:
        """Return what the run executes, whatever became of the Pipeline since."""
        if self.current is not None and status.revision == self.revision:
            return self.current
        name = status.revision or ""
        if name not in self._thawed:
            self._thawed[name] = _thaw(self.snapshot.revisions.get(name))
        return self._thawed[name]

    def _cancellation(self, advance: RunAdvance) -> Cancellation | None:
        snapshot = self.snapshot
        return cancellation_of(advance, snapshot.pipeline, is_pipeline_absent=snapshot.is_pipeline_absent)

    def _finish(self, advance: RunAdvance) -> None:
        """Take over what a run came to: its commands, its conditions, its Events."""
        run, before = advance.run, advance.run.status
        if refused := self.world.refusal_now(status_refusal(run.uid)):
            # Nothing may happen that no status tells: what this pass decided of the run is decided again.
            self._end_unwritable(run, advance, refused)
            return
        self.commands += [c for c in advance.findings.commands if not isinstance(c, EmitEvent)]
        self.events += [c for c in advance.findings.commands if isinstance(c, EmitEvent)]
        self.look_up |= advance.findings.look_up
        self.look_up_approvals |= advance.findings.look_up_approvals
        self.approval_statuses |= advance.findings.approval_statuses
        self.look_again += advance.findings.look_again
        status = advance.status
        cancelled = self._cancellation(advance)
        reason, message = explain(advance, self.inbound, cancelled)
        if status != before or not status.conditions or is_news(advance, message, is_cancelled=cancelled is not None):
            self.statuses[run.name] = with_conditions(
                status, generation=run.generation, now=self.seconds, reason=reason, message=message
            )
        if status.state is RunState.STOPPING and status.stop_trigger != before.stop_trigger:
            self._event(run, "RunStopping", f"Stopping the run, {asked_by(status)}")
        if status.state and status.state.is_terminal:
            is_warning = status.state is RunState.FAILED
            text = f"Run {status.state.value.lower()}: {message}"
            self._event(run, f"Run{status.state.value}", text, is_warning=is_warning)

    def _end_unwritable(self, run: RunObject, advance: RunAdvance, refused: Refused) -> None:
        """Wait until the server takes the run's status again; end the run by a small one where it never will."""
        if not refused.is_final:
            self.statuses[run.name] = run.status
            self.look_again.append(self.world.again_at(refused))
            return
        self.statuses[run.name] = shrunk(advance.status, refused, format_time(self.now))
        self.entry.refuse(run, Refusal(refused.reason, why(refused)))

    def _event(self, run: RunObject, reason: str, message: str, *, is_warning: bool = False) -> None:
        self.events.append(run.event(reason, message, is_warning=is_warning))


def _thaw(data: Mapping[str, Any] | None) -> Definition | None:
    """Return the definition that a ControllerRevision holds, None where it cannot be read."""
    try:
        return Definition.model_validate(data) if data is not None else None
    except ValidationError:
        return None
