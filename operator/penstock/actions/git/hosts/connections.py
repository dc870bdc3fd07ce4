"""Finds the Connection that a ConnectionArn means, for the operator and for the poller."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from penstock.api.kinds.connection import ConnectionSpec
from penstock.api.meta import ANNOTATION_ARN

_DNS_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?")


class NoConnectionError(LookupError):
    """A ConnectionArn means no Connection that can be used; the message says what to do."""


@dataclass(frozen=True, slots=True)
class ConnectionObject:
    """A Connection as it is now. ``spec`` is None if unreadable; ``unreadable`` says why.

    ``arns`` are those of definitions that it says it stands for.
    """

    name: str
    uid: str
    generation: int
    spec: ConnectionSpec | None
    unreadable: str = ""
    arns: frozenset[str] = frozenset()


def connection_object(
    meta: Mapping[str, Any], spec: ConnectionSpec | None, unreadable: str
) -> ConnectionObject:
    """Return a Connection by its metadata and its spec, or why that cannot be read."""
    arns = {spec.arn if spec else None, (meta.get("annotations") or {}).get(ANNOTATION_ARN)}
    if spec and not spec.address:
        unreadable, spec = f"spec.endpoint is needed for a {spec.provider_type}", None
    return ConnectionObject(
        meta["name"],
        meta["uid"],
        meta["generation"],
        spec,
        unreadable,
        frozenset(arn for arn in arns if isinstance(arn, str)),
    )


def find(
    connections: Iterable[ConnectionObject], arn: str
) -> tuple[ConnectionObject, ConnectionSpec]:
    """Return the Connection that says it is the ARN, else the one named as the ARN ends.

    Raise NoConnectionError if there is none, or several.
    """
    found = _meant(connections, arn)
    if len(found) > 1:
        names = ", ".join(sorted(item.name for item in found))
        raise NoConnectionError(f"the Connections {names} all say that they are {arn}: keep one")
    if not found:
        raise NoConnectionError(f"there is no Connection for {arn}; {_way_out(arn)}")
    (connection,) = found
    if connection.spec is None:
        raise NoConnectionError(f"Connection {connection.name}: {connection.unreadable}")
    return connection, connection.spec


def is_known(connections: Iterable[ConnectionObject], arn: str) -> bool:
    """Return whether a Connection is the ARN, or is named as it ends."""
    return bool(_meant(connections, arn))


def _meant(connections: Iterable[ConnectionObject], arn: str) -> list[ConnectionObject]:
    known = list(connections)
    by_arn = [item for item in known if arn in item.arns]
    return by_arn or [item for item in known if item.name == _last_part(arn)]


def _last_part(arn: str) -> str:
    return arn.rpartition("/")[2]


def _way_out(arn: str) -> str:
    """Return the lines to apply: as YAML in one line each, since a message is one line."""
    name = _last_part(arn)
    is_name = bool(_DNS_NAME.fullmatch(name))
    spec = "{providerType: GitHub, credentialsSecret: github" + (
        "}" if is_name else f", arn: '{arn}'" + "}"
    )
    return (
        "apply one in the Pipeline's namespace, and a Secret github with the key token: "
        f"{{apiVersion: penstock.dev/v1alpha1, kind: Connection, "
        f"metadata: {{name: {name if is_name else 'github'}}}, spec: {spec}}}"
    )
