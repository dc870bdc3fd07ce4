"""Lambda (Invoke, P-70): invokes a function and waits for its answer.

An answer is PutJobSuccessResult or PutJobFailureResult, sent to the endpoint that the event names,
or their input as the function's return value where it cannot reach the pod. An error of the
function ends the action at once.
"""

import base64
import json
import queue
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from threading import Thread
from typing import IO, Any, NamedTuple

from botocore import exceptions

from penstock.actions import aws
from penstock.actions.execution import (
    CONFIGURATION_ERROR,
    JOB_FAILED,
    TIMED_OUT,
    ActionError,
    Job,
    Outcome,
)
from penstock.actions.lambda_function.answers import (
    ENDED,
    FAILURE,
    SUCCESS,
    Answer,
    Jobs,
    RefusedError,
)
from penstock.actions.lambda_function.endpoint import serving
from penstock.actions.lambda_function.event import Locations, event_of
from penstock.api.text import printable
from penstock.artifacts.archives import unpack_any
from penstock.artifacts.errors import ArtifactError
from penstock.artifacts.folders import FolderBounds
from penstock.artifacts.unpacking import Caps
from penstock.artifacts.zipping import zip_folder

# How long a job may stay without an answer (T-03).
_SILENCE_S = 20 * 60.0
# How long after a continuation token the next job follows.
_AGAIN_S = 10.0
# The longest that Lambda lets a function run, and a little.
_FUNCTION_S = 15 * 60.0 + 30
# Pauses after a refusal for too many requests; then the action fails.
_THROTTLED_S = (1.0, 2.0, 4.0, 8.0, 16.0)
# Lambda returns 4 KB of its log: lines of one character would flood ours.
_LOG_LINES = 100
# How long an answered function may take to return, for the end of its log.
_LOG_S = 2.0


class _Returned(NamedTuple):
    """The function has ended: its return value, the end of its log, and its error."""

    job_id: str
    payload: Any
    log: str
    error: str = ""


class _Broken(NamedTuple):
    """The function could not be invoked."""

    error: ActionError


_News = Answer | _Returned | _Broken


def run(job: Job) -> Outcome:
    """Invoke the function until an answer carries no continuation token.

    Raise ActionError for a failure.
    """
    action = _Action(job)
    locations = _locations(job)
    with serving(action.take) as endpoint:
        job.log(f"Answers are taken at {endpoint}")
        token = ""
        while True:
            action.invoke(
                partial(event_of, job.request, locations=locations, token=token, endpoint=endpoint)
            )
            answer = action.answer()
            if answer.external_execution_id:
                job.report_external_execution(answer.external_execution_id)
            if not answer.token:
                break
            job.log(f"The function goes on{f': {answer.summary}' if answer.summary else ''}")
            token = answer.token
            _pause(job, _AGAIN_S)
    if answer.code:
        raise ActionError(answer.code, answer.message)
    _take_outputs(job)
    return Outcome(
        variables=answer.variables,
        external_execution_id=answer.external_execution_id,
        summary=answer.summary,
    )


