"""Retries of a stage as people ask for them, and what came of them (X-60..X-63)."""

from typing import Annotated

from pydantic import Field, StringConstraints

from penstock.api.fields import CodePipelineName
from penstock.api.kinds.stage_conditions import RetryMode
from penstock.api.model import Model, appended


class RetryRequest(Model):
    """Asks for another attempt of the stage in which a run has failed or was stopped (X-60)."""

    stage_name: CodePipelineName
    retry_mode: RetryMode | None = None
    """FAILED_ACTIONS if absent."""
    requested_by: Annotated[str, StringConstraints(max_length=253)] | None = None
    reason: Annotated[str, StringConstraints(max_length=200)] | None = None

    @property
    def mode(self) -> RetryMode:
        """What runs again, with its default."""
        return self.retry_mode or RetryMode.FAILED_ACTIONS


RetryRequests = Annotated[
    tuple[RetryRequest, ...], Field(max_length=50, json_schema_extra=appended("retries"))
]
"""Retries in the order in which they were asked for; the list only grows."""


class RefusedRequest(Model):
    """Why a request was refused: CodePipeline's name for it, and a sentence."""

    code: str
    message: str


class AnsweredRetry(Model):
    """A retry that was asked for, and what came of it."""

    stage_name: str
    retry_mode: RetryMode
    requested_by: str | None = None
    reason: str | None = None
    time: str
    """When the engine saw it."""
    refused: RefusedRequest | None = None
