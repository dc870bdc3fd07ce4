"""Texts that others wrote, as they can stand in a message, a log or a status."""


def printable(text: str) -> str:
    """Return a text as one line, control characters escaped."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def one_line(text: str | None) -> str | None:
    """Return a text with its white space folded, None for one that says nothing."""
    return " ".join((text or "").split()) or None
