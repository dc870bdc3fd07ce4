"""Begins stack set operations under the attempt's id, for the next try to find; follows them."""

import time
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

from penstock.actions.aws import calls, client_token, error_code
from penstock.actions.execution import JOB_FAILED, PERMISSION_ERROR, TIMED_OUT, ActionError, Job
from penstock.actions.waiting import Waiting
from penstock.api.text import printable

_ENDS = ("SUCCEEDED", "FAILED", "STOPPED")
# How long an operation that somebody else has begun is waited for.
_FOREIGN_S = 900.0
# Lines of a log for one operation.
_LINES = 2000
# Pages of results that are read: a server that never ends is left.
_PAGES = 50

Start = Callable[[str], dict[str, Any]]
"""Begins an operation with the id that it is given."""


class Operations:
    """One action's operations on one stack set.

    ``last`` is the id of the last one, ``stack_set`` is the id of the set.
    """

    def __init__(self, client: Any, job: Job, name: str) -> None:
        self._client = client
        self._job = job
        self._name = name
        self._told: dict[tuple[str, str], str] = {}
        self._may_read_results = True
        self.last = self.stack_set = ""

    def run(self, purpose: str, start: Start) -> None:
        """Begin an operation, unless an earlier try has begun it, and follow it to its end.

        Raise ActionError (JobFailed) with the first failed account's reason, or if somebody else's
        operation is still under way after a quarter of an hour.
        """
        wanted = client_token(self._job, purpose)
        if self._job.request.attempt.try_ > 1 and self._read(wanted) is not None:
            self._job.log(f"Following what an earlier try began on stack set {self._name}")
            self._follow(wanted)
        else:
            self._follow(self._begin(wanted, start))

    def _begin(self, wanted: str, start: Start) -> str:
        begun = time.monotonic()
        is_told = False

        def ask() -> str | None:
            nonlocal is_told
            with calls():
                try:
                    return str(start(wanted)["OperationId"])
                except ClientError as error:
                    code = error_code(error)
                    # Begun already, by a request whose answer was lost.
                    if code == "OperationIdAlreadyExistsException":
                        return wanted
                    if (
                        code != "OperationInProgressException"
                        or time.monotonic() - begun > _FOREIGN_S
                    ):
                        raise
            if not is_told:
                self._job.log(
                    f"Stack set {self._name} is busy with another operation: waiting for its end"
                )
                is_told = True
            return None

        return Waiting(self._job).until(ask)

    def _read(self, operation: str) -> dict[str, Any] | None:
        with calls():
            try:
                found: dict[str, Any] = self._client.describe_stack_set_operation(
                    StackSetName=self._name, OperationId=operation
                )["StackSetOperation"]
            except ClientError as error:
                if error_code(error) == "OperationNotFoundException":
                    return None
                raise
        return found

    def _follow(self, operation: str) -> None:
        self.last = operation
        self._job.report_external_execution(operation)
        try:
            found = Waiting(self._job).until(lambda: self._look(operation))
        except ActionError as error:
            if error.code == TIMED_OUT:
                what = (
                    f"{error.message}: operation {operation} on stack set {self._name} goes on by "
                    f"itself"
                )
                raise ActionError(TIMED_OUT, what) from error
            raise
        if found["Status"] != "SUCCEEDED":
            reason = self._cause(operation) or printable(found.get("StatusReason", ""))
            what = f"operation {operation} on stack set {self._name} is {found['Status']}"
            raise ActionError(JOB_FAILED, f"{what}: {reason}" if reason else what)

    def _look(self, operation: str) -> dict[str, Any] | None:
        found = self._read(operation)
        self.stack_set = found["StackSetId"] if found else self.stack_set
        self._tell(operation)
        return found if found and found["Status"] in _ENDS else None

    def _tell(self, operation: str) -> None:
        """Write to the log what has changed in each account and region."""
        for result in self._results(operation):
            place = (result.get("Account", ""), result.get("Region", ""))
            if self._told.get(place) != result["Status"] and len(self._told) < _LINES:
                self._told[place] = result["Status"]
                self._job.log(_line(result))

    def _cause(self, operation: str) -> str:
        return next(
            (_line(result) for result in self._results(operation) if result["Status"] == "FAILED"),
            "",
        )

    def _results(self, operation: str) -> list[dict[str, Any]]:
        """Return the result of each account and region; nothing if the role may not ask.

        The roles of AWS's examples may not.
        """
        found: list[dict[str, Any]] = []
        if not self._may_read_results:
            return found
        try:
            with calls():
                reader = self._client.get_paginator("list_stack_set_operation_results")
                for number, page in enumerate(
                    reader.paginate(StackSetName=self._name, OperationId=operation), 1
                ):
                    found += page["Summaries"]
                    if number == _PAGES:
                        break
        except ActionError as error:
            if error.code != PERMISSION_ERROR:
                raise
            self._may_read_results = False
            self._job.log(f"Accounts and regions are not shown: {error.message}")
        return found


def _line(result: dict[str, Any]) -> str:
    reason = printable(result.get("StatusReason", ""))
    where = f"account {result.get('Account', '')} in {result.get('Region', '')}: {result['Status']}"
    return f"{where}: {reason}" if reason else where
