"""Quartz cron expressions as deployment windows (C-21)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.engine.definition.stage_validation import _texts
from penstock.engine.language.cron import LOOK_AHEAD, CronError, window_of
from tests.fuzz import fuzz_cron


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def days(expression: str, month: str = "2026-11") -> list[int]:
    """Return the days of a month on which a window is open at noon."""
    window = window_of(expression, "")
    start = at(f"{month}-01T12:00")
    moments = [start + timedelta(days=number) for number in range(31)]
    return [m.day for m in moments if m.month == start.month and window.is_open(m)]


@pytest.mark.parametrize(
    ("expression", "month", "expected"),
    [
        ("0 * 12 ? * MON-TUE *", "2026-11", [2, 3, 9, 10, 16, 17, 23, 24, 30]),
        ("0 * * ? * 1", "2026-11", [1, 8, 15, 22, 29]),
        ("0 * * ? * FRI-SUN", "2026-11", [1, 6, 7, 8, 13, 14, 15, 20, 21, 22, 27, 28, 29]),
        ("0 * * ? * 6#3", "2026-11", [20]),
        ("0 * * ? * SUN#5", "2026-11", [29]),
        ("0 * * ? * SAT#5", "2026-11", []),
        ("0 * * ? * 6L", "2026-11", [27]),
        ("0 * * ? * L", "2026-11", [7, 14, 21, 28]),
        ("0 * * L * ?", "2028-02", [29]),
        ("0 * * L-3 * ?", "2026-11", [27]),
        ("0 * * LW * ?", "2026-10", [30]),
        ("0 * * 15W * ?", "2026-11", [16]),
        ("0 * * 1W * ?", "2026-08", [3]),
        ("0 * * 31W * ?", "2026-05", [29]),
        ("0 * * 31W * ?", "2026-11", []),
        ("0 * * 1,10/10 NOV ?", "2026-11", [1, 10, 20, 30]),
        ("0 * * 5 1-3 ?", "2026-11", []),
        ("0 * * 5 * ? 2027-2030", "2026-11", []),
        ("0 0/5 8-17/3 5 * ?", "2026-11", []),
        ("0 0/5 9-17/3 5 * ?", "2026-11", [5]),
    ],
)  # fmt: skip
def test_expression_matches_the_days_that_quartz_says(
    expression: str, month: str, expected: list[int]
) -> None:
    assert days(expression, month) == expected


def test_window_of_the_guide_is_open_on_workdays_from_nine_to_the_end_of_the_hour_of_five() -> None:
    window = window_of("0 * 9-17 ? * MON-FRI *", "")
    assert [window.is_open(at(f"2026-11-20T{t}")) for t in ("08:59:59", "09:00", "17:59:59",
        "18:00")] == [
        False, True, True, False
    ]  # fmt: skip
    assert window.opens(at("2026-11-20T17:59:30"), at("2026-12-01T00:00")) == at("2026-11-23T09:00")
    assert window.opens(at("2026-11-20T18:00"), at("2026-11-23T08:59")) is None


def test_zones_are_areas_offsets_and_summer_time() -> None:
    berlin = window_of("0 30 9 ? * *", "Europe/Berlin")
    assert berlin.is_open(at("2026-07-01T07:30"))
    assert berlin.is_open(at("2026-12-01T08:30"))
    for zone in ("UTC+05:30", "+0530", "GMT+05:30"):
        assert window_of("0 0 12 * * ?", zone).is_open(at("2026-11-20T06:30"))
    kolkata = window_of("0 15 9 * * ?", "Asia/Kolkata")
    assert kolkata.opens(at("2026-11-20T00:00"), at("2026-11-21T00:00")) == at("2026-11-20T03:45")


@pytest.mark.parametrize(
    ("expression", "zone", "words"),
    [
        ("* * *", "", "six or seven fields"),
        ("0 0 9 1 * MON", "", "one of day-of-month and day-of-week must be ?"),
        ("0 60 9 ? * *", "", 'minutes: "60" is no number from 0 to 59'),
        ("0 0 9 ? * FUNDAY", "", 'day-of-week: "FUNDAY"'),
        ("0 0 9 ? * MON#6", "", "day-of-week"),
        ("0 0/0 9 ? * *", "", "no step"),
        ("0 0/ 9 ? * *", "", "no step"),
        ("0 0 9 ? 13 *", "", "month"),
        ("x 0 9 ? * *", "", "seconds"),
        ("0 0 9 ? * * 99999", "", "year"),
        ("0 0 9 ? * *", "Mars/Olympus", "is no time zone"),
        ("0 0 9 ? * *", "../etc/passwd", "is no time zone"),
        ("0 0 9 ? * *", "UTC+99:00", "is no offset"),
    ],
)
def test_expression_that_says_nothing_is_refused_with_the_part(
    expression: str, zone: str, words: str
) -> None:
    with pytest.raises(CronError) as raised:
        window_of(expression, zone)
    assert words in str(raised.value)


@given(
    st.sampled_from(["0 * 9-17 ? * MON-FRI", "0 0/20 * L * ?", "0 5 3 ? * SUN#2", "0 * * 15W * ?"]),
    st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31)),
)
def test_next_opening_is_open_and_nothing_before_it_is(expression: str, moment: datetime) -> None:
    window, now = window_of(expression, "Europe/Berlin"), moment.replace(tzinfo=UTC)
    opens = window.opens(now, now + timedelta(days=40))
    assert opens is not None
    assert window.is_open(opens)
    assert opens.second == 0
    between = [now + (opens - now) * part / 50 for part in range(1, 50)]
    minutes = {m.replace(second=0, microsecond=0) for m in between} - {
        now.replace(second=0, microsecond=0)
    }
    assert not any(window.is_open(m) for m in minutes if now < m < opens)


TEXTS = st.text(max_size=40) | st.text(
    alphabet="0123456789*?/-,LW# MONFRI\u0660\u00b2", max_size=30
)


@given(
    st.sampled_from(
        ["{}", "0 {}", "0 0/{} 0 * * ?", "0 0 {} * * ?", "0 0 0 {} * ?", "0 0 0 ? {} {}"]
    ),
    TEXTS,
    TEXTS,
)
def test_any_text_is_a_window_or_an_error(shape: str, text: str, zone: str) -> None:
    for where in ("", zone, f"UTC{zone}", f"Europe/{zone}"):
        try:
            window_of(shape.replace("{}", text), where)
        except CronError:
            continue


@pytest.mark.parametrize(
    "step", ["00", "0", "000", "0000", "\u00b2", "\u0660", "", "-1", "1/2", "99999", " "]
)
@pytest.mark.parametrize("field", range(5))
def test_attack_07_step_that_is_no_number_above_zero_is_refused(step: str, field: int) -> None:
    fields = ["0", "0", "0", "*", "*", "?"]
    fields[field] = f"0/{step}" if field < 3 else f"1/{step}"
    with pytest.raises(CronError):
        window_of(" ".join(fields), "")


def test_attack_07_cron_that_raised_in_every_pass_is_a_problem_of_its_definition() -> None:
    spec = {"Cron": "0 0/00 * * * ?"}
    (found,) = [str(problem) for problem in _texts("rule", spec)]
    assert found.startswith("rule.configuration.Cron: minutes: ") and "no step after the /" in found


ODD_ZONES = [
    "Europe",
    "posix",
    "tzdata.zi",
    "a" * 5_000,
    "..",
    "/etc",
    "Europe/Berlin/",
    "\0",
    "é",
    "\ud800",
]


@pytest.mark.parametrize("zone", ODD_ZONES)
def test_zone_that_is_none_is_refused_whatever_it_is(zone: str) -> None:
    with pytest.raises(CronError):
        window_of("0 0 9 ? * *", zone)


def test_weak_expression_is_bounded_in_length() -> None:
    with pytest.raises(CronError, match="at most 1000 characters"):
        window_of("0 " + "1," * 500 + "1 * * * ?", "")


class Counting(tzinfo):
    """UTC, counting how often it is asked."""

    asked = 0

    def utcoffset(self, _: datetime | None) -> timedelta:
        self.asked += 1
        return timedelta()

    def dst(self, _: datetime | None) -> timedelta:
        return timedelta()

    def tzname(self, _: datetime | None) -> str:
        return "UTC"


def test_weak_search_for_an_opening_takes_an_hour_at_a_time_and_ends() -> None:
    zone = Counting()
    window = replace(window_of("0 0 0 31 2 ?", ""), zone=zone)
    assert window.opens(at("2026-01-01T00:00"), at("2199-01-01T00:00")) is None
    assert zone.asked <= 2 * 24 * (LOOK_AHEAD.days + 1)


@pytest.mark.parametrize("number", range(3))
def test_fuzzer_of_windows_finds_nothing(number: int, tmp_path: Path) -> None:
    assert fuzz_cron.batch(Random(number), tmp_path) == fuzz_cron.BATCH
