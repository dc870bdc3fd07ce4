"""The states of runs, stages and tries, and every change between them, as tables.

`operator/README.md` draws them. The simulator sees no change that is not
here, and every one that is.
"""

from typing import NamedTuple

from penstock.api.kinds.run import RunState, StageStatus
from penstock.api.status.executions import ActionStatus

BEGIN = ""
"""The state before any write: a run without state, a stage not entered, a try not made."""


class Change(NamedTuple):
    """A change from one state to another, and what brings it about."""

    before: str
    after: str
    cause: str


RUN = (
    Change(BEGIN, RunState.IN_PROGRESS, "admitted"),
    Change(BEGIN, RunState.FAILED, "refused"),
    Change(BEGIN, RunState.STOPPED, "stopped before it began"),
    Change(BEGIN, RunState.SUPERSEDED, "newer run waits already"),
    Change(RunState.IN_PROGRESS, RunState.SUCCEEDED, "last stage succeeded"),
    Change(RunState.IN_PROGRESS, RunState.FAILED, "stage failed"),
    Change(RunState.IN_PROGRESS, RunState.SUPERSEDED, "newer run waits in front of its stage"),
    Change(RunState.IN_PROGRESS, RunState.CANCELLED, "Pipeline edited or deleted"),
    Change(RunState.IN_PROGRESS, RunState.STOPPING, "stop asked"),
    Change(RunState.IN_PROGRESS, RunState.STOPPED, "stop asked, nothing runs"),
    Change(RunState.STOPPING, RunState.STOPPED, "nothing runs any more"),
    Change(BEGIN, RunState.SUCCEEDED, "every stage skipped"),
    Change(RunState.FAILED, RunState.IN_PROGRESS, "retry, or override"),
    Change(RunState.FAILED, RunState.SUCCEEDED, "override of the last stage's condition onSuccess"),
    Change(RunState.FAILED, RunState.STOPPED, "retry and stop asked at once"),
    Change(RunState.STOPPED, RunState.IN_PROGRESS, "retry"),
)
STAGE = (
    Change(BEGIN, StageStatus.IN_PROGRESS, "entered"),
    Change(BEGIN, StageStatus.SKIPPED, "condition before it skips it"),
    Change(BEGIN, StageStatus.FAILED, "condition before it failed"),
    Change(
        StageStatus.IN_PROGRESS, StageStatus.SUCCEEDED, "all actions succeeded, and its condition"
    ),
    Change(
        StageStatus.IN_PROGRESS, StageStatus.FAILED, "action failed, none runs; or condition failed"
    ),
    Change(StageStatus.IN_PROGRESS, StageStatus.CANCELLED, "Pipeline edited or deleted"),
    Change(StageStatus.IN_PROGRESS, StageStatus.STOPPING, "stop asked"),
    Change(StageStatus.IN_PROGRESS, StageStatus.STOPPED, "stop asked, nothing runs"),
    Change(StageStatus.STOPPING, StageStatus.STOPPED, "nothing runs any more"),
    Change(StageStatus.STOPPING, StageStatus.FAILED, "action failed"),
    Change(StageStatus.STOPPING, StageStatus.SUCCEEDED, "last action succeeded"),
    Change(StageStatus.FAILED, StageStatus.IN_PROGRESS, "retry, or override"),
    Change(StageStatus.FAILED, StageStatus.SUCCEEDED, "override of its condition onSuccess"),
    Change(StageStatus.FAILED, StageStatus.STOPPED, "retry and stop asked at once"),
    Change(StageStatus.STOPPED, StageStatus.IN_PROGRESS, "retry"),
)
ACTION = (
    Change(BEGIN, ActionStatus.IN_PROGRESS, "started"),
    Change(ActionStatus.IN_PROGRESS, ActionStatus.SUCCEEDED, "succeeded"),
    Change(ActionStatus.IN_PROGRESS, ActionStatus.FAILED, "failed, or a limit passed"),
    Change(ActionStatus.IN_PROGRESS, ActionStatus.ABANDONED, "stop and abandon"),
    Change(ActionStatus.IN_PROGRESS, ActionStatus.UNKNOWN, "pod lost: another try follows"),
)


def diagram(changes: tuple[Change, ...]) -> str:
    """Return a Mermaid state diagram."""
    lines = (f"    {before or '[*]'} --> {after}: {cause}" for before, after, cause in changes)
    return "\n".join(("stateDiagram-v2", *lines))