class _Action:
    """One action: its jobs, and what is heard of the one under way."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._function = job.request.configuration["FunctionName"]
        # A call that boto3 repeats could run the function twice.
        self._client = aws.client(job, "lambda", attempts=1, read_s=_FUNCTION_S)
        self._jobs = Jobs()
        self._news: queue.Queue[_News] = queue.Queue()

    def take(self, operation: str, document: Mapping[str, Any]) -> None:
        """Take an answer from the endpoint; raise RefusedError for one that does not count."""
        self._news.put(self._jobs.answer(operation, document))

    def invoke(self, event_of_job: Callable[[str], Mapping[str, Any]]) -> None:
        """Begin a job: the function is invoked once, in a thread of its own."""
        job_id = self._jobs.begin()
        payload = json.dumps(event_of_job(job_id)).encode()
        arguments = {"FunctionName": self._function, "Payload": payload, "LogType": "Tail"}
        self._job.log(f"Invoking {self._function}")

        def call() -> None:
            try:
                with aws.calls():
                    self._news.put(
                        _returned(job_id, _unthrottled(lambda: self._client.invoke(**arguments)))
                    )
            except ActionError as error:
                self._news.put(_Broken(error))

        Thread(target=call, daemon=True).start()

    def answer(self) -> Answer:
        """Wait for the job's answer; the function's error ends the wait, whatever would follow."""
        end = time.monotonic() + _SILENCE_S
        while True:
            try:
                item = self._news.get(
                    timeout=max(min(end - time.monotonic(), self._job.remaining()), 0.0)
                )
            except queue.Empty:
                # Only for its error once the action's time is over.
                self._job.remaining()
                if time.monotonic() < end:
                    continue
                minutes = f"{_SILENCE_S / 60:g} minutes"
                what = (
                    f"{self._function} did not answer within {minutes} (T-03): it must call "
                    f"{SUCCESS} or {FAILURE}"
                )
                raise ActionError(TIMED_OUT, what) from None
            if isinstance(item, Answer):
                self._wait_for_log()
                return item
            if isinstance(item, _Broken):
                raise item.error
            if found := self._from_return(item):
                return found

    def _wait_for_log(self) -> None:
        """Print the end of the function's log: most return as soon as they have answered."""
        with suppress(queue.Empty):
            item = self._news.get(timeout=_LOG_S)
            if isinstance(item, _Returned):
                self._print(item)

    def _from_return(self, returned: _Returned) -> Answer | None:
        """Return the answer that a function's end is, None where it will come another way."""
        self._print(returned)
        # The function of an earlier job may return long after it has answered.
        if not self._jobs.is_current(returned.job_id):
            return None
        if returned.error:
            raise ActionError(JOB_FAILED, f"{self._function}: {returned.error}")
        payload = returned.payload
        if not isinstance(payload, dict) or not self._jobs.is_current(payload.get("jobId")):
            self._job.log("The function has returned; its answer is waited for")
            return None
        try:
            return self._jobs.answer(FAILURE if "failureDetails" in payload else SUCCESS, payload)
        except RefusedError as error:
            # It has answered at the endpoint before it returned: that answer is among the news.
            if error.code == ENDED:
                return None
            what = f"what the function returned is no answer: {error.message}"
            raise ActionError(CONFIGURATION_ERROR, what) from error

    def _print(self, returned: _Returned) -> None:
        for line in returned.log.splitlines()[-_LOG_LINES:]:
            self._job.log(line)


def _unthrottled(call: Callable[[], Any]) -> Any:
    """Call again after a pause while Lambda has no room: a throttled invocation has not begun."""
    for pause in _THROTTLED_S:
        try:
            return call()
        except exceptions.ClientError as error:
            if not aws.is_throttled(error):
                raise
        time.sleep(pause)
    return call()


def _returned(job_id: str, response: Mapping[str, Any]) -> _Returned:
    stream: IO[bytes] = response["Payload"]
    try:
        payload = json.loads(stream.read() or b"null")
    except (ValueError, RecursionError):
        payload = None
    log = base64.b64decode(response.get("LogResult", "")).decode("utf-8", "replace")
    return _Returned(job_id, payload, log, _error(payload) if response.get("FunctionError") else "")


def _error(payload: Any) -> str:
    found = payload if isinstance(payload, dict) else {}
    parts = [str(found[key]) for key in ("errorType", "errorMessage") if found.get(key)]
    return printable(": ".join(parts) or "the function failed")[:1000]


def _pause(job: Job, seconds: float) -> None:
    time.sleep(min(seconds, job.remaining()))
    job.remaining()


def _locations(job: Job) -> Locations:
    """Store input artifacts as zips, as functions expect, and say where output artifacts go."""
    limits = job.request.limits
    bounds = FolderBounds(limits.artifact_entries, limits.artifact_bytes)
    inputs = {}
    for name, folder in job.inputs.items():
        path = job.scratch / "input.zip"
        with path.open("wb") as sink:
            zip_folder(folder, sink, bounds)
        inputs[name] = job.objects.put(f"{name}.zip", path)
    outputs = {
        order.name: job.objects.location(f"{order.name}.zip") for order in job.request.outputs
    }
    wants_keys = job.request.configuration.get("ArtifactCredentials") == "Inherit"
    return Locations(
        inputs, outputs, aws.store_credentials(job) if wants_keys and (inputs or outputs) else None
    )


def _take_outputs(job: Job) -> None:
    """Make output artifacts of the zips that the function has written."""
    limits = job.request.limits
    for order in job.request.outputs:
        path = job.scratch / "output.zip"
        if not job.objects.get(f"{order.name}.zip", path):
            where = job.objects.location(f"{order.name}.zip")
            what = (
                f'the function wrote no output artifact "{order.name}" to '
                f"s3://{where.bucket}/{where.key}"
            )
            raise ActionError(JOB_FAILED, what)
        folder = job.outputs.folder(order.name)
        try:
            with path.open("rb") as file:
                caps = Caps(limits.artifact_entries, limits.artifact_bytes, limits.artifact_ratio)
                if not unpack_any(file, folder, caps):
                    raise ActionError(JOB_FAILED, f'the output artifact "{order.name}" is no zip')
        except ArtifactError as error:
            raise ActionError(
                error.code, f'Output artifact "{order.name}": {error.message}'
            ) from error
        job.outputs.store_folder(order.name, folder)
