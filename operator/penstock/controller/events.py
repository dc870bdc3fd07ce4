"""The Events that people read beside a run, as the API server takes them."""

from datetime import UTC, datetime
from typing import Any

from penstock.api.meta import API_VERSION, FIELD_MANAGER
from penstock.api.names import hash_of
from penstock.engine.commands import EmitEvent

# How much of an object's name stands in the name of its Event, which may have 253 characters.
_READABLE = 200


def event_manifest(namespace: str, event: EmitEvent, instance: str) -> dict[str, Any]:
    """Return the Event; the same news about the same object always has the same name."""
    # A part of a name may not end with a dash or a dot, wherever it is cut.
    readable = event.name[:_READABLE].rstrip("-.")
    return {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {
            "namespace": namespace,
            "name": f"{readable}.{hash_of(event.uid, event.reason, event.message)}",
        },
        "eventTime": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "type": "Warning" if event.is_warning else "Normal",
        "reason": event.reason,
        "note": event.message,
        "action": event.reason,
        "regarding": {
            "apiVersion": API_VERSION,
            "kind": event.kind,
            "name": event.name,
            "namespace": namespace,
            "uid": event.uid,
        },
        "reportingController": FIELD_MANAGER,
        "reportingInstance": instance,
    }
