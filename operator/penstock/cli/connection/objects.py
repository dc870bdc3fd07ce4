"""The objects as the API server returns them. The operator's own models read them.

Commands name fields of models, never keys of documents: a field that is no
more is found by mypy, not by users.
"""

from collections.abc import Iterator
from typing import TypeVar

from pydantic import ValidationError

from penstock.api.document import Document
from penstock.api.kinds.approval import ApprovalSpec, ApprovalState, ApprovalStatus
from penstock.api.kinds.pipeline import PipelineSpec
from penstock.api.kinds.run import PipelineRunSpec, PipelineRunStatus, RunStageState
from penstock.api.kinds.transition import StageTransitionSpec
from penstock.api.meta import DECLARED_BY, KEEP
from penstock.api.model import Model
from penstock.api.status.condition_states import StageConditionState
from penstock.api.status.executions import ActionExecution
from penstock.api.status.pipeline_status import PipelineStatus


class CliError(Exception):
    """The API server refused. The message is for people.

    ``status`` is the HTTP status, 0 if there is none.
    """

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class Metadata(Model):
    """What the commands read of an object's metadata."""

    name: str
    namespace: str = ""
    uid: str = ""
    creation_timestamp: str = ""
    resource_version: str = ""
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}

    @property
    def declared_by(self) -> str | None:
        """Return the mark of the tool that declares the object, as ``key: value``.

        None if no tool declares it.
        """
        marks = {**self.labels, **self.annotations}
        return next(
            (f"{key}: {marks[key]}" for key in DECLARED_BY if key != KEEP and key in marks), None
        )


class Run(Model):
    """A PipelineRun."""

    metadata: Metadata
    spec: PipelineRunSpec
    status: PipelineRunStatus = PipelineRunStatus()

    @property
    def name(self) -> str:
        """Its name."""
        return self.metadata.name

    @property
    def state(self) -> str:
        """Return the state. Without one it is Pending, or Queued once the operator has seen it."""
        if self.status.state:
            return self.status.state.value
        reasons = [item.reason for item in self.status.conditions if item.type == "Succeeded"]
        return "Queued" if "Queued" in reasons else "Pending"

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        return self.status.state is not None and self.status.state.is_terminal

    @property
    def stage_names(self) -> list[str]:
        """The stages that it has entered."""
        return [stage.stage_name for stage in self.status.stage_states]


class Pipeline(Model):
    """A Pipeline."""

    metadata: Metadata
    spec: PipelineSpec
    status: PipelineStatus = PipelineStatus()

    @property
    def stage_names(self) -> list[str]:
        """Its stages, in order."""
        return [stage.name for stage in self.spec.stages]


class Approval(Model):
    """An Approval."""

    metadata: Metadata
    spec: ApprovalSpec
    status: ApprovalStatus = ApprovalStatus()

    @property
    def state(self) -> ApprovalState:
        """Its state, Pending before the operator has seen it."""
        return self.status.state or ApprovalState.PENDING

    @property
    def where(self) -> str:
        """Its stage and action as people write them."""
        return f"{self.spec.stage_name}/{self.spec.action_name}"


class Transition(Model):
    """A StageTransition."""

    metadata: Metadata
    spec: StageTransitionSpec


class NamedOnly(Model):
    """An object of which only the metadata is of interest."""

    metadata: Metadata


Object = TypeVar("Object", Run, Pipeline, Approval, Transition, NamedOnly)


def read(kind: type[Object], document: Document) -> Object:
    """Return a document as an object; raise CliError if this version cannot read it.

    The error names the field.
    """
    try:
        return kind.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        name = str(document.get("metadata", {}).get("name", ""))
        raise CliError(
            f"{kind.__name__} {name} is not as this version of penstock knows it: {where}: "
            f"{first['msg']}; use the version that the operator has"
        ) from error


def executions(run: Run) -> Iterator[tuple[str, ActionExecution]]:
    """Yield every try of a run as (stage/action, try), in their stored order.

    The tries of rules are included.
    """
    for stage in run.status.stage_states:
        yield from _of_rules(stage, "beforeEntry", stage.before_entry_condition_state)
        for action in stage.action_states:
            for execution in action.executions:
                yield f"{stage.stage_name}/{action.action_name}", execution
        yield from _of_rules(stage, "onSuccess", stage.on_success_condition_state)
        yield from _of_rules(stage, "onFailure", stage.on_failure_condition_state)


def _of_rules(
    stage: RunStageState, place: str, state: StageConditionState | None
) -> Iterator[tuple[str, ActionExecution]]:
    for rule in state.rule_states if state else ():
        for execution in rule.executions:
            yield f"{stage.stage_name}/{place}/{rule.rule_name}", execution


def is_meant(wanted: str | None, where: str) -> bool:
    """Return whether ``wanted`` names the action at ``where``.

    ``wanted`` is an action, or stage/action; None means all.
    """
    return wanted in (None, where, where.partition("/")[2])
