"""Fields of the configurations of Git sources."""

from typing import Annotated

from pydantic import AfterValidator, Field


def _is_no_option(name: str) -> str:
    if name.startswith("-"):
        raise ValueError("a name that begins with '-' is refused: git would read it as an option")
    return name


BranchName = Annotated[str, Field(min_length=1, max_length=250), AfterValidator(_is_no_option)]
"""A branch, without ``refs/heads/``."""
