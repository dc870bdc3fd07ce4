"""Change sets: makes them anew by name (P-34), finds a lost try's again, executes them (P-35)."""

from typing import Any, NamedTuple

from botocore.exceptions import ClientError

from penstock.actions.aws import calls, error_code
from penstock.actions.cloudformation.stacks import REVIEW, Stack
from penstock.actions.execution import JOB_FAILED, ActionError, Job
from penstock.actions.waiting import Waiting
from penstock.api.text import printable

_EMPTY = ("didn't contain changes", "No updates are to be performed")
# Lines of a log: more than anybody reads, and less than the largest change set.
_SHOWN_CHANGES = 200
# A change set has at most as many pages; a server that never ends is left.
_PAGES = 20


class ChangeSet(NamedTuple):
    """A change set; ``description`` tells whose it is."""

    id: str
    status: str
    execution: str
    reason: str
    description: str

    @property
    def is_empty(self) -> bool:
        """Whether it failed for want of changes, which is no failure of the pipeline (D-8)."""
        return self.status == "FAILED" and any(words in self.reason for words in _EMPTY)

    @property
    def is_consumed(self) -> bool:
        """Whether it was executed, or is being; where it is then kept at all."""
        return self.execution.startswith("EXECUTE_")

    @property
    def is_made(self) -> bool:
        """Whether its making has ended, or nothing will come of it."""
        return self.status in ("CREATE_COMPLETE", "FAILED", "DELETE_FAILED")


class ChangeSets:
    """The change sets of one name on one stack."""

    def __init__(self, client: Any, job: Job, stack: str, name: str) -> None:
        self._client = client
        self._job = job
        self._names = {"StackName": stack, "ChangeSetName": name}
        self._name = name

    def read(self) -> ChangeSet | None:
        """Return the change set, or None if there is none or no stack.

        Raise ActionError if it cannot be read.
        """
        with calls():
            try:
                found = self._client.describe_change_set(**self._names)
            except ClientError as error:
                if error_code(error) in ("ChangeSetNotFound", "ChangeSetNotFoundException"):
                    return None
                raise
        return ChangeSet(
            found["ChangeSetId"],
            found["Status"],
            found.get("ExecutionStatus", ""),
            found.get("StatusReason", ""),
            found.get("Description", ""),
        )

    def replace(self, stack: Stack | None, request: dict[str, Any], token: str) -> ChangeSet:
        """Make it anew and wait for it; keep one that an earlier try of this attempt has begun.

        Raise ActionError (JobFailed) with CloudFormation's reason if it cannot be made.
        """
        # CloudFormation shows no client token with a change set, so its description tells whose it
        # is.
        mark = f"Penstock {token}"
        found = self.read() if stack else None
        if found and found.description != mark:
            self._delete(found)
            found = None
        if found is None:
            # A stack that is nothing but a change set is still to be created.
            kind = "UPDATE" if stack and stack.status != REVIEW else "CREATE"
            with calls():
                self._client.create_change_set(
                    **self._names,
                    **request,
                    ChangeSetType=kind,
                    ClientToken=token,
                    Description=mark,
                )
        made = self.made()
        if made is None or (made.status == "FAILED" and not made.is_empty):
            why = printable(made.reason) if made else "somebody has deleted it"
            raise ActionError(JOB_FAILED, f"change set {self._name} was not made: {why}")
        return made

    def made(self) -> ChangeSet | None:
        """Wait until it is made, and return it, None if it is gone."""

        def look() -> tuple[ChangeSet | None] | None:
            found = self.read()
            return (found,) if found is None or found.is_made else None

        return Waiting(self._job).until(look)[0]

    def _delete(self, found: ChangeSet) -> None:
        self._job.log(f"Deleting the change set {self._name} that is there ({found.status})")
        with calls():
            self._client.delete_change_set(ChangeSetName=found.id)

        def look() -> bool | None:
            left = self.read()
            if left is not None and left.status == "DELETE_FAILED":
                raise ActionError(
                    JOB_FAILED,
                    f"change set {self._name} cannot be deleted: {printable(left.reason)}",
                )
            # One of the same name with another id was made by somebody since.
            return True if left is None or left.id != found.id else None

        Waiting(self._job).until(look)

    def tell(self) -> int:
        """Write what it would change to the log; return how many changes there are."""
        number = 0
        with calls():
            for page, answer in enumerate(
                self._client.get_paginator("describe_change_set").paginate(**self._names), 1
            ):
                for item in answer["Changes"]:
                    number += 1
                    if number <= _SHOWN_CHANGES:
                        self._job.log(_line(item.get("ResourceChange", {})))
                if page == _PAGES:
                    break
        if number > _SHOWN_CHANGES:
            self._job.log(f"{number - _SHOWN_CHANGES} further changes are not shown")
        return number

    def execute(self, found: ChangeSet, token: str) -> None:
        """Execute it; raise ActionError where CloudFormation refuses."""
        with calls():
            self._client.execute_change_set(ChangeSetName=found.id, ClientRequestToken=token)


def _line(change: dict[str, Any]) -> str:
    replacement = change.get("Replacement", "False")
    how = "" if replacement in ("False", "") else f", replacement: {replacement}"
    return (
        f"{change.get('Action', '')} {change.get('ResourceType', '')} "
        f"{change.get('LogicalResourceId', '')}{how}"
    )
