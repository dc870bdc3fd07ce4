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
from penstock.engine.objects.workloads import PodObject
from penstock.engine.pods.artifacts import artifacts_of
from penstock.engine.pods.context import TryContext, revisions_of
from penstock.engine.pods.job import JobInputs, build_job
from penstock.engine.pods.request import build_request, project_name, timeout_of, values_of
from penstock.engine.snapshot import NAME_TAKEN, RunObject
from penstock.engine.tries.approvals import Approvals
from penstock.engine.tries.effects import Effects
from penstock.engine.tries.executions import (
    abandoned,
    ended_execution,
    lost_for_good,
    new_execution,
    revision_of,
    with_latest,
)
from penstock.engine.tries.facts import Facts
from penstock.engine.tries.one_try import Try, creates
from penstock.engine.tries.refused import held_back
from penstock.engine.tries.results import TryResult, deciding
from penstock.engine.tries.room import FULL, Room
from penstock.engine.tries.verdict import Missing, Observation, Running, Unconfirmed, Verdict, judge


class Tries:
    """The tries of one run in one pass. ``status`` is the run's status as far as this pass has come."""

    def __init__(self, run: RunObject, definition: Definition, facts: Facts) -> None:
        self.run, self.definition, self.facts = run, definition, facts
        self.status = run.status
        self.effects = Effects()
        self._approvals = Approvals(run, facts, self.effects)
        self._room = Room(facts.settings)

    @property
    def stop(self) -> StopRequest | None:
        """The stop that is asked of the run, if any."""
        return self.run.stop_under(self.status)

    def observe(self, stage: Stage, state: ActionState) -> ActionState:
        """Return the action's state after a look at its try under way, if it has one."""
        execution = state.latest
        if execution is None or execution.status is not ActionStatus.IN_PROGRESS:
            return state
        action = next(item for item in stage.actions if item.name == state.action_name)
        if (declared := self.facts.freezer.declared_of(action, execution)) is None:
            gone = RequestError("ConfigurationError", "the provider is no longer installed")
            return with_latest(state, self._failed(execution, gone))
        item = Try(stage, action, declared, execution)
        if execution.approval:
            return with_latest(state, self._observe_approval(item))
        pod = self._pod(execution)
        verdict = self._verdict(item, pod)
        if isinstance(verdict, TryResult):
            return self._end_try(state, item, verdict, pod)
        if isinstance(verdict, Unconfirmed):
            self.effects.to_confirm.add(execution.job_name)
            return state
        if isinstance(verdict, Missing):
            return state if self.stop and self.stop.abandon else self._missing(state, item)
        return self._running(state, execution, verdict, pod)

    def _verdict(self, item: Try, pod: PodObject | None) -> Verdict:
        refused = self.facts.refused.get(item.execution.job_name)
        if refused and refused.reason == NAME_TAKEN:
            # A Job of that name which is not the one we meant says nothing, nor do its pods.
            return Missing()
        return judge(self._observation(item, pod), self.facts.settings, self.facts.now)

    def _observe_approval(self, item: Try) -> ActionExecution:
        is_abandoned = bool(self.stop and self.stop.abandon)
        return self._approvals.observe(self._subject(item), item.execution, self._values(), is_abandoned=is_abandoned)

    def _pod(self, execution: ActionExecution) -> PodObject | None:
        """Return the pod whose result counts: the recorded one, else the one that began first."""
        pods = self.facts.pods.get(execution.job_name, ())
        if execution.pod_uid:
            return next((pod for pod in pods if pod.uid == execution.pod_uid), None)
        return deciding(pods)

    def _observation(self, item: Try, pod: PodObject | None) -> Observation:
        execution, facts = item.execution, self.facts
        job = facts.jobs.get(execution.job_name)
        return Observation(
            job_name=execution.job_name,
            job=job if job and job.owner_uid == self.run.uid else None,
            pod=pod,
            is_confirmed=execution.job_name in facts.live.jobs,
            warning=facts.live.jobs.get(execution.job_name, ""),
            was_seen=execution.job_name in facts.seen or execution.pod_uid is not None,
            had_pod=execution.pod_uid is not None,
            lost_pod=execution.job_name in facts.podless,
            waiting=execution.waiting,
            is_vouched=pod is None or pod.uid == execution.pod_uid or facts.vouches_for(pod, self.run.uid),
            has_container=item.declared.has_container,
            timeout_s=timeout_of(self._subject(item), facts.settings),
            started=parse_time(execution.start_time) or facts.now,
        )

    def _running(
        self, state: ActionState, execution: ActionExecution, verdict: Running, pod: PodObject | None
    ) -> ActionState:
        if verdict.look_again:
            self.effects.look_again.append(verdict.look_again)
        if verdict.is_job_to_go:
            self._delete_job(execution)
        since = next((c.running_since for c in pod.containers.values() if c.running_since), None) if pod else None
        execution = (
            execution.model_copy(update={"waiting": verdict.waiting})
            if execution.waiting != verdict.waiting
            else execution
        )
        state = with_latest(state, execution)
        if pod is None or execution.pod_uid or since is None:
            return state
        due = (parse_time(execution.start_time) or self.facts.now) + timedelta(
            seconds=self.facts.settings.running_record_s
        )
        if self.facts.now < due:
            self.effects.look_again.append(due)
            return state
        recorded = {"pod_uid": pod.uid, "pod_name": pod.name, "running_time": format_time(since)}
        return with_latest(state, execution.model_copy(update=recorded))

    def _missing(self, state: ActionState, item: Try) -> ActionState:
        held = held_back(item.execution, "Job", item.execution.job_name, self.facts, self.effects)
        if isinstance(held, TryResult):
            return self._end_try(state, item, held, None)
        try:
            if held is None:
                self._create_job(item)
        except RequestError as error:
            return with_latest(state, self._failed(item.execution, error))
        return with_latest(state, held or item.execution)

    def abandon(self, state: ActionState) -> ActionState:
        """Return the action's state with its try under way given up, and delete its Job."""
        execution = state.latest
        if execution is None or execution.status is not ActionStatus.IN_PROGRESS:
            return state
        if execution.approval:
            return with_latest(state, self._approvals.abandon(execution))
        self._delete_job(execution)
        return with_latest(state, abandoned(execution, self._pod(execution), self.facts.now))

    def take_back(self, execution: ActionExecution) -> None:
        """Leave out the Job of a try that this very pass was to create."""
        self.effects.commands[:] = [c for c in self.effects.commands if not creates(c, execution.job_name)]

    def remains(self, states: Iterable[ActionState]) -> list[str]:
        """Return what of abandoned tries may still run, as people read it.

        That nothing is seen of a try is looked up live before it counts: absence is never evidence.
        """
        abandoned_rows = [s.latest for s in states if s.latest and s.latest.status is ActionStatus.ABANDONED]
        tries = [execution.job_name for execution in abandoned_rows if execution.job_name]
        pods = [f"pod {pod.name}" for name in tries for pod in self.facts.pods.get(name, ()) if pod.may_run]
        unseen = [name for name in tries if name not in self.facts.pods]
        jobs = [f"Job {name}" for name in unseen if (job := self.facts.jobs.get(name)) and not job.is_over]
        if pods or jobs:
            return pods + jobs
        doubtful = [name for name in unseen if name not in self.facts.live.jobs]
        self.effects.to_confirm.update(doubtful)
        return [f"Job {name}" for name in doubtful]

    def start(self, stage: Stage, action: Action, before: ActionState | None) -> ActionState:
        """Start the first try of an action's next attempt; ``before`` holds those that a retry has left behind."""
        executions = before.executions if before else ()
        state = ActionState(action_name=action.name, executions=executions)
        execution = self._new_row(stage, action, attempt=executions[-1].attempt + 1 if executions else 1, try_=1)
        if executions and self._room.is_full(self.status):
            return state.model_copy(
                update={"executions": (*executions, ended_execution(execution, FULL, None, self.facts.now))}
            )
        freezer, uid = self.facts.freezer, self.status.pipeline_uid or ""
        try:
            if is_custom(action):
                execution = execution.model_copy(update={"action_type": freezer.freeze_type(action, uid)})
            if (declared := freezer.declared_of(action, execution)) is None:
                raise RequestError("ConfigurationError", "the provider is not installed")
        except RequestError as error:
            return state.model_copy(update={"executions": (*executions, self._failed(execution, error))})
        return self._start(state, Try(stage, action, declared, execution))

    def may_still_run(self, state: ActionState | None) -> bool:
        """Whether anything of an action's earlier tries may still run: the next attempt waits for its end."""
        executions = state.executions if state else ()
        return any(pod.may_run for execution in executions for pod in self.facts.pods.get(execution.job_name, ()))

    # ---- ending

    def _failed(self, execution: ActionExecution, error: RequestError) -> ActionExecution:
        return ended_execution(execution, TryResult(ActionStatus.FAILED, error.code, str(error)), None, self.facts.now)

    def _end_try(self, state: ActionState, item: Try, verdict: TryResult, pod: PodObject | None) -> ActionState:
        execution = self._room.fitted(self.status, ended_execution(item.execution, verdict, pod, self.facts.now))
        if verdict.is_job_to_go:
            self._delete_job(execution)
        if execution.status is ActionStatus.SUCCEEDED:
            self._record_revision(item.action, verdict.result)
            return with_latest(state, execution)
        if execution.status is ActionStatus.UNKNOWN:
            return self._lost(with_latest(state, execution), item, execution)
        self._report_failure(item, execution)
        return with_latest(state, execution)

    def _lost(self, state: ActionState, item: Try, execution: ActionExecution) -> ActionState:
        """Lost is not failed: the provider says whether a new try may be made, the settings how often."""
        is_stopping = self.stop is not None
        may_try_again = item.declared.on_lost_pod is not OnLostPod.FAIL and not is_stopping
        if may_try_again and execution.try_ < self.facts.settings.lost_tries:
            again = self._new_row(item.stage, item.action, attempt=execution.attempt, try_=execution.try_ + 1)
            again = again.model_copy(
                update={"build_project": execution.build_project, "action_type": execution.action_type}
            )
            return self._start(state, Try(item.stage, item.action, item.declared, again))
        failed = lost_for_good(execution, is_stopping=is_stopping)
        self._report_failure(item, failed)
        return with_latest(state, failed)

    def _delete_job(self, execution: ActionExecution) -> None:
        job = self.facts.jobs.get(execution.job_name)
        if job and not job.is_deleted:
            self.effects.commands.append(DeleteJob(job.name, job.uid))

    def _record_revision(self, action: Action, result: ActionResult | None) -> None:
        if revision := revision_of(action, result):
            others = tuple(r for r in self.status.artifact_revisions if r.name != revision.name)
            self.status = self.status.model_copy(update={"artifact_revisions": (*others, revision)})

    def _report_failure(self, item: Try, execution: ActionExecution) -> None:
        details = execution.error_details or ErrorDetails(code="JobFailed")
        reason = "RuleFailed" if "/" in item.action.name else "ActionFailed"
        message = f"{item.stage.name}/{item.action.name}: {details.code}: {details.message}"
        self.effects.commands.append(self.run.event(reason, message, is_warning=True))

    # ---- starting

    def _new_row(self, stage: Stage, action: Action, *, attempt: int, try_: int) -> ActionExecution:
        return new_execution(self.run.uid, stage.name, action.name, attempt=attempt, try_=try_, now=self.facts.now)

    def _start(self, state: ActionState, item: Try) -> ActionState:
        execution = item.execution
        if item.declared.approval:
            execution = self._approvals.start(self._subject(item), execution, self._values())
            return state.model_copy(update={"executions": (*state.executions, execution)})
        try:
            if item.declared.runs_project and execution.build_project is None:
                name = project_name(item.action, self._values())
                frozen = self.facts.freezer.freeze(name, self.status.pipeline_uid or "")
                execution = execution.model_copy(update={"build_project": frozen})
            request = self._create_job(replace(item, execution=execution))
            execution = execution.model_copy(
                update={"entity_url": (request.custom and request.custom.entity_url) or None}
            )
        except RequestError as error:
            execution = self._failed(execution, error)
            self._report_failure(item, execution)
        return state.model_copy(update={"executions": (*state.executions, execution)})

    def _create_job(self, item: Try) -> ActionRequest:
        context = self._subject(item)
        request = build_request(context, self._values(), artifacts_of(self.run.uid, self.status), self.facts.settings)
        job = build_job(JobInputs(context, request, context.started), self.facts.settings)
        self.effects.commands.append(CreateJob(job))
        return request

    def _values(self) -> Values:
        return values_of(self.run.uid, self.definition, self.status)

    def _subject(self, item: Try) -> TryContext:
        attempt = Attempt(
            namespace=self.run.namespace,
            pipeline=self.facts.pipeline,
            pipeline_uid=self.status.pipeline_uid or "",
            run=self.run.name,
            run_uid=self.run.uid,
            stage=item.stage.name,
            action=item.action.name,
            attempt=item.execution.attempt,
            try_=item.execution.try_,
        )
        pinned = revisions_of(self.run.spec, item.action, item.declared)
        projects = self.facts.freezer.projects_of(item.execution)
        return TryContext(
            attempt,
            item.action,
            item.declared,
            self.definition,
            parse_time(item.execution.start_time) or self.facts.now,
            revision=pinned.pop("", None),
            overrides=pinned,
            projects=projects,
            source_revisions={item.name: item.revision_id for item in self.status.artifact_revisions},
        )
