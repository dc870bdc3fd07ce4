"""ApplySets (KEP-3659): tell which objects were applied together, to find those no longer wanted.

Pure: names, labels and annotations. Every member carries the set's id as a label; the parent object
carries the kinds and namespaces in which members may stand.
"""

import base64
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

from penstock.actions.kubernetes.live.objects import ObjectIdentity

TOOLING = "penstock/v1alpha1"
ID_LABEL = "applyset.kubernetes.io/id"
MEMBER_LABEL = "applyset.kubernetes.io/part-of"
TOOLING_ANNOTATION = "applyset.kubernetes.io/tooling"
KINDS_ANNOTATION = "applyset.kubernetes.io/contains-group-kinds"
NAMESPACES_ANNOTATION = "applyset.kubernetes.io/additional-namespaces"


def applyset_id(name: str, namespace: str, kind: str = "Secret", group: str = "") -> str:
    """Return the id of the set with this parent, as the specification computes it."""
    digest = hashlib.sha256(f"{name}.{namespace}.{kind}.{group}".encode()).digest()
    return f"applyset-{base64.urlsafe_b64encode(digest).decode().rstrip('=')}-v1"


@dataclass(frozen=True, slots=True)
class Scope:
    """Where members may be: kinds as ``Kind.group``, and namespaces other than the parent's."""

    group_kinds: frozenset[str] = frozenset()
    namespaces: frozenset[str] = frozenset()

    @classmethod
    def of(cls, identities: Iterable[ObjectIdentity], home: str) -> Self:
        """Return what these objects reach."""
        identities = list(identities)
        namespaces = {identity.namespace for identity in identities} - {"", home}
        return cls(frozenset(identity.group_kind for identity in identities), frozenset(namespaces))

    @classmethod
    def read(cls, annotations: Mapping[str, str]) -> Self:
        """Read a parent's annotations."""
        return cls(
            _words(annotations.get(KINDS_ANNOTATION)),
            _words(annotations.get(NAMESPACES_ANNOTATION)),
        )

    def __or__(self, other: "Scope") -> "Scope":
        return Scope(self.group_kinds | other.group_kinds, self.namespaces | other.namespaces)

    def annotations(self) -> dict[str, str]:
        """Return the parent's annotations."""
        return {
            TOOLING_ANNOTATION: TOOLING,
            KINDS_ANNOTATION: ",".join(sorted(self.group_kinds)),
            NAMESPACES_ANNOTATION: ",".join(sorted(self.namespaces)),
        }


def as_member(body: dict[str, Any], set_id: str) -> dict[str, Any]:
    """Return the object with the label of its set; the given one is left as it is."""
    metadata = body["metadata"]
    labels = {**(metadata.get("labels") or {}), MEMBER_LABEL: set_id}
    return {**body, "metadata": {**metadata, "labels": labels}}


def set_of(item: Mapping[str, Any] | None) -> str:
    """Return the id of the set that an object belongs to, or nothing."""
    metadata = (item or {}).get("metadata") or {}
    return str((metadata.get("labels") or {}).get(MEMBER_LABEL) or "")


def is_ours(annotations: Mapping[str, str]) -> bool:
    """Whether a parent was written by this program, whatever its version."""
    return annotations.get(TOOLING_ANNOTATION, "").partition("/")[0] == TOOLING.partition("/")[0]


def _words(text: str | None) -> frozenset[str]:
    return frozenset(word for word in (text or "").split(",") if word)
