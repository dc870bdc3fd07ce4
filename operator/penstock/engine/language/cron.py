"""Quartz cron expressions as windows (C-21).

A window is open in every minute that the expression matches.

``seconds minutes hours day-of-month month day-of-week [year]``; seconds are
not looked at. One of the two day fields is ``?`` or ``*``. ``L``, ``LW``,
``15W``, ``6L`` and ``6#3`` mean what they mean to Quartz.
"""

import calendar
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_MONTHS = {name.upper(): number for number, name in enumerate(calendar.month_abbr) if name}
_DAYS = {
    name: number
    for number, name in enumerate(("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"), start=1)
}
_OFFSET = re.compile(r"(?:UTC|GMT)?([+-])([0-9]{1,2})(?::?([0-9]{2}))?")
_AREA = re.compile(r"[A-Za-z0-9_+-]{1,32}(/[A-Za-z0-9_+-]{1,32}){0,2}")
_STEP = re.compile(r"[0-9]{1,4}")
_FIELDS = ("seconds", "minutes", "hours", "day-of-month", "month", "day-of-week", "year")

MOST_CHARACTERS = 1_000
"""The maximum length of an expression.

An expression unfolds to at most a few hundred numbers for each character.
"""
LOOK_AHEAD = timedelta(days=62)
"""How far `Window.opens` looks, in steps of an hour: a rule waits for at most 60 days."""

Days = Callable[[int, int], set[int]]
"""The days of a month that a field matches, by year and month."""


class CronError(ValueError):
    """An expression or a time zone that says nothing; the message says which part."""


@dataclass(frozen=True)
class Window:
    """A parsed expression in its time zone."""

    minutes: frozenset[int]
    hours: frozenset[int]
    months: frozenset[int]
    years: frozenset[int]
    of_month: Days | None
    of_week: Days | None
    zone: tzinfo

    def is_open(self, now: datetime) -> bool:
        """Whether the expression matches the minute of ``now``."""
        local = now.astimezone(self.zone)
        return self._is_day(local) and local.hour in self.hours and local.minute in self.minutes

    def opens(self, after: datetime, until: datetime) -> datetime | None:
        """Return the next matching minute after a moment, or None if there is none by ``until``.

        None, too, if there is none within LOOK_AHEAD: an hour that does not
        match is one step, and so is a minute.
        """
        # Whoever asks has found this very minute closed.
        moment = after.replace(second=0, microsecond=0) + timedelta(minutes=1)
        until = min(until, moment + LOOK_AHEAD)
        while moment <= until:
            local = moment.astimezone(self.zone)
            if not self._is_day(local) or local.hour not in self.hours:
                # Not all zones are whole hours away from UTC, so the step ends with the local hour.
                moment += timedelta(minutes=60 - local.minute)
            elif local.minute in self.minutes:
                return moment
            else:
                moment += timedelta(minutes=1)
        return None

    def _is_day(self, local: datetime) -> bool:
        if local.year not in self.years or local.month not in self.months:
            return False
        fields = [field for field in (self.of_month, self.of_week) if field]
        return all(local.day in field(local.year, local.month) for field in fields)


def window_of(expression: str, zone: str) -> Window:
    """Parse an expression and a zone; raise CronError, and nothing else for any text."""
    if len(expression) > MOST_CHARACTERS:
        raise CronError(f"a Cron has at most {MOST_CHARACTERS} characters, not {len(expression)}")
    parts = expression.upper().split()
    if len(parts) not in (6, 7):
        raise CronError(f"a Cron has six or seven fields ({' '.join(_FIELDS)}), not {len(parts)}")
    # Without a year the expression is of any year.
    texts = dict(zip(_FIELDS, [*parts, "*"], strict=False))
    if texts["day-of-month"] not in ("?", "*") and texts["day-of-week"] not in ("?", "*"):
        raise CronError("one of day-of-month and day-of-week must be ?")
    # Seconds open nothing, but what Quartz would refuse in them is refused.
    _numbers(texts["seconds"], "seconds", 0, 59)
    return Window(
        minutes=_numbers(texts["minutes"], "minutes", 0, 59),
        hours=_numbers(texts["hours"], "hours", 0, 23),
        months=_numbers(texts["month"], "month", 1, 12, _MONTHS),
        years=_numbers(texts["year"], "year", 1970, 2199),
        of_month=_days_of_month(texts["day-of-month"]),
        of_week=_days_of_week(texts["day-of-week"]),
        zone=zone_of(zone),
    )


