"""YAML as kubectl means it: what each scalar is. Which documents a file holds, `streams` says.

kubectl reads with sigs.k8s.io/yaml, which is go-yaml 2: of YAML 1.1 it has yes and no, octal 0755
and 1_000, but neither 12:30 as a number nor a bare ``=`` as something else than a text; from 1.2
comes 0o755. What is read becomes JSON, so that keys are texts. ``tests/fuzz/fuzz_manifests.py``
compares with kubectl itself.
"""

import base64
import binascii
import math
import re
import struct
from calendar import monthrange
from decimal import Decimal

from penstock.actions.yaml_documents import Rules, Scalar

_CORE = "tag:yaml.org,2002:"
_BOOLS = {
    **dict.fromkeys(
        ("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"), True
    ),
    **dict.fromkeys(
        ("n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"), False
    ),
}
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_FLOATS = {
    sign + word: float(f"{sign}{word[1:]}")
    for sign, words in (
        ("", (".nan", ".NaN", ".NAN")),
        ("", (".inf", ".Inf", ".INF")),
        ("+", (".inf", ".Inf", ".INF")),
        ("-", (".inf", ".Inf", ".INF")),
    )
    for word in words
}
_INTEGER = re.compile(r"[-+]?(?:0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO]?[0-7]+|0|[1-9][0-9]*)", re.ASCII)
_BINARY = re.compile(r"0b[-+]?[01]+|-0b[01]+", re.ASCII)
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", re.ASCII)
_POINT = re.compile(r"\.[0-9]+(?:_[0-9]+)*(?:[eE][-+]?[0-9]+(?:_[0-9]+)*)?", re.ASCII)
_CLOCK = r"(?:[01]?[0-9]|2[0-3]):[0-5]?[0-9]:[0-5]?[0-9](?:[.,][0-9]+)?"
_TIMESTAMP = re.compile(
    r"([0-9]{4})-(0?[1-9]|1[0-2])-(0?[1-9]|[12][0-9]|3[01])"
    rf"(?:[Tt]{_CLOCK}(?:Z|[-+](?:[01][0-9]|2[0-4]):(?:[0-5][0-9]|60))| {_CLOCK})?",
    re.ASCII,
)
_WORDS = {float("inf"): ".inf", float("-inf"): "-.inf"}
# Go's int64 and uint64: kubectl reads numbers beyond them as floats.
_LEAST, _MOST, _MOST_UNSIGNED = -(2**63), 2**63 - 1, 2**64 - 1

Value = str | int | float | bool | None


def resolve(scalar: Scalar) -> Value:
    """Return a scalar's value; raise ValueError if tag and text clash, or JSON cannot hold it."""
    value = _typed(scalar)
    return json_number(value) if isinstance(value, int | float) else value


def _typed(scalar: Scalar) -> Value:
    """Return what go-yaml makes of a scalar, before it is JSON."""
    text, tag = scalar.text, scalar.tag or ""
    if not tag and not scalar.is_plain:
        return text
    if tag == f"{_CORE}binary":
        return _decoded(text)
    kind = tag.removeprefix(_CORE) if tag.startswith(_CORE) else ("" if not tag else "?")
    if kind not in ("", "bool", "int", "float", "null", "timestamp"):
        return text
    if kind == "timestamp":
        if not _is_time(text):
            raise ValueError(f'"{text[:80]}" is no !!timestamp')
        return text
    value = _looked_up(text)
    if (
        kind == "float"
        and isinstance(value, int)
        and not isinstance(value, bool)
        and value <= _MOST
    ):
        return float(value)
    if kind and kind != _kind(value):
        raise ValueError(f'"{text[:80]}" is no !!{kind}')
    return value


def _is_time(text: str) -> bool:
    """Whether go-yaml reads a time: the day must be in the calendar, which Go extends to year 0."""
    if not (found := _TIMESTAMP.fullmatch(text)):
        return False
    year, month, day = map(int, found.groups())
    # 2000 is a leap year, as 0 is; Python's calendar begins at 1.
    return day <= monthrange(year or 2000, month)[1]


def key_of(scalar: Scalar) -> str:
    """Return a scalar's key: numbers and booleans become texts as kubectl writes them."""
    value = _typed(scalar)
    if value is None:
        raise ValueError("a key is null; quote it")
    if isinstance(value, float) and math.isnan(value):
        # Each of several is a key of its own to Go, and all are one in JSON: which one stays is
        # chance.
        raise ValueError("a key is no number; quote it")
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) and value > _MOST:
        raise ValueError(f'the key "{scalar.text[:80]}" is too large a number; quote it')
    return _fraction(value) if isinstance(value, float) else str(value)


