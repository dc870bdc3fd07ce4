"""Kubernetes (Deploy): applies an artifact's manifests, waits until objects match, then prunes.

The order of one deploy: read the manifests, take the lease, try everything as a dry run and tell
the changes, widen the ApplySet's parent, apply in order, wait, prune, narrow the parent; and go
back when that fails (ADR 6).
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from penstock.actions.execution import CONFIGURATION_ERROR, ActionError, Job, Outcome
from penstock.actions.kubernetes.applyset import preview as previews
from penstock.actions.kubernetes.applyset import pruning
from penstock.actions.kubernetes.applyset.applying import apply, apply_all
from penstock.actions.kubernetes.applyset.lease import DeployLease, NamespaceMissingError
from penstock.actions.kubernetes.applyset.members import Scope
from penstock.actions.kubernetes.applyset.parent import Parent
from penstock.actions.kubernetes.applyset.rollback import roll_back
from penstock.actions.kubernetes.applyset.success import LastApplied
from penstock.actions.kubernetes.live.objects import Target, read_live, resolve
from penstock.actions.kubernetes.live.readiness import wait_until_current
from penstock.actions.kubernetes.live.session import Session
from penstock.actions.kubernetes.manifests.rendering import render
from penstock.actions.kubernetes.options import Options


def run(job: Job) -> Outcome:
    """Deploy the manifests of the first input artifact."""
    return Deployment(job).run()


class Deployment:
    """One deploy."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._options = Options.of(job.request.configuration, job.request.attempt)
        self._session = Session(job, self._options)
        self._parent = Parent(self._session)

    def run(self) -> Outcome:
        """Deploy, or only tell what a deploy would change."""
        items = resolve(self._session, render(self._job))
        if self._options.dry_run:
            preview, _ = self._prepare(items)
            return Outcome(summary=_would(preview))
        with self._lease(items):
            _, stale = self._prepare(items)
            try:
                self._deploy(items, stale)
            except ActionError as error:
                # Where nothing was written there is nothing to go back from.
                if not self._options.rollback or not any(item.is_touched for item in items):
                    raise
                raise roll_back(self._session, self._parent, items, error) from error
        pruned = f", {len(stale.to_delete)} pruned" if stale.to_delete else ""
        return Outcome(
            summary=f"{len(items)} objects applied to namespace {self._options.namespace}{pruned}"
        )

    @contextmanager
    def _lease(self, items: Sequence[Target]) -> Iterator[None]:
        """Hold the lease; the target namespace is made first if it is one of the objects."""
        # Neither Secret nor Lease, for accounts with narrow rights (ADR 6).
        if not self._options.has_parent:
            yield
            return
        lease = DeployLease(self._session, f"{self._job.pod_uid}/{self._job.request.attempt.run}")
        try:
            try:
                lease.acquire()
            except NamespaceMissingError:
                self._make_namespace(items)
                lease.acquire()
            yield
        finally:
            lease.release()

    def _make_namespace(self, items: Sequence[Target]) -> None:
        for item in items:
            if item.manifest.kind == "Namespace" and item.manifest.name == self._options.namespace:
                apply(self._session, item, self._set_id, force=self._options.force)
                return
        raise ActionError(
            CONFIGURATION_ERROR,
            f"namespace {self._options.namespace} does not exist; create it, or put it among the "
            f"manifests",
        )

    def _prepare(self, items: Sequence[Target]) -> tuple[previews.Preview, pruning.Stale]:
        """Look at everything that is going to happen, and tell it; nothing is changed."""
        stale = pruning.Stale()
        if self._options.has_parent:
            self._parent.read()
        read_live(self._session, items)
        if self._options.has_parent:
            previews.refuse_members_of_others(self._session, items, self._parent)
        preview = previews.try_all(self._session, items, self._set_id)
        if self._options.has_parent:
            stale = pruning.find_stale(
                self._session, self._parent.reach | self._reach(items), items, self._set_id
            )
            pruning.check(self._session, stale.to_delete)
            preview.lines += stale.lines(self._options.namespace)
            preview.counts[previews.PRUNED] = len(stale.to_delete)
        preview.say(self._session)
        return preview, stale

    def _deploy(self, items: Sequence[Target], stale: pruning.Stale) -> None:
        if self._options.has_parent:
            # Before anything carries the label: what a deploy leaves that breaks off is found by
            # it.
            self._parent.write(self._parent.reach | self._reach(items))
        apply_all(self._session, items, self._set_id, force=self._options.force)
        wait_until_current(self._session, items)
        if self._options.has_parent:
            pruning.prune(self._session, stale)
            # After the pruning: what was not pruned must be found by the next deploy.
            self._parent.write(self._reach(items))
            self._parent.keep(self._success(items) if self._options.rollback else None)

    def _success(self, items: Sequence[Target]) -> LastApplied:
        manifests = (replace(item.manifest, body=item.body) for item in items)
        success = LastApplied.of(self._job.request.attempt.run, manifests)
        if success.why_not:
            self._job.log(f"a later deploy cannot roll back to this one: {success.why_not}")
        return success

    @property
    def _set_id(self) -> str:
        """The label's value, nothing when nothing is remembered."""
        return self._parent.id if self._options.has_parent else ""

    def _reach(self, items: Sequence[Target]) -> Scope:
        return Scope.of((item.identity for item in items), self._options.namespace)


def _would(preview: previews.Preview) -> str:
    counts = preview.counts
    words = (
        previews.CREATED,
        previews.CHANGED,
        previews.UNCHANGED,
        previews.UNTRIED,
        previews.PRUNED,
    )
    return "dry run: " + (
        ", ".join(f"{counts[word]} {word}" for word in words if counts[word]) or "nothing to do"
    )
