"""The page of rule codes explains every code that is in use, and no other."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "operator/docs/rules.md"
SHIPPED = ("README.md", "operator", "charts", "crds", "examples")
SUFFIXES = {".md", ".py", ".tpl", ".txt", ".yaml", ".yml"}
CODE = re.compile(r"(?<![\w-])([A-Z])-(\d{2,3}|(?<=D-)\d)(?:\.\.\1-(\d{2,3}))?(?![\w-])")
"""A code, or a range of them; only the decisions (D) have numbers of one digit."""
IN_A_NAME = re.compile(r"(?<=_)([a-z])_(\d\d)(?=_)")
TEST_NAME = re.compile(r"\btest_\w+")
ROW = re.compile(r"\| ([A-Z]-\d+) \| (.*) \|")


def files_below(*places: str) -> Iterator[Path]:
    """Yield all files of text at some places, without the page and without this test."""
    for place in places:
        path = ROOT / place
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            is_text = file.suffix in SUFFIXES and file.is_file()
            if is_text and file not in (PAGE, Path(__file__).resolve()):
                yield file


def codes_in(text: str) -> Iterator[str]:
    """Yield the codes that a text cites, of a range each one, and those in names of tests."""
    for letter, first, last in CODE.findall(text):
        for number in range(int(first), int(last or first) + 1):
            yield f"{letter}-{number:0{len(first)}}"
    for name in TEST_NAME.findall(text):
        yield from (f"{letter.upper()}-{number}" for letter, number in IN_A_NAME.findall(name))


@cache
def uses_in(*places: str) -> dict[str, str]:
    """Return each code that is cited below some places, with a file that cites it."""
    uses: dict[str, str] = {}
    for file in files_below(*places):
        uses |= dict.fromkeys(codes_in(file.read_text()), str(file.relative_to(ROOT)))
    return uses


@cache
def rows() -> tuple[tuple[str, str], ...]:
    """Return code and sentence of each row of the page."""
    found = map(ROW.fullmatch, PAGE.read_text().splitlines())
    return tuple((match[1], match[2].strip()) for match in found if match)


def heading_of(code: str) -> str:
    """Return the heading that stands above a row."""
    before = PAGE.read_text().partition(f"\n| {code} |")[0]
    return before.rpartition("\n## ")[2].partition("\n")[0]


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("as there (A-01..A-03, X-87)", ["A-01", "A-02", "A-03", "X-87"]),
        ("no changes succeed (D-8)", ["D-8"]),
        ("UTF-8, SHA-256, AES-256, L-3, 2026-11, KEP-1287, a-01, X-1, a uuid 0A-12", []),
        ("def test_oracle_o_09_again_x_61_runs() -> None: code_v_02_ = 1", ["O-09", "X-61"]),
    ],
)
def test_codes_are_told_from_what_looks_like_them(text: str, codes: list[str]) -> None:
    assert list(codes_in(text)) == codes


def test_every_code_in_shipped_files_has_a_row() -> None:
    uses, explained = uses_in(*SHIPPED), {code for code, _ in rows()}
    missing = {code: file for code, file in uses.items() if code not in explained}
    assert not missing, f"rules.md has no row for these codes (and a file of each): {missing}"


def test_every_code_in_tests_has_a_row() -> None:
    uses, explained = uses_in("tests"), {code for code, _ in rows()}
    missing = {code: file for code, file in uses.items() if code not in explained}
    assert not missing, f"rules.md has no row for these codes (and a file of each): {missing}"


def test_no_row_explains_a_code_that_nothing_cites() -> None:
    uses = uses_in(*SHIPPED).keys() | uses_in("tests").keys()
    assert [code for code, _ in rows() if code not in uses] == []


def test_rows_stand_once_in_order_below_the_heading_of_their_letter() -> None:
    codes = [code for code, _ in rows()]
    order = sorted(set(codes), key=lambda code: (code[0], int(code[2:])))
    assert codes == order
    assert [code for code in codes if not heading_of(code).startswith(f"{code[0]}: ")] == []


def test_every_row_is_a_sentence() -> None:
    for code, text in rows():
        assert re.match(r"[A-Z`]", text), f"{code} begins with no capital letter: {text}"
        assert text.endswith("."), f"{code} ends without a full stop: {text}"


def test_every_line_of_a_table_is_a_row() -> None:
    lines = [line for line in PAGE.read_text().splitlines() if line.startswith("|")]
    heads = [line for line in lines if line in ("| code | rule |", "|---|---|")]
    assert len(lines) == len(rows()) + len(heads)
