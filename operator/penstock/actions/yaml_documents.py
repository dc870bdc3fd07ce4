"""Makes plain values of YAML, by rules that the caller gives, and never more than it allows.

libyaml reads the text (the Python scanner of PyYAML refuses tabs that YAML allows). What its events
mean is decided here: what a scalar is and which key a text makes come from `Rules`. An alias shares
what it names, so that a short text stays short in memory; it counts as if it were written out,
since whoever writes the value writes that.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import yaml
from yaml._yaml import CParser

MERGE_TAG = "tag:yaml.org,2002:merge"
DEPTH = 200  # A reader that calls itself for each level must not exhaust the stack.
_WORDS = {
    "did not find expected <document start>": "something stands behind the end of the document",
    "found unexpected ':'": 'found unexpected ":"; put a space behind it, or the text in quotes',
    "did not find expected tag URI": 'a tag has no name; write one with a name, such as "!!str", '
    "or quote the text",
    "found unknown escape character": 'found unknown escape character; write "\\\\" for a "\\", or '
    "use single quotes",
}


class YamlError(ValueError):
    """A text is no YAML, or none that is read. ``line`` counts from 1, 0 if it is not known."""

    def __init__(self, why: str, line: int = 0) -> None:
        super().__init__(f"line {line}: {why}" if line else why)
        self.why = why
        self.line = line


class Scalar(NamedTuple):
    """A scalar as written: its text, its tag or None, and whether its look may decide its type."""

    text: str
    tag: str | None
    is_plain: bool


class Rules(NamedTuple):
    """What YAML means to a reader.

    ``value`` makes a value of a scalar, ``key`` a key; both raise ValueError for what they do not
    take. ``sort`` tells keys apart that look the same as texts. ``merges_last``: a merge key takes
    the place of what stands before it (go-yaml 2), else what a mapping says itself counts.
    ``is_strict`` refuses a key that is set twice. ``refuses_questions``: within brackets and
    braces, a "?" in a text without quotes ends it, and is an error there (go-yaml 2).
    """

    value: Callable[[Scalar], Any]
    key: Callable[[Scalar], str]
    sort: Callable[[Scalar], str] = lambda _: ""
    merges_last: bool = False
    is_strict: bool = False
    refuses_questions: bool = False


class DocumentBounds(NamedTuple):
    """The most that one document may be, aliases written out: nodes, and characters in scalars."""

    nodes: int
    characters: int


class _Node(NamedTuple):
    """A value, what it counts, and the sorts of its keys if it is a mapping."""

    value: Any
    nodes: int
    characters: int
    sorts: dict[str, str] | None = None
    is_alias: bool = False


def documents(text: str, rules: Rules, bounds: DocumentBounds) -> Iterator[Any]:
    """Yield the documents of a text; raise YamlError for the first that is none, or too large."""
    text = text.removeprefix("\ufeff")
    try:
        parser = CParser(text)
    except UnicodeError as error:
        raise YamlError("not YAML: unreadable characters") from error
    try:
        while not isinstance(event := parser.get_event(), yaml.StreamEndEvent):
            if isinstance(event, yaml.DocumentStartEvent):
                yield _Composer(parser, text, rules, bounds).node(parser.get_event(), 0).value
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        why = (
            getattr(error, "problem", None)
            or getattr(error, "reason", None)
            or "unreadable characters"
        )
        why = _WORDS.get(why, why)
        raise YamlError(f"not YAML: {why}", mark.line + 1 if mark else 0) from error
    except UnicodeError as error:
        raise YamlError("not YAML: unreadable characters") from error
    finally:
        parser.dispose()


class _Open:
    """Stands for a node that has an anchor and is being composed."""


class _Composer:
    """Composes the nodes of one document."""

    def __init__(self, parser: Any, text: str, rules: Rules, bounds: DocumentBounds) -> None:
        self._parser, self._text, self._rules, self._bounds = parser, text, rules, bounds
        self._anchors: dict[str, _Node | _Open] = {}
        self._flows = 0
        """How many lists and mappings in brackets or braces are open."""

    def node(self, event: Any, depth: int) -> _Node:
        """Compose the node that begins with an event."""
        if depth > DEPTH:
            raise _problem(event, f"there are more than {DEPTH} levels")
        if isinstance(event, yaml.AliasEvent):
            found = self._aliased(event)
        else:
            anchor, mark = event.anchor, _Open()
            if anchor:
                self._anchors[anchor] = mark
            found = self._made(event, depth)
            # A node within may have taken the anchor: an alias means the one that began last.
            if anchor and self._anchors[anchor] is mark:
                self._anchors[anchor] = found
        self._check(event, found)
        return found

    def _made(self, event: Any, depth: int) -> _Node:
        if isinstance(event, yaml.ScalarEvent):
            value = self._asked(self._rules.value, event)
            return _Node(value, 1, len(event.value))
        self._flows += bool(event.flow_style)
        found = (
            self._sequence(depth)
            if isinstance(event, yaml.SequenceStartEvent)
            else self._mapping(depth)
        )
        self._flows -= bool(event.flow_style)
        return found

    def _aliased(self, event: Any) -> _Node:
        found = self._anchors.get(event.anchor)
        if not isinstance(found, _Node):
            why = "contains itself" if found else "is not there"
            raise _problem(event, f"anchor {event.anchor} {why}")
        if isinstance(found.value, Scalar):  # the anchor of a key
            return found._replace(
                value=self._asked(self._rules.value, event, found.value), is_alias=True
            )
        return found._replace(is_alias=True)

    def _sequence(self, depth: int) -> _Node:
        values, nodes, characters = [], 1, 0
        while not isinstance(event := self._parser.get_event(), yaml.SequenceEndEvent):
            item = self.node(event, depth + 1)
            values.append(item.value)
            nodes, characters = nodes + item.nodes, characters + item.characters
            self._check(event, _Node(None, nodes, characters))
        return _Node(values, nodes, characters)

    def _mapping(self, depth: int) -> _Node:
        mapping = _Mapping(self._rules)
        while not isinstance(event := self._parser.get_event(), yaml.MappingEndEvent):
            if isinstance(event, yaml.ScalarEvent) and _is_merge(event):
                if event.anchor:
                    self._anchors[event.anchor] = _Node(event.value, 1, len(event.value))
                self._merge(mapping, self._parser.get_event(), depth)
            else:
                key, sort, size = self._key(event)
                item = self.node(self._parser.get_event(), depth + 1)
                mapping.set(event, key, sort, item)
                mapping.count(1 + item.nodes, size + item.characters)
            self._check(event, mapping.node())
        return mapping.node()

    def _key(self, event: Any) -> tuple[str, str, int]:
        if isinstance(event, yaml.AliasEvent):
            found = self._aliased(event).value
            if not isinstance(found, str):
                raise _problem(
                    event, "an alias of anything but a text is no key; write the key itself"
                )
            return found, "str", len(found)
        if not isinstance(event, yaml.ScalarEvent):
            raise _problem(event, "a list or a mapping is no key")
        scalar, key = _scalar(event), self._asked(self._rules.key, event)
        if event.anchor:
            self._anchors[event.anchor] = _Node(scalar, 1, len(event.value))
        return key, self._rules.sort(scalar), len(event.value)

    def _merge(self, mapping: "_Mapping", event: Any, depth: int) -> None:
        """Take over the keys of a mapping, or of several: the first that has a key counts."""
        if isinstance(event, yaml.SequenceStartEvent):
            sources = []
            while not isinstance(item := self._parser.get_event(), yaml.SequenceEndEvent):
                sources.append(self.node(item, depth + 2))
        else:
            sources = [self.node(event, depth + 1)]
        for source in reversed(sources):
            if not isinstance(source.value, dict):
                raise _problem(event, "a merge key (<<) takes a mapping, or a list of mappings")
            mapping.merge(event, source)
            self._check(event, mapping.node())

    def _asked(
        self, rule: Callable[[Scalar], Any], event: Any, scalar: Scalar | None = None
    ) -> Any:
        if (
            not scalar
            and event.tag
            and not event.value
            and self._text.startswith(",", event.end_mark.index)
        ):
            # To go-yaml the comma belongs to the tag: [!!str, a] has one entry there, and two here.
            raise _problem(
                event,
                f"a comma stands right behind the tag {event.tag[:80]}; put a space before it",
            )
        if (
            not scalar
            and self._flows
            and self._rules.refuses_questions
            and not event.style
            and "?" in event.value[1:]
        ):
            raise _problem(event, 'a "?" stands in a text in brackets or braces; quote it')
        try:
            return rule(scalar or _scalar(event))
        except ValueError as error:
            raise _problem(event, str(error)) from error

    def _check(self, event: Any, node: _Node) -> None:
        if node.nodes > self._bounds.nodes:
            raise _problem(event, f"the document has more than {self._bounds.nodes} nodes")
        if node.characters > self._bounds.characters:
            raise _problem(
                event, f"the document has more than {self._bounds.characters} characters"
            )


class _Mapping:
    """A mapping as it is read: its own keys and merged ones."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._values: dict[str, Any] = {}
        self._sorts: dict[str, str] = {}
        self._own: set[str] = set()
        self._nodes, self._characters = 1, 0

    def set(self, event: Any, key: str, sort: str, item: _Node) -> None:
        """Set a key of the mapping's own; the last of several counts."""
        if self._rules.is_strict and key in self._values:
            raise _problem(event, f'"{key[:100]}" stands in one mapping twice')
        self._put(event, key, sort, item.value)
        self._own.add(key)

    def merge(self, event: Any, source: _Node) -> None:
        """Take over the keys of another mapping."""
        for key, value in source.value.items():
            if self._rules.is_strict and key in self._values:
                raise _problem(event, f'"{key[:100]}" stands in one mapping twice: <<')
            if self._rules.merges_last or key not in self._own:
                self._put(event, key, (source.sorts or {}).get(key, ""), value)
        self.count(source.nodes, source.characters)

    def count(self, nodes: int, characters: int) -> None:
        """Count what was added."""
        self._nodes, self._characters = self._nodes + nodes, self._characters + characters

    def node(self) -> _Node:
        """Return the mapping as it is now."""
        return _Node(self._values, self._nodes, self._characters, self._sorts)

    def _put(self, event: Any, key: str, sort: str, value: Any) -> None:
        if self._sorts.setdefault(key, sort) != sort:
            raise _problem(
                event, f'two keys of different types are both "{key[:100]}" in JSON; quote them'
            )
        self._values[key] = value


def _is_merge(event: Any) -> bool:
    return bool(event.value == "<<" and (event.implicit[0] or event.tag == MERGE_TAG))


def _scalar(event: Any) -> Scalar:
    return Scalar(event.value, event.tag, bool(event.implicit[0]))


def _problem(event: Any, why: str) -> YamlError:
    mark = event.start_mark
    return YamlError(why, mark.line + 1 if mark else 0)
