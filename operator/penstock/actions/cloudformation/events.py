"""Reads a stack's events by page, logs them, and finds why an operation failed (P-38)."""

from typing import Any, NamedTuple

from penstock.actions.aws import calls
from penstock.actions.execution import PERMISSION_ERROR, ActionError, Job
from penstock.api.text import printable

# How far back is looked, of 100 events each.
_PAGES = 20
# Lines of a log for one operation; the first failures are among them.
_LINES = 2000
_STACK = "AWS::CloudFormation::Stack"
# How deep nested stacks are looked into for the resource that failed first.
_DEPTH = 3
_CANCELLED = "cancelled"


class Event(NamedTuple):
    """One event, of a resource or of the stack itself."""

    id: str
    token: str
    logical_id: str
    physical_id: str
    type: str
    status: str
    reason: str
    stack_id: str

    @property
    def is_of_stack(self) -> bool:
        """Whether it tells of the stack, not of a resource."""
        return self.physical_id == self.stack_id

    @property
    def is_failure(self) -> bool:
        """Whether it tells of a resource that failed by itself, not because another did."""
        return (
            self.status.endswith("_FAILED")
            and not self.is_of_stack
            and _CANCELLED not in self.reason.lower()
        )

    def __str__(self) -> str:
        reason = f": {printable(self.reason)}" if self.reason else ""
        return f"{self.status} {self.type} {self.logical_id}{reason}"


class Events:
    """The events of one stack, read on from where they were read before."""

    def __init__(self, client: Any, job: Job, stack_id: str) -> None:
        self._client = client
        self._job = job
        self._stack_id = stack_id
        self._newest = ""
        self._lines = 0
        self.is_readable = True

    def new(self, pages: int = _PAGES) -> list[Event]:
        """Return events since the last call, oldest first; none if the role may not read them."""
        if not self.is_readable:
            return []
        try:
            found = self._read(pages)
        except ActionError as error:
            if error.code != PERMISSION_ERROR:
                raise
            self.is_readable = False
            self._job.log(f"The stack's events are not shown: {error.message}")
            return []
        if found:
            self._newest = found[0].id
        return found[::-1]

    def tell(self, events: list[Event]) -> None:
        """Write events to the log, up to a limit."""
        for event in events:
            self._lines += 1
            if self._lines <= _LINES:
                self._job.log(str(event))
            elif self._lines == _LINES + 1:
                self._job.log("Further events are not shown")

    def _read(self, limit: int) -> list[Event]:
        found: list[Event] = []
        with calls():
            reader = self._client.get_paginator("describe_stack_events").paginate(
                StackName=self._stack_id
            )
            for number, page in enumerate(reader, 1):
                for item in page["StackEvents"]:
                    # The newest event comes first, so all behind this one were read before.
                    if item["EventId"] == self._newest:
                        return found
                    found.append(_event(item))
                if number == limit:
                    break
        return found

    def cause(self, events: list[Event], depth: int = 0) -> str:
        """Return the first failed resource with its reason, or nothing.

        For a nested stack, return the failed resource inside it.
        """
        first = next((event for event in events if event.is_failure), None)
        if first is None:
            return ""
        if first.type == _STACK and first.physical_id.startswith("arn:") and depth < _DEPTH:
            nested = Events(self._client, self._job, first.physical_id)
            if deeper := nested.cause(_last_operation(nested.new()), depth + 1):
                return f"{first.logical_id}/{deeper}"
        return f"{first.logical_id} ({first.type}): {first.status}: {printable(first.reason)}"


def _last_operation(events: list[Event]) -> list[Event]:
    """Return a nested stack's events since its last operation began."""
    begins = [
        index
        for index, event in enumerate(events)
        if event.is_of_stack
        and event.status in ("CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "DELETE_IN_PROGRESS")
    ]
    return events[begins[-1] :] if begins else events


def _event(item: dict[str, Any]) -> Event:
    return Event(
        item["EventId"],
        item.get("ClientRequestToken", ""),
        item.get("LogicalResourceId", ""),
        item.get("PhysicalResourceId", ""),
        item.get("ResourceType", ""),
        item.get("ResourceStatus", ""),
        item.get("ResourceStatusReason", ""),
        item["StackId"],
    )
