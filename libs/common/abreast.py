"""Several waits at once, with an owner: when the first of them fails, the others end before it is raised."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Coroutine
from typing import Any, TypeVar, overload

T = TypeVar("T")
R = TypeVar("R")
A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")
Work = Coroutine[Any, Any, T]


@overload
async def abreast(first: Work[A], second: Work[B], /) -> tuple[A, B]: ...
@overload
async def abreast(first: Work[A], second: Work[B], third: Work[C], /) -> tuple[A, B, C]: ...
async def abreast(*works: Work[Any]) -> tuple[Any, ...]:
    """What each of a few gives. Raises what the first of them to fail raises, and no group."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(work) for work in works]
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from None
    return tuple(task.result() for task in tasks)


async def of_each(work: Callable[[T], Awaitable[R]], over: Collection[T], most: int) -> list[R]:
    """What `work` gives of each, in their order; begun in it, too, at most so many at once. Raises as `abreast`."""
    results, waiting = dict[int, R](), enumerate(over)

    async def take_on() -> None:
        for number, one in waiting:
            results[number] = await work(one)

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(min(most, len(over))):
                group.create_task(take_on())
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from None
    return [results[number] for number in range(len(results))]
