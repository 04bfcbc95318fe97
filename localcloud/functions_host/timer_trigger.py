"""Timer functions: one run at a time; what came due while the host was down is made up for once, where it remembers."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

import msgspec
from azure.functions.meta import Datum

from localcloud.functions_host import ncrontab
from localcloud.functions_host.bindings import Retry, TimerTrigger
from localcloud.functions_host.indexing import Function
from localcloud.functions_host.invocation import Call, FunctionFailed, Invoker, RetryContext
from localcloud.functions_host.timer_monitor import Monitor, Status

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


def timer_datum(status: Status | None = None, *, past_due: bool = False) -> Datum:
    said = msgspec.to_builtins(status) if status else {}
    timer = {"Schedule": {"AdjustForDST": True}, "ScheduleStatus": said, "IsPastDue": past_due}
    return Datum(msgspec.json.encode(timer).decode(), "json")


@dataclass(frozen=True, slots=True)
class Timer:
    function: Function
    trigger: TimerTrigger
    invoker: Invoker
    clock: Clock
    stop: asyncio.Event
    monitor: Monitor

    async def run(self) -> None:
        """Until `stop`."""
        schedule, now = ncrontab.parse(self.trigger.schedule), self.clock.now()
        status = await self.monitor.recall(self.function.name, schedule, now)
        if status.next < now:
            status = await self._tick(status, schedule, at=now, past_due=True)
        elif self.trigger.run_on_startup:
            status = await self._tick(status, schedule, at=now)
        while not self.stop.is_set():
            await self.clock.wait(status.next, self.stop)
            if not self.stop.is_set():
                status = await self._tick(status, schedule, at=status.next)

    async def _tick(
        self, status: Status, schedule: ncrontab.Schedule, *, at: datetime, past_due: bool = False
    ) -> Status:
        """Remembered after the call: whoever is killed in it calls again. Returns when it is due next."""
        await self._call(timer_datum(status, past_due=past_due))
        now = self.clock.now()
        last = max(at, now)  # a wall clock may step back
        following = Status(last=last, next=schedule.next(last), last_updated=now)
        await self.monitor.remember(self.function.name, following)
        return following

    async def _call(self, data: Datum) -> None:
        retry, attempt = self.function.retry or NO_RETRY, 0
        while not self.stop.is_set():
            with suppress(FunctionFailed):  # logged where it was called
                await self.invoker.run(self.function, Call(data, retry=RetryContext(attempt, retry.max_retry_count)))
                return
            if attempt == retry.max_retry_count:
                return
            await self.clock.wait(self.clock.now() + timedelta(seconds=retry.delay(attempt)), self.stop)
            attempt += 1
