"""Jobs of a Lambda action; answers PutJobSuccessResult, PutJobFailureResult (P-70, P-83, P-84)."""

import hmac
import re
import uuid
from collections.abc import Mapping
from threading import Lock
from typing import Any, NamedTuple

from penstock.actions.execution import FAILURE_TYPES, JOB_FAILED
from penstock.api.text import printable

SUCCESS, FAILURE = "PutJobSuccessResult", "PutJobFailureResult"
ENDED = "InvalidJobStateException"
# CodePipeline's own limits of PutJobSuccessResult and PutJobFailureResult.
_TOKEN_CHARACTERS, _MESSAGE_CHARACTERS, _ID_CHARACTERS, _SUMMARY_CHARACTERS = 2048, 5000, 1500, 2048
_VARIABLE = re.compile(r"[A-Za-z0-9@_-]{1,128}")


class RefusedError(Exception):
    """An answer that does not count; ``code`` is the CodePipeline API's name for why."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


class Answer(NamedTuple):
    """A job's outcome; ``code`` is empty for success.

    With ``token`` the action goes on: a new job carries the token.
    """

    token: str = ""
    variables: Mapping[str, str] = {}
    external_execution_id: str = ""
    summary: str = ""
    code: str = ""
    message: str = ""


class Jobs:
    """One job after the other, each answered once.

    Only its function knows a job's id, so the id is the proof.
    """

    def __init__(self) -> None:
        self.id = ""
        self._ended: list[str] = []
        self._is_open = False
        self._lock = Lock()

    def begin(self) -> str:
        """Return the id of a new job; the one before cannot be answered any more."""
        if self.id:
            self._ended.append(self.id)
        self.id, self._is_open = str(uuid.uuid4()), True
        return self.id

    def is_current(self, job_id: object) -> bool:
        """Whether an id is that of the job under way."""
        # The id is the only proof, and no answer's time may tell how much of a guess was right.
        return isinstance(job_id, str) and hmac.compare_digest(job_id.encode(), self.id.encode())

    def answer(self, operation: str, document: Mapping[str, Any]) -> Answer:
        """Take an answer; raise RefusedError for one that does not count."""
        with self._lock:
            self._check(document.get("jobId"))
            found = _success(document) if operation == SUCCESS else _failure(document)
            self._is_open = False
            return found

    def _check(self, job_id: object) -> None:
        if not isinstance(job_id, str):
            raise _invalid("jobId is missing")
        if job_id in self._ended or (self.is_current(job_id) and not self._is_open):
            raise RefusedError(ENDED, "the job has ended")
        if not self.is_current(job_id):
            raise RefusedError("JobNotFoundException", "there is no such job under way")


def _success(document: Mapping[str, Any]) -> Answer:
    details = _object(document, "executionDetails")
    token = _text(document, "continuationToken", _TOKEN_CHARACTERS)
    variables = _object(document, "outputVariables")
    for name, value in variables.items():
        if not _VARIABLE.fullmatch(name) or not isinstance(value, str):
            raise _invalid(
                f"outputVariables: {printable(name)[:100]} is no name of letters and digits with a "
                f"text"
            )
    if token and variables:
        raise _invalid("outputVariables: none may be given with a continuationToken")
    return Answer(
        token=token,
        variables=variables,
        external_execution_id=_text(details, "externalExecutionId", _ID_CHARACTERS),
        summary=_text(details, "summary", _SUMMARY_CHARACTERS),
    )


def _failure(document: Mapping[str, Any]) -> Answer:
    details = _object(document, "failureDetails")
    code, message = details.get("type", JOB_FAILED), _text(details, "message", _MESSAGE_CHARACTERS)
    if code not in FAILURE_TYPES:
        raise _invalid(f"failureDetails.type is none of {', '.join(FAILURE_TYPES)}")
    if not message:
        raise _invalid("failureDetails.message is missing")
    external = _text(details, "externalExecutionId", _ID_CHARACTERS)
    return Answer(code=code, message=message, external_execution_id=external)


def _object(document: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = document.get(key)
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise _invalid(f"{key} is not an object")
    return value


def _text(document: Mapping[str, Any], key: str, limit: int) -> str:
    value = document.get(key)
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > limit:
        raise _invalid(f"{key} is not a text of at most {limit} characters")
    return printable(value)


def _invalid(message: str) -> RefusedError:
    return RefusedError("ValidationException", message)
