"""Cron windows against a second reading of the rules: minute by minute, days
of a month written out.
"""

import calendar
import functools
import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random

from penstock.engine.language.cron import CronError, window_of
from tests.fuzz.finding import Finding

BATCH = 100
_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_ODD = "0123456789*?/-,LW# MONFRI\u0660²é\0\t:+"


def number(random: Random, least: int, most: int) -> str:
    """Return one item of a list of numbers."""
    one, other = random.randint(least, most), random.randint(least, most)
    step = random.choice(["1", "2", "5", "07", "30", "9999"])
    return random.choice(
        ["*", f"{one}", f"{one}-{other}", f"{one}/{step}", f"*/{step}", f"{one}-{other}/{step}"]
    )


def numbers(random: Random, least: int, most: int) -> str:
    """Return a field."""
    return ",".join(number(random, least, most) for _ in range(random.choice([1, 1, 1, 2, 3])))


def expression(random: Random) -> str:
    """Return an expression that says something."""
    minutes, hours, months = numbers(random, 0, 59), numbers(random, 0, 23), numbers(random, 1, 12)
    if random.random() < 0.2:
        months = random.choice(_MONTHS)
    day = random.randint(1, 31)
    of_month = random.choice(
        ["?", "*", numbers(random, 1, 31), "L", "LW", f"L-{random.randint(1, 30)}", f"{day}W"]
    )
    one, other = random.choice(_DAYS), random.choice(_DAYS)
    of_week = random.choice(
        [
            numbers(random, 1, 7),
            f"{one}",
            f"{one}-{other}",
            "L",
            f"{one}L",
            f"{one}#{random.randint(1, 5)}",
            "5L",
            "2#2",
        ]
    )
    days = (of_month, "?") if random.random() < 0.5 else ("?", of_week)
    year = random.choice(["", "", " *", " 2026-2027", " 2026/2"])
    return f"{numbers(random, 0, 59)} {minutes} {hours} {days[0]} {months} {days[1]}{year}"


@functools.lru_cache(maxsize=4096)
def is_in(field: str, value: int, least: int, most: int) -> bool:
    """Whether a value is one that a field of numbers names: every item is
    walked from its first to its last.
    """
    return any(_is_in(item, value, least, most) for item in field.split(","))


def _is_in(item: str, value: int, least: int, most: int) -> bool:
    match = re.fullmatch(r"(\*|\w+)(?:-(\w+))?(?:/(\d+))?", item)
    assert match, item
    first = least if match[1] == "*" else int(match[1])
    last = int(match[2]) if match[2] else most if match[3] or match[1] == "*" else first
    walked, here = 0, first
    while True:
        if here == value and walked % int(match[3] or 1) == 0:
            return True
        if here == last:
            return False
        here, walked = (least if here == most else here + 1), walked + 1


@functools.lru_cache(maxsize=4096)
def names(field: str, known: tuple[str, ...]) -> str:
    """Return a field with numbers for names."""
    for index, name in enumerate(known, start=1):
        field = field.replace(name, str(index))
    return field


@functools.lru_cache(maxsize=4096)
def is_day(of_month: str, of_week: str, day: date) -> bool:
    """Whether the two day fields match a day."""
    month = [day.replace(day=n) for n in range(1, calendar.monthrange(day.year, day.month)[1] + 1)]
    if of_month not in ("?", "*"):
        if of_month == "LW":
            return day == [each for each in month if each.isoweekday() < 6][-1]
        if of_month.startswith("L"):
            back = int(of_month[2:] or 0)
            return back < len(month) and day == month[-1 - back]
        if of_month.endswith("W"):
            wanted = int(of_month[:-1])
            workdays = sorted(
                (abs(each.day - wanted), each.day) for each in month if each.isoweekday() < 6
            )
            return wanted <= len(month) and day.day == workdays[0][1]
        return is_in(of_month, day.day, 1, 31)
    same = [each for each in month if each.isoweekday() == day.isoweekday()]
    number_of = day.isoweekday() % 7 + 1
    if of_week in ("?", "*"):
        return True
    if of_week.endswith("L") and of_week != "L":
        return number_of == int(names(of_week, _DAYS)[:-1]) and day == same[-1]
    if "#" in of_week:
        wanted_day, nth = names(of_week, _DAYS).split("#")
        return number_of == int(wanted_day) and same.index(day) == int(nth) - 1
    return is_in("7" if of_week == "L" else names(of_week, _DAYS), number_of, 1, 7)


def is_open(text: str, moment: datetime) -> bool:
    """Whether an expression matches a minute, in UTC."""
    _, minutes, hours, of_month, months, of_week, *year = text.split()
    return (
        is_in(minutes, moment.minute, 0, 59)
        and is_in(hours, moment.hour, 0, 23)
        and is_in(names(months, _MONTHS), moment.month, 1, 12)
        and (not year or is_in(year[0], moment.year, 1970, 2199))
        and is_day(of_month, of_week, moment.date())
    )


def batch(random: Random, folder: Path) -> int:
    """Compare windows at random moments and at their next opening, and try
    texts that say nothing.
    """
    for _ in range(BATCH // 2):
        text = expression(random)
        window = window_of(text, "")
        start = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(
            minutes=random.randrange(3 * 365 * 1440)
        )
        for minutes in random.sample(range(60 * 1440), 30):
            moment = start + timedelta(minutes=minutes)
            if window.is_open(moment) != is_open(text, moment):
                raise Finding(f"{text!r} at {moment}: it is {window.is_open(moment)}")
        check_opening(text, start, random.choice([180] * 9 + [2 * 1440]))
        odd = "".join(random.choices(_ODD, k=random.randrange(40)))
        is_anything(
            random.choice([odd, f"0 {odd}", f"0 0 {odd} * ?", f"0 0/{odd} 0 * * ?"]),
            random.choice(["", odd]),
        )
    return BATCH


def check_opening(text: str, start: datetime, length: int) -> None:
    """Raise Finding unless the next opening within so many minutes is the
    first one that matches.
    """
    until = start + timedelta(minutes=length)
    moments = (start + timedelta(minutes=n) for n in range(1, length + 1))
    wanted = next((moment for moment in moments if is_open(text, moment)), None)
    found = window_of(text, "").opens(start, until)
    if found != wanted:
        raise Finding(f"{text!r} after {start}: opens at {found}, not at {wanted}")


def is_anything(text: str, zone: str) -> None:
    """Raise Finding if a text is neither a window nor refused."""
    try:
        window_of(text, zone)
    except CronError:
        return
    except Exception as error:
        raise Finding(f"{text!r} in {zone!r}: {error!r}") from error
