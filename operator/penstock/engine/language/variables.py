"""Variable references ``#{namespace.key}`` (W-01): finding them, and resolving them in one pass.

A value is data: what a reference was replaced with is never looked at again.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

REFERENCE = re.compile(r"#\{([A-Za-z0-9@_-]+)\.([A-Za-z0-9@_.-]+)\}")
RESERVED_NAMESPACES = frozenset({"codepipeline", "variables"})
EXECUTION_ID = "PipelineExecutionId"
MOST_RESOLVED = 1_000_000
"""The maximum count of characters of all values in one text.

A text may name a large value a thousand times.
"""


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


class TooLongError(UnresolvedError):
    """A text would be too long with the values that it names; ``reference`` is one of them."""

    def __str__(self) -> str:
        return (
            f"{self.reference} and others before it have more than {MOST_RESOLVED} characters "
            f"together"
        )


def references(text: str) -> Iterator[Reference]:
    """Yield the references in a text, in order."""
    return (Reference(*match.groups()) for match in REFERENCE.finditer(text))


def resolve(text: str, values: Values) -> str:
    """Return the text with all references resolved; raise UnresolvedError for one without value.

    Raise TooLongError, which is one, where the values have more than MOST_RESOLVED characters.
    """
    # Checked beforehand: sub() would have built the long text by the time that it is measured.
    check_resolvable(text, values)
    return REFERENCE.sub(lambda match: values[Reference(*match.groups())], text)


def check_resolvable(text: str, values: Values) -> None:
    """Raise UnresolvedError unless all references have values, not too long together."""
    length = 0
    for reference in references(text):
        if reference not in values:
            raise UnresolvedError(reference)
        length += len(values[reference])
        if length > MOST_RESOLVED:
            raise TooLongError(reference)
