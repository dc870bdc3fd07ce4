"""Looks at tries under way: what became of them, and what that leads to.

An attempt is what a user asks for, a try one Job within it; a lost pod leads
to a new try, not to a failure.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta

from penstock.actions.declaration import OnLostPod
from penstock.api.contract.contracts import ActionResult
from penstock.api.kinds.pipeline import Action, Stage
from penstock.api.status.executions import ActionExecution, ActionState, ActionStatus
from penstock.api.times import format_time, parse_time
from penstock.engine.commands import DeleteJob
from penstock.engine.definition.errors import RequestError
from penstock.engine.objects.workloads import PodObject
from penstock.engine.pods.request import timeout_of
from penstock.engine.snapshot import NAME_TAKEN
from penstock.engine.tries.draft import RunDraft, Try
from penstock.engine.tries.executions import (
    abandoned,
    ended_execution,
    lost_for_good,
    revision_of,
    with_latest,
)
from penstock.engine.tries.observation import Missing, Observation, Running, Unconfirmed, Verdict
from penstock.engine.tries.refused import held_back
from penstock.engine.tries.results import TryResult, deciding
from penstock.engine.tries.start import TryStarter, failed, report_failure
from penstock.engine.tries.verdict import judge


class TryObserver:
    """Looks at the tries of one run; a new try of one that was lost is started by ``starter``."""

    def __init__(self, draft: RunDraft, starter: TryStarter) -> None:
        self._draft, self._facts, self._effects = draft, draft.facts, draft.effects
        self._starter = starter
        self._approvals, self._room = starter.approvals, starter.room

    def observe(self, stage: Stage, state: ActionState) -> ActionState:
        """Return the action's state after a look at its try under way, if it has one."""
        execution = state.latest
        if execution is None or execution.status is not ActionStatus.IN_PROGRESS:
            return state
        # The stage is of the run's own definition, so every action of its status is in it.
        action = next(item for item in stage.actions if item.name == state.action_name)
        # Another version of the operator may lack a provider that the run began with.
        if (declared := self._facts.freezer.declared_of(action, execution)) is None:
            gone = RequestError("ConfigurationError", "the provider is no longer installed")
            return with_latest(state, failed(self._draft, execution, gone))
        item = Try(stage, action, declared, execution)
        if execution.approval:
            return with_latest(state, self._observe_approval(item))
        pod = self._pod(execution)
        verdict = self._verdict(item, pod)
        if isinstance(verdict, TryResult):
            return self._end_try(state, item, verdict, pod)
        if isinstance(verdict, Unconfirmed):
            self._effects.to_confirm.add(execution.job_name)
            return state
        if isinstance(verdict, Missing):
            return (
                state
                # A crash may have kept the Job back. Abandoned, it must not start after all.
                if self._draft.stop and self._draft.stop.abandon
                else self._missing(state, item)
            )
        return self._running(state, execution, verdict, pod)

    def _verdict(self, item: Try, pod: PodObject | None) -> Verdict:
        refused = self._facts.refused.get(item.execution.job_name)
        if refused and refused.reason == NAME_TAKEN:
            # A Job of that name which is not the one we meant says nothing, nor do its pods.
            return Missing()
        return judge(self._observation(item, pod), self._facts.settings, self._facts.now)

    def _observe_approval(self, item: Try) -> ActionExecution:
        is_abandoned = bool(self._draft.stop and self._draft.stop.abandon)
        return self._approvals.observe(
            self._draft.context_of(item),
            item.execution,
            self._draft.values(),
            is_abandoned=is_abandoned,
        )

    def _pod(self, execution: ActionExecution) -> PodObject | None:
        """Return the pod whose result counts: the recorded one, else the one that began first."""
        pods = self._facts.pods.get(execution.job_name, ())
        if execution.pod_uid:
            return next((pod for pod in pods if pod.uid == execution.pod_uid), None)
        return deciding(pods)

    def _observation(self, item: Try, pod: PodObject | None) -> Observation:
        execution, facts = item.execution, self._facts
        job = facts.jobs.get(execution.job_name)
        return Observation(
            job_name=execution.job_name,
            job=job if job and job.owner_uid == self._draft.run.uid else None,
            pod=pod,
            is_confirmed=execution.job_name in facts.live.jobs,
            warning=facts.live.jobs.get(execution.job_name, ""),
            # A restart of the operator forgets what it saw; a recorded pod proves that a Job was
            # there.
            was_seen=execution.job_name in facts.seen or execution.pod_uid is not None,
            had_pod=execution.pod_uid is not None,
            lost_pod=execution.job_name in facts.podless,
            waiting=execution.waiting,
            is_vouched=pod is None
            or pod.uid == execution.pod_uid
            or facts.vouches_for(pod, self._draft.run.uid),
            has_container=item.declared.has_container,
            timeout_s=timeout_of(self._draft.context_of(item), facts.settings),
            started=parse_time(execution.start_time) or facts.now,
        )

    def _running(
        self,
        state: ActionState,
        execution: ActionExecution,
        verdict: Running,
        pod: PodObject | None,
    ) -> ActionState:
        if verdict.look_again:
            self._effects.look_again.append(verdict.look_again)
        if verdict.is_job_to_go:
            self._delete_job(execution)
        since = (
            next((c.running_since for c in pod.containers.values() if c.running_since), None)
            if pod
            else None
        )
        execution = (
            execution.model_copy(update={"waiting": verdict.waiting})
            if execution.waiting != verdict.waiting
            else execution
        )
        state = with_latest(state, execution)
        if pod is None or execution.pod_uid or since is None:
            return state
        # The status is believed from then on: it names no pod that nobody vouches for.
        if not self._facts.vouches_for(pod, self._draft.run.uid):
            return state
        due = (parse_time(execution.start_time) or self._facts.now) + timedelta(
            seconds=self._facts.settings.running_record_s
        )
        # The record costs a request for itself, so a short try leaves it to the write of its end.
        if self._facts.now < due:
            self._effects.look_again.append(due)
            return state
        recorded = {"pod_uid": pod.uid, "pod_name": pod.name, "running_time": format_time(since)}
        return with_latest(state, execution.model_copy(update=recorded))

    def _missing(self, state: ActionState, item: Try) -> ActionState:
        held = held_back(item.execution, "Job", item.execution.job_name, self._facts, self._effects)
        if isinstance(held, TryResult):
            return self._end_try(state, item, held, None)
        try:
            if held is None:
                self._starter.create_job(item)
        except RequestError as error:
            return with_latest(state, failed(self._draft, item.execution, error))
        return with_latest(state, held or item.execution)

    def abandon(self, state: ActionState) -> ActionState:
        """Return the action's state with its try under way given up, and delete its Job."""
        execution = state.latest
        if execution is None or execution.status is not ActionStatus.IN_PROGRESS:
            return state
        if execution.approval:
            return with_latest(state, self._approvals.abandon(execution))
        self._delete_job(execution)
        return with_latest(state, abandoned(execution, self._pod(execution), self._facts.now))

    def remains(self, states: Iterable[ActionState]) -> list[str]:
        """Return what of abandoned tries may still run, as people read it.

        That nothing is seen of a try is looked up live before it counts: absence is never evidence.
        """
        given_up = [
            s.latest for s in states if s.latest and s.latest.status is ActionStatus.ABANDONED
        ]
        tries = [execution.job_name for execution in given_up if execution.job_name]
        pods = [
            f"pod {pod.name}"
            for name in tries
            for pod in self._facts.pods.get(name, ())
            if pod.may_run
        ]
        unseen = [name for name in tries if name not in self._facts.pods]
        # A Job without a pod in sight may still get one.
        jobs = [
            f"Job {name}"
            for name in unseen
            if (job := self._facts.jobs.get(name)) and not job.is_over
        ]
        if pods or jobs:
            return pods + jobs
        doubtful = [name for name in unseen if name not in self._facts.live.jobs]
        self._effects.to_confirm.update(doubtful)
        return [f"Job {name}" for name in doubtful]

    def _end_try(
        self, state: ActionState, item: Try, verdict: TryResult, pod: PodObject | None
    ) -> ActionState:
        ended = ended_execution(item.execution, verdict, pod, self._facts.now)
        execution = self._room.fitted(self._draft.status, ended)
        if verdict.is_job_to_go:
            self._delete_job(execution)
        if execution.status is ActionStatus.SUCCEEDED:
            self._record_revision(item.action, verdict.result)
            return with_latest(state, execution)
        if execution.status is ActionStatus.UNKNOWN:
            return self._lost(with_latest(state, execution), item, execution)
        report_failure(self._draft, item, execution)
        return with_latest(state, execution)

    def _lost(self, state: ActionState, item: Try, execution: ActionExecution) -> ActionState:
        """Start a lost try again or end it: lost is not failed.

        The provider says whether a new try may be made. The settings say how often.
        """
        is_stopping = self._draft.stop is not None
        may_try_again = item.declared.on_lost_pod is not OnLostPod.FAIL and not is_stopping
        if may_try_again and execution.try_ < self._facts.settings.lost_tries:
            return self._starter.start_again(state, replace(item, execution=execution))
        lost = lost_for_good(execution, is_stopping=is_stopping)
        report_failure(self._draft, item, lost)
        return with_latest(state, lost)

    def _delete_job(self, execution: ActionExecution) -> None:
        job = self._facts.jobs.get(execution.job_name)
        if job and not job.is_deleted:
            self._effects.commands.append(DeleteJob(job.name, job.uid))

    def _record_revision(self, action: Action, result: ActionResult | None) -> None:
        if revision := revision_of(action, result):
            # A retried source pins anew, in the place of what it pinned before.
            others = tuple(
                r for r in self._draft.status.artifact_revisions if r.name != revision.name
            )
            self._draft.status = self._draft.status.model_copy(
                update={"artifact_revisions": (*others, revision)}
            )
