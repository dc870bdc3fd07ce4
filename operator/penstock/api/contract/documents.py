"""How contracts become JSON documents and come back, on the standard library alone.

A contract is a named tuple; its document has camelCase keys and leaves out what stands at its
default. A reader refuses what it does not know (`ContractError`) rather than guess.
"""

import base64
import json
import types
import typing
import zlib
from collections.abc import Mapping
from functools import cache
from typing import Any

COMPRESSED = "z:"
_MISSING = object()


class ContractError(ValueError):
    """The document is no request or result of a known version; the message names the key."""


def compress(text: str) -> str:
    """Return ``z:`` and the base64 of the deflated text."""
    return COMPRESSED + base64.b64encode(zlib.compress(text.encode(), 9)).decode()


def decompress(text: str, limit: int = 4 * 1024 * 1024) -> str:
    """Undo `compress`, reading at most ``limit`` bytes; text without the prefix stays as it is."""
    if not text.startswith(COMPRESSED):
        return text
    inflater = zlib.decompressobj()
    data = inflater.decompress(base64.b64decode(text[len(COMPRESSED) :], validate=True), limit)
    if inflater.unconsumed_tail:
        raise ContractError(f"the document is longer than {limit} bytes")
    return data.decode()


def to_document(value: Any) -> Any:
    """Turn a contract into plain JSON values: camelCase keys, fields at their default left out."""
    if hasattr(value, "_fields"):
        fields = zip(value, _fields(value.__class__), strict=True)
        return {key: to_document(item) for item, (_, key, default, _) in fields if item != default}
    if isinstance(value, tuple | list):
        return [to_document(item) for item in value]
    if isinstance(value, Mapping):
        return dict(value)
    return value


def decode(cls: type[Any], text: str, version: int) -> Any:
    """Return a text's contract; raise ContractError for any other class or version."""
    try:
        document = json.loads(decompress(text))
        if not isinstance(document, dict) or document.get("version") != version:
            raise ContractError(f"{cls.__name__}.version is not {version}")
        return _from_document(cls, document, cls.__name__)
    except ContractError:
        raise
    except (ValueError, zlib.error, RecursionError) as error:
        raise ContractError(f"not a {cls.__name__}: {error}") from error


def _from_document(kind: Any, document: Any, path: str) -> Any:
    origin = typing.get_origin(kind)
    if origin in (types.UnionType, typing.Union):
        if document is None:
            return None
        # No contract has a union but that of one type and None.
        kind = next(arg for arg in typing.get_args(kind) if arg is not type(None))
        return _from_document(kind, document, path)
    if hasattr(kind, "_fields"):
        return _object(kind, document, path)
    if origin is tuple:
        _expect(isinstance(document, list), path)
        return tuple(_from_document(typing.get_args(kind)[0], item, path) for item in document)
    if origin is not None:
        _expect(
            isinstance(document, dict) and all(isinstance(v, str) for v in document.values()), path
        )
        return dict(document)
    if kind is float and isinstance(document, int):
        return float(document)
    # To Python a boolean is an int as well.
    _expect(isinstance(document, kind) and not (kind is int and isinstance(document, bool)), path)
    return document


def _object(kind: Any, document: Any, path: str) -> Any:
    _expect(isinstance(document, dict), path)
    values: dict[str, Any] = {}
    for name, key, default, annotation in _fields(kind):
        if key in document:
            values[name] = _from_document(annotation, document[key], f"{path}.{key}")
        else:
            _expect(default is not _MISSING, f"{path}.{key}")
    return kind(**values)


def _expect(condition: bool, path: str) -> None:
    if not condition:
        raise ContractError(f"{path} is missing or of the wrong type")


@cache
def _fields(kind: Any) -> tuple[tuple[str, str, Any, Any], ...]:
    """Name, JSON key, default and type of each field."""
    defaults, types_ = kind._field_defaults, kind.__annotations__
    return tuple(
        (name, _camel(name), defaults.get(name, _MISSING), types_[name]) for name in kind._fields
    )


def _camel(name: str) -> str:
    head, *rest = name.rstrip("_").split("_")
    return head + "".join(word.capitalize() for word in rest)
