"""What a stage declares for its failure (C-01, X-65), and how often a run tried a stage again (X-66)."""

from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import Field

from penstock.api.model import ANYTHING, ATOMIC, Model

Reserved = Annotated[dict[str, Any], Field(json_schema_extra=ANYTHING)]


class RetryMode(StrEnum):
    """What of a stage runs again (X-61)."""

    FAILED_ACTIONS = "FAILED_ACTIONS"
    ALL_ACTIONS = "ALL_ACTIONS"


class RetryTrigger(StrEnum):
    """What made a stage run again (X-66)."""

    MANUAL = "ManualStageRetry"
    AUTOMATED = "AutomatedStageRetry"


class RetryStageMetadata(Model):
    """How often a stage of a run was tried again, and why the last time (X-66)."""

    auto_stage_retry_attempt: int | None = None
    manual_stage_retry_attempt: int | None = None
    latest_retry_trigger: RetryTrigger


class RetryConfiguration(Model):
    """How a stage is retried by itself (X-65): once and at once as on AWS, unless it says otherwise."""

    retry_mode: RetryMode | None = None
    """FAILED_ACTIONS if absent."""
    max_attempts: Annotated[int, Field(ge=1, le=10)] | None = None
    """How many automatic retries a run has in the stage; 1 if absent, as on AWS."""
    backoff_seconds: Annotated[int, Field(ge=1, le=3600)] | None = None
    """How long the first retry waits; each further one waits twice as long, an hour at most. Absent: no wait."""


class FailureConditions(Model):
    """What happens when a stage fails (C-01): ``result`` engages by itself where there are no conditions."""

    result: Literal["ROLLBACK", "FAIL", "RETRY", "SKIP"] | None = None
    retry_configuration: RetryConfiguration | None = None
    conditions: Annotated[tuple[Reserved, ...], Field(max_length=1, json_schema_extra=ATOMIC)] = ()
