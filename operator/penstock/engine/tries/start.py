"""Starts tries: the first of an action's next attempt, and another one where the last was lost."""

from dataclasses import replace

from penstock.api.contract.contracts import ActionRequest
from penstock.api.kinds.pipeline import Action, Stage
from penstock.api.status.executions import ActionExecution, ActionState, ActionStatus, ErrorDetails
from penstock.engine.commands import Command, CreateJob
from penstock.engine.definition.errors import RequestError
from penstock.engine.objects.action_types import is_custom
from penstock.engine.pods.artifacts import artifacts_of
from penstock.engine.pods.job import JobInputs, build_job
from penstock.engine.pods.request import build_request, resolved_key
from penstock.engine.tries.approvals import Approvals
from penstock.engine.tries.draft import RunDraft, Try
from penstock.engine.tries.executions import (
    ended_execution,
    new_execution,
)
from penstock.engine.tries.results import TryResult
from penstock.engine.tries.room import FULL, Room


class TryStarter:
    """Starts the tries of one run."""

    def __init__(self, draft: RunDraft) -> None:
        self._draft, self._facts, self._effects = draft, draft.facts, draft.effects
        self.room, self.approvals = Room(draft.facts.settings), Approvals(draft)

    def start(self, stage: Stage, action: Action, before: ActionState | None) -> ActionState:
        """Start the first try of an action's next attempt.

        ``before`` holds the tries that a retry has left behind.
        """
        executions = before.executions if before else ()
        state = ActionState(action_name=action.name, executions=executions)
        execution = self._new(
            stage, action, attempt=executions[-1].attempt + 1 if executions else 1, try_=1
        )
        # A first attempt needs no check: the status of a thousand actions fills less than half.
        if executions and self.room.is_full(self._draft.status):
            return state.model_copy(
                update={
                    "executions": (
                        *executions,
                        ended_execution(execution, FULL, None, self._facts.now),
                    )
                }
            )
        freezer, uid = self._facts.freezer, self._draft.status.pipeline_uid or ""
        try:
            # The declaration is read from the frozen type alone, so this comes first.
            if is_custom(action):
                execution = execution.model_copy(
                    update={"action_type": freezer.freeze_type(action, uid)}
                )
            if (declared := freezer.declared_of(action, execution)) is None:
                raise RequestError("ConfigurationError", "the provider is not installed")
        except RequestError as error:
            return state.model_copy(
                update={"executions": (*executions, failed(self._draft, execution, error))}
            )
        return self._start(state, Try(stage, action, declared, execution))

    def may_still_run(self, state: ActionState | None) -> bool:
        """Return whether anything of an action's earlier tries may still run.

        The next attempt waits for its end.
        """
        executions = state.executions if state else ()
        return any(
            pod.may_run
            for execution in executions
            for pod in self._facts.pods.get(execution.job_name, ())
        )

    def take_back(self, execution: ActionExecution) -> None:
        """Leave out the Job of a try that this very pass was to create."""
        self._effects.commands[:] = [
            c for c in self._effects.commands if not creates(c, execution.job_name)
        ]

    def start_again(self, state: ActionState, lost: Try) -> ActionState:
        """Start another try of an attempt whose last one was lost, with the attempt's inputs."""
        before = lost.execution
        again = self._new(lost.stage, lost.action, attempt=before.attempt, try_=before.try_ + 1)
        again = again.model_copy(
            update={
                "build_project": before.build_project,
                "action_type": before.action_type,
                "connection": before.connection,
            }
        )
        return self._start(state, replace(lost, execution=again))

    def create_job(self, item: Try) -> ActionRequest:
        """Create the Job of a try, and return what its agent is asked; raise RequestError."""
        context = self._draft.context_of(item)
        request = build_request(
            context,
            self._draft.values(),
            artifacts_of(self._draft.run.uid, self._draft.status),
            self._facts.settings,
        )
        job = build_job(JobInputs(context, request, context.started), self._facts.settings)
        self._effects.commands.append(CreateJob(job))
        return request

    def _start(self, state: ActionState, item: Try) -> ActionState:
        execution = item.execution
        if item.declared.approval:
            execution = self.approvals.start(
                self._draft.context_of(item), execution, self._draft.values()
            )
            return state.model_copy(update={"executions": (*state.executions, execution)})
        try:
            execution = self._with_frozen(item)
            request = self.create_job(replace(item, execution=execution))
            execution = execution.model_copy(
                update={"entity_url": (request.custom and request.custom.entity_url) or None}
            )
        except RequestError as error:
            execution = failed(self._draft, execution, error)
            report_failure(self._draft, item, execution)
        return state.model_copy(update={"executions": (*state.executions, execution)})

    def _with_frozen(self, item: Try) -> ActionExecution:
        """Return the execution with the objects that its attempt is made with.

        A further try after a lost pod has those of the try before it. Raise RequestError.
        """
        execution, declared, freezer = item.execution, item.declared, self._facts.freezer
        uid, values = self._draft.status.pipeline_uid or "", self._draft.values()
        if declared.project and execution.build_project is None:
            name = resolved_key(item.action, declared.project.name, values)
            return execution.model_copy(update={"build_project": freezer.freeze(name, uid)})
        if declared.connection and execution.connection is None:
            arn = resolved_key(item.action, declared.connection, values)
            return execution.model_copy(update={"connection": freezer.freeze_connection(arn, uid)})
        return execution

    def _new(self, stage: Stage, action: Action, *, attempt: int, try_: int) -> ActionExecution:
        return new_execution(
            self._draft.run.uid,
            stage.name,
            action.name,
            attempt=attempt,
            try_=try_,
            now=self._facts.now,
        )


def failed(draft: RunDraft, execution: ActionExecution, error: RequestError) -> ActionExecution:
    """Return the execution of a try that cannot start."""
    return ended_execution(
        execution, TryResult(ActionStatus.FAILED, error.code, str(error)), None, draft.facts.now
    )


def report_failure(draft: RunDraft, item: Try, execution: ActionExecution) -> None:
    """Record an Event about an action, or a rule, that has failed."""
    details = execution.error_details or ErrorDetails(code="JobFailed")
    # Only rules that run as Jobs have a slash in their names.
    reason = "RuleFailed" if "/" in item.action.name else "ActionFailed"
    message = f"{item.stage.name}/{item.action.name}: {details.code}: {details.message}"
    draft.effects.commands.append(draft.run.event(reason, message, is_warning=True))


def creates(command: Command, job: str) -> bool:
    """Whether a command creates a Job of that name."""
    return isinstance(command, CreateJob) and command.manifest["metadata"]["name"] == job
