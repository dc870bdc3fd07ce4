"""Words the server's refusal of an object: reason first, and advice that fits the case."""

from collections.abc import Mapping
from typing import Any

from penstock.actions.kubernetes.live.server import ApiError

# So much of what an admission webhook prints stands in a message.
_DUMP = 200
_PRECONDITIONS = ("resourceVersion", "uid")
_EXPORTED = ("managedFields", "creationTimestamp", "deletionTimestamp", "generation", "selfLink")
_INVALID = "Invalid value: "
_IMMUTABLE = "field is immutable"


def sentence(error: ApiError) -> str:
    """Return the server's sentence, without a long repeated value in front of the reason."""
    told = [_cause(cause) for cause in error.causes]
    if len(error.message) <= _DUMP or not told or not all(told):
        return error.message
    head, separator, _ = error.message.partition(" is invalid: ")
    return (head + separator if separator else "") + "; ".join(told)


def advice(body: Mapping[str, Any], error: ApiError) -> str:
    """Return what to do about a refusal, with the separator in front, or nothing."""
    text = error.message
    if error.status == 409:
        return _about_conflict(body, text)
    if "managedFields must be nil" in text:
        return f"; remove {_fields(body, ('managedFields',))} from the manifest"
    if _IMMUTABLE in text:
        return "; deploy it under another name, or delete the object first"
    return ""


def _about_conflict(body: Mapping[str, Any], text: str) -> str:
    metadata = body.get("metadata") or {}
    if any(metadata.get(key) for key in _PRECONDITIONS):
        return (
            f"; remove {_fields(body, _PRECONDITIONS)} from the manifest: it was exported from a "
            f"cluster, and asks for the object as it was then"
        )
    if "conflict with" in text:
        return '; set ForceConflicts to "true" to take these fields over'
    if "being deleted" in text:
        return "; deploy again when the object is gone"
    return "; the object was changed at the same time; run the deploy again"


def _fields(body: Mapping[str, Any], wanted: tuple[str, ...]) -> str:
    """Return the fields that only the server writes, those that matter first."""
    metadata = body.get("metadata") or {}
    others = [key for key in (*_PRECONDITIONS, *_EXPORTED) if key not in wanted]
    named = [f"metadata.{key}" for key in (*wanted, *others) if metadata.get(key)]
    return ", ".join([*named, *(["status"] if body.get("status") else [])])


def _cause(cause: Mapping[str, Any]) -> str:
    field, message = str(cause.get("field") or ""), str(cause.get("message") or "")
    if len(message) > _DUMP and message.startswith(_INVALID):
        message = message.rpartition(": ")[2]
    return f"{field}: {message}" if field and message else message
