"""Random documents that a schema of ours takes: what the API server lets through, however odd."""

import re
from random import Random
from typing import Any

Schema = dict[str, Any]

_TEXTS = (
    "", "a", "web", "Build", "Source", "main", "#{Src.CommitId}", "#{variables.X}", "'\"$(x)`",
    "ä…\u2028", "x" * 300,
    "0",     "true", "{}", "[]", '{"a": [1]}', "0 0 * * ? *", "0 0/00 * * * ?", "[a-z]{3}", "(a|",
    "**/*.{a,b}", "../x", "Europe/Berlin",     "arn:aws:iam::123456789012:role/x",
    "https://example.com",
    "s3://b/k", "artifact::file",
    "2026-11-28T12:00:00Z", "S3", "b-1",
)  # fmt: skip
_TIMES = ("2026-11-28T12:00:00Z", "2026-11-28T12:00:00.123Z", "1970-01-01T00:00:00Z")
_MOST_ITEMS = 3


def document(schema: Schema, random: Random, name: str = "", depth: int = 0) -> Any:
    """Return a value that the schema takes; required fields are there, others as it comes."""
    if "enum" in schema:
        return random.choice(schema["enum"])
    kind = schema.get("type")
    if kind == "object":
        return _object(schema, random, depth)
    if kind == "array":
        most = min(_MOST_ITEMS, schema.get("maxItems", _MOST_ITEMS))
        count = random.randint(min(schema.get("minItems", 0), most), most)
        return [document(schema["items"], random, name, depth + 1) for _ in range(count)]
    if kind == "boolean":
        return random.random() < 0.5
    if kind in ("integer", "number"):
        least, most = schema.get("minimum", 0), schema.get("maximum", 1_000)
        return random.choice([least, most, random.randint(int(least), int(most))])
    return _text(schema, random, name)


def _object(schema: Schema, random: Random, depth: int) -> dict[str, Any]:
    if isinstance(inner := schema.get("additionalProperties"), dict):
        return {
            random.choice(_TEXTS): document(inner, random, "", depth + 1)
            for _ in range(random.randrange(3))
        }
    required, rate = set(schema.get("required", ())), 0.6 if depth < 6 else 0.3
    wanted = {
        key: item
        for key, item in schema.get("properties", {}).items()
        if key in required or random.random() < rate
    }
    return {key: document(item, random, key, depth + 1) for key, item in wanted.items()}


def _text(schema: Schema, random: Random, name: str) -> str:
    if name.lower().endswith(("time", "since", "entered", "created", "lastchangedat")):
        return random.choice(_TIMES)
    least, most = schema.get("minLength", 0), schema.get("maxLength", 10_000)
    pattern = schema.get("pattern", "")
    fitting = [text for text in _TEXTS if least <= len(text) <= most and re.search(pattern, text)]
    return random.choice(fitting or ["a" * int(max(least, 1))])
