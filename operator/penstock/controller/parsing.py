"""Reads Kubernetes documents as the engine's small values.

An unreadable document says why, and stops no other.
"""

from datetime import UTC, datetime
from typing import Literal, NamedTuple, TypeVar

from pydantic import BaseModel, ValidationError

from penstock.actions.declaration import Declaration
from penstock.actions.git.hosts.connections import ConnectionObject, connection_object
from penstock.api import meta as words
from penstock.api.document import Document
from penstock.api.kinds.action_type import ActionTypeSpec
from penstock.api.kinds.approval import ApprovalSpec, ApprovalStatus
from penstock.api.kinds.build_project import BuildProjectSpec
from penstock.api.kinds.connection import ConnectionSpec
from penstock.api.kinds.pipeline import ArtifactStore, PipelineSpec
from penstock.api.kinds.rollback import ExecutionType
from penstock.api.kinds.run import PipelineRunSpec, PipelineRunStatus, RunState
from penstock.api.kinds.transition import StageTransitionSpec
from penstock.api.status.pipeline_status import PipelineStatus
from penstock.api.times import parse_time
from penstock.controller.cache.budget import TOO_MUCH
from penstock.engine.objects.action_types import ActionTypeObject, thaw_type
from penstock.engine.objects.build_projects import BuildProjectObject
from penstock.engine.objects.transitions import TransitionObject
from penstock.engine.pods.revisions import thaw, thaw_connection
from penstock.engine.snapshot import ApprovalObject, EndedRun, EndedStage, PipelineObject, RunObject
from penstock.engine.tries.approval_objects import frozen_hash

M = TypeVar("M", bound=BaseModel)


def target_of(spec: PipelineRunSpec | None) -> str | None:
    """Return the name or the uid of the target of a rollback. None if the run is no rollback."""
    wanted = spec.rollback if spec else None
    return (wanted.target_run or wanted.target_pipeline_execution_id) if wanted else None


def has_ended(document: Document) -> bool:
    """Whether a run's status says that it has ended."""
    state = document.get("status", {}).get("state")
    try:
        return state is not None and RunState(state).is_terminal
    # A state of another version: `run_of` says that it cannot be read.
    except ValueError:
        return False


def ended_of(document: Document) -> EndedRun:
    """Read a run that has ended."""
    status = document["status"]
    return EndedRun(
        name=document["metadata"]["name"],
        uid=document["metadata"]["uid"],
        created=parse_time(document["metadata"]["creationTimestamp"])
        or datetime.fromtimestamp(0, UTC),
        completed=status.get("completionTime", ""),
        is_succeeded=status["state"] == RunState.SUCCEEDED,
        revision=status.get("revision", ""),
        is_rollback=status.get("executionType") == ExecutionType.ROLLBACK,
        is_declared=_is_declared(document["metadata"]),
        stages={
            stage["stageName"]: EndedStage(
                stage["startTime"], stage["status"], stage.get("completionTime", "")
            )
            for stage in status.get("stageStates", ())
        },
    )


def _is_declared(meta: Document) -> bool:
    marks = {**meta.get("labels", {}), **meta.get("annotations", {})}
    return marks.get(words.KEEP) == "true" or any(mark in marks for mark in words.DECLARED_BY)


def project_of(document: Document) -> BuildProjectObject:
    """Read a BuildProject."""
    spec, unreadable = _spec(BuildProjectSpec, document)
    meta = document["metadata"]
    return BuildProjectObject(meta["name"], meta["uid"], meta["generation"], spec, unreadable)


def connection_of(document: Document) -> ConnectionObject:
    """Read a Connection."""
    return connection_object(document["metadata"], *_spec(ConnectionSpec, document))


class Thawed(NamedTuple):
    """What a ControllerRevision keeps: one of these, None for the others."""

    project: BuildProjectSpec | None
    declared: Declaration | None
    connection: ConnectionSpec | None


def frozen_of(document: Document) -> Thawed:
    """Read what a ControllerRevision keeps."""
    data = document["data"]
    return Thawed(thaw(data), thaw_type(data), thaw_connection(data))


def namespaced_type(document: Document) -> ActionTypeObject:
    """Read an ActionType."""
    return _type_of("ActionType", document)


def cluster_type(document: Document) -> ActionTypeObject:
    """Read a ClusterActionType."""
    return _type_of("ClusterActionType", document)


def _type_of(
    kind: Literal["ActionType", "ClusterActionType"], document: Document
) -> ActionTypeObject:
    spec, unreadable = _spec(ActionTypeSpec, document)
    meta = document["metadata"]
    return ActionTypeObject(kind, meta["name"], meta["uid"], meta["generation"], spec, unreadable)


def pipeline_of(document: Document, default_store: ArtifactStore | None) -> PipelineObject:
    """Read a Pipeline."""
    spec, unreadable = _spec(PipelineSpec, document)
    meta = document["metadata"]
    return PipelineObject(
        namespace=meta["namespace"],
        name=meta["name"],
        uid=meta["uid"],
        generation=meta["generation"],
        status=pipeline_status_of(document),
        spec=spec,
        unreadable=unreadable,
        default_store=default_store,
    )


def pipeline_status_of(document: Document) -> PipelineStatus:
    """Read a Pipeline's status; one that cannot be read is written anew."""
    return _read(PipelineStatus, document.get("status", {}), "status")[0] or PipelineStatus()


def run_of(document: Document) -> RunObject:
    """Read a PipelineRun."""
    spec, unreadable = _spec(PipelineRunSpec, document)
    status, broken = _read(PipelineRunStatus, document.get("status", {}), "status")
    meta = document["metadata"]
    return RunObject(
        namespace=meta["namespace"],
        name=meta["name"],
        uid=meta["uid"],
        generation=meta["generation"],
        created=parse_time(meta["creationTimestamp"]) or datetime.fromtimestamp(0, UTC),
        status=status or PipelineRunStatus(),
        # With an empty status in place of a broken one the run would begin anew, so it has no spec.
        spec=spec if not broken else None,
        unreadable=unreadable or broken,
        is_deleted="deletionTimestamp" in meta,
    )


def transition_of(document: Document) -> TransitionObject:
    """Read a StageTransition."""
    spec, unreadable = _spec(StageTransitionSpec, document)
    return TransitionObject(document["metadata"]["name"], spec, unreadable)


def approval_of(document: Document) -> ApprovalObject:
    """Read an Approval."""
    spec, _ = _spec(ApprovalSpec, document)
    status, _ = _read(ApprovalStatus, document.get("status", {}), "status")
    meta = document["metadata"]
    owners = [owner["uid"] for owner in meta.get("ownerReferences", ()) if owner.get("controller")]
    return ApprovalObject(
        name=meta["name"],
        uid=meta["uid"],
        generation=meta["generation"],
        owner_uid=owners[0] if owners else "",
        spec_hash=frozen_hash(document.get("spec", {})),
        is_deleted="deletionTimestamp" in meta,
        spec=spec,
        status=status or ApprovalStatus(),
    )


def _spec(model: type[M], document: Document) -> tuple[M | None, str]:
    """Return an object's spec, or why there is none."""
    if TOO_MUCH in document:
        return None, document[TOO_MUCH]
    return _read(model, document.get("spec", {}), "spec")


def _read(model: type[M], document: Document, path: str) -> tuple[M | None, str]:
    """Return the model, or why there is none: one malformed object never stops another."""
    try:
        return model.model_validate(document), ""
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False, include_context=False)
        return None, "; ".join(f"{path}{_path(item['loc'])}: {item['msg']}" for item in details[:5])


def _path(location: tuple[int | str, ...]) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
