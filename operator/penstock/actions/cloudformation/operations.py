"""Follows one operation on a stack to its end, known by its client token among the stack's events.

A try that comes after a lost one finds the operation that was begun, under
way or ended, and begins no other.
"""

import time
from typing import Any, NamedTuple

from penstock.actions.cloudformation.events import Event, Events
from penstock.actions.cloudformation.stacks import (
    DELETED,
    SUCCEEDED,
    Stack,
    is_changing,
    read_stack,
)
from penstock.actions.execution import JOB_FAILED, TIMED_OUT, ActionError, Job
from penstock.actions.waiting import Waiting

# How long an operation that somebody else has begun is waited for.
_FOREIGN_S = 900.0
# How long the first event of an operation may take to be there.
_SHOWN_S = 60.0
_DELETE = "a stack in this state can only be deleted: use REPLACE_ON_FAILURE, or delete it"
_HINTS = {
    "REVIEW_IN_PROGRESS": "it is nothing but a change set yet: execute that, or delete the stack",
    "CREATE_FAILED": _DELETE,
    "ROLLBACK_COMPLETE": _DELETE,
    "ROLLBACK_FAILED": _DELETE,
    "DELETE_FAILED": _DELETE,
    "UPDATE_ROLLBACK_FAILED": "continue the rollback in CloudFormation, or use REPLACE_ON_FAILURE",
}


class End(NamedTuple):
    """How an operation ended."""

    status: str
    reason: str


class Operation:
    """One operation on the stack ``stack_id`` with the client token ``token``."""

    def __init__(self, client: Any, job: Job, stack: Stack, token: str) -> None:
        self._client = client
        self._job = job
        self._name, self._id = stack.name, stack.id
        self._token = token
        self._events = Events(client, job, stack.id)
        self._own: list[Event] = []
        self._last: Event | None = None
        self._status = stack.status

    def is_begun(self) -> bool:
        """Whether an earlier try has begun it; later events are told from here on."""
        is_first = self._job.request.attempt.try_ == 1
        # On a first try nothing can be ours yet, and the newest event stands on the first page.
        self._take(self._events.new(1) if is_first else self._events.new(), is_history=True)
        if self._own:
            self._job.log(f"Following what an earlier try began on stack {self._name}")
        return bool(self._own)

    def follow(self) -> None:
        """Wait for the end and tell events meanwhile.

        Raise ActionError (JobFailed) with the first failure's reason (P-38).
        """
        self._job.report_external_execution(self._id)
        started = time.monotonic()
        try:
            end = Waiting(self._job).until(lambda: self._look(time.monotonic() - started))
        except ActionError as error:
            if error.code == TIMED_OUT:
                what = (
                    f"{error.message}: stack {self._name} is {self._status}, and goes on by itself"
                )
                raise ActionError(TIMED_OUT, what) from error
            raise
        self._job.log(f"Stack {self._name}: {end.status}")
        if end.status not in SUCCEEDED:
            raise ActionError(JOB_FAILED, self._failure(end))

    def _look(self, waited_s: float) -> End | None:
        """Return the end, or None before it. The stack's status says when, its events say whose."""
        # The status before the events: once it says that all is over, the last events are there.
        stack = read_stack(self._client, self._id)
        self._take(self._events.new())
        self._status = stack.status if stack else DELETED
        if stack is None:
            return End(DELETED, "")
        own = [event for event in self._own if event.is_of_stack]
        ended = (
            End(own[-1].status, own[-1].reason) if own and not is_changing(own[-1].status) else None
        )
        if stack.is_changing:
            # Another's operation may begin as soon as ours has ended.
            is_followed_by_another = self._last is not None and self._last.token != self._token
            return ended if is_followed_by_another else None
        if not own and self._events.is_readable and waited_s < _SHOWN_S:
            return None
        return ended or End(stack.status, stack.reason)

    def _take(self, events: list[Event], *, is_history: bool = False) -> None:
        self._own += (own := [event for event in events if event.token == self._token])
        self._last = next((event for event in reversed(events) if event.is_of_stack), self._last)
        self._events.tell(own if is_history else events)

    def _failure(self, end: End) -> str:
        cause = self._events.cause(self._own) or end.reason
        return f"stack {self._name} is {end.status}" + (f": {cause}" if cause else "")


def settled(client: Any, job: Job, stack: Stack) -> Stack | None:
    """Wait while somebody else's operation is under way; return the stack then, None if it is gone.

    Raise ActionError (JobFailed), naming the state, when that takes longer than a quarter of an
    hour: as on AWS a stack that is busy cannot be changed.
    """
    if not stack.is_changing:
        return stack
    job.log(
        f"Stack {stack.name} is {stack.status} by an operation that is not ours: waiting for its "
        f"end"
    )
    started = time.monotonic()

    def look() -> tuple[Stack | None] | None:
        now = read_stack(client, stack.id)
        if now is None or not now.is_changing:
            return (now,)
        if time.monotonic() - started > _FOREIGN_S:
            what = (
                f"stack {now.name} is {now.status} by an operation that is not ours for more than "
                f"{_FOREIGN_S:g} s"
            )
            raise ActionError(JOB_FAILED, what)
        return None

    return Waiting(job).until(look)[0]


def with_hint(error: ActionError, status: str) -> ActionError:
    """Return the service's refusal with what to do about a stack in this state."""
    hint = _HINTS.get(status)
    return ActionError(error.code, f"{error.message}; {hint}") if hint else error
