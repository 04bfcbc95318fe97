"""Several waits at once: each has an owner, and no more are under way than may be."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from libs.common.abreast import abreast, of_each
from libs.common.errors import NotFound, Unavailable

pytestmark = pytest.mark.timeout(30)

AT_ONCE = 4


async def give(what: str) -> str:
    return what


async def test_each_gives_its_own_in_the_order_of_who_asked() -> None:
    """Of each four the last is done first."""
    done = [asyncio.Event() for _ in range(10)]

    async def double(number: int) -> int:
        if number % AT_ONCE < AT_ONCE - 1 and number + 1 < len(done):
            await done[number + 1].wait()
        done[number].set()
        return 2 * number

    assert await abreast(give("a"), give("b"), give("c")) == ("a", "b", "c")
    assert await of_each(double, range(10), AT_ONCE) == [2 * number for number in range(10)]
    assert await of_each(double, [], AT_ONCE) == []


async def test_no_more_are_under_way_than_may_be_and_they_begin_in_their_order() -> None:
    begun, under_way, most, full = list[int](), 0, 0, asyncio.Event()

    async def work(number: int) -> None:
        nonlocal under_way, most
        begun.append(number)
        under_way += 1
        most = max(most, under_way)
        if under_way == 7:
            full.set()  # whoever else may begin has begun before one of these is through
        await full.wait()
        under_way -= 1

    await of_each(work, range(100), 7)

    assert (most, begun) == (7, list(range(100)))


def waiting(ended: list[str], error: Exception) -> Callable[[str], Coroutine[Any, Any, None]]:
    """Who has a name waits for ever, and takes a moment to clear up; who has none fails once two wait."""
    begun, two = list[str](), asyncio.Event()

    async def wait(name: str) -> None:
        if not name:
            await two.wait()
            raise error
        begun.append(name)
        if len(begun) == 2:
            two.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.to_thread(ended.append, name)

    return wait


@pytest.mark.parametrize("error", [NotFound(), Unavailable("away"), ValueError("a defect")])
async def test_when_one_fails_the_others_have_ended_before_it_is_raised_as_itself(error: Exception) -> None:
    ended = list[str]()
    wait = waiting(ended, error)

    with pytest.raises(type(error)) as raised:
        await abreast(wait("a"), wait(""), wait("b"))
    with pytest.raises(type(error)):
        await of_each(waiting(ended, error), ["c", "", "d", "e"], 3)

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
