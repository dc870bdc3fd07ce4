"""Splits globs at commas, by the grammar of `syntax`: not at those within brackets or escaped."""


def split_globs(text: str) -> list[str]:
    """Return a list's patterns without white space around; a part left open runs to the end."""
    found, start, at, is_in_braces = [], 0, 0, False
    while at < len(text):
        character = text[at]
        if character == "\\":
            at += 1
        elif character == "[":
            at = _end_of_set(text, at)
        elif character in "{}":
            is_in_braces = character == "{"
        elif character == "," and not is_in_braces:
            found.append(text[start:at])
            start = at + 1
        at += 1
    return [pattern for part in [*found, text[start:]] if (pattern := _stripped(part))]


def _end_of_set(text: str, opened: int) -> int:
    """Return where a set ends: its first ``]``, but for one that is its first member."""
    first = opened + (2 if text.startswith("!", opened + 1) else 1)
    end = text.find("]", first + 1)
    return end if end >= 0 else len(text)


def _stripped(part: str) -> str:
    """Take the white space away that is not escaped."""
    stripped = part.strip()
    backslashes = len(stripped) - len(stripped.rstrip("\\"))
    return f"{stripped} " if backslashes % 2 and part.rstrip("\r\n").endswith("\\ ") else stripped
