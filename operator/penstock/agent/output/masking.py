"""Hides the values of secrets in everything that leaves the agent as text."""

import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from penstock.agent.output.encodings import forms_of

MASK = "***"
_MASK = MASK.encode()
_PUBLIC = {"username", "accessKeyId"}
# Bytes that are read of a secret's file.
_LARGEST = 64 * 1024
# So many searches are no slower than the look at every eighth place.
_FEW = 16
# Secrets are found by samples of four bytes at every eighth place, so that many cost as little as
# few.
_GRAM, _STEP = 4, 8
# A text this long holds four bytes at an eighth place of the data, wherever it begins.
_FOUND_BY_GRAMS = _STEP - 1 + _GRAM
# What base64 and hex may be: a run that holds a part of a secret is hidden as a whole.
_RUN = re.compile(rb"[A-Za-z0-9+/=_-]{4,}")


class Masker:
    """Replaces secret values, each line of them on its own, in every form that tools print.

    Values shorter than four bytes are not hidden: they would blot out
    ordinary text and protect nothing.
    """

    def __init__(self, values: Iterable[str]) -> None:
        self._texts: tuple[bytes, ...] = ()
        self._parts: frozenset[bytes] = frozenset()
        self._always: tuple[bytes, ...] = ()
        self._by_gram: dict[int, list[bytes]] = {}
        self._pattern: re.Pattern[bytes] | None = None
        self.longest = 0
        self.hide(values)

    def hide(self, values: Iterable[str]) -> None:
        """Hide these values, too."""
        forms = [forms_of(value) for value in values]
        texts = {*self._texts, *(text for form in forms for text in form.texts)}
        # The longest first: of secrets that begin alike the expression takes the first that fits.
        self._texts = tuple(sorted(texts, key=lambda text: (-len(text), text)))
        self._parts = self._parts.union(*(form.parts for form in forms))
        self._pattern = re.compile(b"|".join(map(re.escape, self._texts))) if self._texts else None
        wanted = (*self._texts, *self._parts)
        self._always = tuple(
            text for text in wanted if len(wanted) <= _FEW or len(text) < _FOUND_BY_GRAMS
        )
        self._by_gram = {}
        for text in set(wanted).difference(self._always):
            for gram in _grams(text):
                self._by_gram.setdefault(gram, []).append(text)
        self.longest = max(map(len, wanted), default=0)

    def mask(self, data: bytes) -> bytes:
        """Return the bytes with every secret replaced.

        Searching for a text is fast and nearly always in vain: so expressions
        only see what holds one.
        """
        found = self._found_in(data)
        if self._pattern and not found.isdisjoint(self._texts):
            data = self._pattern.sub(_MASK, data)
        if parts := found & self._parts:
            data = _RUN.sub(
                lambda run: _MASK if any(part in run[0] for part in parts) else run[0], data
            )
        return data

    def _found_in(self, data: bytes) -> set[bytes]:
        """Return the texts and parts in the data; reading four of eight bytes finds candidates."""
        if not self._by_gram:
            return {text for text in self._always if text in data}
        whole = memoryview(data)[: len(data) // _GRAM * _GRAM].cast("I")
        grams = set(filter(self._by_gram.__contains__, whole[:: _STEP // _GRAM].tolist()))
        likely = {text for gram in grams for text in self._by_gram[gram]}
        return {text for text in (*self._always, *likely) if text in data}

    def mask_text(self, text: str) -> str:
        """Return the text with every secret replaced."""
        return self.mask(text.encode("utf-8", "surrogatepass")).decode("utf-8", "surrogatepass")


def _grams(text: bytes) -> Iterator[int]:
    """Yield the bytes of a text at an eighth place of the data, for each place it may begin at."""
    yield from (int.from_bytes(text[at : at + _GRAM], sys.byteorder) for at in range(_STEP))


def secrets_in(folders: Iterable[str]) -> list[str]:
    """Return the values in folders of mounted Secrets."""
    values = []
    for folder in folders:
        for path in Path(folder).glob("*"):
            # The kubelet mounts a Secret with folders and links beside its keys.
            if path.name not in _PUBLIC and path.is_file():
                with path.open("rb") as file:
                    values.append(file.read(_LARGEST).decode("utf-8", "replace"))
    return values
