"""Texts that others wrote, as they can stand in a message, a log or a status."""


def printable(text: str) -> str:
    """Return a text as one line, control characters escaped."""
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )


def one_line(text: str | None) -> str | None:
    """Return a text with its white space folded, None for one that says nothing."""
    return " ".join((text or "").split()) or None


_GAP = " … "


def shorten(text: str, limit: int) -> str:
    """Return a text cut to at most ``limit`` bytes of UTF-8.

    A longer text keeps both ends, because either may hold the reason.
    """
    data = text.encode("utf-8", "backslashreplace")
    if len(data) <= limit:
        return data.decode()
    room = max(limit - len(_GAP.encode()), 0)
    head, tail = data[: room - room // 2], data[len(data) - room // 2 :]
    return f"{head.decode('utf-8', 'ignore')}{_GAP}{tail.decode('utf-8', 'ignore')}"[
        : max(limit, 0)
    ]
