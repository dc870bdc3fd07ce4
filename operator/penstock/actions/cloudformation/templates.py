"""A template as YAML nodes: a change changes nothing else, least of all short-form intrinsics.

A node keeps its tag (`!Ref`, `!Sub`) and its own spelling (`012`, `2010-09-09`), which loading and
dumping would lose.
"""

import json
from collections.abc import Iterator
from typing import NamedTuple

import yaml

from penstock.actions.execution import CONFIGURATION_ERROR, ActionError

Node = yaml.MappingNode | yaml.SequenceNode | yaml.ScalarNode
_TEXT = "tag:yaml.org,2002:str"
_MAP = "tag:yaml.org,2002:map"
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Template(NamedTuple):
    """A parsed template; ``text`` is what was parsed."""

    text: str
    root: yaml.MappingNode


def parse(text: str, name: str) -> Template:
    """Return a YAML or JSON template; for other text raise ActionError, which calls it ``name``."""
    try:
        root = yaml.compose(_without_tabs(text), Loader=_LOADER)
    # The text is a user's: nested deeply enough, it exhausts Python's stack.
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        why = " ".join(str(error).split())[:300]
        raise ActionError(
            CONFIGURATION_ERROR, f"the template {name} cannot be read: {why}"
        ) from error
    if not isinstance(root, yaml.MappingNode):
        raise ActionError(CONFIGURATION_ERROR, f"the template {name} is no mapping")
    return Template(text, root)


def _without_tabs(text: str) -> str:
    """Return JSON spelt so that a YAML parser takes it, and any other text as it is."""
    if not text.lstrip().startswith("{"):
        return text
    try:
        # JSON may be indented by tabs, and YAML refuses them.
        return json.dumps(json.loads(text), ensure_ascii=False)
    except (ValueError, RecursionError):
        return text  # a YAML flow mapping, perhaps with tags


def render(template: Template) -> str:
    """Return the template's text as it is now."""
    return str(yaml.serialize(template.root, allow_unicode=True, width=1_000_000))


def get(node: Node | None, *path: str) -> Node | None:
    """Return what stands below a mapping at a path of keys; None where there is no such thing."""
    for name in path:
        if not isinstance(node, yaml.MappingNode):
            return None
        node = next((value for key, value in node.value if key.value == name), None)
    return node


def items(node: Node | None) -> Iterator[tuple[str, Node]]:
    """Yield the keys and values of a mapping; nothing for any other node."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode):
                yield key.value, value


def text_of(node: Node | None) -> str | None:
    """Return a plain text's value; None for an intrinsic function, a number or any other node."""
    return node.value if isinstance(node, yaml.ScalarNode) and node.tag == _TEXT else None


def put(node: Node | None, path: tuple[str, ...], value: str | dict[str, str]) -> None:
    """Replace what stands at a path of keys that is there, by a text or by a mapping of texts."""
    parent = get(node, *path[:-1])
    if isinstance(parent, yaml.MappingNode):
        parent.value = [
            (key, _node(value) if key.value == path[-1] else old) for key, old in parent.value
        ]


def _node(value: str | dict[str, str]) -> Node:
    if isinstance(value, str):
        # Quoted, so that a value like 012 or no stays a text.
        return yaml.ScalarNode(_TEXT, value, style='"')
    pairs = [(yaml.ScalarNode(_TEXT, key), _node(item)) for key, item in value.items()]
    return yaml.MappingNode(_MAP, pairs, flow_style=True)
