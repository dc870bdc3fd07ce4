"""The status of a Pipeline: its version, stages and sources (X-80).

The stages are as GetPipelineState shows them.
"""

from typing import Annotated

from pydantic import Field, StringConstraints

from penstock.api.kinds.stage_conditions import RetryStageMetadata
from penstock.api.model import ATOMIC, Model, list_map
from penstock.api.status.condition_states import StageConditionState
from penstock.api.status.conditions import Condition

MOST_REFS = 2_000
"""How many branches and tags all filters of a Pipeline may watch together."""
ROOM_FOR_REFS = 2_200
"""Of one source; runs that a crash left unremembered find room beyond what is watched."""

WatchedRefs = Annotated[
    dict[str, Annotated[str, StringConstraints(max_length=64)]],
    Field(max_length=ROOM_FOR_REFS, json_schema_extra={"x-kubernetes-map-type": "atomic"}),
]


class StageRunReference(Model):
    """A run as a stage's state shows it."""

    pipeline_execution_id: str
    run: str
    status: str
    type: str | None = None
    """ROLLBACK, or absent for a standard execution."""


class LatestExecution(StageRunReference):
    """The run that entered a stage last, and when it did."""

    entered: str | None = None


class InboundExecution(StageRunReference):
    """A run that waits in front of a stage."""

    waiting_since: str


class TransitionState(Model):
    """Whether runs may enter a stage (X-74)."""

    enabled: bool
    disabled_reason: str | None = None
    last_changed_by: str | None = None
    """Absent where that is not known, as of what the Pipeline declares."""
    last_changed_at: str


class StageState(Model):
    """A stage as GetPipelineState shows it (X-80)."""

    stage_name: str
    latest_execution: LatestExecution | None = None
    before_entry_condition_state: StageConditionState | None = None
    on_success_condition_state: StageConditionState | None = None
    on_failure_condition_state: StageConditionState | None = None
    """The conditions as that run met them, without the tries of their rules."""
    retry_stage_metadata: RetryStageMetadata | None = None
    """How often that run was retried in the stage; absent when never."""
    inbound_executions: Annotated[
        tuple[InboundExecution, ...], Field(json_schema_extra=ATOMIC)
    ] = ()
    """The runs that wait in front of the stage, at most 50. The first in the list enters first."""
    inbound_executions_count: int | None = None
    """How many wait; absent when none does."""
    inbound_transition_state: TransitionState | None = None
    """Absent while the transition was never disabled."""


class SourceState(Model):
    """What `triggers` last saw of a source, and how many changes it has started runs for.

    ``sequence`` begins at the time of the first look, so that an action that is removed and added
    again never counts the same numbers twice.
    """

    stage_name: str
    action_name: str
    source: str = ""
    """A hash of the location of the source.

    With another Url or branch, the first look is a baseline again (G-06).
    """
    revision: str | None = None
    """Absent: not yet seen; empty: there was nothing, so that the first revision is a change.

    Empty, too, where a trigger's filters watch ``refs``, once these were seen.
    """
    refs: WatchedRefs = Field(default_factory=dict)
    """The branches and tags that a trigger's filters watch, and the commit of each."""
    sequence: int = 0
    last_error: str | None = None
    """Why the latest look saw nothing; absent when it did."""


class PipelineStatus(Model):
    """The status of a Pipeline: version, current stages, validity of its definition."""

    observed_generation: int | None = None
    version: int | None = None
    """1 at creation, +1 with every structural change (S-06)."""
    revision: str | None = None
    """The ControllerRevision that holds the current definition."""
    last_run: str | None = None
    stage_states: Annotated[
        tuple[StageState, ...], Field(json_schema_extra=list_map("stageName"))
    ] = ()
    sources: Annotated[
        tuple[SourceState, ...], Field(json_schema_extra=list_map("stageName", "actionName"))
    ] = ()
    """Written by triggers alone, as are startedOnCreate and restartedVersion."""
    started_on_create: bool | None = None
    """Whether creation started a run (X-21); absent until triggers has seen the Pipeline."""
    restarted_version: int | None = None
    """The version up to which edits have started runs; absent where they start none."""
    conditions: Annotated[tuple[Condition, ...], Field(json_schema_extra=list_map("type"))] = ()
