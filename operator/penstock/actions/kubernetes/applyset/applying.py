"""Applies objects in their order."""

from collections.abc import Sequence

from penstock.actions.kubernetes.applyset.members import as_member
from penstock.actions.kubernetes.live.objects import DEFINITION, Target, find_resource, refused
from penstock.actions.kubernetes.live.readiness import wait_until_current
from penstock.actions.kubernetes.live.server import ApiError
from penstock.actions.kubernetes.live.session import Session

FIELD_MANAGER = "penstock"


def apply_all(session: Session, items: Sequence[Target], set_id: str, *, force: bool) -> None:
    """Apply in order; definitions are waited for before what may use them."""
    definitions: list[Target] = []
    for item in items:
        if item.manifest.kind == DEFINITION:
            definitions.append(item)
        elif definitions:
            wait_until_current(session, definitions)
            definitions = []
        if not item.is_defined:
            item.resource = find_resource(session, item.manifest)
        apply(session, item, set_id, force=force)


def apply(
    session: Session, item: Target, set_id: str, *, force: bool, is_dry: bool = False
) -> dict[str, object]:
    """Apply an object as a member of its set, or only try; raise ApiError for a refused dry run."""
    body = as_member(item.body, set_id) if set_id else item.body
    if is_dry:
        return session.server.apply(
            item.path, body, manager=FIELD_MANAGER, force=force, is_dry=True
        )
    item.is_touched = True  # Also when no answer comes: the server may have done it.
    try:
        item.current = session.server.apply(item.path, body, manager=FIELD_MANAGER, force=force)
    except ApiError as error:
        item.is_touched = False
        raise refused(item, error) from error
    session.log(f"{item.identity.named(session.options.namespace)} applied")
    return item.current
