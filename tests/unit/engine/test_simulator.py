"""Every law of the engine on thousands of stories; ``SEED=n`` tells one again, ``SEEDS=n`` tries so many."""

from __future__ import annotations

import os

import pytest

from tests.unit.engine.play import KNOWN, STEPS, Play
from tests.unit.engine.stories import Step, shortest, story_of

SEEDS = int(os.environ.get("SEEDS", "1500"))
PARTS = 8


def tell(seed: int, story: list[Step]) -> Play:
    """Tell a story to its end; AssertionError says which law it broke."""
    play = Play.of(seed)
    for step in story:
        play.take(step)
        play.check()
    play.end()
    return play


def error_of(seed: int, story: list[Step]) -> str:
    """Tell a story; return which law it broke, or an empty text."""
    try:
        tell(seed, story)
    except AssertionError as error:
        return str(error) or "a law was broken"
    return ""


def report(seed: int) -> None:
    """Fail with the shortest form of a seed's story, if it breaks a law."""
    story = story_of(seed, STEPS, 60)
    if error := error_of(seed, story):
        short = shortest(story, lambda part: bool(error_of(seed, part)))
        told = "\n".join(f"  {step.name} ({step.pick:.2f})" for step in short)
        pytest.fail(f"SEED={seed}: {error}; told in short ({error_of(seed, short)}):\n{told}", pytrace=False)


@pytest.mark.parametrize("part", range(PARTS))
def test_no_story_breaks_a_law(part: int) -> None:
    seeds = [int(os.environ["SEED"])] if "SEED" in os.environ else range(part, SEEDS, PARTS)
    for seed in seeds:
        report(seed)


def test_every_change_of_the_tables_happens_in_some_story() -> None:
    missing = {(kind, *change) for kind, changes in KNOWN.items() for change in changes}
    for seed in range(1000):
        missing -= tell(seed, story_of(seed, STEPS, 60)).changes
        if not missing:
            return
    assert missing == set()
