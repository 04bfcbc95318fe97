"""An answer that comes after its time: within three minutes a success still calls off the next attempt, as in Azure."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from localcloud.eventgrid.destination import Destination, attempt
from localcloud.eventgrid.pending import UNKEPT, Delivery
from localcloud.eventgrid.retry import Answer, Outcome

PATIENCE: Final = 6  # times as long as an answer may take: three minutes
MOST: Final = 32  # late requests that are still waited for; another is broken off, as all are when Event Grid ends
READ_MEANWHILE: Final = 1_000  # more than a lane can have read of what is called off

CallOff = Callable[[list[Delivery], Answer], Awaitable[None]]
Attempt = tuple[int, int]  # a delivery's id, and the attempts before it


@dataclass(slots=True)
class Latecomers:
    call_off: CallOff
    _group: asyncio.TaskGroup | None = None
    _requests: int = 0
    _late: set[Attempt] = field(default_factory=set)  # whose answer is still waited for
    _waiting: set[Attempt] = field(default_factory=set)  # of those, to be tried again
    _gone: deque[int] = field(default_factory=lambda: deque(maxlen=READ_MEANWHILE))

    def stay_in(self, group: asyncio.TaskGroup) -> None:
        self._group = group

    def still_wanted(self, group: Sequence[Delivery]) -> list[Delivery]:
        """Of what a lane has read. An attempt that begins is not called off any more."""
        left = [each for each in group if each.id not in self._gone]
        self._waiting.difference_update((each.id, each.attempts - 1) for each in left)
        return left

    def postponed(self, again: Delivery) -> None:
        if (attempt := (again.id, again.attempts - 1)) in self._late:
            self._waiting.add(attempt)

    async def answer(self, by: Destination, deliveries: Sequence[Delivery], seconds: float) -> Answer:
        if self._group is None:
            return await attempt(by, deliveries, seconds)
        answered: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        request = self._group.create_task(self._follow(by, deliveries, PATIENCE * seconds, answered))
        try:
            async with asyncio.timeout(seconds):
                return await answered
        except TimeoutError:
            if answered.done() and not answered.cancelled():  # in the same moment
                return answered.result()
            self._wait_on(request, deliveries)
            return Answer(Outcome.TIMED_OUT)

    def _wait_on(self, request: asyncio.Task[None], deliveries: Sequence[Delivery]) -> None:
        if self._requests >= MOST:
            request.cancel()
            return
        self._requests += 1
        self._late.update(map(_attempt, deliveries))

    async def _follow(
        self, by: Destination, deliveries: Sequence[Delivery], seconds: float, answered: asyncio.Future[Answer]
    ) -> None:
        answer = await attempt(by, deliveries, seconds)
        if not answered.done():
            answered.set_result(answer)
            return
        self._requests -= 1
        # What succeeds in the very moment in which it is postponed is delivered again, as what is in a lane's hand.
        waiting = [each for each in deliveries if _attempt(each) in self._waiting]
        for which in (self._late, self._waiting):
            which.difference_update(map(_attempt, deliveries))
        if waiting and answer.outcome is Outcome.DELIVERED:
            self._gone.extend(each.id for each in waiting)
            try:
                await self.call_off(waiting, answer)
            except UNKEPT:
                self._gone.clear()  # they are tried again


def _attempt(of: Delivery) -> Attempt:
    return of.id, of.attempts
