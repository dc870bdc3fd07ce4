"""Goes back to what the last success applied when a deploy fails after its first write."""

from collections.abc import Sequence

from penstock.actions.execution import ActionError
from penstock.actions.kubernetes.applyset import pruning
from penstock.actions.kubernetes.applyset.applying import apply_all
from penstock.actions.kubernetes.applyset.members import Scope
from penstock.actions.kubernetes.applyset.parent import Parent
from penstock.actions.kubernetes.live.objects import Target, read_live, resolve
from penstock.actions.kubernetes.live.readiness import wait_until_current
from penstock.actions.kubernetes.live.session import Session


def roll_back(
    session: Session, parent: Parent, items: Sequence[Target], error: ActionError
) -> ActionError:
    """Undo what a failed deploy did to these objects; return its error with what became of that."""
    previous = parent.success
    if previous is None:
        why_not = f"{parent.title} has had no success with RollbackOnFailure yet"
    elif previous.why_not:
        why_not = f"of {previous.title}: {previous.why_not}"
    else:
        session.log(f"failed: {error.message}")
        session.log(f"rolling back to {previous.title}")
        try:
            # Here begins the time that was kept for the rollback.
            session.limit()
            _restore(session, parent, resolve(session, previous.manifests), items)
        except ActionError as second:
            return _with(error, f"the rollback to {previous.title} failed, too: {second.message}")
        return _with(error, f"rolled back to {previous.title}")
    return _with(error, f"not rolled back: {why_not}")


def _restore(
    session: Session, parent: Parent, old: Sequence[Target], new: Sequence[Target]
) -> None:
    """Apply the old objects by force: whatever the failed deploy made of them, they are ours."""
    read_live(session, old)
    apply_all(session, old, parent.id, force=True)
    wanted = {item.identity for item in old}
    stale = pruning.Stale()
    for item in new:
        if not item.is_touched or item.identity in wanted:
            continue
        member = pruning.member_of(session, item)
        if member is None:
            continue
        why = (
            "it stood there before" if item.live is not None else pruning.why_kept(session, member)
        )
        if why:
            stale.kept.append((member, why))
        else:
            stale.to_delete.append(member)
    stale.to_delete.reverse()
    # Pruning comes last here, too: until the old objects are ready, the new ones serve.
    wait_until_current(session, old)
    pruning.prune(session, stale)
    parent.write(Scope.of(wanted, session.options.namespace))


def _with(error: ActionError, what: str) -> ActionError:
    return ActionError(error.code, f"{error.message}; {what}", error.exit_code)
