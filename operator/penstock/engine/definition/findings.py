"""What is to be said about a definition: values with the field's path."""

from dataclasses import dataclass

INVALID = "InvalidPipeline"
UNSUPPORTED = "UnsupportedField"


@dataclass(frozen=True, slots=True)
class Problem:
    """One finding: the field's path, and a sentence that says what to do."""

    path: str
    message: str
    reason: str = INVALID

    def __str__(self) -> str:
        return f"{self.path}: {self.message}"


@dataclass(frozen=True, slots=True)
class Findings:
    """Everything that is to be said about a definition."""

    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()
    incompatibilities: tuple[Problem, ...] = ()
