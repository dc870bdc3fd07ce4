"""The tries of one run's actions: what became of those under way, and the Jobs of new ones.

An attempt is what a user asks for, a try one Job within it; a lost pod leads to a new try, not to a failure.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta

from penstock.actions.declaration import OnLostPod
from penstock.api.contract.contracts import ActionRequest, ActionResult, Attempt
from penstock.api.kinds.pipeline import Action, Stage
from penstock.api.kinds.run import StopRequest
from penstock.api.status.executions import ActionExecution, ActionState, ActionStatus, ErrorDetails
from penstock.api.times import format_time, parse_time
from penstock.engine.commands import CreateJob, DeleteJob
from penstock.engine.definition.errors import RequestError
from penstock.engine.definition.frozen import Definition
from penstock.engine.language.variables import Values
from penstock.engine.objects.action_types import is_custom
from penstock.engine.objects.workloads import Pod
from penstock.engine.pods.artifacts import artifacts_of
from penstock.engine.pods.context import Subject, revisions_of
from penstock.engine.pods.job import JobOrder, build_job
from penstock.engine.pods.request import build_request, project_name, timeout_of, values_of
from penstock.engine.snapshot import NAME_TAKEN, RunObject
from penstock.engine.tries.approvals import Approvals
from penstock.engine.tries.effects import Findings
from penstock.engine.tries.executions import (
    abandoned,
    ended_execution,
    lost_for_good,
    new_execution,
    revision_of,
    with_latest,
)
from penstock.engine.tries.facts import World
from penstock.engine.tries.one_try import Try, creates
from penstock.engine.tries.refused import held_back
from penstock.engine.tries.results import Ended, deciding
from penstock.engine.tries.room import FULL, Room
from penstock.engine.tries.verdict import Doubtful, Missing, Observation, Running, Verdict, judge


class Tries:
    """The tries of one run in one pass. ``status`` is the run's status as far as this pass has come."""

    def __init__(self, run: RunObject, definition: Definition, world: World) -> None:
        self.run, self.definition, self.world = run, definition, world
        self.status = run.status
        self.findings = Findings()
        self._approvals = Approvals(run, world, self.findings)
        self._room = Room(world.settings)

    @property
    def stop(self) -> StopRequest | None:
        """The stop that is asked of the run, if any."""
        return self.run.stop_under(self.status)

    def observe(self, stage: Stage, state: ActionState) -> ActionState:
        """Return the action's state after a look at its try under way, if it has one."""
        row = state.latest
        if row is None or row.status is not ActionStatus.IN_PROGRESS:
            return state
        action = next(item for item in stage.actions if item.name == state.action_name)
        if (declared := self.world.freezer.declared_of(action, row)) is None:
            gone = RequestError("ConfigurationError", "the provider is no longer installed")
            return with_latest(state, self._failed(row, gone))
        item = Try(stage, action, declared, row)
        if row.approval:
            return with_latest(state, self._observe_approval(item))
        pod = self._pod(row)
        verdict = self._verdict(item, pod)
        if isinstance(verdict, Ended):
            return self._end_try(state, item, verdict, pod)
        if isinstance(verdict, Doubtful):
            self.findings.look_up.add(row.job_name)
            return state
        if isinstance(verdict, Missing):
            return state if self.stop and self.stop.abandon else self._missing(state, item)
        return self._running(state, row, verdict, pod)

    def _verdict(self, item: Try, pod: Pod | None) -> Verdict:
        refused = self.world.refused.get(item.row.job_name)
        if refused and refused.reason == NAME_TAKEN:
            # A Job of that name which is not the one we meant says nothing, nor do its pods.
            return Missing()
        return judge(self._observation(item, pod), self.world.settings, self.world.now)

    def _observe_approval(self, item: Try) -> ActionExecution:
        is_abandoned = bool(self.stop and self.stop.abandon)
        return self._approvals.observe(self._subject(item), item.row, self._values(), is_abandoned=is_abandoned)

    def _pod(self, row: ActionExecution) -> Pod | None:
        """Return the pod whose result counts: the recorded one, else the one that began first."""
        pods = self.world.pods.get(row.job_name, ())
        if row.pod_uid:
            return next((pod for pod in pods if pod.uid == row.pod_uid), None)
        return deciding(pods)

    def _observation(self, item: Try, pod: Pod | None) -> Observation:
        row, world = item.row, self.world
        job = world.jobs.get(row.job_name)
        return Observation(
            job_name=row.job_name,
            job=job if job and job.owner_uid == self.run.uid else None,
            pod=pod,
            is_confirmed=row.job_name in world.confirmed,
            warning=world.confirmed.get(row.job_name, ""),
            was_seen=row.job_name in world.seen or row.pod_uid is not None,
            had_pod=row.pod_uid is not None,
            lost_pod=row.job_name in world.podless,
            waiting=row.waiting,
            is_vouched=pod is None or pod.uid == row.pod_uid or world.vouches_for(pod, self.run.uid),
            has_container=item.declared.has_container,
            timeout_s=timeout_of(self._subject(item), world.settings),
            started=parse_time(row.start_time) or world.now,
        )

    def _running(self, state: ActionState, row: ActionExecution, verdict: Running, pod: Pod | None) -> ActionState:
        if verdict.look_again:
            self.findings.look_again.append(verdict.look_again)
        if verdict.is_job_to_go:
            self._delete_job(row)
        since = next((c.running_since for c in pod.containers.values() if c.running_since), None) if pod else None
        row = row.model_copy(update={"waiting": verdict.waiting}) if row.waiting != verdict.waiting else row
        state = with_latest(state, row)
        if pod is None or row.pod_uid or since is None:
            return state
        due = (parse_time(row.start_time) or self.world.now) + timedelta(seconds=self.world.settings.running_record_s)
        if self.world.now < due:
            self.findings.look_again.append(due)
            return state
        recorded = {"pod_uid": pod.uid, "pod_name": pod.name, "running_time": format_time(since)}
        return with_latest(state, row.model_copy(update=recorded))

    def _missing(self, state: ActionState, item: Try) -> ActionState:
        held = held_back(item.row, "Job", item.row.job_name, self.world, self.findings)
        if isinstance(held, Ended):
            return self._end_try(state, item, held, None)
        try:
            if held is None:
                self._create_job(item)
        except RequestError as error:
            return with_latest(state, self._failed(item.row, error))
        return with_latest(state, held or item.row)

    def abandon(self, state: ActionState) -> ActionState:
        """Return the action's state with its try under way given up, and delete its Job."""
        row = state.latest
        if row is None or row.status is not ActionStatus.IN_PROGRESS:
            return state
        if row.approval:
            return with_latest(state, self._approvals.abandon(row))
        self._delete_job(row)
        return with_latest(state, abandoned(row, self._pod(row), self.world.now))

    def take_back(self, row: ActionExecution) -> None:
        """Leave out the Job of a try that this very pass was to create."""
        self.findings.commands[:] = [c for c in self.findings.commands if not creates(c, row.job_name)]

    def remains(self, states: Iterable[ActionState]) -> list[str]:
        """Return what of abandoned tries may still run, as people read it.

        That nothing is seen of a try is looked up live before it counts: absence is never evidence.
        """
        abandoned_rows = [s.latest for s in states if s.latest and s.latest.status is ActionStatus.ABANDONED]
        tries = [row.job_name for row in abandoned_rows if row.job_name]
        pods = [f"pod {pod.name}" for name in tries for pod in self.world.pods.get(name, ()) if pod.may_run]
        unseen = [name for name in tries if name not in self.world.pods]
        jobs = [f"Job {name}" for name in unseen if (job := self.world.jobs.get(name)) and not job.is_over]
        if pods or jobs:
            return pods + jobs
        doubtful = [name for name in unseen if name not in self.world.confirmed]
        self.findings.look_up.update(doubtful)
        return [f"Job {name}" for name in doubtful]

    def start(self, stage: Stage, action: Action, before: ActionState | None) -> ActionState:
        """Start the first try of an action's next attempt; ``before`` holds those that a retry has left behind."""
        rows = before.executions if before else ()
        state = ActionState(action_name=action.name, executions=rows)
        row = self._new_row(stage, action, attempt=rows[-1].attempt + 1 if rows else 1, try_=1)
        if rows and self._room.is_full(self.status):
            return state.model_copy(update={"executions": (*rows, ended_execution(row, FULL, None, self.world.now))})
        freezer, uid = self.world.freezer, self.status.pipeline_uid or ""
        try:
            if is_custom(action):
                row = row.model_copy(update={"action_type": freezer.freeze_type(action, uid)})
            if (declared := freezer.declared_of(action, row)) is None:
                raise RequestError("ConfigurationError", "the provider is not installed")
        except RequestError as error:
            return state.model_copy(update={"executions": (*rows, self._failed(row, error))})
        return self._start(state, Try(stage, action, declared, row))

    def may_still_run(self, state: ActionState | None) -> bool:
        """Whether anything of an action's earlier tries may still run: the next attempt waits for its end."""
        rows = state.executions if state else ()
        return any(pod.may_run for row in rows for pod in self.world.pods.get(row.job_name, ()))

    # ---- ending

    def _failed(self, row: ActionExecution, error: RequestError) -> ActionExecution:
        return ended_execution(row, Ended(ActionStatus.FAILED, error.code, str(error)), None, self.world.now)

    def _end_try(self, state: ActionState, item: Try, verdict: Ended, pod: Pod | None) -> ActionState:
        row = self._room.fitted(self.status, ended_execution(item.row, verdict, pod, self.world.now))
        if verdict.is_job_to_go:
            self._delete_job(row)
        if row.status is ActionStatus.SUCCEEDED:
            self._record_revision(item.action, verdict.result)
            return with_latest(state, row)
        if row.status is ActionStatus.UNKNOWN:
            return self._lost(with_latest(state, row), item, row)
        self._report_failure(item, row)
        return with_latest(state, row)

    def _lost(self, state: ActionState, item: Try, row: ActionExecution) -> ActionState:
        """Lost is not failed: the provider says whether a new try may be made, the settings how often."""
        is_stopping = self.stop is not None
        may_try_again = item.declared.on_lost_pod is not OnLostPod.FAIL and not is_stopping
        if may_try_again and row.try_ < self.world.settings.lost_tries:
            again = self._new_row(item.stage, item.action, attempt=row.attempt, try_=row.try_ + 1)
            again = again.model_copy(update={"build_project": row.build_project, "action_type": row.action_type})
            return self._start(state, Try(item.stage, item.action, item.declared, again))
        failed = lost_for_good(row, is_stopping=is_stopping)
        self._report_failure(item, failed)
        return with_latest(state, failed)

    def _delete_job(self, row: ActionExecution) -> None:
        job = self.world.jobs.get(row.job_name)
        if job and not job.is_deleted:
            self.findings.commands.append(DeleteJob(job.name, job.uid))

    def _record_revision(self, action: Action, result: ActionResult | None) -> None:
        if revision := revision_of(action, result):
            others = tuple(r for r in self.status.artifact_revisions if r.name != revision.name)
            self.status = self.status.model_copy(update={"artifact_revisions": (*others, revision)})

    def _report_failure(self, item: Try, row: ActionExecution) -> None:
        details = row.error_details or ErrorDetails(code="JobFailed")
        reason = "RuleFailed" if "/" in item.action.name else "ActionFailed"
        message = f"{item.stage.name}/{item.action.name}: {details.code}: {details.message}"
        self.findings.commands.append(self.run.event(reason, message, is_warning=True))

    # ---- starting

    def _new_row(self, stage: Stage, action: Action, *, attempt: int, try_: int) -> ActionExecution:
        return new_execution(self.run.uid, stage.name, action.name, attempt=attempt, try_=try_, now=self.world.now)

    def _start(self, state: ActionState, item: Try) -> ActionState:
        row = item.row
        if item.declared.question:
            row = self._approvals.start(self._subject(item), row, self._values())
            return state.model_copy(update={"executions": (*state.executions, row)})
        try:
            if item.declared.runs_project and row.build_project is None:
                name = project_name(item.action, self._values())
                frozen = self.world.freezer.freeze(name, self.status.pipeline_uid or "")
                row = row.model_copy(update={"build_project": frozen})
            request = self._create_job(replace(item, row=row))
            row = row.model_copy(update={"entity_url": (request.custom and request.custom.entity_url) or None})
        except RequestError as error:
            row = self._failed(row, error)
            self._report_failure(item, row)
        return state.model_copy(update={"executions": (*state.executions, row)})

    def _create_job(self, item: Try) -> ActionRequest:
        subject = self._subject(item)
        request = build_request(subject, self._values(), artifacts_of(self.run.uid, self.status), self.world.settings)
        job = build_job(JobOrder(subject, request, subject.started), self.world.settings)
        self.findings.commands.append(CreateJob(job))
        return request

    def _values(self) -> Values:
        return values_of(self.run.uid, self.definition, self.status)

    def _subject(self, item: Try) -> Subject:
        attempt = Attempt(
            namespace=self.run.namespace,
            pipeline=self.world.pipeline,
            pipeline_uid=self.status.pipeline_uid or "",
            run=self.run.name,
            run_uid=self.run.uid,
            stage=item.stage.name,
            action=item.action.name,
            attempt=item.row.attempt,
            try_=item.row.try_,
        )
        pinned = revisions_of(self.run.spec, item.action, item.declared)
        projects = self.world.freezer.projects_of(item.row)
        return Subject(
            attempt,
            item.action,
            item.declared,
            self.definition,
            parse_time(item.row.start_time) or self.world.now,
            revision=pinned.pop("", None),
            overrides=pinned,
            projects=projects,
            source_revisions={item.name: item.revision_id for item in self.status.artifact_revisions},
        )
