"""Reads the YAML of a buildspec: one bounded document, and its values, each told by its path."""

from typing import Any

from penstock.actions.execution import CONFIGURATION_ERROR, ActionError
from penstock.actions.yaml_documents import DocumentBounds, Rules, YamlError, documents
from penstock.api.text import shorten

# The text stands in a Job's annotation or in memory; real ones have a few kilobytes.
BYTES = 256 * 1024
_BOUNDS = DocumentBounds(200_000, 16 * 1024 * 1024)
# Every scalar stays the text that was written: 0.2, 3.10 and yes keep their form. A map's own keys
# come before the keys that it merges (<<).
_RULES = Rules(lambda scalar: scalar.text, lambda scalar: scalar.text)
YAML_ERROR = "YAML_FILE_ERROR"
# A result must fit a termination message of 4 KiB.
_MESSAGE = 1000
LATER = {
    "run-as": "B-06", "proxy": "B-16", "batch": "B-60",
    "parameter-store": "B-12", "secrets-manager": "B-12", "git-credential-helper": "B-15",
}  # fmt: skip
_FALSE = ("no", "false")
EMPTY = ("", "~", "null")


def document_of(text: str) -> Any:
    """Return the one document of a buildspec, None for a text without any."""
    if len(text.encode("utf-8", "replace")) > BYTES:
        raise error_of(f"the buildspec is larger than {BYTES} bytes")
    try:
        found = list(documents(text, _RULES, _BOUNDS))
    except YamlError as error:
        raise error_of(" ".join(str(error).split())[:300]) from error
    if len(found) > 1:
        raise error_of("it is one YAML document; there are more")
    return found[0] if found else None


def is_inline(text: str) -> bool:
    """Whether a text is a buildspec, not its path (bug 04): it is a map, or begins like one."""
    if text.lstrip("\ufeff \t\r\n").startswith("{"):
        return True
    try:
        found = list(documents(text, _RULES, _BOUNDS))
    except YamlError:
        # A path has one line: what has more, and is no YAML, was meant as a buildspec.
        return "\n" in text.strip()
    return any(isinstance(document, dict) for document in found)


def map_of(document: Any, path: str, allowed: tuple[str, ...] | None = None) -> dict[str, Any]:
    """Return a map, empty where none is written.

    With ``allowed``, the keys that it may have, refuse any other that is not supported yet.
    """
    if document is None or document in EMPTY:
        return {}
    if not isinstance(document, dict) or not all(isinstance(key, str) for key in document):
        raise error_of(f"{path} is not a map")
    for key in document:
        is_later = allowed is not None and key not in allowed and key in LATER
        is_root = key == "run-as" and document[key] == "root"
        if is_later and not is_root and not asks_for_nothing(document[key]):
            raise ActionError(
                CONFIGURATION_ERROR, f"{path}.{key} is not supported yet ({LATER[key]}); remove it"
            )
    return document


def asks_for_nothing(value: Any) -> bool:
    """Whether a section is there and empty, or says no to everything."""
    if isinstance(value, dict | list):
        return all(map(asks_for_nothing, value.values() if isinstance(value, dict) else value))
    return value is None or str(value).lower() in (*EMPTY, *_FALSE)


def texts_of(document: Any, path: str) -> tuple[str, ...]:
    """Return a list of texts; one text stands for a list of it (B-40)."""
    if document is None or document in EMPTY:
        return ()
    if isinstance(document, str):
        return (document,)
    if not isinstance(document, list):
        raise error_of(f"{path} is not a list")
    return tuple(text_of(item, f"{path}[{index}]") for index, item in enumerate(document))


def text_of(value: Any, path: str) -> str:
    """Return a text as it is written."""
    if not isinstance(value, str):
        raise error_of(
            f"{path} is not a text; quote it, as YAML reads a colon and a space as a map"
        )
    return value


def is_true(value: Any, path: str) -> bool:
    """Whether a value says yes; one that is not there says no."""
    text = str(value or "no").lower()
    if text not in ("yes", "true", *_FALSE):
        raise error_of(f"{path} is neither yes nor no")
    return text not in _FALSE


def error_of(why: str) -> ActionError:
    """Return the error of a buildspec that is wrong, for this reason."""
    return ActionError(YAML_ERROR, shorten(f"DOWNLOAD_SOURCE: {why}", _MESSAGE))