def sort_of(scalar: Scalar) -> str:
    """Return the type of a key before it became a text."""
    return _kind(_typed(scalar))


KUBECTL = Rules(resolve, key_of, sort_of, merges_last=True, refuses_questions=True)
TEXTS = Rules(
    lambda scalar: None if scalar.is_plain and scalar.text in _NULLS else scalar.text,
    lambda scalar: scalar.text,
    is_strict=True,
)
"""Every scalar is the text that stands there, or None; nothing may be said twice."""


def json_number(value: float) -> Value:
    """Return a number as JSON makes it: an integer if whole, but not beyond 64 bits.

    Go writes a whole fraction in as few digits as tell it from others, and
    reads those digits as an integer.
    """
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if _LEAST <= value <= _MOST else float(value)
    if value in (float("inf"), float("-inf")) or value != value:  # noqa: PLR0124 - NaN
        raise ValueError(f"{value} is no value of a manifest; quote it if it is a text")
    whole = int(Decimal(repr(value))) if value.is_integer() else _MOST + 1
    return whole if _LEAST <= whole <= _MOST else value


def _looked_up(text: str) -> Value:
    """Return an untagged plain scalar's value, by go-yaml's table of first characters."""
    first = text[:1]
    if text in _NULLS:
        return None
    if text in _BOOLS:
        return _BOOLS[text]
    if text in _FLOATS:
        return _FLOATS[text]
    if first == ".":
        return _float(text.replace("_", "")) if _POINT.fullmatch(text) else text
    if not first or first not in "+-0123456789":
        return text
    plain = text.replace("_", "")
    if (number := _integer(plain)) is not None:
        return number
    found = _float(plain) if _FLOAT.fullmatch(plain) else plain
    if isinstance(found, float):
        return found
    return _binary(plain) if _BINARY.fullmatch(plain) and _binary(plain) is not None else text


def _integer(plain: str) -> int | None:
    if not _INTEGER.fullmatch(plain):
        return None
    digits = plain.lstrip("+-")
    prefix = digits[:2].lower()
    base = {"0x": 16, "0b": 2, "0o": 8}.get(
        prefix, 8 if digits.startswith("0") and len(digits) > 1 else 10
    )
    # 64 bits have at most 20 digits, and Python takes long over very long ones.
    if base == 10 and len(digits) > 20:
        return None
    value = int(digits.removeprefix(digits[:2]) if prefix in ("0x", "0b", "0o") else digits, base)
    value = -value if plain.startswith("-") else value
    most = _MOST if plain[0] in "+-" else _MOST_UNSIGNED
    return value if _LEAST <= value <= most else None


def _binary(plain: str) -> int | None:
    """Return what go-yaml still makes of ``0b-1``."""
    value = int(plain[2:], 2) if plain.startswith("0b") else -int(plain[3:], 2)
    return value if _LEAST <= value <= _MOST else None


def _float(plain: str) -> float | str:
    """Return the number; one that no 64 bits hold stays the text that it is."""
    value = float(plain)
    return plain if value in (float("inf"), float("-inf")) else value


def _kind(value: Value) -> str:
    if isinstance(value, bool):
        return "bool"
    return {int: "int", float: "float", type(None): "null"}.get(type(value), "str")


def _fraction(value: float) -> str:
    """Return a fraction as kubectl writes it as a key: rounded to 32 bits, as short as possible."""
    try:
        rounded = struct.unpack("f", struct.pack("f", value))[0]
    except OverflowError:
        rounded = value * float("inf")
    if rounded in _WORDS or rounded != rounded:  # noqa: PLR0124 - NaN
        return _WORDS.get(rounded, ".nan")
    texts = (f"{rounded:.{digits}e}" for digits in range(9))
    text = next(
        text for text in texts if struct.unpack("f", struct.pack("f", float(text)))[0] == rounded
    )
    return f"{Decimal(text):f}" if -4 <= int(text.partition("e")[2]) < 6 else text


def _decoded(text: str) -> str:
    try:
        data = base64.b64decode(text.replace("\n", "").replace("\r", ""), validate=True)
        return data.decode("utf-8")
    except (binascii.Error, ValueError) as error:
        raise ValueError(
            "what !!binary holds is no text in base64; a ConfigMap has binaryData for it"
        ) from error
