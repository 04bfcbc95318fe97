"""An answer that comes after its time may still call off the next attempt; and never more than that."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from aiohttp import web

from localcloud.eventgrid import Conditions
from localcloud.eventgrid.late import MOST, Latecomers
from localcloud.eventgrid.pending import Delivery
from localcloud.eventgrid.retry import Answer, Outcome
from tests.localcloud.eventgrid.grid import PATIENCE
from tests.localcloud.eventgrid.hooks import Asked, Hear, Hook, agrees, publish
from tests.waiting import so

pytestmark = pytest.mark.real


@dataclass(slots=True)
class Slow:
    """Its answers to events are given one by one, by whoever tests."""

    tries: list[str] = field(default_factory=list)
    answers: dict[int, asyncio.Future[int]] = field(default_factory=dict)  # by the attempt

    async def __call__(self, asked: Asked) -> web.Response:
        if asked.verb == "OPTIONS":
            return await agrees(asked)
        self.tries.append(asked.headers["aeg-delivery-count"])
        return web.Response(status=await self.answers[len(self.tries) - 1])

    @classmethod
    def of(cls, attempts: int) -> "Slow":
        return cls(answers={each: asyncio.get_running_loop().create_future() for each in range(attempts)})


async def test_a_success_that_comes_late_calls_off_the_next_attempt_for_good(hear: Hear, hook: Hook) -> None:
    hook.answer = slow = Slow.of(1)
    async with hear(Conditions(answer_seconds=0.3), time_scale=1) as running:
        await publish(running, 1)
        late = await running.until("hook", lambda state: state.next_attempt is not None)
        slow.answers[0].set_result(202)
        state = await running.until("hook", lambda state: state.delivered == 1)
    async with hear() as running:
        after = running.state("hook")

    assert (late.pending, late.delivered, late.last_answer, slow.tries) == (1, 0, "TimedOut", ["0"])
    assert (state.pending, state.retried, state.last_answer, after.pending) == (0, 0, "Delivered 202", 0)


async def test_a_failure_that_comes_late_calls_off_nothing(hear: Hear, hook: Hook) -> None:
    hook.answer = slow = Slow.of(2)
    async with hear(Conditions(answer_seconds=0.3), time_scale=0.01) as running:
        await publish(running, 1)
        await running.until("hook", lambda state: state.last_answer == "TimedOut")
        slow.answers[0].set_result(500)
        slow.answers[1].set_result(202)
        state = await running.until("hook", lambda state: state.delivered == 1)

    assert (slow.tries, state.pending) == (["0", "1"], 0)


async def test_a_late_success_while_the_next_attempt_is_under_way_counts_once(hear: Hear, hook: Hook) -> None:
    hook.answer = slow = Slow.of(3)
    async with hear(Conditions(answer_seconds=1)) as running:
        await publish(running, 1)
        await so(lambda: len(slow.tries) == 2, seconds=PATIENCE)
        slow.answers[0].set_result(202)
        slow.answers[1].set_result(202)
        await running.until("hook", lambda state: state.delivered == 1)
        await publish(running, 2)
        await so(lambda: len(slow.tries) == 3, seconds=PATIENCE)

        assert running.state("hook").pending == 1


@dataclass(slots=True)
class Hangs:
    """Answers nobody until it is released."""

    release: asyncio.Event = field(default_factory=asyncio.Event)
    under_way: int = 0

    async def deliver(self, deliveries: Sequence[Delivery], seconds: float) -> Answer:
        self.under_way += 1
        try:
            async with asyncio.timeout(PATIENCE):
                await self.release.wait()
        finally:
            self.under_way -= 1
        return Answer(Outcome.DELIVERED)


def delivery(number: int, attempts: int = 0) -> Delivery:
    return Delivery(number, f"m-{number}", b"{}", 0.0, 0.0, attempts)


async def test_of_requests_that_hang_only_so_many_are_waited_for() -> None:
    called_off = list[int]()

    async def call_off(deliveries: list[Delivery], _: Answer) -> None:
        called_off.extend(each.id for each in deliveries)

    hangs, latecomers = Hangs(), Latecomers(call_off)
    async with asyncio.TaskGroup() as group:
        latecomers.stay_in(group)
        answers = [latecomers.answer(hangs, [delivery(number)], 0.01) for number in range(MOST + 5)]
        assert set(await asyncio.gather(*answers)) == {Answer(Outcome.TIMED_OUT)}
        await so(lambda: hangs.under_way == MOST, seconds=PATIENCE)
        for number in range(MOST + 5):
            latecomers.postponed(delivery(number, attempts=1))
        hangs.release.set()

    assert len(called_off) == MOST
    read = [delivery(number, attempts=1) for number in range(MOST + 5)]
    assert [each.id for each in latecomers.still_wanted(read)] == sorted({*range(MOST + 5)} - {*called_off})


async def test_an_attempt_that_has_begun_is_not_called_off() -> None:
    called_off = list[Delivery]()

    async def call_off(deliveries: list[Delivery], _: Answer) -> None:
        called_off.extend(deliveries)

    hangs, latecomers = Hangs(), Latecomers(call_off)
    async with asyncio.TaskGroup() as group:
        latecomers.stay_in(group)
        await latecomers.answer(hangs, [delivery(1), delivery(2)], 0.01)
        for number in (1, 2):
            latecomers.postponed(delivery(number, attempts=1))
        latecomers.still_wanted([delivery(1, attempts=1)])
        hangs.release.set()

    assert called_off == [delivery(2)]
