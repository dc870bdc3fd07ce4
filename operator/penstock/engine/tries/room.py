"""Keeps a run's status within an object's size: etcd takes 1.5 MiB, field managers included."""

import json
from typing import Any

from pydantic_core import PydanticSerializationError

from penstock.api.kinds.run import PipelineRunStatus
from penstock.api.status.executions import ActionExecution, ActionStatus, ErrorDetails
from penstock.engine.settings import Settings
from penstock.engine.tries.results import TryResult

_ESCAPED = ("<", ">", "&", "\u2028", "\u2029")
FULL = TryResult(
    ActionStatus.FAILED,
    "RunTooLarge",
    "the run's status holds as much as an object may: start a new run in place of another attempt",
)


class Room:
    """What a run's status has room for in one pass, which may end many tries."""

    def __init__(self, settings: Settings) -> None:
        # The status gets ended tries when their whole stage was looked at; here they count at once.
        self._most, self._added = settings.status_bytes, 0

    def is_full(self, status: PipelineRunStatus) -> bool:
        """Whether a run's status holds as much as it may."""
        return _size(status) + self._added > self._most

    def fitted(self, status: PipelineRunStatus, execution: ActionExecution) -> ActionExecution:
        """Return the execution of an ended try, or that it failed for lack of room.

        It fails if its report has no room in the status.
        """
        used, added = _size(status) + self._added, _size(execution)
        if used + added <= self._most:
            self._added += added
            return execution
        variables = sum(map(len, execution.output_variables.values()))
        what = (
            f"the run's status holds {used} of {self._most} bytes and has no room for the {added} "
            f"bytes of this action, {variables} of them output variables: write large values into "
            f"an artifact"
        )
        return emptied(execution, ErrorDetails(code="OutputVariablesSizeExceeded", message=what))


def emptied(execution: ActionExecution, details: ErrorDetails) -> ActionExecution:
    """Return the execution of a try that failed since there is no room for what it says."""
    nothing: dict[str, Any] = {
        "output_variables": {},
        "output_artifacts": (),
        "reports": (),
        "summary": None,
    }
    return execution.model_copy(
        update={**nothing, "status": ActionStatus.FAILED, "error_details": details}
    )


def _size(value: PipelineRunStatus | ActionExecution) -> int:
    """Return how many bytes etcd gets; the API server escapes some characters as six bytes."""
    try:
        text = value.model_dump_json(exclude_none=True)
    except PydanticSerializationError:
        # A text that is no Unicode, as a hostile image can report it; the server replaces what it
        # cannot read.
        text = json.dumps(value.to_dict(), ensure_ascii=False)
    return len(text.encode("utf-8", "replace")) + 5 * sum(map(text.count, _ESCAPED))
