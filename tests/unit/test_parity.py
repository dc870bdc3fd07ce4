"""The parity table answers every row that it must, and claims nothing that no
test of that name shows.
"""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
TABLE = ROOT / "operator/docs/parity.md"
ANSWERS = {"same", "better", "different", "not applicable"}
GROUPS = {
    "X": [*range(1, 11), *range(20, 44), *range(50, 59), *range(60, 75)],
    "C": [*range(1, 10), *range(20, 26)],
    "G": [2, 3, 9, 10, *range(20, 28)],
    "V": [16, 17],
    "W": [*range(1, 13), 20, 21, 22, 26, 27, 29],
    "P": [1, 2, 5, *range(30, 39), 40, 41, 48, *range(60, 66), 70, *range(80, 85)],
}
REQUIRED = {f"{letter}-{number:02}" for letter, numbers in GROUPS.items() for number in numbers}


def rows() -> list[tuple[str, str, str, list[str]]]:
    """Return row id, answer, sentence and test ids of each row of the table."""
    found = []
    for line in TABLE.read_text().splitlines():
        if re.match(r"\| [A-Z]-\d+ ", line):
            row, answer, text, tests = (cell.strip() for cell in line.strip("|").split("|"))
            found.append((row, answer, text, re.findall(r"`([^`]+::[^`]+)`", tests)))
    return found


@cache
def functions_of(file: str) -> set[str]:
    path = ROOT / "tests" / file
    tree = ast.parse(path.read_text()) if path.exists() else ast.Module([], [])
    return {
        item.name for item in tree.body if isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef)
    }


def test_every_row_is_answered_once() -> None:
    found = [row for row, *_ in rows()]
    assert len(set(found)) == len(found)
    assert set(found) == REQUIRED
    assert {answer for _, answer, *_ in rows()} <= ANSWERS


def test_every_answer_is_shown_by_a_test_or_says_why_it_has_none() -> None:
    for row, answer, text, tests in rows():
        assert text, f"{row} says nothing"
        assert tests or answer == "not applicable", f"{row} names no test"
        for name in tests:
            file, _, function = name.partition("::")
            assert function in functions_of(file), f"{row}: there is no {name}"
