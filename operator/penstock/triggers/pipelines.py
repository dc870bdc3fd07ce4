"""Turns a Pipeline and its runs from the API server into input for decisions, and back."""

from collections.abc import Iterator
from typing import NamedTuple

from pydantic import ValidationError

from penstock.actions.declaration import declaration_of
from penstock.api.document import Document
from penstock.api.kinds.pipeline import Action, PipelineSpec
from penstock.api.kinds.triggers import GitConfiguration
from penstock.api.meta import (
    ANNOTATION_ACTION,
    ANNOTATION_PIPELINE_UID,
    ANNOTATION_SOURCE_REF,
    ANNOTATION_SOURCE_REVISION,
    ANNOTATION_SOURCE_SEQUENCE,
    ANNOTATION_STAGE,
    API_VERSION,
    LABEL_STARTED_BY,
    PIPELINE,
    PIPELINE_RUN,
    TRIGGERS,
)
from penstock.api.status.pipeline_status import PipelineStatus
from penstock.api.walks import placed_actions
from penstock.triggers.decide import NewRun, StartedRun, State, View
from penstock.triggers.observations import CLOSED_PULL_REQUEST, CREATE_PIPELINE
from penstock.triggers.sources.git.ls_remote import is_commit, is_ref
from penstock.triggers.sources.git.pull_requests import is_pull_request

_LONGEST_REF = 255


def readable(document: Document) -> tuple[PipelineSpec, PipelineStatus] | None:
    """Return spec and status of a Pipeline that is Ready as it stands now; None for any other."""
    metadata, status = document["metadata"], document.get("status") or {}
    # Nothing starts before the operator has judged this very generation.
    if metadata.get("deletionTimestamp") or status.get("observedGeneration") != metadata.get(
        "generation"
    ):
        return None
    try:
        spec, parsed = (
            PipelineSpec.model_validate(document["spec"]),
            PipelineStatus.model_validate(status),
        )
    except (ValidationError, KeyError):
        return None
    is_ready = any(c.type == "Ready" and c.status == "True" for c in parsed.conditions)
    return (spec, parsed) if is_ready else None


def view_of(document: Document, spec: PipelineSpec, status: PipelineStatus) -> View:
    """Return a Pipeline as decisions see it."""
    return View(
        name=document["metadata"]["name"],
        uid=document["metadata"]["uid"],
        wants_start=spec.start_on_create is not False,
        last_run=status.last_run,
        state=State(status.started_on_create, status.sources, status.restarted_version),
        version=status.version or 1,
        wants_restart=spec.restart_execution_on_update is True,
    )


def pipeline_uid_of(run: Document) -> str:
    """Return the uid of the Pipeline a run executes, empty before the operator admits the run."""
    return str((run.get("status") or {}).get("pipelineUid") or "")


class SourceAction(NamedTuple):
    """A source action of a Pipeline, and the trigger that decides for it, if one does (G-03)."""

    stage: str
    provider: str
    action: Action
    trigger: GitConfiguration | None


def source_actions(spec: PipelineSpec) -> Iterator[SourceAction]:
    """Yield the source actions of a Pipeline."""
    triggers = {item.git_configuration.source_action_name: item for item in spec.triggers}
    for _, stage, action in placed_actions(spec):
        declared = declaration_of(action.action_type_id)
        if declared and declared.category == "Source":
            trigger = triggers.get(action.name)
            git = trigger.git_configuration if trigger else None
            yield SourceAction(stage.name, declared.provider, action, git)


def status_of(document: Document, state: State) -> Document:
    """Return what is applied to a Pipeline's status: our fields, and whose they are."""
    metadata = document["metadata"]
    status: Document = {"sources": [mark.to_dict() for mark in state.marks]}
    if state.started is not None:
        status["startedOnCreate"] = state.started
    if state.restarted is not None:
        status["restartedVersion"] = state.restarted
    # With its uid, so that a Pipeline that was created again is not taken for this one.
    identity = {key: metadata[key] for key in ("name", "namespace", "uid")}
    return {"apiVersion": API_VERSION, "kind": PIPELINE, "metadata": identity, "status": status}


def run_of(view: View, run: NewRun) -> Document:
    """Return the PipelineRun to create. All sources run again (X-20).

    What a filter has taken is pinned: the commit stands on a branch that the action need not name
    (G-09).
    """
    annotations = {ANNOTATION_PIPELINE_UID: view.uid}
    if run.key:
        annotations |= {
            ANNOTATION_STAGE: run.key[0],
            ANNOTATION_ACTION: run.key[1],
            ANNOTATION_SOURCE_REVISION: run.revision,
            ANNOTATION_SOURCE_SEQUENCE: str(run.sequence),
        }
    spec: Document = {
        "pipelineRef": {"name": view.name},
        "trigger": {"triggerType": run.trigger, "triggerDetail": run.detail[:1024]},
    }
    if run.key and run.taken:
        annotations[ANNOTATION_SOURCE_REF] = run.ref
        commit, ref, _ = run.taken
        pinned = {"revisionType": "COMMIT_ID", "revisionValue": commit, "ref": ref}
        spec["sourceRevisions"] = [{"actionName": run.key[1], **pinned}]
    return {
        "apiVersion": API_VERSION,
        "kind": PIPELINE_RUN,
        "metadata": {
            "name": run.name,
            "labels": {LABEL_STARTED_BY: TRIGGERS},
            "annotations": annotations,
        },
        "spec": spec,
    }


def started_run_of(document: Document) -> StartedRun | None:
    """Return the change or creation that a run says started it; None if it says neither."""
    found = document["metadata"].get("annotations") or {}
    trigger = document.get("spec", {}).get("trigger") or {}
    if trigger.get("triggerType") == CREATE_PIPELINE and ANNOTATION_PIPELINE_UID in found:
        return StartedRun(found[ANNOTATION_PIPELINE_UID])
    sequence = found.get(ANNOTATION_SOURCE_SEQUENCE, "")
    # Whoever may write runs may write their annotations.
    if not (sequence.isascii() and sequence.isdigit() and len(sequence) < 19):
        return None
    ref, revision = (
        found.get(key, "") for key in (ANNOTATION_SOURCE_REF, ANNOTATION_SOURCE_REVISION)
    )
    if ref and not _is_watched(ref, revision):
        return None
    return StartedRun(
        pipeline_uid=found.get(ANNOTATION_PIPELINE_UID, ""),
        key=(found.get(ANNOTATION_STAGE, ""), found.get(ANNOTATION_ACTION, "")),
        revision=revision[:100],
        sequence=int(sequence),
        ref=ref,
    )


def _is_watched(ref: str, revision: str) -> bool:
    """Whether what a run says may stand in a status: whoever writes runs may write anything."""
    if is_pull_request(ref):
        return is_commit(revision) or revision == CLOSED_PULL_REQUEST
    return is_ref(ref) and len(ref.encode()) <= _LONGEST_REF and is_commit(revision)
