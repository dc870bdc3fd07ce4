"""The two documents that operator and agent exchange: ActionRequest and ActionResult.

Named tuples on the standard library alone: every action pays for the agent's
start, so the agent must import neither pydantic nor dataclasses (ADR 8). Both
documents are JSON objects with camelCase keys and a ``version``; a reader
refuses a version it does not know (`ContractError`) rather than guess.
"""

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple, Self

from penstock.api.contract.documents import ContractError as ContractError
from penstock.api.contract.documents import compress, decode, to_document

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

# Annotations of an object have 256 KiB together; a buildspec of that size compresses to a tenth.
COMPRESS_REQUEST_ABOVE = 32 * 1024
# What the kubelet keeps of a container's termination message.
TERMINATION_MESSAGE_BYTES = 4096
DUPLICATE = "DuplicateExecution"
"""The code of an agent that found its try claimed by another, and did nothing."""

NOTHING: Mapping[str, str] = MappingProxyType({})


class StoreLocation(NamedTuple):
    """An artifact store. ``credentials`` is a folder with the files accessKeyId, secretAccessKey.

    With ``folder`` it is a volume mounted there, and ``bucket`` its claim's name. ``kms_key`` is
    the key of AWS KMS with which objects are encrypted, the bucket's own way if None.
    """

    bucket: str
    endpoint: str | None = None
    region: str | None = None
    credentials: str | None = None
    prefix: str = ""
    folder: str | None = None
    kms_key: str | None = None


class Attempt(NamedTuple):
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


class ArtifactLocation(NamedTuple):
    """A stored artifact: key within the store, size in bytes, sha256 in hex, format.

    The format is tar.zst or zip.
    """

    name: str
    key: str
    size: int
    sha256: str
    format: str = "tar.zst"


class ArtifactOrder(NamedTuple):
    """An artifact to produce. ``files`` are globs below the source folder; empty means all."""

    name: str
    files: tuple[str, ...] = ()
    format: str = "tar.zst"


class ScriptCommand(NamedTuple):
    """One command of a script.

    ``text`` is as the user wrote it, and the log shows it. ``code`` is as the shell reads it.
    """

    text: str
    code: str


class Script(NamedTuple):
    """The work of the action container: commands in one shell, their values, the environment."""

    commands: tuple[ScriptCommand, ...]
    values: Mapping[str, str] = NOTHING
    environment: Mapping[str, str] = NOTHING
    output_variables: tuple[str, ...] = ()


class Build(NamedTuple):
    """A BuildProject resolved for one action. ``overrides`` are the action's own variables (B-13).

    ``source_revision`` is what the primary source pinned, empty for one that no source action made;
    ``started_ms`` is when the try was started, in milliseconds of Unix time. ``region`` is the
    action's, else the installation's, empty where none is known.
    """

    project: str
    image: str
    buildspec: str = ""
    environment: Mapping[str, str] = NOTHING
    overrides: Mapping[str, str] = NOTHING
    source_revision: str = ""
    started_ms: int = 0
    region: str = ""


class AwsAccess(NamedTuple):
    """The target of an action's AWS calls, and a chain of roles: each assumes the next."""

    region: str | None = None
    endpoint: str | None = None
    role_arns: tuple[str, ...] = ()


class ConnectionAccess(NamedTuple):
    """A Connection as resolved for one action: its name, its providerType, the host's address."""

    name: str
    provider_type: str
    endpoint: str


class Custom(NamedTuple):
    """An ActionType as resolved for one action: commands, environment, links with their values.

    ``{ExternalExecutionId}`` is left in links: only the action knows it.
    """

    name: str
    commands: tuple[str, ...]
    environment: Mapping[str, str] = NOTHING
    secrets: Mapping[str, str] = NOTHING
    entity_url: str = ""
    execution_url: str = ""
    revision_url: str = ""


class Limits(NamedTuple):
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


class ActionRequest(NamedTuple):
    """Everything one try of an action needs, resolved: folders of secrets, but never a secret."""

    version: int
    attempt: Attempt
    provider: str
    store: StoreLocation
    configuration: Mapping[str, str] = NOTHING
    inputs: tuple[ArtifactLocation, ...] = ()
    outputs: tuple[ArtifactOrder, ...] = ()
    script: Script | None = None
    build: Build | None = None
    aws: AwsAccess | None = None
    custom: Custom | None = None
    connection: ConnectionAccess | None = None
    revision: str | None = None
    ref: str = ""
    secrets: Mapping[str, str] = NOTHING
    limits: Limits = Limits()

    def encode(self) -> str:
        """Return the annotation's value: JSON, compressed (``z:`` + base64) when it is long."""
        text = _json_of(self)
        return compress(text) if len(text.encode()) > COMPRESS_REQUEST_ABOVE else text

    @classmethod
    def decode(cls, text: str) -> Self:
        """Read an annotation's value; raise ContractError when it is none of ours."""
        request: Self = decode(cls, text, REQUEST_VERSION)
        return request


class Revision(NamedTuple):
    """The revision that a source action pinned (X-29): id, summary (X-87), page, creation time."""

    id: str
    summary: str = ""
    url: str = ""
    created: str = ""


class FailedCase(NamedTuple):
    """A test that failed. ``suite`` is its class or suite, ``name`` its own name.

    ``message`` is cut to fit.
    """

    suite: str
    name: str
    message: str = ""


class SuiteReport(NamedTuple):
    """A report group (B-50): counts of test cases, first failures, key of the whole report."""

    name: str
    total: int
    passed: int = 0
    failed: int = 0
    errors: int = 0
    skipped: int = 0
    duration_seconds: float | None = None
    failed_tests: tuple[FailedCase, ...] = ()
    key: str = ""


class ActionResult(NamedTuple):
    """The report of the agent. ``status`` is Succeeded, Failed, or Lost.

    If it is Lost, ``code`` says whether anything was done.
    """

    version: int
    status: str
    pod_uid: str = ""
    code: str = ""
    message: str = ""
    exit_code: int | None = None
    outputs: tuple[ArtifactLocation, ...] = ()
    variables: Mapping[str, str] = NOTHING
    revision: Revision | None = None
    external_execution_id: str = ""
    external_execution_url: str = ""
    summary: str = ""
    log: str = ""
    reports: tuple[SuiteReport, ...] = ()
    percent_complete: int | None = None

    def encode(self, budget: int = TERMINATION_MESSAGE_BYTES) -> str | None:
        """Return the termination message, or None if it is too long even when compressed.

        It is compressed if it is longer than ``budget`` bytes.
        """
        text = _json_of(self)
        if len(text.encode()) <= budget:
            return text
        text = compress(text)
        return text if len(text) <= budget else None

    @classmethod
    def decode(cls, text: str) -> Self:
        """Read a termination message; raise ContractError if it is not one of ours.

        That happens after a crash.
        """
        result: Self = decode(cls, text, RESULT_VERSION)
        return result


def _json_of(document: ActionRequest | ActionResult) -> str:
    """Return a document as JSON; half a surrogate pair (no Unicode) becomes a question mark."""
    text = json.dumps(to_document(document), separators=(",", ":"), ensure_ascii=False)
    return text.encode("utf-8", "replace").decode()