def zone_of(text: str) -> tzinfo:
    """Return a time zone: ``Area/City``, ``UTC±HH:MM`` or an abbreviation; raise CronError."""
    if text.upper() in ("", "UTC", "GMT", "Z"):
        return UTC
    if match := _OFFSET.fullmatch(text.upper()):
        sign, hours, minutes = match.groups()
        offset = timedelta(hours=int(hours), minutes=int(minutes or 0))
        if offset >= timedelta(hours=24):
            raise CronError(f'"{text}" is no offset of a time zone')
        return timezone(-offset if sign == "-" else offset)
    try:
        # ZoneInfo opens a file of that name, so nothing but a name gets there.
        if _AREA.fullmatch(text):
            return ZoneInfo(text)
    # ZoneInfo raises an OSError for a folder of zones, as America.
    except (ZoneInfoNotFoundError, ValueError, OSError):
        pass
    raise CronError(f'"{text[:100]}" is no time zone; write Area/City, or UTC+HH:MM')


def _numbers(
    text: str, field: str, least: int, most: int, names: dict[str, int] | None = None
) -> frozenset[int]:
    found: set[int] = set()
    for item in text.split(","):
        span, slash, step = item.partition("/")
        first, dash, last = span.partition("-")
        if slash and not (_STEP.fullmatch(step) and int(step)):
            raise CronError(f'{field}: "{item}" has no step after the /')
        if span == "*":
            begin, end = least, most
        else:
            begin = _number(first, field, least, most, names or {})
            # 5/10 goes on to the end of its range, as in Quartz.
            end = (
                _number(last, field, least, most, names or {}) if dash else most if step else begin
            )
        # FRI-MON goes over the end, as in Quartz.
        span_numbers = (
            range(begin, end + 1)
            if begin <= end
            else [*range(begin, most + 1), *range(least, end + 1)]
        )
        found |= set(list(span_numbers)[:: int(step or 1)])
    return frozenset(found)


def _number(text: str, field: str, least: int, most: int, names: dict[str, int]) -> int:
    if text in names:
        return names[text]
    if not re.fullmatch(r"[0-9]{1,4}", text) or not least <= int(text) <= most:
        raise CronError(f'{field}: "{text}" is no number from {least} to {most}')
    return int(text)


def _days_of_month(text: str) -> Days | None:
    # Either of these leaves the days to the other field.
    if text in ("?", "*"):
        return None
    if text in ("L", "LW") or text.startswith("L-"):
        back = _number(text[2:], "day-of-month", 1, 30, {}) if text.startswith("L-") else 0
        return lambda year, month: {_last_day(year, month, back, is_weekday=text == "LW")}
    if text.endswith("W"):
        wanted = _number(text[:-1], "day-of-month", 1, 31, {})
        return lambda year, month: _nearest_weekday(year, month, wanted)
    days = _numbers(text, "day-of-month", 1, 31)
    return lambda year, month: set(days)


def _days_of_week(text: str) -> Days | None:
    """Days of the week are 1 to 7 from Sunday on."""
    if text in ("?", "*"):
        return None
    # L by itself is the last day of each week, as in Quartz.
    if text == "L":
        text = "SAT"
    if text.endswith("L"):
        day = _number(text[:-1], "day-of-week", 1, 7, _DAYS)
        return lambda year, month: {max(_on_weekday(year, month, day))}
    if "#" in text:
        name, _, nth = text.partition("#")
        day, count = (
            _number(name, "day-of-week", 1, 7, _DAYS),
            _number(nth, "day-of-week", 1, 5, {}),
        )
        return lambda year, month: set(_on_weekday(year, month, day)[count - 1 : count])
    numbers = _numbers(text, "day-of-week", 1, 7, _DAYS)
    return lambda year, month: {
        day for number in numbers for day in _on_weekday(year, month, number)
    }


def _length(year: int, month: int) -> int:
    return calendar.monthrange(year, month)[1]


def _weekday(year: int, month: int, day: int) -> int:
    """Return 1 for Sunday to 7 for Saturday."""
    return (calendar.weekday(year, month, day) + 1) % 7 + 1


def _on_weekday(year: int, month: int, number: int) -> list[int]:
    return [
        day for day in range(1, _length(year, month) + 1) if _weekday(year, month, day) == number
    ]


def _last_day(year: int, month: int, back: int, *, is_weekday: bool) -> int:
    last = _length(year, month) - back
    while is_weekday and _weekday(year, month, last) in (1, 7):
        last -= 1
    return last


def _nearest_weekday(year: int, month: int, wanted: int) -> set[int]:
    """Return the weekday nearest to a day of the month, within that month.

    The set is empty if the month lacks the day.
    """
    length = _length(year, month)
    if wanted > length:
        return set()
    number = _weekday(year, month, wanted)
    if number == 7:
        return {wanted - 1 if wanted > 1 else wanted + 2}
    if number == 1:
        return {wanted + 1 if wanted < length else wanted - 2}
    return {wanted}
