"""The status that triggers and the receiver each write a part of, on a Connection."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from penstock.api.document import Document
from penstock.api.kinds.connection import ConnectionStatus
from penstock.api.meta import API_VERSION, CONNECTION
from penstock.api.status.conditions import Condition, merge


def body_of(connection: Document, status: Mapping[str, Any]) -> Document:
    """Return what is applied as a Connection's status.

    It holds the uid, so that a Connection that was made anew is not taken for this one.
    """
    identity = {key: connection["metadata"][key] for key in ("name", "namespace", "uid")}
    return {
        "apiVersion": API_VERSION,
        "kind": CONNECTION,
        "metadata": identity,
        "status": dict(status),
    }


def with_condition(
    connection: Document, condition: Condition, now: datetime
) -> tuple[Condition, ...]:
    """Return a condition with the time at which the Connection's status first said so."""
    return merge(_conditions(connection), (condition,), now)


def _conditions(connection: Document) -> tuple[Condition, ...]:
    # Whoever may write the status may write what cannot be read: that costs the times alone.
    try:
        return ConnectionStatus.model_validate(connection.get("status") or {}).conditions
    except ValidationError:
        return ()
