"""Plans one pass over one pipeline, as a pure function of a snapshot and the time.

The theory of operation. The unit is the pipeline, not the run, since its runs compete for its
stages. A pass knows only its snapshot: it reads no clock, asks nobody and changes nothing. Planning
twice from one snapshot gives one plan, and planning after that plan was applied gives an empty one.
So a pass may be cut off anywhere and repeated by anybody.

The order of the steps carries the meaning:

1. *Observe.* What became of tries under way is read first: every other step depends on it.
2. *Answer.* What people ask of a run (to begin, stop, retry, override) is judged by what was
   observed just now.
3. *Proceed.* The next actions of a run's current stage start, unless the run
   is stopped or cancelled.
4. *Let in.* Runs enter stages last, oldest first: a run that left its stage
   in this pass makes room for the next.
5. *Clean up.* What no status knows is deleted, after everything that could have made it known.

A plan is applied in an order that makes a crash harmless: definitions, since statuses name them;
then the statuses of runs, those that leave a stage before those that enter it, so that no crash
shows two runs in one; then commands, which are made again under the same names after a crash; and
last the Pipeline's status, which nothing depends on.

Absence is never evidence: what would end a try by not being there is named in `to_confirm`, read
live, planned again.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from penstock.api.kinds.approval import ApprovalStatus
from penstock.api.kinds.run import PipelineRunStatus, RunState
from penstock.api.status.pipeline_status import PipelineStatus
from penstock.engine.cleanup.history import kept_warnings, prune_history
from penstock.engine.cleanup.orphans import delete_orphans
from penstock.engine.commands import Command, DeleteJob, EmitEvent, Plan
from penstock.engine.definition.frozen import Definition, thaw_definition
from penstock.engine.definition.revisions import pipeline_owner, revision_manifest
from penstock.engine.entry.admission import Concurrency, Refusal
from penstock.engine.entry.inbound import Inbound
from penstock.engine.entry.stage_locks import leaving_first
from penstock.engine.entry.transitions import disabled_stages, inbound_transitions, with_transitions
from penstock.engine.requests.answers import UserRequests
from penstock.engine.requests.new_runs import NewRuns
from penstock.engine.requests.runs_under_way import RunsUnderWay
from penstock.engine.run.advance import RunAdvance
from penstock.engine.run.rollback import Rollbacks
from penstock.engine.settings import Settings
from penstock.engine.snapshot import PipelineObject, Refused, RunObject, Snapshot, status_refusal
from penstock.engine.status.pipeline_status import (
    definition_status,
    is_news,
    with_inbound,
    with_runs,
    without_gone,
)
from penstock.engine.status.run_conditions import with_conditions
from penstock.engine.status.sources import source_events
from penstock.engine.status.summary import asked_by, has_news, summarize
from penstock.engine.status.unwritable import shrunk, why
from penstock.engine.tries.approvals import close_unknown
from penstock.engine.tries.facts import facts_of


def plan_pipeline(snapshot: Snapshot, settings: Settings, *, now: datetime) -> Plan:
    """Return everything this pass decides; an empty plan when nothing has to change."""
    return _Pass(snapshot, settings, now).plan()


class _Pass:
    """One pass. Statuses and commands gather here until `plan` hands them out as one value."""

    def __init__(self, snapshot: Snapshot, settings: Settings, now: datetime) -> None:
        self.snapshot, self.settings, self.now = snapshot, settings, now
        self.commands: list[Command] = []
        self.events: list[Command] = []
        self.revisions: list[dict[str, object]] = []
        self.to_confirm: set[str] = set()
        self.approvals_to_confirm: set[str] = set()
        self.approval_statuses: dict[str, ApprovalStatus] = {}
        self.look_again: list[datetime] = []
        self._thawed: dict[str, Definition | None] = {}
        self.asked = (*snapshot.runs, *snapshot.late)
        self.statuses = {run.name: run.status for run in self.asked}
        self.facts = facts_of(snapshot, settings, now)
        pipeline = snapshot.pipeline
        self.current = pipeline.definition if pipeline else None
        self.revision = pipeline.revision if pipeline else None
        self.transitions = inbound_transitions(
            pipeline.spec if pipeline else None, snapshot.transitions
        )
        self.pipeline_status = self._plan_definition(pipeline) if pipeline else None
        self.requests = UserRequests(snapshot, self.statuses, now)
        self.new_runs = NewRuns(
            snapshot,
            settings,
            self.facts,
            Concurrency(snapshot.runs, settings),
            self._frozen,
            version=self.pipeline_status.version if self.pipeline_status else None,
            revision=self.revision,
            statuses=self.statuses,
            events=self.events,
            look_again=self.look_again,
        )
        self.under_way = RunsUnderWay(self.new_runs, self.requests, Rollbacks(snapshot))

    def plan(self) -> Plan:
        # Observe and answer before anybody enters: who leaves a stage in this pass makes room in
        # it.
        advances = self._advance_runs()
        inbound = self._let_in(advances)
        for advance in advances:
            self._finish(advance, inbound)
        # Last of all runs: a stop is late only if this pass, too, has ended the run without it.
        for run in self.asked:
            self.under_way.answer_late_stop(run)
        # After every status is known: an orphan is what none of them names.
        self._clean_up()
        return Plan(
            revisions=(*self.revisions, *self.facts.freezer.revisions.values()),
            run_statuses=leaving_first(
                {r.name: new for r in self.asked if (new := self.statuses[r.name]) != r.status}
            ),
            approval_statuses=self.approval_statuses,
            pipeline_status=self._due(advances, inbound),
            # Events last: people may miss one, a Job must not wait for it.
            commands=(*self.commands, *self.events),
            to_confirm=frozenset(self.to_confirm),
            approvals_to_confirm=frozenset(self.approvals_to_confirm),
            look_again=min(self.look_again, default=None),
        )

    def _advance_runs(self) -> list[RunAdvance]:
        """Read the results of runs under way, answer their requests, start what their stage allows.

        In the order of their arrival: of two new runs the older one gets the last free place.
        """
        runs = sorted(self.asked, key=lambda run: run.arrival)
        advances: list[RunAdvance] = []
        for run in runs:
            is_held_back = self.facts.is_held_back(run.uid)
            if run.status.state is None and not is_held_back:
                self.new_runs.admit(run)
            move = self.under_way.as_it_stands if is_held_back else self.under_way.advance
            if advance := move(run):
                advances.append(advance)
        self.events += self.requests.events
        return advances

    def _let_in(self, advances: list[RunAdvance]) -> Inbound:
        """Let runs into stages; last, when it is known who has left a stage in this pass."""
        inbound = Inbound(advances, self.facts.all_pods, disabled_stages(self.transitions))
        going = [
            advance
            for advance in advances
            if not self.under_way.cancellation(advance)
            and not self.facts.is_held_back(advance.run.uid)
        ]
        if self.snapshot.is_blind:
            inbound.hold(going, "the Pipeline or one of its StageTransitions, which cannot be read")
        else:
            inbound.let_in(going)
        return inbound

    def _clean_up(self) -> None:
        """Delete what nobody knows or waits for, and what the history limits no longer keep."""
        ending = [command.name for command in self.commands if isinstance(command, DeleteJob)]
        self.commands += delete_orphans(
            self.snapshot.jobs, self.facts.pods, self.statuses.values(), ending
        )
        unsettled = [
            item for item in self.snapshot.approvals if item.name not in self.approval_statuses
        ]
        self.commands += close_unknown(unsettled, self.statuses.values(), self.now)
        self.commands += prune_history(self.snapshot, self.statuses, self.revision, self.settings)

    # ---- the pipeline

    def _plan_definition(self, pipeline: PipelineObject) -> PipelineStatus:
        """Return the status that the definition decides, and plan its ControllerRevision."""
        findings = with_transitions(pipeline.findings, pipeline.spec, self.snapshot.transitions)
        findings = replace(
            findings, warnings=(*findings.warnings, *kept_warnings(self.snapshot.ended))
        )
        status = definition_status(pipeline, findings, pipeline.revision, self.now)
        is_kept = not pipeline.revision or pipeline.revision in self.snapshot.known_revisions
        refused = self.facts.refusal_now(pipeline.revision or "") if not is_kept else None
        if refused and not refused.is_final:
            self.look_again.append(self.facts.again_at(refused))
        # Before any run is admitted: no status may name a revision that is not kept.
        if pipeline.definition and not is_kept and not refused:
            owner = pipeline_owner(pipeline.name, pipeline.uid)
            manifest = revision_manifest(
                pipeline.namespace, owner, pipeline.definition, status.version or 1
            )
            self.revisions.append(manifest)
        return status

    def _due(self, advances: list[RunAdvance], inbound: Inbound) -> PipelineStatus | None:
        """Return the pipeline's new status if it is due.

        It is due at a run's start or end, and otherwise seldom.
        """
        pipeline, status = self.snapshot.pipeline, self.pipeline_status
        if pipeline is None or status is None:
            return None
        # An ended run that a retry has resumed is one of those under way again.
        resumed = {advance.run.uid for advance in advances}
        asked = (*self.snapshot.runs, *(run for run in self.snapshot.late if run.uid in resumed))
        runs = [(run, self.statuses[run.name]) for run in asked]
        # A run of a Pipeline that had this one's name is none of its runs.
        runs = [(run, new) for run, new in runs if new.pipeline_uid in (None, pipeline.uid)]
        status = without_gone(status, self.snapshot.gone_runs, self.now)
        status = with_runs(status, runs, self.snapshot.ended, self.now)
        status = with_inbound(status, pipeline.spec, inbound.queues(), self.transitions, self.now)
        if status == pipeline.status:
            return None
        written, pause = (
            self.snapshot.pipeline_status_written,
            timedelta(seconds=self.settings.pipeline_status_s),
        )
        # Any other change waits: a run shall not cost a write here for each of its actions.
        if is_news(status, pipeline.status) or not written or self.now >= written + pause:
            self.events += source_events(pipeline, status)
            return status
        self.look_again.append(written + pause)
        return None

    # ---- runs

    def _frozen(self, status: PipelineRunStatus) -> Definition | None:
        """Return what the run executes, whatever became of the Pipeline since."""
        # The current definition is parsed already; names are hashes of the content.
        if self.current is not None and status.revision == self.revision:
            return self.current
        name = status.revision or ""
        if name not in self._thawed:
            self._thawed[name] = thaw_definition(self.snapshot.revisions.get(name))
        return self._thawed[name]

    def _finish(self, advance: RunAdvance, inbound: Inbound) -> None:
        """Take over what a run came to: its commands, its conditions, its Events."""
        run, before = advance.run, advance.run.status
        if refused := self.facts.refusal_now(status_refusal(run.uid)):
            # Nothing may happen that no status tells: what this pass decided of the run is decided
            # again.
            self._end_unwritable(run, advance, refused)
            return
        self.commands += [c for c in advance.draft.effects.commands if not isinstance(c, EmitEvent)]
        self.events += [c for c in advance.draft.effects.commands if isinstance(c, EmitEvent)]
        self.to_confirm |= advance.draft.effects.to_confirm
        self.approvals_to_confirm |= advance.draft.effects.approvals_to_confirm
        self.approval_statuses |= advance.draft.effects.approval_statuses
        self.look_again += advance.draft.effects.look_again
        status = advance.status
        cancelled = self.under_way.cancellation(advance)
        reason, message = summarize(advance, inbound, cancelled)
        if (
            status != before
            or not status.conditions
            or has_news(advance, message, is_cancelled=cancelled is not None)
        ):
            self.statuses[run.name] = with_conditions(
                status, generation=run.generation, now=self.now, reason=reason, message=message
            )
        if status.state is RunState.STOPPING and status.stop_trigger != before.stop_trigger:
            self.events.append(run.event("RunStopping", f"Stopping the run, {asked_by(status)}"))
        if status.state and status.state.is_terminal:
            is_warning = status.state is RunState.FAILED
            text = f"Run {status.state.value.lower()}: {message}"
            self.events.append(run.event(f"Run{status.state.value}", text, is_warning=is_warning))

    def _end_unwritable(self, run: RunObject, advance: RunAdvance, refused: Refused) -> None:
        """Wait until the server takes the run's status again.

        If it never will, end the run by a small status.
        """
        if not refused.is_final:
            self.statuses[run.name] = run.status
            self.look_again.append(self.facts.again_at(refused))
            return
        self.statuses[run.name] = shrunk(advance.status, refused, self.now)
        self.new_runs.refuse(run, Refusal(refused.reason, why(refused)))
