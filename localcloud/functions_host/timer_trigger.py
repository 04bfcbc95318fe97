"""Timer functions: one run at a time, none made up for what was missed while the host was down."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

import msgspec
from azure.functions.meta import Datum

from localcloud.functions_host.bindings import Retry, TimerTrigger
from localcloud.functions_host.indexing import Function
from localcloud.functions_host.invocation import Call, FunctionFailed, Invoker, RetryContext
from localcloud.functions_host.ncrontab import Schedule

NO_RETRY = Retry("fixed_delay", 0)


class Clock(Protocol):
    def now(self) -> datetime: ...

    async def wait(self, until: datetime, stop: asyncio.Event) -> None:
        """Returns early once `stop` is set."""


class WallClock:
    def now(self) -> datetime:
        return datetime.now(UTC)

    async def wait(self, until: datetime, stop: asyncio.Event) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout((until - self.now()).total_seconds()):
                await stop.wait()


def timer_datum(last: datetime | None = None, due: datetime | None = None) -> Datum:
    status = {"Last": last, "Next": due} if last and due else {}
    timer = {"Schedule": {"AdjustForDST": True}, "ScheduleStatus": status, "IsPastDue": False}
    return Datum(msgspec.json.encode(timer).decode(), "json")


@dataclass(frozen=True, slots=True)
class Timer:
    function: Function
    trigger: TimerTrigger
    invoker: Invoker
    clock: Clock
    stop: asyncio.Event

    async def run(self) -> None:
        """Until `stop`."""
        if self.trigger.run_on_startup:
            await self._tick(timer_datum())
        schedule, due = Schedule.parse(self.trigger.schedule), self.clock.now()
        while not self.stop.is_set():
            last, due = due, schedule.next(max(due, self.clock.now()))  # `due`: a wall clock may step back
            await self.clock.wait(due, self.stop)
            if not self.stop.is_set():
                await self._tick(timer_datum(last, due))

    async def _tick(self, data: Datum) -> None:
        retry = self.function.retry or NO_RETRY
        for attempt in range(retry.max_retry_count + 1):
            if attempt:
                await self.clock.wait(self.clock.now() + timedelta(seconds=retry.delay(attempt - 1)), self.stop)
            with suppress(FunctionFailed):  # logged where it was called
                await self.invoker.run(self.function, Call(data, retry=RetryContext(attempt, retry.max_retry_count)))
                return
