"""The owner of an object, and the parts of it to keep.

Objects are known by uid and controller, never by fields that others may edit.

Labels and annotations can be changed by whoever may edit a Job or a pod. A Job says who it is in
its pod template, which the API server lets nobody change; a pod belongs to the Job that controls
it; what was first seen of a uid stands.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from penstock.api import meta as words
from penstock.api.contract.contracts import ACTION_CONTAINER, AGENT_CONTAINER
from penstock.api.document import Document
from penstock.api.meta import ANNOTATION_PIPELINE, API_VERSION, LABEL_RUN_UID, PIPELINE_RUN
from penstock.cluster.resources import (
    ACTION_TYPES,
    APPROVALS,
    BUILD_PROJECTS,
    CLUSTER_ACTION_TYPES,
    CONNECTIONS,
    JOBS,
    PIPELINES,
    PODS,
    REVISIONS,
    RUNS,
    TRANSITIONS,
    Resource,
)

PipelineKey = tuple[str, str]

SHARED = (ACTION_TYPES, CLUSTER_ACTION_TYPES, BUILD_PROJECTS, CONNECTIONS)
"""Kinds that any pipeline of their namespace, or of the cluster, may name."""
UNWATCHED = "isUnwatched"
"""Set on a Job or Pod that lost its watch label: no event reports it any more."""

CONTROLLERS = {JOBS: (API_VERSION, PIPELINE_RUN), PODS: ("batch/v1", JOBS.kind)}
"""What controls the objects that are known by that."""
NOBODY = {"name": "", "uid": ""}
_READ = {
    *(value for name, value in vars(words).items() if name.startswith(("LABEL_", "ANNOTATION_"))),
    words.KEEP,
    *words.DECLARED_BY,
    "batch.kubernetes.io/job-name",
    "job-name",
}
_META = (
    "name",
    "namespace",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
)
# A pod has six conditions; what others add is not kept.
_CONDITIONS = 20
# The most characters that are kept of a text a kubelet or the Job controller wrote.
_TEXT = 4_096


def controller_of(resource: Resource, document: Document) -> Mapping[str, Any] | None:
    """Return the owner reference of our Job's or Pod's controller, or None if it is not ours."""
    version, kind = CONTROLLERS[resource]
    # An owner reference may name any version of the group that the server serves.
    group = version.partition("/")[0]
    for owner in document["metadata"].get("ownerReferences", ()):
        if (
            owner.get("controller")
            and owner["kind"] == kind
            and owner["apiVersion"].partition("/")[0] == group
        ):
            return owner  # type: ignore[no-any-return]
    return None


def controlled(resource: Resource, document: Document, name: str, uid: str) -> Document:
    """Return a Job or Pod as controlled by the object of this name and uid.

    That object is known to have made it.
    """
    version, kind = CONTROLLERS[resource]
    owner = {"apiVersion": version, "kind": kind, "name": name, "uid": uid, "controller": True}
    return {
        **document,
        "metadata": {**document["metadata"], "ownerReferences": [owner] if uid else []},
    }


def of_pipeline(name: str, document: Document) -> Document:
    """Return a Job or Pod as one of a known pipeline.

    It does not matter what is left of its annotations.
    """
    meta = document["metadata"]
    return {
        **document,
        "metadata": {
            **meta,
            "annotations": {**meta.get("annotations", {}), ANNOTATION_PIPELINE: name},
        },
    }


def key_of(
    resource: Resource, document: Document, keys: Mapping[str, PipelineKey]
) -> PipelineKey | None:
    """Return the pipeline that an object belongs to, None for one that is not ours.

    ``keys`` are the pipelines of known runs and Jobs, by uid.
    """
    meta = document["metadata"]
    if resource in SHARED:
        return None
    spec = document.get("spec", {})
    if resource is PIPELINES:
        name = meta["name"]
    elif resource is RUNS:
        name = spec.get("pipelineRef", {}).get("name")
    elif resource in (APPROVALS, TRANSITIONS):
        name = spec.get("pipelineName")
    elif resource is REVISIONS:
        owners = meta.get("ownerReferences", ())
        name = next(
            (owner["name"] for owner in owners if owner.get("kind") == PIPELINES.kind), None
        )
    else:
        controller = controller_of(resource, document)
        if controller is None:
            return None
        # An owner is in the namespace of its objects: any other reference was made up.
        if (known := keys.get(controller["uid"])) and known[0] == meta["namespace"]:
            return known
        name = meta.get("annotations", {}).get(ANNOTATION_PIPELINE)
    return (meta["namespace"], name) if isinstance(name, str) and name else None


def kept_of(resource: Resource, document: Document, known: Document | None) -> Document:
    """Return what decisions read of an object; ``known`` is what is known of the same uid.

    All metadata of others is dropped, so that nobody can make the operator hold it. The identity of
    a Job or pod is the one that was seen first.
    """
    meta = _metadata(document["metadata"])
    kept = {**document, "metadata": meta}
    if resource is JOBS:
        _identify(
            meta, known, _metadata(document.get("spec", {}).get("template", {}).get("metadata", {}))
        )
        # Of a Job's spec only the template's names are read, and the metadata has them by now.
        kept |= {"spec": {}, "status": _job_status(document.get("status", {}))}
    elif resource is PODS:
        _identify(meta, known, {})
        spec = document.get("spec", {})
        kept |= {
            "spec": {
                "containers": [{"name": item["name"]} for item in _ours(spec.get("containers", ()))]
            }
        }
        kept["status"] = _pod_status(document.get("status", {}))
    if resource in CONTROLLERS and LABEL_RUN_UID not in document["metadata"].get("labels", {}):
        kept[UNWATCHED] = True
    return kept


def _metadata(meta: Document) -> Document:
    kept: Document = {key: meta[key] for key in _META if key in meta}
    owners = [owner for owner in meta.get("ownerReferences", ()) if owner.get("controller")]
    if owners:
        # An object has one controller at most.
        kept["ownerReferences"] = owners[:1]
    for kind in ("labels", "annotations"):
        read = {key: value[:_TEXT] for key, value in meta.get(kind, {}).items() if key in _READ}
        if read:
            kept[kind] = read
    return kept


def _identify(meta: Document, known: Document | None, template: Document) -> None:
    """Let a Job or pod keep the identity that was seen first, and a Job that of its template."""
    for kind in ("labels", "annotations"):
        named = (
            known["metadata"].get(kind, {})
            if known
            else {**meta.get(kind, {}), **template.get(kind, {})}
        )
        meta.pop(kind, None)
        if named:
            meta[kind] = named
    if known is not None and "ownerReferences" in known["metadata"]:
        meta["ownerReferences"] = known["metadata"]["ownerReferences"]


def _ours(containers: Iterable[Document]) -> list[Document]:
    """Return the containers that decisions read: a pod may have any number of others."""
    return [item for item in containers if item["name"] in (AGENT_CONTAINER, ACTION_CONTAINER)]


def _pod_status(status: Document) -> Document:
    read: Document = {
        key: _cut(status[key]) for key in ("phase", "reason", "message") if key in status
    }
    if "containerStatuses" in status:
        read["containerStatuses"] = _cut(_ours(status["containerStatuses"]))
    scheduled = [item for item in status.get("conditions", ()) if item["type"] == "PodScheduled"]
    return read | ({"conditions": _cut(scheduled[:1])} if scheduled else {})


def _job_status(status: Document) -> Document:
    return (
        {"conditions": _cut(status["conditions"][:_CONDITIONS])} if "conditions" in status else {}
    )


def _cut(value: Any) -> Any:
    """Return a status with long texts cut; the agent's result, 4 KB at most, stays whole."""
    if isinstance(value, dict):
        return {key: _cut(item) for key, item in value.items() if key != "managedFields"}
    if isinstance(value, list):
        return [_cut(item) for item in value]
    return value[:_TEXT] if isinstance(value, str) else value
