"""When a timer is due: NCRONTAB (second minute hour day month weekday, in UTC), or every so often (a TimeSpan)."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from localcloud.functions_host import timespan

_FIELDS = (("second", 0, 59), ("minute", 0, 59), ("hour", 0, 23), ("day", 1, 31), ("month", 1, 12), ("weekday", 0, 7))
_NAMES = {
    "month": ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"),
    "weekday": ("sun", "mon", "tue", "wed", "thu", "fri", "sat"),
}
_PART = re.compile(r"(\*|(\w+)(?:-(\w+))?)(?:/([1-9]\d{0,4}))?")
_LONGEST_SEARCH = timedelta(days=366 * 8)  # from one 29 February to the next there may be eight years
_LONGEST_INTERVAL = timedelta(days=366 * 8)
_ONCE = datetime(2024, 2, 28)  # noqa: DTZ001  a schedule that does not come after it never comes


class Schedule(Protocol):
    def next(self, after: datetime) -> datetime:
        """The first time later than `after`."""


def parse(text: str) -> Schedule:
    """Raises ValueError."""
    if ":" in text:
        return Interval.parse(text)
    found = Cron.parse(text)
    found.next(_ONCE)
    return found


@dataclass(frozen=True, slots=True)
class Interval:
    each: timedelta

    @classmethod
    def parse(cls, text: str) -> "Interval":
        """Raises ValueError."""
        each = timedelta(seconds=timespan.seconds(text))
        if not timedelta(0) < each <= _LONGEST_INTERVAL:
            raise ValueError(f"'{text}' is no time to wait")
        return cls(each)

    def next(self, after: datetime) -> datetime:
        return after + self.each


@dataclass(frozen=True, slots=True)
class Cron:
    seconds: tuple[int, ...]
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: tuple[int, ...]
    months: tuple[int, ...]
    weekdays: tuple[int, ...]  # 0 is Sunday

    @classmethod
    def parse(cls, text: str) -> "Cron":
        """Raises ValueError."""
        parts = text.split()
        if len(parts) == len(_FIELDS) - 1:
            parts = ["0", *parts]  # as in crontab, which has no seconds
        if len(parts) != len(_FIELDS):
            raise ValueError(f"'{text}' is no NCRONTAB expression of six fields, as '0 */5 * * * *'")
        s, m, h, day, month, weekday = (_values(part, *field) for part, field in zip(parts, _FIELDS, strict=True))
        return cls(s, m, h, day, month, tuple(each % 7 for each in weekday))  # 0 and 7 are both Sunday

    def next(self, after: datetime) -> datetime:
        """Raises ValueError where there is none, as on 30 February."""
        day = after.replace(hour=0, minute=0, second=0, microsecond=0)
        last = day + _LONGEST_SEARCH
        while day < last:
            if day.month in self.months and day.day in self.days and day.isoweekday() % 7 in self.weekdays:
                found = next((time for time in self._times(day, after) if time > after), None)
                if found is not None:
                    return found
            day += timedelta(days=1)
        raise ValueError("the schedule never comes")

    def _times(self, day: datetime, after: datetime) -> Iterator[datetime]:
        """In order; hours and minutes that are over are passed by whole."""
        for hour in self.hours:
            if day.replace(hour=hour, minute=59, second=59) <= after:
                continue
            for minute in self.minutes:
                if day.replace(hour=hour, minute=minute, second=59) <= after:
                    continue
                for second in self.seconds:
                    yield day.replace(hour=hour, minute=minute, second=second)


def _values(text: str, name: str, low: int, high: int) -> tuple[int, ...]:
    values: set[int] = set()
    for part in text.lower().split(","):
        found = _PART.fullmatch(part)
        if found is None:
            raise ValueError(f"'{part}' is no {name}")
        whole, first, last, step = found.groups()
        if whole == "*":
            start, end = low, high
        else:
            start = _value(first, name)
            end = _value(last, name) if last else high if step else start
        if end > high:
            raise ValueError(f"'{text}' is no {name}")
        values.update(range(start, end + 1, int(step or 1)))
    if not values or min(values) < low:
        raise ValueError(f"'{text}' is no {name}")
    return tuple(sorted(values))


def _value(text: str, name: str) -> int:
    names = _NAMES.get(name, ())
    if text in names:
        return names.index(text) + (name == "month")
    if not text.isdecimal() or len(text) > 4:
        raise ValueError(f"'{text}' is no {name}")
    return int(text)
