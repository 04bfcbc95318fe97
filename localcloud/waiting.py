"""To look again and again, for what no event of ours tells: other processes, and what they have done."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

LOOK_EVERY_SECONDS = 0.05


async def until(look: Callable[[], Awaitable[T]], good: Callable[[T], object], *, seconds: float) -> T:
    """What was seen when it was good. Raises TimeoutError."""
    async with asyncio.timeout(seconds):
        while not good(seen := await look()):  # noqa: ASYNC110
            await asyncio.sleep(LOOK_EVERY_SECONDS)
        return seen
