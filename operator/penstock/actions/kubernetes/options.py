"""What one deploy is told to do: its configuration, read once."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from penstock.api.contract.contracts import Attempt
from penstock.api.names import child_name

KEPT_KINDS = frozenset({"Namespace", "CustomResourceDefinition", "PersistentVolumeClaim"})
"""Kinds whose deletion takes more than the object with it; pruned only if PruneKinds names them."""
# TimeoutInMinutes, if the action says nothing.
_MINUTES = 10.0


@dataclass(frozen=True, slots=True)
class Options:
    """Options; ``target`` is the configured namespace or nothing, ``namespace`` the one used."""

    target: str
    namespace: str
    applyset: str
    force: bool
    prune: bool
    kept_kinds: frozenset[str]
    rollback: bool
    dry_run: bool
    timeout_s: float

    @classmethod
    def of(cls, configuration: Mapping[str, str], attempt: Attempt) -> Self:
        """Read a configuration that the declaration has accepted."""
        target = configuration.get("Namespace", "")
        return cls(
            target=target,
            namespace=target or attempt.namespace,
            applyset=configuration.get("ApplySet") or default_applyset(attempt),
            force=configuration.get("ForceConflicts") == "true",
            prune=configuration.get("Prune", "true") == "true",
            kept_kinds=KEPT_KINDS - set(listed(configuration.get("PruneKinds", ""))),
            rollback=configuration.get("RollbackOnFailure") == "true",
            dry_run=configuration.get("DryRun") == "true",
            timeout_s=60 * float(configuration.get("TimeoutInMinutes") or _MINUTES),
        )

    @property
    def has_parent(self) -> bool:
        """Whether anything is remembered in the target namespace between deploys."""
        return self.prune or self.rollback


def default_applyset(attempt: Attempt) -> str:
    """Return the parent's name, from names alone: a pipeline made anew keeps its objects."""
    identity = (attempt.namespace, attempt.pipeline, attempt.stage, attempt.action)
    return "penstock-" + child_name(f"{attempt.pipeline}-{attempt.action}", *identity)


def listed(text: str) -> list[str]:
    """Return the words of a list that is separated by commas."""
    return [word.strip() for word in text.split(",") if word.strip()]
