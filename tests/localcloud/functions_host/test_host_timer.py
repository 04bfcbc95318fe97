"""NCRONTAB, and timers by a clock that only the test moves."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localcloud.functions_host import indexing, ncrontab
from localcloud.functions_host.bindings import Retry, TimerTrigger
from localcloud.functions_host.calls import Calls
from localcloud.functions_host.indexing import Function
from localcloud.functions_host.invocation import Invoker
from localcloud.functions_host.timer_monitor import Monitor
from localcloud.functions_host.timer_trigger import Timer, WallClock

MONDAY = datetime(2026, 6, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("* * * * * *", "2026-06-01T12:00:01"),
        ("0 * * * * *", "2026-06-01T12:01:00"),
        ("*/20 * * * * *", "2026-06-01T12:00:20"),
        ("0 */5 * * * *", "2026-06-01T12:05:00"),
        ("5/20 0 12 * * *", "2026-06-01T12:00:05"),
        ("0 0 12 * * *", "2026-06-02T12:00:00"),
        ("0 30 9-17 * * 1-5", "2026-06-01T12:30:00"),
        ("0 30 9 * * Mon-Fri", "2026-06-02T09:30:00"),
        ("0 0 0 1 1 *", "2027-01-01T00:00:00"),
        ("0 0 0 1 jan,JUL *", "2026-07-01T00:00:00"),
        ("0 0 0 * * sun", "2026-06-07T00:00:00"),
        ("0 0 0 * * 7", "2026-06-07T00:00:00"),
        ("0 0 0 29 2 *", "2028-02-29T00:00:00"),
        ("0 0 0 13 * fri", "2026-11-13T00:00:00"),
        ("*/5 * * * *", "2026-06-01T12:05:00"),
        ("00:05:00", "2026-06-01T12:05:00"),
        ("1.00:00", "2026-06-02T12:00:00"),
        ("59 59 23 31 12 *", "2026-12-31T23:59:59"),
    ],
)
def test_a_schedule_knows_its_next_time(text: str, expected: str) -> None:
    assert ncrontab.parse(text).next(MONDAY) == datetime.fromisoformat(expected).replace(tzinfo=UTC)


@given(after=st.datetimes(datetime(2024, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001
def test_the_next_time_is_always_later_and_the_first(after: datetime) -> None:
    every_minute = ncrontab.parse("30 * * * * *").next(after)

    assert timedelta(0) < every_minute - after <= timedelta(minutes=1)
    assert every_minute.second == 30


@pytest.mark.parametrize(
    "text",
    [
        "* * * *",
        "00:00:00",
        "5:0",
        "60 * * * * *",
        "0 0 0 1-99999 * *",
        "0 0 0 30 2 *",
        "* * * 0 * *",
        "* * * * moon *",
        "a-b * * * * *",
        "5-1 * * * * *",
        "",
    ],
)
def test_what_is_no_schedule_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no|never comes"):
        ncrontab.parse(text)


@given(text=st.text("*/-,0123459jan: ", max_size=24))
def test_no_schedule_is_more_than_understood_or_not(text: str) -> None:
    with suppress(ValueError):
        assert ncrontab.parse(text).next(MONDAY) > MONDAY


class TestClock:
    """Jumps to whatever is waited for, and stops all at its end."""

    __test__ = False

    def __init__(self, ends: datetime) -> None:
        self.at, self.ends, self.waited = MONDAY, ends, list[datetime]()

    def now(self) -> datetime:
        return self.at

    async def wait(self, until: datetime, stop: asyncio.Event) -> None:
        self.at = max(self.at, until)
        self.waited.append(until)
        if until > self.ends:
            stop.set()


@pytest.fixture
def sample() -> dict[str, Function]:
    return {each.name: each for each in indexing.load(Path(__file__).parent / "sample_app", {})}


def timer(function: Function, clock: Any, stop: asyncio.Event, state: Path | None = None) -> Timer:
    assert isinstance(function.trigger, TimerTrigger)
    invoker = Invoker({}, ThreadPoolExecutor(1), 5.0, uuid4, clock.now, Calls([function.name]))
    return Timer(function, function.trigger, invoker, clock, stop, Monitor(state))


def told(function: Function) -> list[dict[str, Any]]:
    heard = function.call.__globals__["heard"]
    return [heard.get_nowait() for _ in range(heard.qsize())]


async def test_a_timer_runs_at_its_times_and_tries_again_as_told(sample: dict[str, Function]) -> None:
    clock = TestClock(ends=MONDAY + timedelta(days=2))

    await timer(sample["sweep"], clock, asyncio.Event()).run()

    tries = [timedelta(seconds=seconds) for seconds in (0, 10, 20)]
    days = [datetime(2026, 6, day, 3, 30, tzinfo=UTC) for day in (2, 3)]
    assert clock.waited[:-1] == [day + each for day in days for each in tries]
    assert told(sample["sweep"]) == [{"past_due": False, "attempt": attempt} for attempt in (0, 1, 2)] * 2


async def test_a_timer_that_asks_for_it_runs_at_start_and_misses_nothing_later(sample: dict[str, Function]) -> None:
    clock = TestClock(ends=MONDAY + timedelta(days=300))

    await timer(sample["greet"], clock, asyncio.Event()).run()

    assert told(sample["greet"]) == [{"greeted": True}] * 2


async def test_what_came_due_while_the_host_was_down_is_made_up_for_once(
    sample: dict[str, Function], tmp_path: Path
) -> None:
    await timer(sample["sweep"], TestClock(MONDAY + timedelta(days=1)), asyncio.Event(), tmp_path).run()
    told(sample["sweep"])
    later = TestClock(MONDAY + timedelta(days=5, minutes=1))
    later.at = MONDAY + timedelta(days=5)

    await timer(sample["sweep"], later, asyncio.Event(), tmp_path).run()

    assert told(sample["sweep"]) == [{"past_due": True, "attempt": attempt} for attempt in (0, 1, 2)]


async def test_another_schedule_than_the_one_of_that_time_begins_anew(tmp_path: Path) -> None:
    daily, hourly = ncrontab.parse("0 0 0 * * *"), ncrontab.parse("0 0 * * * *")
    await Monitor(tmp_path).recall("sweep", daily, MONDAY)

    known = await Monitor(tmp_path).recall("sweep", hourly, MONDAY + timedelta(minutes=30))

    assert known.next == MONDAY + timedelta(hours=1)


async def test_a_monitor_that_cannot_be_read_is_as_none(tmp_path: Path) -> None:
    (tmp_path / "timers").mkdir()
    (tmp_path / "timers/sweep.json").write_text('{"Next": ')

    known = await Monitor(tmp_path).recall("sweep", ncrontab.parse("0 0 * * * *"), MONDAY)

    assert (known.last, known.next) == (None, MONDAY + timedelta(hours=1))


async def test_the_wall_clock_wakes_at_once_when_asked_to_stop() -> None:
    stop = asyncio.Event()
    stop.set()

    async with asyncio.timeout(1):
        await WallClock().wait(datetime.now(UTC) + timedelta(hours=1), stop)


def test_an_exponential_backoff_doubles_up_to_its_longest() -> None:
    retry = Retry("exponential_backoff", 5, minimum_interval="00:00:04", maximum_interval="00:00:15")

    assert [retry.delay(attempt) for attempt in range(4)] == [4, 8, 15, 15]
