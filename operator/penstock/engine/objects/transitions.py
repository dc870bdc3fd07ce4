"""StageTransitions, as a pass sees them."""

from dataclasses import dataclass

from penstock.api.kinds.transition import StageTransitionSpec


@dataclass(frozen=True, slots=True)
class TransitionObject:
    """A StageTransition. ``spec`` is None where it cannot be read; ``unreadable`` then says why."""

    name: str
    spec: StageTransitionSpec | None
    unreadable: str = ""
