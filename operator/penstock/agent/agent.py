"""One try of an action, from its request to its result.

The theory of operation. The agent is one of two containers of a pod that start together. The order
of its steps is what makes a try safe to repeat:

1. It opens the FIFOs in which the action's container may already wait for it.
2. It reads the request, refuses one that starts too late, and learns the secrets that it must mask.
3. It claims the try in the artifact store: create-if-absent, under a key that follows from the try.
   An agent that meets a foreign claim reports `Duplicate` and has no effect. So a Job that is
   created twice runs once.
4. It fetches the inputs and verifies size and hash before it unpacks them.
5. It runs the provider's execution, which may release the script to the other container.
6. It stores the outputs and then the log, and writes the termination message, which the operator
   reads.

Every end there is leads to a result: a failure of the action, of the store, of the agent itself, a
signal. Only a killed agent leaves none, and the operator then calls the try lost, not failed.
"""

import importlib
import os
import re
import time
from types import ModuleType

from penstock.actions.execution import CONFIGURATION_ERROR, SYSTEM_UNAVAILABLE, ActionError, Outcome
from penstock.agent import interrupt
from penstock.agent import result as results
from penstock.agent.claim import claim
from penstock.agent.interrupt import Interrupted
from penstock.agent.job import AgentJob
from penstock.agent.output.log import Log
from penstock.agent.output.masking import Masker, secrets_in
from penstock.agent.paths import Paths
from penstock.agent.script.control import Control
from penstock.agent.workspace import Workspace
from penstock.api.contract.contracts import DUPLICATE, RESULT_VERSION, ActionRequest, ActionResult
from penstock.api.contract.documents import ContractError
from penstock.api.contract.keys import log_key
from penstock.artifacts.errors import ArtifactError
from penstock.artifacts.store.opening import open_store
from penstock.artifacts.store.store import Store

STARTED_TOO_LATE = "StartedTooLate"
POD_TERMINATED = "PodTerminated"
_PROVIDER = re.compile(r"[a-z][a-z0-9_]*")


