"""What a fuzzer raises."""

from collections.abc import Callable
from pathlib import Path
from random import Random

Batch = Callable[[Random, Path], int]
"""A fuzzer: tries some inputs in a folder of its own, returns how many, raises Finding."""

CORPUS = Path(__file__).parent / "corpus"


class Finding(Exception):
    """An input that broke a law; the text holds all that is needed to see it again."""
