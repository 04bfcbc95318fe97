"""Several waits at once: each has an owner, and no more are under way than may be."""

import asyncio

import pytest

from libs.common.abreast import abreast, of_each
from libs.common.errors import NotFound, Unavailable


async def give(what: str) -> str:
    await asyncio.sleep(0)
    return what


async def test_each_gives_its_own_in_the_order_of_who_asked() -> None:
    async def double(number: int) -> int:
        for _ in range(10 - number):
            await asyncio.sleep(0)
        return 2 * number

    assert await abreast(give("a"), give("b"), give("c")) == ("a", "b", "c")
    assert await of_each(double, range(10), 4) == [2 * number for number in range(10)]
    assert await of_each(double, [], 4) == []


async def test_no_more_are_under_way_than_may_be_and_they_begin_in_their_order() -> None:
    begun, under_way, most = list[int](), 0, 0

    async def work(number: int) -> None:
        nonlocal under_way, most
        begun.append(number)
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0)
        under_way -= 1

    await of_each(work, range(100), 7)

    assert (most, begun) == (7, list(range(100)))


@pytest.mark.parametrize("error", [NotFound(), Unavailable("away"), ValueError("a defect")])
async def test_when_one_fails_the_others_have_ended_before_it_is_raised_as_itself(error: Exception) -> None:
    ended = list[str]()

    async def wait(name: str) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)  # it takes a moment to clear up
            ended.append(name)

    async def fail(_: str = "") -> None:
        await asyncio.sleep(0)
        raise error

    with pytest.raises(type(error)) as raised:
        await abreast(wait("a"), fail(), wait("b"))
    with pytest.raises(type(error)):
        await of_each(lambda name: wait(name) if name else fail(), ["c", "", "d", "e"], 3)

    assert raised.value is error
    assert sorted(ended) == ["a", "b", "c", "d"]


async def test_who_is_cancelled_ends_them_first() -> None:
    ended, begun = list[int](), asyncio.Event()

    async def wait(number: int) -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(number)

    async with asyncio.TaskGroup() as group:
        asking = group.create_task(of_each(wait, [1, 2], 2))
        await begun.wait()
        asking.cancel()

    assert sorted(ended) == [1, 2]
