"""What many ask at the same time is asked at once."""

import asyncio
from collections.abc import Sequence

import pytest

from libs.common.errors import Unavailable
from libs.common.slots import Overloaded
from libs.common.together import Alike, Together
from tests.waiting import so


class Oracle:
    """Doubles numbers when it is let; notes what it was asked."""

    def __init__(self) -> None:
        self.asked: list[list[int]] = []
        self.let = asyncio.Semaphore(0)
        self.away = False

    async def ask(self, numbers: Sequence[int]) -> list[int]:
        self.asked.append(list(numbers))
        await self.let.acquire()
        if self.away:
            raise Unavailable("the oracle is away")
        if 13 in numbers:
            raise ValueError(13)
        return [2 * number for number in numbers]

    def let_all(self) -> None:
        for _ in range(50):
            self.let.release()


@pytest.fixture
def oracle() -> Oracle:
    return Oracle()


async def asking(together: Together[int, int], *numbers: int) -> list[asyncio.Task[int]]:
    """One after the other; when it returns, each has asked or waits."""
    come = list[int]()

    async def ask(number: int) -> int:
        come.append(number)
        return await together.answer(number)

    tasks = [asyncio.create_task(ask(number)) for number in numbers]
    await so(lambda: len(come) == len(numbers))
    return tasks


async def ended(tasks: Sequence[asyncio.Task[int]]) -> list[int | BaseException]:
    async with asyncio.timeout(5):
        return await asyncio.gather(*tasks, return_exceptions=True)


async def test_who_is_alone_asks_at_once_and_those_who_come_meanwhile_together(oracle: Oracle) -> None:
    together = Together(oracle.ask, most=10)

    tasks = await asking(together, 1, 2, 3, 4)
    oracle.let_all()

    assert await ended(tasks) == [2, 4, 6, 8]
    assert oracle.asked == [[1], [2, 3, 4]]
    assert await together.answer(5) == 10


async def test_no_more_are_asked_at_once_and_no_more_ask_than_may(oracle: Oracle) -> None:
    together = Together(oracle.ask, most=2, asking=2)

    tasks = await asking(together, 1, 2, 3, 4, 5)
    oracle.let_all()

    assert await ended(tasks) == [2, 4, 6, 8, 10]
    assert oracle.asked[:2] == [[1], [2]]
    assert sorted(map(len, oracle.asked)) == [1, 1, 1, 2]


async def test_what_is_away_is_away_for_all_and_they_hear_it_at_once(oracle: Oracle) -> None:
    together = Together(oracle.ask, most=10)
    oracle.away = True

    tasks = await asking(together, 1, 2, 3)
    oracle.let_all()

    assert [type(each) for each in await ended(tasks)] == [Unavailable] * 3
    oracle.away = False
    assert await together.answer(4) == 8


async def test_what_fails_for_one_fails_for_nobody_else(oracle: Oracle) -> None:
    together = Together(oracle.ask, most=10)

    tasks = await asking(together, 1, 2, 13, 3)
    oracle.let_all()

    first, second, unlucky, last = await ended(tasks)
    assert (first, second, last) == (2, 4, 6)
    assert isinstance(unlucky, ValueError)
    assert await together.answer(5) == 10


@pytest.mark.parametrize("gone", [[0], [1], [2], [0, 1], [1, 2], [0, 1, 2], [0, 3]])
async def test_who_goes_leaves_the_others_their_answers(oracle: Oracle, gone: list[int]) -> None:
    together = Together(oracle.ask, most=10)
    tasks = await asking(together, 1, 2, 3, 4)

    for each in gone:
        tasks[each].cancel()
    oracle.let_all()

    stay = [n for n in range(4) if n not in gone]
    answers = await ended(tasks)
    assert [answers[n] for n in stay] == [2 * (n + 1) for n in stay]
    assert all(isinstance(answers[n], asyncio.CancelledError) for n in gone)
    assert await together.answer(5) == 10


@pytest.mark.parametrize("gone", [1, 2])
async def test_who_goes_while_asked_for_or_just_told_to_ask_leaves_the_others_their_answers(
    oracle: Oracle, gone: int
) -> None:
    together = Together(oracle.ask, most=2)
    tasks = await asking(together, 1, 2, 3, 4)

    oracle.let.release()
    await so(tasks[0].done)
    tasks[gone].cancel()
    oracle.let_all()

    answers = await ended(tasks)
    assert [each for n, each in enumerate(answers) if n != gone] == [2 * (n + 1) for n in range(4) if n != gone]
    assert await together.answer(5) == 10


async def test_beyond_those_who_may_wait_nobody_does(oracle: Oracle) -> None:
    together = Together(oracle.ask, most=10, most_waiting=2)
    tasks = await asking(together, 1, 2, 3)

    with pytest.raises(Overloaded):
        await together.answer(4)
    oracle.let_all()

    assert await ended(tasks) == [2, 4, 6]


async def test_nobody_hears_what_was_asked_before_they_came() -> None:
    asked, state, turn = 0, 0, asyncio.Semaphore(0)

    async def look(numbers: Sequence[int]) -> list[int]:
        nonlocal asked
        asked += 1
        seen = state
        asyncio.get_running_loop().call_soon(turn.release)
        await turn.acquire()
        return [seen] * len(numbers)

    together = Together(look, most=8)

    async def write_and_read() -> None:
        nonlocal state
        state += 1
        written = state
        assert await together.answer(0) >= written

    async with asyncio.timeout(5):
        for _ in range(20):
            await asyncio.gather(*(write_and_read() for _ in range(10)))
    assert asked < 200


async def test_the_same_is_asked_once_for_all_who_came_meanwhile_and_other_things_do_not_wait_for_it() -> None:
    alike, asked, let = Alike[str](), list[str](), asyncio.Event()

    async def ask(what: str) -> str:
        asked.append(what)
        if what == "slow":
            await let.wait()
        return what

    slow = [asyncio.create_task(alike.answer("slow", lambda: ask("slow"))) for _ in range(4)]
    await so(lambda: asked == ["slow"])
    assert await alike.answer("quick", lambda: ask("quick")) == "quick"
    let.set()

    async with asyncio.timeout(5):
        assert await asyncio.gather(*slow) == ["slow"] * 4
    assert asked == ["slow", "quick", "slow"]
    assert not alike._asked
