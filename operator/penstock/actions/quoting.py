"""Turns outside texts into shell code: only `quote` (all values) and `variable` (all names) do."""

import re

from penstock.actions.execution import CONFIGURATION_ERROR, ActionError

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,255}")


def quote(text: str) -> str:
    """Return one shell word that expands to exactly this text in every POSIX shell."""
    if "\0" in text:
        raise ActionError(
            CONFIGURATION_ERROR, "a value holds a NUL character, which no shell variable can hold"
        )
    return "'" + text.replace("'", "'\\''") + "'"


def evaluated(code: str) -> str:
    """Return the code that runs a command by itself, by ``eval``.

    bash reads on behind a text that ends with a backslash where the eval
    stands inside ``if``; two newlines end it.
    """
    last = code.rstrip("\n")
    is_open = (len(last) - len(last.rstrip("\\"))) % 2 == 1
    return f"eval {quote(last + 2 * chr(10) if is_open else code)}"


def variable(name: str) -> str:
    """Return a name that a shell variable can have; raise ActionError for any other."""
    if not _NAME.fullmatch(name):
        raise ActionError(
            CONFIGURATION_ERROR, f'"{name}" is not a name that a shell variable can have'
        )
    return name


def keep(name: str, file: str) -> str:
    """Return code that writes a variable's value, if any, to a file the agent can read (bug 17)."""
    return (
        f'[ -z "${{{variable(name)}+x}}" ] || (umask 022; printf \'%s\' "${{{name}}}" >| '
        f"{quote(file)})"
    )
