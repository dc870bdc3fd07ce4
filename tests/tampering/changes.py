"""Changes that somebody with the right to edit makes by hand to an object's metadata.

The labels, annotations, owners and finalizers are those that the live object carries, none of a
list that could fall behind.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import zip_longest

from penstock.api import meta as words
from tests.support.kube import Document, Kube

MINE = "example.com/mine"
NOBODY = "11111111-1111-1111-1111-111111111111"
DELETED, ORPHANED = "is deleted, and kept by a finalizer", "has an owner that is gone"
_WORDS = sorted(
    {v for name, v in vars(words).items() if name.startswith(("LABEL_", "ANNOTATION_"))}
)
_BOTH = ("labels", "annotations")

Patch = Callable[[Document], Document]


@dataclass(frozen=True)
class Change:
    """One change: ``patch`` makes a merge patch of metadata for an object;
    ``deletes`` it after that.
    """

    name: str
    patch: Patch
    deletes: bool = False

    def __add__(self, more: Change) -> Change:
        return Change(
            f"{self.name}, {more.name}", lambda live: {**self.patch(live), **more.patch(live)}
        )

    def is_guarded(self, live: Document) -> bool:
        """Whether it touches what says whose an Approval is."""
        patch = self.patch(live["metadata"])
        is_label = any(key.startswith(f"{words.GROUP}/") for key in patch.get("labels", ()))
        return is_label or "ownerReferences" in patch or "finalizers" in patch

    def apply(self, kube: Kube, plural: str, live: Document) -> None:
        """Write it; raise KubeError where the API server refuses."""
        where = live["metadata"]
        space = where.get("namespace")
        kube.patch(plural, space, where["name"], {"metadata": self.patch(where)})
        if self.deletes:
            kube.delete(plural, space, where["name"])


def changes_of(kind: str, live: Document, other: Document, bystander: Document) -> Iterator[Change]:
    """Yield every change of what an object of a kind carries.

    ``other`` is an object of the same kind that belongs to another run or
    pipeline, whose words it may take on; ``bystander`` is a ConfigMap that
    exists, to be its owner. What costs the object its life comes alone. Else
    one word is changed while the next is removed, a label along with an
    annotation, which says nothing to Kubernetes, or else an owner or a
    finalizer along with one: so they are few.
    """
    meta = live["metadata"]
    yield Change(DELETED, _with_finalizer, deletes=True)
    if meta.get("ownerReferences"):
        yield Change(ORPHANED, lambda live: _owners(live, uid=NOBODY))
    yield from _all_at_once(meta, other["metadata"])
    labels, ties = list(_one_by_one("labels", meta)), list(_ties(meta, bystander))
    notes = list(_one_by_one("annotations", meta))
    if kind == "Approval":  # the policy would refuse both for the one
        yield from (*labels, *notes, *ties)
    else:
        yield from (_both(*pair) for pair in zip_longest([*labels, *ties], notes))


def _both(one: Change | None, other: Change | None) -> Change:
    changes = [change for change in (one, other) if change]
    return changes[0] + changes[1] if len(changes) > 1 else changes[0]


def _one_by_one(kind: str, meta: Document) -> Iterator[Change]:
    keys = sorted(meta.get(kind, {}))
    if len(keys) == 1:
        yield _fixed(f"{kind} {keys[0]} removed", {kind: {keys[0]: None}})
    for changed, removed in zip(keys, keys[1:] + keys[:1], strict=True):
        both = {changed: "other"} if changed == removed else {changed: "other", removed: None}
        yield _fixed(
            " and ".join(f"{kind} {key} {value or 'removed'}" for key, value in both.items()),
            {kind: both},
        )


def _all_at_once(meta: Document, other: Document) -> Iterator[Change]:
    yield _fixed(
        "all words other", {kind: dict.fromkeys(meta.get(kind, {}), "other") for kind in _BOTH}
    )
    yield _fixed("all words removed", {kind: dict.fromkeys(meta.get(kind, {})) for kind in _BOTH})
    yield _fixed(
        "words of another's object", {kind: other[kind] for kind in _BOTH if kind in other}
    )
    alike = {**dict.fromkeys(_WORDS, "like-ours"), f"{words.GROUP}/unheard-of": "x"}
    yield _fixed("more words like ours", {kind: alike | meta.get(kind, {}) for kind in _BOTH})


def _ties(meta: Document, bystander: Document) -> Iterator[Change]:
    where = bystander["metadata"]
    foreign = {"apiVersion": "v1", "kind": "ConfigMap", "name": where["name"], "uid": where["uid"]}
    if meta.get("ownerReferences"):
        yield _fixed("no owner", {"ownerReferences": None})
        yield Change(
            "an owner that does not control it", lambda live: _owners(live, controller=False)
        )
        yield Change("an owner of another name", lambda live: _owners(live, name="other"))
    yield _fixed("another owner", {"ownerReferences": [{**foreign, "controller": True}]})
    yield Change(
        "one more owner",
        lambda live: {"ownerReferences": [*live.get("ownerReferences", ()), foreign]},
    )
    yield Change("one more finalizer", _with_finalizer)
    if meta.get("finalizers"):
        yield _fixed("no finalizer", {"finalizers": None})


def _with_finalizer(live: Document) -> Document:
    return {"finalizers": [*live.get("finalizers", ()), MINE]}


def _owners(live: Document, **fields: object) -> Document:
    return {"ownerReferences": [{**owner, **fields} for owner in live.get("ownerReferences", ())]}


def _fixed(name: str, patch: Document) -> Change:
    return Change(name, lambda _: patch)
