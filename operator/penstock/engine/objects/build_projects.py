"""BuildProjects, as a pass sees them."""

from dataclasses import dataclass

from penstock.api.kinds.build_project import BuildProjectSpec


@dataclass(frozen=True, slots=True)
class BuildProjectObject:
    """A BuildProject as it is now. ``spec`` is None if unreadable; ``unreadable`` says why."""

    name: str
    uid: str
    generation: int
    spec: BuildProjectSpec | None
    unreadable: str = ""
