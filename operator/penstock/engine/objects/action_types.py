"""Custom actions: finds the ActionType of an action, and its declaration (P-80).

A namespace's own ActionType comes before a cluster-wide one of the same category, provider and
version: what an administrator adds later never takes over the actions, and the Secrets, of a
namespace that has its own.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import ValidationError

from penstock.actions.custom.declaration import FOLDER, OWNER, declaration_from, template_problem
from penstock.actions.declaration import (
    ArtifactBounds,
    Configuration,
    Declaration,
    OnLostPod,
    declaration_of,
)
from penstock.api.kinds.action_type import ActionTypeSpec
from penstock.api.kinds.pipeline import Action, ActionTypeId
from penstock.api.meta import ACTION_TYPE, CLUSTER_ACTION_TYPE
from penstock.api.text import shorten
from penstock.engine.lazy import lazy

DATA = "actionType"
"""The key of a ControllerRevision's data that holds an ActionType."""
_VERSION = "1"


class ActionTypeError(LookupError):
    """An action names no ActionType that can be used; the message says what to do."""


@dataclass(frozen=True)
class ActionTypeObject:
    """An ActionType as it is now. ``spec`` is None if unreadable; ``unreadable`` says why."""

    kind: Literal["ActionType", "ClusterActionType"]
    name: str
    uid: str
    generation: int
    spec: ActionTypeSpec | None
    unreadable: str = ""

    @lazy
    def declaration(self) -> Declaration | None:
        """What it declares, None where it cannot be read."""
        return declaration_from(self.spec) if self.spec else None

    @lazy
    def problem(self) -> str:
        """What is wrong with it, an empty text if nothing is."""
        return template_problem(self.spec) if self.spec else self.unreadable

    def is_named(self, type_id: ActionTypeId) -> bool:
        """Whether an actionTypeId names it; a version that is left out is 1."""
        wanted = (type_id.category, type_id.provider, type_id.version or _VERSION)
        return (
            self.spec is not None
            and (self.spec.category, self.spec.provider, self.spec.version) == wanted
        )


@dataclass(frozen=True, slots=True)
class ActionTypes:
    """The ActionTypes that a namespace sees: its own, and the cluster's."""

    objects: tuple[ActionTypeObject, ...] = ()

    def find(self, type_id: ActionTypeId) -> tuple[ActionTypeObject, Declaration]:
        """Return an action's ActionType; raise ActionTypeError if there is none, or several."""
        named = [item for item in self.objects if item.is_named(type_id)]
        for kind in (ACTION_TYPE, CLUSTER_ACTION_TYPE):
            found = [item for item in named if item.kind == kind]
            if len(found) > 1:
                names = ", ".join(sorted(item.name for item in found))
                raise ActionTypeError(
                    f"several of kind {kind} are {_text(type_id)}: {names}; keep one"
                )
            # A broken ActionType of the namespace does not give way to the cluster's.
            if found and found[0].problem:
                raise ActionTypeError(f"{kind} {found[0].name}: {found[0].problem}")
            if found and found[0].declaration:
                return found[0], found[0].declaration
        raise ActionTypeError(f"there is no ActionType {_text(type_id)}; {self._known()}")

    def declaration(self, type_id: ActionTypeId) -> Declaration | None:
        """Return the declaration of any action, None where nothing that can be used is named."""
        if type_id.owner != OWNER:
            return declaration_of(type_id)
        try:
            return self.find(type_id)[1]
        except ActionTypeError:
            return None

    def _known(self) -> str:
        names = sorted({_text_of(item.spec) for item in self.objects if item.spec})
        broken = [
            f"{item.kind} {item.name} cannot be read: {item.unreadable}"
            for item in self.objects
            if not item.spec
        ]
        return shorten(
            "; ".join(
                [f"there are {', '.join(names)}" if names else "there is none at all", *broken]
            ),
            500,
        )


NO_TYPES = ActionTypes()


def is_custom(action: Action) -> bool:
    """Whether an action is of an ActionType."""
    return action.action_type_id.owner == OWNER


def unknown(type_id: ActionTypeId) -> Declaration:
    """Return what is taken for granted of a try whose frozen ActionType is gone."""
    nothing = ArtifactBounds(0, 0)
    return Declaration(
        category=type_id.category,
        owner=OWNER,
        provider=type_id.provider,
        folder=FOLDER,
        configuration=Configuration,
        inputs=nothing,
        outputs=nothing,
        # Nothing is left that says whether it may run twice.
        on_lost_pod=OnLostPod.FAIL,
        timeout_s=86_400,
        is_type_lost=True,
    )


def thaw_type(data: Mapping[str, Any]) -> Declaration | None:
    """Return the declaration of a ControllerRevision's ActionType, or None if unreadable.

    None also if it holds no ActionType.
    """
    try:
        return declaration_from(ActionTypeSpec.model_validate(data[DATA]))
    except (KeyError, ValidationError):
        return None


def types_of(objects: Iterable[ActionTypeObject]) -> ActionTypes:
    """Return the ActionTypes of a namespace, always in the same order."""
    return ActionTypes(tuple(sorted(objects, key=lambda item: (item.kind, item.name))))


def _text(type_id: ActionTypeId) -> str:
    return f"{type_id.category} / {OWNER} / {type_id.provider} / {type_id.version or _VERSION}"


def _text_of(spec: ActionTypeSpec) -> str:
    return f"{spec.category} / {OWNER} / {spec.provider} / {spec.version}"
