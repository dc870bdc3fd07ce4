"""The two documents that operator and agent exchange: ActionRequest and ActionResult.

Frozen dataclasses on the standard library alone: every action pays for the agent's start, so the agent
must not import pydantic. Both documents are JSON objects with camelCase keys and a ``version``; a reader
refuses a version it does not know (`ContractError`) rather than guess.
"""

import base64
import dataclasses
import json
import types
import typing
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Self

REQUEST_VERSION = 1
RESULT_VERSION = 1

REQUEST_ANNOTATION = "penstock.dev/request"
NOT_AFTER_ANNOTATION = "penstock.dev/not-after"

# Where things stand in an action's pod.
CONTROL_DIR = "/penstock/control"
REQUEST_FILE = "/penstock/pod/request"
NOT_AFTER_FILE = "/penstock/pod/not-after"
SECRETS_DIR = "/penstock/secrets"
STORE_DIR = "/penstock/store"
WORKSPACE_DIR = "/workspace"
AGENT_CONTAINER = "agent"
ACTION_CONTAINER = "action"

COMPRESS_REQUEST_ABOVE = 32 * 1024
TERMINATION_MESSAGE_BYTES = 4096
COMPRESSED = "z:"


class ContractError(ValueError):
    """A document that is not a request or a result of a version we know; the message names the key."""


@dataclass(frozen=True, slots=True)
class StoreLocation:
    """An artifact store. ``credentials`` names a folder with the files accessKeyId and secretAccessKey.

    With ``folder`` it is a volume mounted there, and ``bucket`` its claim's name.
    """

    bucket: str
    endpoint: str | None = None
    region: str | None = None
    credentials: str | None = None
    prefix: str = ""
    folder: str | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """Who this Job is: enough to claim it, to name its artifacts, and to tell a user about it."""

    namespace: str
    pipeline: str
    pipeline_uid: str
    run: str
    run_uid: str
    stage: str
    action: str
    attempt: int
    try_: int


@dataclass(frozen=True, slots=True)
class ArtifactLocation:
    """A stored artifact: key within the store, size in bytes, sha256 in hex, format tar.zst or zip."""

    name: str
    key: str
    size: int
    sha256: str
    format: str = "tar.zst"


@dataclass(frozen=True, slots=True)
class ArtifactOrder:
    """An artifact to produce: ``files`` are globs below the source folder; none means everything."""

    name: str
    files: tuple[str, ...] = ()
    format: str = "tar.zst"


@dataclass(frozen=True, slots=True)
class Command:
    """One command: ``text`` as the user wrote it (shown in the log), ``code`` as the shell reads it."""

    text: str
    code: str


@dataclass(frozen=True, slots=True)
class Script:
    """What the action container runs: commands in one shell, the values they refer to, its environment."""

    commands: tuple[Command, ...]
    values: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    output_variables: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Build:
    """A BuildProject as resolved for one action: ``overrides`` are the action's own variables (B-13)."""

    project: str
    image: str
    buildspec: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    overrides: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on one action. Times in seconds, sizes in bytes; each is a setting of the operator."""

    timeout_s: float = 3300.0
    grace_s: float = 10.0
    kill_s: float = 5.0
    store_timeout_s: float = 30.0
    connect_s: float = 30.0
    log_bytes: int = 64 * 1024 * 1024
    log_drain_s: float = 2.0
    artifact_bytes: int = 7 * 1024**3
    artifact_entries: int = 1_000_000
    artifact_ratio: int = 1000
    variables_bytes: int = 122_880


@dataclass(frozen=True, slots=True)
class ActionRequest:
    """Everything one try of an action needs, resolved; it never holds a secret, only folders of secrets."""

    version: int
    attempt: Attempt
    provider: str
    store: StoreLocation
    configuration: Mapping[str, str] = field(default_factory=dict)
    inputs: tuple[ArtifactLocation, ...] = ()
    outputs: tuple[ArtifactOrder, ...] = ()
    script: Script | None = None
    build: Build | None = None
    revision: str | None = None
    secrets: Mapping[str, str] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)

    def encode(self) -> str:
        """Return the annotation's value: JSON, compressed (``z:`` + base64) when it is long."""
        text = json.dumps(to_document(self), separators=(",", ":"), ensure_ascii=False)
        return compress(text) if len(text.encode()) > COMPRESS_REQUEST_ABOVE else text

    @classmethod
    def decode(cls, text: str) -> Self:
        """Read an annotation's value; raise ContractError when it is none of ours."""
        request: Self = _decode(cls, text, REQUEST_VERSION)
        return request


