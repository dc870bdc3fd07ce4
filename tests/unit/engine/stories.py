"""Stories for the simulator: lists of steps that come again from their seed,
and are cut down when they fail.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import NamedTuple


class Step(NamedTuple):
    """One step of a story; ``pick``, from 0 to 1, says which object it
    concerns, whatever stands before it.
    """

    name: str
    pick: float


def shortest(story: list[Step], fails: Callable[[list[Step]], bool]) -> list[Step]:
    """Return a part of a failing story that still fails, and of which no step can be left out."""
    size = len(story)
    while size:
        start = 0
        while start < len(story):
            shorter = story[:start] + story[start + size :]
            if fails(shorter):
                story = shorter
            else:
                start += size
        size //= 2
    return story


def story_of(seed: int, steps: dict[str, int], length: int) -> list[Step]:
    """Return the story of a seed; ``steps`` are the names with their weights."""
    chance = random.Random(seed)
    names = chance.choices(list(steps), list(steps.values()), k=chance.randint(length // 3, length))
    return [Step(name, chance.random()) for name in names]


def read(text: str) -> list[Step]:
    """Return the story that a text tells: names with their picks, between commas."""
    parts = (step.strip().rpartition(" ") for step in text.split(","))
    return [Step(name, float(pick)) for name, _, pick in parts]
