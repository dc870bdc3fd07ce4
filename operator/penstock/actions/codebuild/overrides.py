"""Reads a CodeBuild action's EnvironmentVariables (P-10): JSON with names, values and types."""

from penstock.actions import bounded_json


def read_overrides(text: str) -> dict[str, str]:
    """Return values by name; raise ValueError that says which entry is wrong and what to write.

    Types other than PLAINTEXT are refused by name: the secrets stores of AWS
    are not read yet (B-12).
    """
    try:
        items = bounded_json.loads(text)
    except ValueError:
        items = None
    if not isinstance(items, list):
        raise ValueError('is no JSON list; write [{"name": "NAME", "value": "VALUE"}]')
    found: dict[str, str] = {}
    for index, item in enumerate(items):
        name, value = (
            (item.get("name"), item.get("value")) if isinstance(item, dict) else (None, None)
        )
        if not isinstance(name, str) or not isinstance(value, str) or not name:
            raise ValueError(
                f'entry {index} needs a name and a value, both texts, as in {{"name": "A", '
                f'"value": "b"}}'
            )
        if (kind := item.get("type", "PLAINTEXT")) != "PLAINTEXT":
            raise ValueError(
                f"{name} has the type {kind}, which is not supported yet; PLAINTEXT is"
            )
        found[name] = value
    return found