@dataclass(frozen=True, slots=True)
class Revision:
    """What a source action pinned (X-29): an id, its summary (X-87), a page about it, when it was made."""

    id: str
    summary: str = ""
    url: str = ""
    created: str = ""


@dataclass(frozen=True, slots=True)
class ActionResult:
    """What the agent reports. ``status`` is Succeeded, Failed, or Lost: ``code`` says whether anything was done."""

    version: int
    status: str
    pod_uid: str = ""
    code: str = ""
    message: str = ""
    exit_code: int | None = None
    outputs: tuple[ArtifactLocation, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
    revision: Revision | None = None
    external_execution_id: str = ""
    external_execution_url: str = ""
    summary: str = ""
    log: str = ""

    def encode(self, budget: int = TERMINATION_MESSAGE_BYTES) -> str | None:
        """Return the termination message, compressed when longer than ``budget`` bytes; None if still too long."""
        text = json.dumps(to_document(self), separators=(",", ":"), ensure_ascii=False)
        if len(text.encode()) <= budget:
            return text
        text = compress(text)
        return text if len(text) <= budget else None

    @classmethod
    def decode(cls, text: str) -> Self:
        """Read a termination message; raise ContractError when it is none of ours, as after a crash."""
        result: Self = _decode(cls, text, RESULT_VERSION)
        return result


def compress(text: str) -> str:
    """Return ``z:`` and the base64 of the deflated text."""
    return COMPRESSED + base64.b64encode(zlib.compress(text.encode(), 9)).decode()


def decompress(text: str, limit: int = 4 * 1024 * 1024) -> str:
    """Undo `compress`, reading at most ``limit`` bytes; a text without the prefix is returned as it is."""
    if not text.startswith(COMPRESSED):
        return text
    inflater = zlib.decompressobj()
    data = inflater.decompress(base64.b64decode(text[len(COMPRESSED) :], validate=True), limit)
    if inflater.unconsumed_tail:
        raise ContractError(f"the document is longer than {limit} bytes")
    return data.decode()


def to_document(value: Any) -> Any:
    """Turn a contract into plain JSON values: camelCase keys, fields at their default left out."""
    if dataclasses.is_dataclass(value):
        return {
            key: to_document(item)
            for name, key, default, _ in _fields(value.__class__)
            if (item := getattr(value, name)) != default
        }
    if isinstance(value, tuple | list):
        return [to_document(item) for item in value]
    if isinstance(value, Mapping):
        return dict(value)
    return value


def _decode(cls: type[Any], text: str, version: int) -> Any:
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
        kind = next(arg for arg in typing.get_args(kind) if arg is not type(None))
        return _from_document(kind, document, path)
    if dataclasses.is_dataclass(kind):
        return _object(kind, document, path)
    if origin is tuple:
        _expect(isinstance(document, list), path)
        return tuple(_from_document(typing.get_args(kind)[0], item, path) for item in document)
    if origin is not None:
        _expect(isinstance(document, dict) and all(isinstance(v, str) for v in document.values()), path)
        return dict(document)
    if kind is float and isinstance(document, int):
        return float(document)
    _expect(isinstance(document, kind) and not (kind is int and isinstance(document, bool)), path)
    return document


def _object(kind: Any, document: Any, path: str) -> Any:
    _expect(isinstance(document, dict), path)
    values: dict[str, Any] = {}
    for name, key, default, annotation in _fields(kind):
        if key in document:
            values[name] = _from_document(annotation, document[key], f"{path}.{key}")
        else:
            _expect(default is not dataclasses.MISSING, f"{path}.{key}")
    return kind(**values)


def _expect(condition: bool, path: str) -> None:
    if not condition:
        raise ContractError(f"{path} is missing or of the wrong type")


@cache
def _fields(kind: Any) -> tuple[tuple[str, str, Any, Any], ...]:
    """Name, JSON key, default and type of each field; computed once per class, as `get_type_hints` is slow."""
    hints = typing.get_type_hints(kind)
    return tuple((f.name, _camel(f.name), _default(f), hints[f.name]) for f in dataclasses.fields(kind))


def _default(item: "dataclasses.Field[Any]") -> Any:
    if item.default_factory is not dataclasses.MISSING:
        return item.default_factory()
    return item.default


def _camel(name: str) -> str:
    head, *rest = name.rstrip("_").split("_")
    return head + "".join(word.capitalize() for word in rest)
