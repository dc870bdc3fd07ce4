"""Hides the values of secrets in everything that leaves the agent as text."""

import re
from collections.abc import Iterable
from pathlib import Path

MASK = "***"
_SHORTEST = 4
"""Shorter values are not hidden: they would blot out ordinary text and protect nothing."""
_PUBLIC = {"username", "accessKeyId"}
_LARGEST = 64 * 1024


class Masker:
    """Replaces secret values, each line of them on its own, as they would be printed."""

    def __init__(self, values: Iterable[str]) -> None:
        self._lines: set[bytes] = set()
        self.hide(values)

    def hide(self, values: Iterable[str]) -> None:
        """Hide these values, too."""
        self._lines |= {line.strip().encode() for value in values for line in value.splitlines()}
        found = sorted((line for line in self._lines if len(line) >= _SHORTEST), key=len, reverse=True)
        self._pattern = re.compile(b"|".join(map(re.escape, found))) if found else None
        self.longest = len(found[0]) if found else 0

    def mask(self, data: bytes) -> bytes:
        """Return the bytes with every secret replaced."""
        return self._pattern.sub(MASK.encode(), data) if self._pattern else data

    def mask_text(self, text: str) -> str:
        """Return the text with every secret replaced."""
        if not self._pattern:
            return text
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
