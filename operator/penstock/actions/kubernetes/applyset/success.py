"""The last success, kept in the parent: the manifests as they were applied, compressed.

Pure: documents in and out. A Secret holds a megabyte, so that there is a limit to what can be kept.
"""

import base64
import json
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Self

from penstock.actions.execution import ActionError
from penstock.actions.kubernetes.manifests.files import Manifest, objects_in

# A Secret holds 1 MiB, metadata included.
KEPT_BYTES = 900_000
# What a kept deploy may unfold to: a hostile Secret must not fill the memory.
_READ_BYTES = 256 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class LastApplied:
    """A run's applied manifests. ``why_not`` says why they cannot be had, else it is empty."""

    run: str
    manifests: tuple[Manifest, ...] = ()
    why_not: str = ""

    @property
    def title(self) -> str:
        """What it is, for people."""
        return f"what run {self.run} applied"

    @classmethod
    def of(cls, run: str, manifests: Iterable[Manifest]) -> Self:
        """Return a success that may be kept, or the reason why it is too large."""
        manifests = tuple(manifests)
        size = len(_packed(manifests))
        if size > KEPT_BYTES:
            return cls(
                run,
                why_not=f"it is too large to keep ({size} bytes compressed, {KEPT_BYTES} at most)",
            )
        return cls(run, manifests)

    @classmethod
    def read(cls, data: Mapping[str, str]) -> Self | None:
        """Read the parent's data; None if nothing was kept."""
        if "run" not in data:
            return None
        try:
            run = base64.b64decode(data["run"]).decode()
            why_not = base64.b64decode(data.get("whyNot", "")).decode()
            return cls(run, () if why_not else _unpacked(data["manifests"]), why_not)
        except (KeyError, ValueError, TypeError, RecursionError, zlib.error, ActionError) as error:
            return cls("unknown", why_not=f"what the Secret keeps cannot be read ({error})")

    def data(self) -> dict[str, str]:
        """Return the parent's data."""
        fields = {"run": self.run.encode()}
        fields |= (
            {"whyNot": self.why_not.encode()}
            if self.why_not
            else {"manifests": _packed(self.manifests)}
        )
        return {key: base64.b64encode(value).decode() for key, value in fields.items()}


def _packed(manifests: Iterable[Manifest]) -> bytes:
    documents = [{"place": manifest.place, "body": manifest.body} for manifest in manifests]
    return zlib.compress(
        json.dumps(documents, separators=(",", ":"), ensure_ascii=False).encode(), 9
    )


def _unpacked(text: str) -> tuple[Manifest, ...]:
    inflater = zlib.decompressobj()
    data = inflater.decompress(base64.b64decode(text), _READ_BYTES)
    if inflater.unconsumed_tail:
        raise ValueError(f"it is longer than {_READ_BYTES} bytes")
    documents = json.loads(data)
    if not isinstance(documents, list) or not documents:
        raise ValueError("it is no list of manifests")
    # Somebody may have edited the Secret: its content is checked like a file of the source.
    return tuple(
        Manifest(body, item["place"])
        for item in documents
        for body in objects_in(item["body"], "a manifest")
    )
