"""The tries of an action: each is an execution with error, artifacts and reports (X-85)."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from penstock.api.kinds.action_type import FrozenActionType
from penstock.api.kinds.approval import ApprovalReference
from penstock.api.kinds.build_project import FrozenBuildProject
from penstock.api.kinds.connection import FrozenConnection
from penstock.api.model import ATOMIC, Model, list_map


class ActionStatus(StrEnum):
    """The states of an action execution (X-03). Unknown: the Pod was lost without a result."""

    IN_PROGRESS = "InProgress"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    ABANDONED = "Abandoned"
    UNKNOWN = "Unknown"


class ErrorDetails(Model):
    """Why an action did not succeed (X-30): a code to match on and a sentence to read."""

    code: str
    message: str = ""


class StoredArtifact(Model):
    """An artifact as stored: size in bytes, sha256 in hex."""

    name: str
    key: str | None = None
    """Its key within the store; absent where it follows from who made it."""
    size: int
    sha256: str
    format: str = "tar.zst"


class FailedTest(Model):
    """A failed test. ``suite`` is its class or suite; ``message`` is the start of its message."""

    suite: str | None = None
    name: str
    message: str | None = None


class BuildReport(Model):
    """A report group of a build (B-50): counts of test cases, and the first that failed."""

    name: str
    total: int = 0
    passed: int = 0
    failed: int = 0
    errors: int = 0
    skipped: int = 0
    duration_seconds: float | None = None
    failed_tests: Annotated[tuple[FailedTest, ...], Field(json_schema_extra=ATOMIC)] = ()
    key: str | None = None
    """The key of the whole report, JSON, in the artifact store."""


class ActionExecution(Model):
    """One try of an action, with its Job or Approval. Each attempt is its own execution (X-85)."""

    attempt: int = 1
    try_: Annotated[int, Field(alias="try")] = 1
    status: ActionStatus
    job_name: Annotated[str, Field(default_factory=str, exclude_if=lambda name: not name)]
    """Its Job; absent where the action waits for people."""
    approval: ApprovalReference | None = None
    token: str | None = None
    """The token of a pending approval (X-81)."""
    last_updated_by: str | None = None
    """Who decided an approval last (X-81)."""
    build_project: FrozenBuildProject | None = None
    action_type: FrozenActionType | None = None
    connection: FrozenConnection | None = None
    pod_uid: str | None = None
    pod_name: str | None = None
    start_time: str
    """When the engine started it: its Job is created right after."""
    running_time: str | None = None
    """When its containers ran; what lies before is queueing, scheduling and pulling."""
    completion_time: str | None = None
    waiting: ErrorDetails | None = None
    """Why a try in progress cannot start yet: the refusal of the API server, and its words."""
    error_details: ErrorDetails | None = None
    summary: str | None = None
    external_execution_id: str | None = None
    external_execution_url: str | None = None
    entity_url: str | None = None
    """The page about what a custom action works on (P-80)."""
    percent_complete: int | None = None
    """How far a custom action said that it came (P-83)."""
    output_variables: dict[str, str] = {}
    output_artifacts: Annotated[
        tuple[StoredArtifact, ...], Field(json_schema_extra=list_map("name"))
    ] = ()
    reports: Annotated[tuple[BuildReport, ...], Field(json_schema_extra=ATOMIC)] = ()
    has_log: bool | None = None
    """Whether its log is stored; its key follows from who made it."""


class ActionState(Model):
    """An action of a run; ``executions`` holds its tries of all attempts, the latest last."""

    action_name: str
    awaits_retry: bool | None = None
    """Whether the action runs again: a retry of the stage has left its tries behind (X-61).

    The tries belong to earlier attempts.
    """
    executions: Annotated[tuple[ActionExecution, ...], Field(json_schema_extra=ATOMIC)] = ()

    @property
    def latest(self) -> ActionExecution | None:
        """The latest try that counts, None when the action has not started, or not again."""
        return self.executions[-1] if self.executions and not self.awaits_retry else None
