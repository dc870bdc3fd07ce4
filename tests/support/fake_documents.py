"""What an API server does with documents alone: merge patches, selectors, and one kind's views."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

Document = dict[str, Any]

_TERM = re.compile(r"([^\s,=!()]+)(?:\s*(=|==)\s*([^\s,()]*)|\s+in\s+\(([^()]*)\))?\s*(?:,|$)")
_FIELDS = ("metadata.name", "metadata.namespace", "type")


def copied(value: Any) -> Any:
    """Return a value as it comes out of JSON: who gets it may change it and nothing else."""
    return json.loads(json.dumps(value))


def merged(old: Any, patch: Any) -> Any:
    """Return what a JSON merge patch (RFC 7386) makes of a value; neither is changed."""
    if not isinstance(patch, Mapping):
        return patch
    kept = dict(old) if isinstance(old, dict) else {}
    for key, value in patch.items():
        if value is None:
            kept.pop(key, None)
        else:
            kept[key] = merged(kept.get(key), value)
    return kept


def has_labels(document: Document, selector: str) -> bool:
    """Whether an object's labels match a selector of terms ``k``, ``k=v`` and ``k in (a,b)``."""
    labels = document["metadata"].get("labels", {})
    return all(
        key in labels and (wanted is None or labels[key] in wanted)
        for key, wanted in _terms(selector)
    )


def _terms(selector: str) -> Iterator[tuple[str, list[str] | None]]:
    """Yield each key of a selector with the values it may have, None for any."""
    position = 0
    while position < len(selector):
        if (term := _TERM.match(selector, position)) is None:
            raise ValueError(f"the fake server does not know the selector {selector!r}")
        key, sign, value, several = term.groups()
        if several is not None:
            yield key, [item.strip() for item in several.split(",")]
        else:
            yield key, [value] if sign else None
        position = term.end()


def has_fields(document: Document, selector: str) -> bool:
    """Whether an object's fields match a selector of terms ``field=value``."""
    for term in filter(None, selector.split(",")):
        path, _, wanted = term.partition("=")
        if path not in _FIELDS and not path.startswith("involvedObject."):
            raise ValueError(f"the fake server does not know the field {path!r}")
        value: Any = document
        for part in path.split("."):
            value = value.get(part, {})
        if value != wanted:
            return False
    return True


def core_event(event: Document) -> Document:
    """Return an Event of events.k8s.io as the core API shows it."""
    kept = {key: value for key, value in event.items() if key not in ("note", "regarding")}
    return {
        **kept,
        "apiVersion": "v1",
        "message": event.get("note", ""),
        "involvedObject": event.get("regarding", {}),
        "firstTimestamp": None,
        "lastTimestamp": None,
    }


def job_with_labels(job: Document) -> Document:
    """Return a new Job with the labels by which its pods are found."""
    meta, spec = job["metadata"], job["spec"]
    template_meta = spec["template"].get("metadata", {})
    labels = {
        **template_meta.get("labels", {}),
        "batch.kubernetes.io/controller-uid": meta["uid"],
        "batch.kubernetes.io/job-name": meta["name"],
        "controller-uid": meta["uid"],
        "job-name": meta["name"],
    }
    template = {**spec["template"], "metadata": {**template_meta, "labels": labels}}
    selector = {"matchLabels": {"batch.kubernetes.io/controller-uid": meta["uid"]}}
    return {**job, "spec": {**spec, "selector": selector, "template": template}}
