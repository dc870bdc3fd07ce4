"""The log: masked whatever the pieces it comes in, bounded, and never in the
way of the deadline.
"""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.agent.output.log import Log
from penstock.agent.output.masking import Masker
from tests.support.properties import examples

SECRET = "s3cr3t-canary"


def written(folder: Path, pieces: list[bytes], limit: int = 1 << 20) -> bytes:
    with (folder / "stdout").open("wb") as stdout:
        log = Log(folder / "log", stdout.fileno(), Masker([SECRET]), limit)
        for piece in pieces:
            log.write(piece)
        log.close(1)
    assert (folder / "stdout").read_bytes() == (folder / "log").read_bytes()
    return (folder / "log").read_bytes()


@examples(80)
@given(
    data=st.data(),
    noise=st.lists(st.sampled_from([SECRET, "s3cr3t", "a", "\n", "é" * 9]), max_size=12),
)
def test_secret_is_masked_wherever_the_pieces_are_cut(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, noise: list[str]
) -> None:
    text = "".join(noise).encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=5)))
    pieces = [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    expected = text.replace(SECRET.encode(), b"***")
    expected += b"\n" if expected and not expected.endswith(b"\n") else b""
    assert written(tmp_path_factory.mktemp("log"), pieces) == expected


@pytest.mark.parametrize("before", range(64 * 1024 - 20, 64 * 1024 + 20, 3))
def test_secret_in_a_line_without_end_is_masked(tmp_path: Path, before: int) -> None:
    text = b"x" * before + SECRET.encode() + b"y" * 70_000
    assert SECRET.encode() not in written(
        tmp_path, [text[start : start + 999] for start in range(0, len(text), 999)]
    )


def test_reader_that_does_not_read_costs_the_limit_and_no_memory(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    log = Log(tmp_path / "log", writing, Masker(()), 1 << 30)
    while not log.is_full:
        log.write(b"x" * 1000 + b"\n")
    log.close(0.05)
    os.close(reading)
    os.close(writing)


def test_short_values_are_not_masked_and_each_line_of_a_secret_is() -> None:
    masker = Masker(["abc", "first line\nsecond line\n", "with $pecial [chars]"])
    assert masker.mask(b"abc second line, first line with $pecial [chars]") == b"abc ***, *** ***"


@given(st.lists(st.sampled_from(["text", "\n", "\x1estep\n"]), max_size=8), st.integers(0, 60))
def test_step_stands_on_a_line_of_its_own_whatever_came_before_it(
    tmp_path_factory: pytest.TempPathFactory, parts: list[str], cut: int
) -> None:
    text = "".join(parts).encode()
    lines = written(tmp_path_factory.mktemp("log"), [text[:cut], text[cut:]]).decode().split("\n")
    assert lines.count("step") == parts.count("\x1estep\n")
    assert "".join(lines) == "".join(parts).replace("\n", "").replace("\x1e", "")
