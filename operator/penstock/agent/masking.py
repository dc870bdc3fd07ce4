"""Hides the values of secrets in everything that leaves the agent as text."""

import re
from collections.abc import Iterable
from pathlib import Path

from penstock.agent.encodings import SHORTEST, forms_of

MASK = "***"
_MASK = MASK.encode()
_PUBLIC = {"username", "accessKeyId"}
_LARGEST = 64 * 1024
_FEW = 40
_RUN = re.compile(rb"[A-Za-z0-9+/=_-]{4,}")
"""What base64 and hex may be: a run that holds a part of a secret is hidden as a whole."""


class Masker:
    """Replaces secret values, each line of them on its own, in every form that tools print.

    Values shorter than four bytes are not hidden: they would blot out ordinary text and protect nothing.
    """

    def __init__(self, values: Iterable[str]) -> None:
        self._texts: tuple[bytes, ...] = ()
        self._parts: tuple[bytes, ...] = ()
        self._pattern: re.Pattern[bytes] | None = None
        self._long_run = _RUN
        self.longest = 0
        self.hide(values)

    def hide(self, values: Iterable[str]) -> None:
        """Hide these values, too."""
        forms = [forms_of(value) for value in values]
        texts = {*self._texts, *(text for form in forms for text in form.texts)}
        self._texts = tuple(sorted(texts, key=lambda text: (-len(text), text)))
        self._parts = tuple(sorted({*self._parts, *(part for form in forms for part in form.parts)}))
        self._pattern = re.compile(b"|".join(map(re.escape, self._texts))) if self._texts else None
        self.longest = max(map(len, (*self._texts, *self._parts)), default=0)
        shortest = min(map(len, self._parts), default=SHORTEST)
        self._long_run = re.compile(rb"[A-Za-z0-9+/=_-]{%d,}" % shortest)

    def mask(self, data: bytes) -> bytes:
        """Return the bytes with every secret replaced.

        Searching for a text is fast and nearly always in vain: so expressions only see what holds one.
        """
        if self._pattern and any(text in data for text in self._texts):
            data = self._pattern.sub(_MASK, data)
        if found := self._parts_in(data):
            data = _RUN.sub(lambda run: _MASK if any(part in run[0] for part in found) else run[0], data)
        return data

    def _parts_in(self, data: bytes) -> list[bytes]:
        """Return the parts that are there; where there are many, each run of a log is looked at once."""
        place = data if len(self._parts) <= _FEW else b" ".join(set(self._long_run.findall(data)))
        return [part for part in self._parts if part in place]

    def mask_text(self, text: str) -> str:
        """Return the text with every secret replaced."""
        return self.mask(text.encode("utf-8", "surrogatepass")).decode("utf-8", "surrogatepass")


def secrets_in(folders: Iterable[str]) -> list[str]:
    """Return the values in folders of mounted Secrets."""
    values = []
    for folder in folders:
        for path in Path(folder).glob("*"):
            if path.name not in _PUBLIC and path.is_file():
                with path.open("rb") as file:
                    values.append(file.read(_LARGEST).decode("utf-8", "replace"))
    return values
