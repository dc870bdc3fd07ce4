"""Who holds a stage, and in which order a pass writes that it is left and entered (X-26)."""

from __future__ import annotations

from itertools import permutations

import pytest

from penstock.api.kinds.run import PipelineRunStatus, RunStageState, RunState, StageStatus
from penstock.engine.entry.stage_locks import leaving_first

OPEN, DONE = StageStatus.IN_PROGRESS, StageStatus.SUCCEEDED


def status(*stages: StageStatus, state: RunState = RunState.IN_PROGRESS) -> PipelineRunStatus:
    """Return the status of a run that has come through so many stages."""
    states = (
        RunStageState(stage_name=f"S{number}", status=s, start_time="")
        for number, s in enumerate(stages)
    )
    return PipelineRunStatus(state=state, stage_states=tuple(states))


@pytest.mark.parametrize(
    "leaves",
    [status(DONE, OPEN), status(DONE), status(DONE, state=RunState.SUCCEEDED)],
    ids=["for the next stage", "and waits in front of the next", "and ends"],
)
def test_who_leaves_a_stage_is_written_before_who_enters_it(leaves: PipelineRunStatus) -> None:
    """An operator that dies between the two writes leaves no stage with two runs."""
    enters = status(OPEN)
    for order in permutations({"enters": enters, "leaves": leaves}.items()):
        assert list(leaving_first(dict(order))) == ["leaves", "enters"]
