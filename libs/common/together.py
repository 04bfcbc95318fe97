"""What many ask at the same time is asked at once: one round trip, one commit, for all who wait."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Generic, TypeVar

from libs.common.errors import StoreError
from libs.common.slots import MOST_WAITING, Overloaded

Q = TypeVar("Q")
A = TypeVar("A")


class _Turn(Enum):
    LEAD = auto()  # no answer: ask, for all who wait


@dataclass(slots=True, eq=False)
class _Question(Generic[Q, A]):
    about: Q
    answer: "asyncio.Future[A | _Turn]"


@dataclass(slots=True)
class Together(Generic[Q, A]):
    """Whoever comes while few enough ask does so at once. Others wait; as soon as somebody has been answered, the first
    of them asks for all, so that what was true before they came is never what they hear.

    There is no task beside those who ask: who is cancelled leaves the others to the next. So `ask` may be asked twice.
    """

    ask: Callable[[Sequence[Q]], Awaitable[Sequence[A]]]  # an answer to each, in their order
    most: int  # at once
    asking: int = 1  # so many at the same time
    most_waiting: int = MOST_WAITING
    _waiting: "deque[_Question[Q, A]]" = field(default_factory=deque)
    _leading: int = 0

    async def answer(self, about: Q) -> A:
        """Raises Overloaded, and what `ask` raises."""
        question = _Question[Q, A](about, asyncio.get_running_loop().create_future())
        if self._leading < self.asking:
            self._leading += 1
            return await self._lead(question)
        if len(self._waiting) >= self.most_waiting:
            raise Overloaded
        self._waiting.append(question)
        answer = await self._turn(question)
        return await self._lead(question) if isinstance(answer, _Turn) else answer

    async def _turn(self, question: _Question[Q, A]) -> A | _Turn:
        try:
            return await question.answer
        except asyncio.CancelledError:
            if question in self._waiting:
                self._waiting.remove(question)
            elif _said(question.answer) is _Turn.LEAD:
                self._pass_on()
            raise

    async def _lead(self, own: _Question[Q, A]) -> A:
        others = [self._waiting.popleft() for _ in range(min(self.most - 1, len(self._waiting)))]
        try:
            first, *rest = await self.ask([own.about, *(each.about for each in others)])
            for each, answer in zip(others, rest, strict=True):
                if not each.answer.done():
                    each.answer.set_result(answer)
            return first
        except StoreError as refusal:  # it holds for all: else each would wait for that in turn
            for each in others:
                if not each.answer.done():
                    each.answer.set_exception(refusal)
            raise
        except BaseException as error:
            self._waiting.extendleft(reversed(others))
            if others and isinstance(error, Exception):  # it may be somebody else's fault
                (alone,) = await self.ask([own.about])
                return alone
            raise
        finally:
            self._pass_on()

    def _pass_on(self) -> None:
        """What we led, the first of those who wait leads now."""
        while self._waiting:
            following = self._waiting.popleft()
            if not following.answer.done():
                following.answer.set_result(_Turn.LEAD)
                return
        self._leading -= 1

    @property
    def is_idle(self) -> bool:
        return not self._leading


@dataclass(slots=True)
class Alike(Generic[A]):
    """The same question by many at the same time is asked once for all of them, and never before they came."""

    most_waiting: int = MOST_WAITING  # for the same
    _asked: "dict[Hashable, Together[Callable[[], Awaitable[A]], A]]" = field(default_factory=dict)

    async def answer(self, question: Hashable, ask: Callable[[], Awaitable[A]]) -> A:
        """Raises Overloaded, and what `ask` raises."""
        asked = self._asked.get(question)
        if asked is None:
            asked = self._asked[question] = Together(_once, self.most_waiting + 1, most_waiting=self.most_waiting)
        try:
            return await asked.answer(ask)
        finally:
            if asked.is_idle and self._asked.get(question) is asked:
                del self._asked[question]


async def _once(askers: Sequence[Callable[[], Awaitable[A]]]) -> list[A]:
    return [await askers[0]()] * len(askers)


def _said(answer: "asyncio.Future[A | _Turn]") -> A | _Turn | None:
    """Nothing where there is none, or an error, which is looked at so that nobody warns of it."""
    return answer.result() if answer.done() and not answer.cancelled() and not answer.exception() else None
