"""Variable references ``#{namespace.key}`` (W-01): finding them, and resolving them in one pass.

A value is data: what a reference was replaced with is never looked at again.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

REFERENCE = re.compile(r"#\{([A-Za-z0-9@_-]+)\.([A-Za-z0-9@_.-]+)\}")
RESERVED_NAMESPACES = frozenset({"codepipeline", "variables"})
EXECUTION_ID = "PipelineExecutionId"


@dataclass(frozen=True, slots=True, order=True)
class Reference:
    """One variable that a text names."""

    namespace: str
    key: str

    def __str__(self) -> str:
        return f"#{{{self.namespace}.{self.key}}}"


Values = Mapping[Reference, str]


class UnresolvedError(LookupError):
    """A text names a variable that has no value; ``reference`` says which."""

    def __init__(self, reference: Reference) -> None:
        super().__init__(f"{reference} has no value")
        self.reference = reference


def references(text: str) -> Iterator[Reference]:
    """Yield the references in a text, in order."""
    return (Reference(*match.groups()) for match in REFERENCE.finditer(text))


def resolve(text: str, values: Values) -> str:
    """Return the text with every reference replaced by its value; raise UnresolvedError for one without."""

    def value_of(match: re.Match[str]) -> str:
        reference = Reference(*match.groups())
        if reference not in values:
            raise UnresolvedError(reference)
        return values[reference]

    return REFERENCE.sub(value_of, text)
