"""Rollbacks of a stage: requests, and what one takes over from its target (X-67..X-70)."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field, StringConstraints

from penstock.api.fields import CodePipelineName, DnsName
from penstock.api.model import Model, list_map, rule, rules
from penstock.api.status.executions import StoredArtifact


class ExecutionType(StrEnum):
    """What kind of execution a run is (X-83)."""

    STANDARD = "STANDARD"
    ROLLBACK = "ROLLBACK"


_ONE_TARGET = rule(
    "has(self.targetPipelineExecutionId) != has(self.targetRun)",
    "give either targetRun, the name of a run, or targetPipelineExecutionId, its uid",
)


class RollbackRequest(Model):
    """Which stage runs again, and as of which execution: one that succeeded in it (X-68)."""

    model_config = {"json_schema_extra": rules(_ONE_TARGET)}

    stage_name: CodePipelineName
    target_pipeline_execution_id: Annotated[str, StringConstraints(max_length=64)] | None = None
    target_run: DnsName | None = None


class RollbackMetadata(Model):
    """What a rollback runs with, as the target had it when the rollback was admitted."""

    stage_name: str
    rollback_target_pipeline_execution_id: str
    target_run: str
    artifacts: Annotated[tuple[StoredArtifact, ...], Field(json_schema_extra=list_map("name"))] = ()
    """What the stages before made."""
    output_variables: dict[str, dict[str, str]] = {}
    """The variables of actions of the stages before, by namespace."""


class AutomaticRollback(Model):
    """The rollback that a failed stage has led to (X-70), or why it led to none."""

    stage_name: str
    run: str | None = None
    """The run of type ROLLBACK."""
    target_run: str | None = None
    target_pipeline_execution_id: str | None = None
    time: str
    """When the stage had failed."""
    message: str | None = None
    """Why there is no such run."""
