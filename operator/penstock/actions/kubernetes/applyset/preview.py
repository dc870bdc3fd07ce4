"""Tries every object on the server before the first write, and tells what would change.

What the set itself brings cannot be tried by others yet: objects in its new namespaces, of its new
or changed kinds, and those that the server refuses only because another new object is missing. They
are named in the log.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from penstock.actions.execution import CONFIGURATION_ERROR, ActionError
from penstock.actions.kubernetes.applyset.applying import apply
from penstock.actions.kubernetes.applyset.diff import changes
from penstock.actions.kubernetes.applyset.members import set_of
from penstock.actions.kubernetes.applyset.parent import Parent
from penstock.actions.kubernetes.live.objects import DEFINITION, Target, refused
from penstock.actions.kubernetes.live.server import ApiError
from penstock.actions.kubernetes.live.session import Session

CREATED, CHANGED, UNCHANGED, UNTRIED, PRUNED = (
    "to create",
    "to change",
    "unchanged",
    "not tried",
    "to prune",
)
_MISSING = re.compile(r'"([^"]+)" not found|with name (\S+) was found')
_NO_DRY_RUN = "does not support dry run"
# Lines of a log for all objects together.
_LINES = 400


@dataclass(slots=True)
class Preview:
    """A deploy's plan: ``counts`` of objects by what happens to them, and lines for people."""

    counts: Counter[str] = field(default_factory=Counter)
    lines: list[str] = field(default_factory=list)

    def say(self, session: Session) -> None:
        """Write it to the log."""
        unchanged = self.counts[UNCHANGED]
        lines = self.lines if len(self.lines) <= _LINES else [*self.lines[:_LINES], "(and more)"]
        for line in ["changes:", *(f"  {line}" for line in lines)]:
            session.log(line)
        if unchanged:
            session.log(f"  = {unchanged} unchanged")


def refuse_members_of_others(session: Session, items: Sequence[Target], parent: Parent) -> None:
    """Refuse objects of another ApplySet unless they are to be taken over."""
    for item in items:
        other = set_of(item.live)
        if other not in ("", parent.id) and not session.options.force:
            raise ActionError(
                CONFIGURATION_ERROR,
                f"{item.manifest.place}: {item.title} belongs to another ApplySet, "
                f"{parent.name_of(other)}; "
                'deploy it from one place, or set ForceConflicts to "true" to take it over',
            )


def try_all(session: Session, items: Sequence[Target], set_id: str) -> Preview:
    """Apply every object as a dry run; raise the ActionError that the deploy would end with."""
    preview = Preview()
    coming = {item.manifest.name for item in items if item.live is None}
    namespaces = {
        item.manifest.name
        for item in items
        if item.manifest.kind == "Namespace" and item.live is None
    }
    kinds: set[tuple[str, str]] = set()
    for item in items:
        what, details = UNTRIED, ["its namespace comes with this deploy"]
        if not item.is_defined or (item.identity.group, item.manifest.kind) in kinds:
            details = ["its kind comes with this deploy"]
        elif item.namespace not in namespaces:
            what, details = _try(session, item, set_id, coming)
        # Until the deploy the server judges objects of this kind by the old definition.
        if item.manifest.kind == DEFINITION and what != UNCHANGED:
            kinds.add(_defined_kind(item))
        _note(preview, item, what, details, session.options.namespace)
    return preview


def _try(session: Session, item: Target, set_id: str, coming: set[str]) -> tuple[str, list[str]]:
    try:
        promised = apply(session, item, set_id, force=session.options.force, is_dry=True)
    except ApiError as error:
        if _NO_DRY_RUN in error.message:
            return UNTRIED, [error.message]
        missing = _MISSING.search(error.message)
        if missing and (missing[1] or missing[2]) in coming - {item.manifest.name}:
            return UNTRIED, [f"{missing[1] or missing[2]} comes with this deploy"]
        raise refused(item, error) from error
    if item.live is None:
        return CREATED, []
    lines = changes(item.live, promised)
    return (CHANGED, lines) if lines else (UNCHANGED, [])


def _defined_kind(item: Target) -> tuple[str, str]:
    spec = item.manifest.body.get("spec")
    names = spec.get("names") if isinstance(spec, dict) else None
    return (
        (str(spec.get("group")), str(names.get("kind")))
        if isinstance(spec, dict) and isinstance(names, dict)
        else ("", "")
    )


def _note(preview: Preview, item: Target, what: str, details: list[str], home: str) -> None:
    name = item.identity.named(home)
    preview.counts[what] += 1
    if what == CREATED:
        preview.lines.append(f"+ {name}")
    elif what == UNTRIED:
        preview.lines.append(
            f"{'+' if item.live is None else '~'} {name} (not tried first: {details[0]})"
        )
    elif what == CHANGED:
        preview.lines += [f"~ {name}", *(f"    {line}" for line in details)]
