"""Takes away what the ApplySet still holds and the manifests no longer name."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Any

from penstock.actions.execution import TIMED_OUT, ActionError
from penstock.actions.kubernetes.applyset.applying import FIELD_MANAGER
from penstock.actions.kubernetes.applyset.members import MEMBER_LABEL, Scope
from penstock.actions.kubernetes.live.objects import ObjectIdentity, Target, code_of
from penstock.actions.kubernetes.live.server import ApiError, ServedResource
from penstock.actions.kubernetes.live.session import Session
from penstock.actions.kubernetes.manifests.files import rank_of

PRUNE_ANNOTATION = "penstock.dev/prune"
# The last one repeats: deletions end within a second, or take long.
_POLL_S = (0.1, 0.2, 0.5, 1.0)
# Groups whose objects go after their pods. The garbage collector takes up to 30 s to learn of a new
# kind.
_WITH_PODS = ("", "apps", "batch")


@dataclass(frozen=True, slots=True)
class Member:
    """An object with the set's label: its identity, and if its own annotation allows pruning."""

    identity: ObjectIdentity
    resource: ServedResource
    uid: str
    is_kept: bool

    @property
    def path(self) -> str:
        """Where it stands."""
        return self.resource.path(self.identity.namespace, self.identity.name)


@dataclass(slots=True)
class Stale:
    """Members that the manifests no longer name: those to delete, those to leave alone and why."""

    to_delete: list[Member] = field(default_factory=list)
    kept: list[tuple[Member, str]] = field(default_factory=list)

    def lines(self, home: str) -> list[str]:
        """Return what is going to happen, for people."""
        return [f"- {member.identity.named(home)}" for member in self.to_delete] + [
            f"  {member.identity.named(home)} stays and leaves the set: {why}"
            for member, why in self.kept
        ]


def find_stale(session: Session, reach: Scope, items: Collection[Target], set_id: str) -> Stale:
    """Return what the set holds beside these objects, in the order in which it is to go."""
    wanted = {item.identity for item in items}
    # The same object may be served by two groups; its uid tells.
    uids = {((item.live or {}).get("metadata") or {}).get("uid") for item in items}
    stale = Stale()
    for member in _members(session, reach, set_id):
        if member.identity in wanted or member.uid in uids:
            continue
        if why := why_kept(session, member):
            stale.kept.append((member, why))
        else:
            stale.to_delete.append(member)
    # What was applied last goes first.
    stale.to_delete.sort(key=lambda member: -rank_of(member.identity.kind))
    return stale


def check(session: Session, members: Iterable[Member]) -> None:
    """Try every deletion as a dry run, to report a missing right before anything changes."""
    for member in members:
        _delete(session, member, is_dry=True)


def prune(session: Session, stale: Stale) -> None:
    """Delete what is stale and wait until it is gone; what is kept leaves the set."""
    for member, why in stale.kept:
        _let_go(session, member)
        session.log(f"{_named(session, member)} kept: {why}")
    delete(session, stale.to_delete, "pruned")


def delete(session: Session, members: Collection[Member], word: str) -> None:
    """Delete objects, workloads after their pods, and wait until each is gone."""
    waiting = [member for member in members if _delete(session, member)]
    turn = 0
    while waiting:
        for member in list(waiting):
            found = _find(session, member)
            # Another object under the same name was made by somebody since.
            if found is None or found["metadata"].get("uid") != member.uid:
                waiting.remove(member)
                session.log(f"{_named(session, member)} {word}")
            elif session.is_late:
                held = ", ".join(found["metadata"].get("finalizers") or []) or "none"
                raise ActionError(
                    TIMED_OUT,
                    f"{_named(session, member)} is not gone yet; its finalizers are: {held}",
                )
        if waiting:
            session.pause(_POLL_S[min(turn, len(_POLL_S) - 1)])
            turn += 1


def member_of(session: Session, item: Target) -> Member | None:
    """Return what stands on the server of an object, None where nothing does."""
    try:
        found = session.server.find(item.path)
    except ApiError as error:
        raise _refused(
            error, f"to prune {item.identity.named(session.options.namespace)}"
        ) from error
    return _member(item.identity, item.resource, found["metadata"]) if found else None


def why_kept(session: Session, member: Member) -> str:
    """Return why a member is not to be deleted, nothing if it may be."""
    if member.is_kept:
        return f"its annotation {PRUNE_ANNOTATION} is Disabled"
    if not session.options.prune:
        return 'Prune is "false"'
    if member.identity.kind in session.options.kept_kinds:
        return f"PruneKinds does not name {member.identity.kind}"
    return ""


def _members(session: Session, reach: Scope, set_id: str) -> Iterable[Member]:
    namespaces = sorted({session.options.namespace, *reach.namespaces})
    seen: set[str] = set()
    for group_kind in sorted(reach.group_kinds):
        kind, _, group = group_kind.partition(".")
        resource = session.server.preferred(group, kind)
        if resource is None:
            continue  # Its definition is gone, and its objects with it.
        for namespace in namespaces if resource.is_namespaced else [""]:
            for metadata in _listed(session, resource, namespace, kind, set_id):
                uid = str(metadata.get("uid"))
                if uid not in seen:
                    seen.add(uid)
                    yield _member(
                        ObjectIdentity(group, kind, namespace, str(metadata.get("name"))),
                        resource,
                        metadata,
                    )


def _member(identity: ObjectIdentity, resource: ServedResource, metadata: dict[str, Any]) -> Member:
    is_kept = (metadata.get("annotations") or {}).get(PRUNE_ANNOTATION) == "Disabled"
    return Member(identity, resource, str(metadata.get("uid")), is_kept)


def _listed(
    session: Session, resource: ServedResource, namespace: str, kind: str, set_id: str
) -> list[dict[str, Any]]:
    try:
        return session.server.metadata(resource.path(namespace), f"{MEMBER_LABEL}={set_id}")
    except ApiError as error:
        if error.status == 403 and kind in session.options.kept_kinds:
            # Nothing of this kind would be deleted: no right is needed to leave it alone.
            return []
        raise _refused(error, f"to prune {kind}") from error


def _delete(session: Session, member: Member, *, is_dry: bool = False) -> bool:
    """Ask for a deletion; return False where there is nothing of ours to delete any more."""
    try:
        propagation = "Foreground" if member.identity.group in _WITH_PODS else "Background"
        session.server.delete(member.path, member.uid, propagation=propagation, is_dry=is_dry)
    except ApiError as error:
        if error.status == 404:
            return False
        if error.status == 409:
            session.log(f"{_named(session, member)} was made anew by somebody else: left alone")
            return False
        raise _refused(error, f"to prune {_named(session, member)}") from error
    return True


def _find(session: Session, member: Member) -> dict[str, Any] | None:
    try:
        return session.server.find(member.path)
    except ApiError as error:
        raise _refused(error, f"to prune {_named(session, member)}") from error


def _let_go(session: Session, member: Member) -> None:
    # With the uid, the server refuses to change another object of the same name.
    body = {"metadata": {"uid": member.uid, "labels": {MEMBER_LABEL: None}}}
    try:
        session.server.merge(member.path, body, manager=FIELD_MANAGER)
    except ApiError as error:
        if error.status not in (404, 409):
            raise _refused(error, f"to take {_named(session, member)} out of the set") from error


def _named(session: Session, member: Member) -> str:
    return member.identity.named(session.options.namespace)


def _refused(error: ApiError, what: str) -> ActionError:
    hint = ""
    if error.status in (401, 403):
        hint = '; allow list and delete, or set Prune to "false"'
    return ActionError(code_of(error), f"{what}: {error.message}{hint}")