class Lost(Exception):
    """The try ends without an effect, and is not a failure of the action."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Agent:
    """The program in an action's pod. ``store`` replaces the request's, for tests and volumes."""

    def __init__(self, paths: Paths, pod_uid: str, stdout: int, store: Store | None = None) -> None:
        self._paths = paths
        self._pod_uid = pod_uid
        self._stdout = stdout
        self._store = store
        self._started = time.monotonic()
        self._masker = Masker(())
        self._job: AgentJob | None = None

    def run(self) -> ActionResult:
        """Do the action and write its termination message."""
        try:
            result = self._end()
            interrupt.ignore()
        except Interrupted:
            message = "the pod was deleted or its node shut down while the action ran"
            result = results.lost(POD_TERMINATED, message, self._pod_uid)
        return results.write_result(self._paths.termination, self._completed(result))

    def _completed(self, result: ActionResult) -> ActionResult:
        """Add what the action reported however it ended; texts of the action's are masked."""
        mask, job = self._masker.mask_text, self._job
        result = result._replace(message=mask(result.message), summary=mask(result.summary))
        if job is None:
            return result
        external = result.external_execution_id or job.external_execution_id
        reports = tuple(results.masked_report(report, mask) for report in job.reports.stored)
        url = result.external_execution_url or job.external_execution_url
        return result._replace(
            external_execution_id=external,
            external_execution_url=url,
            reports=reports,
            percent_complete=job.percent_complete,
        )

    def _end(self) -> ActionResult:
        try:
            return self._run()
        except Lost as error:
            return results.lost(error.code, error.message, self._pod_uid)
        except (ActionError, ArtifactError) as error:
            return results.failure(error.code, error.message, self._pod_uid, _exit_code(error))
        # The next clause takes everything, and a deleted pod is no failure of the agent.
        except Interrupted:
            raise
        except (
            BaseException
        ) as error:  # whatever it is (a panic in Rust is no Exception), the user must learn of it
            lines = f"the agent failed: {type(error).__name__}: {error}".splitlines()
            return results.failure(SYSTEM_UNAVAILABLE, lines[0], self._pod_uid)

    def _run(self) -> ActionResult:
        control = Control(self._paths.control)
        try:
            return self._claimed(control, self._read_request())
        finally:
            # Whatever happened: an action that still waits for its release ends by this.
            control.close()

    def _claimed(self, control: Control, request: ActionRequest) -> ActionResult:
        credentials = [request.store.credentials] if request.store.credentials else []
        # Before anything else: from here on texts may leave the agent.
        self._masker = Masker(secrets_in([*request.secrets.values(), *credentials]))
        self._check_start()
        limits = request.limits
        store = self._store or open_store(
            request.store, min(limits.store_timeout_s, limits.timeout_s / 2)
        )
        # Before anything that can be seen from outside: a second pod of this try ends here.
        if holder := claim(store, request.attempt, self._pod_uid):
            raise Lost(DUPLICATE, f"this try was started before, by {holder}; nothing was done")
        log = Log(self._paths.scratch / "log", self._stdout, self._masker, request.limits.log_bytes)
        result = self._logged(request, control, store, log)
        return self._with_log(result, request, store, log)

    def _logged(
        self, request: ActionRequest, control: Control, store: Store, log: Log
    ) -> ActionResult:
        try:
            return self._act(request, control, store, log)
        except (ActionError, ArtifactError) as error:
            log.write_line(f"[penstock] {error.code}: {error.message}")
            return results.failure(error.code, error.message, self._pod_uid, _exit_code(error))

    def _read_request(self) -> ActionRequest:
        try:
            return ActionRequest.decode(self._paths.request.read_text(encoding="utf-8"))
        except (ContractError, OSError, UnicodeDecodeError) as error:
            raise ActionError(
                SYSTEM_UNAVAILABLE, f"the action's request cannot be read: {error}"
            ) from error

    def _check_start(self) -> None:
        not_after = float(self._paths.not_after.read_text())
        late = time.time() - not_after
        if late > 0:
            raise Lost(
                STARTED_TOO_LATE, f"the pod started {late:.0f} s after the time it was allowed to"
            )

    def _act(
        self, request: ActionRequest, control: Control, store: Store, log: Log
    ) -> ActionResult:
        execution = _execution(request.provider)
        workspace = Workspace(self._paths.workspace, request, self._pod_uid)
        workspace.fetch(store, self._paths.scratch)
        # The limit counts from the agent's start, so that fetching the inputs is part of it.
        deadline = self._started + request.limits.timeout_s
        job = AgentJob(
            self._paths, request, workspace, log, control=control, store=store, deadline=deadline
        )
        # Kept before it runs, as `_completed` reports what it did whichever way it ends.
        self._job = job
        outcome: Outcome = execution.run(job)
        stored = job.outputs.complete()
        return ActionResult(
            version=RESULT_VERSION,
            status=results.SUCCEEDED,
            pod_uid=self._pod_uid,
            exit_code=outcome.exit_code,
            outputs=stored,
            variables={
                name: self._masker.mask_text(value) for name, value in outcome.variables.items()
            },
            revision=outcome.revision,
            external_execution_id=outcome.external_execution_id,
            external_execution_url=outcome.external_execution_url,
            summary=outcome.summary,
        )

    def _with_log(
        self, result: ActionResult, request: ActionRequest, store: Store, log: Log
    ) -> ActionResult:
        log.close(request.limits.log_drain_s)
        if log.is_empty:
            return result
        key = log_key(request.attempt, self._pod_uid)
        try:
            store.put_file(key, log.path)
        except ArtifactError as error:
            # The action's own end is worth more than its log; the pod still has the log.
            os.write(self._stdout, f"[penstock] The log was not stored: {error.message}\n".encode())
            return result
        return result._replace(log=key)


def _execution(provider: str) -> ModuleType:
    if not _PROVIDER.fullmatch(provider):
        raise ActionError(CONFIGURATION_ERROR, f'"{provider}" is not the name of a provider')
    name = f"penstock.actions.{provider}.execution"
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        # Then the provider is there, and a module that it imports is not: a fault of ours.
        if error.name is None or not name.startswith(error.name):
            raise
        raise ActionError(
            CONFIGURATION_ERROR, f'this agent does not know the provider "{provider}"'
        ) from error


def _exit_code(error: Exception) -> int | None:
    return error.exit_code if isinstance(error, ActionError) else None
