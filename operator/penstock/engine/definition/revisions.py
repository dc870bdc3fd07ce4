"""The ControllerRevisions that hold what runs execute: named by content, owned by the Pipeline."""

import json
from typing import Any

from penstock.api.meta import API_VERSION, LABEL_MANAGED_BY, LABEL_PIPELINE, MANAGED_BY, PIPELINE
from penstock.api.names import child_name, pipeline_label
from penstock.engine.definition.frozen import Definition


def revision_name(pipeline: str, pipeline_uid: str, definition: Definition) -> str:
    """Return the name of the ControllerRevision that holds the definition."""
    # By its uid a Pipeline that was made anew has definitions of its own.
    return child_name(pipeline, pipeline_uid, json.dumps(definition.to_dict(), sort_keys=True))


def revision_manifest(
    namespace: str, owner: dict[str, Any], definition: Definition, version: int
) -> dict[str, Any]:
    """Return a definition's ControllerRevision; ``owner`` is the Pipeline's owner reference."""
    name = revision_name(owner["name"], owner["uid"], definition)
    return controller_revision(namespace, owner, name, definition.to_dict(), version)


def controller_revision(
    namespace: str, owner: dict[str, Any], name: str, data: dict[str, Any], number: int
) -> dict[str, Any]:
    """Return a ControllerRevision that holds data for a Pipeline, its ``owner``.

    ``number`` says which of several is older.
    """
    return {
        "apiVersion": "apps/v1",
        "kind": "ControllerRevision",
        "metadata": {
            "namespace": namespace,
            "name": name,
            "labels": {
                LABEL_MANAGED_BY: MANAGED_BY,
                LABEL_PIPELINE: pipeline_label(namespace, owner["name"]),
            },
            "ownerReferences": [owner],
        },
        "revision": number,
        "data": data,
    }


def pipeline_owner(name: str, uid: str) -> dict[str, Any]:
    """Return the owner reference of what belongs to a Pipeline."""
    return {
        "apiVersion": API_VERSION,
        "kind": PIPELINE,
        "name": name,
        "uid": uid,
        "controller": True,
        "blockOwnerDeletion": False,
    }
