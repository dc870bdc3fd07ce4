"""Labels, annotations and owner of everything that belongs to one attempt."""

from typing import Any

from penstock.api import meta
from penstock.api.contract import contracts
from penstock.api.names import hash_of, pipeline_label


def labels_of(attempt: contracts.Attempt) -> dict[str, str]:
    """Return the labels of what belongs to an attempt."""
    return {
        meta.LABEL_MANAGED_BY: meta.MANAGED_BY,
        # Names may be longer than the 63 characters of a label, so labels hold hashes of them.
        meta.LABEL_PIPELINE: pipeline_label(attempt.namespace, attempt.pipeline),
        meta.LABEL_RUN_UID: attempt.run_uid,
        meta.LABEL_STAGE: stage_label(attempt.stage),
        meta.LABEL_ACTION: hash_of(attempt.stage, attempt.action),
    }


def stage_label(stage: str) -> str:
    """Return the label of everything that runs in a stage."""
    return hash_of(stage)


def annotations_of(attempt: contracts.Attempt) -> dict[str, str]:
    """Return the annotations of what belongs to an attempt: the full names behind its labels."""
    return {
        meta.ANNOTATION_PIPELINE: attempt.pipeline,
        meta.ANNOTATION_RUN: attempt.run,
        meta.ANNOTATION_STAGE: attempt.stage,
        meta.ANNOTATION_ACTION: attempt.action,
        meta.ANNOTATION_ATTEMPT: str(attempt.attempt),
        meta.ANNOTATION_TRY: str(attempt.try_),
    }


def owner_of(attempt: contracts.Attempt) -> dict[str, Any]:
    """Return the owner reference of what belongs to an attempt: its run."""
    return {
        "apiVersion": meta.API_VERSION,
        "kind": meta.PIPELINE_RUN,
        "name": attempt.run,
        "uid": attempt.run_uid,
        "controller": True,
        # True asks for the right to change the run's finalizers on servers that enforce it.
        "blockOwnerDeletion": False,
    }
