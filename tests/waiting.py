"""Waiting for a condition, with a deadline; never for a time."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

T = TypeVar("T")
PATIENCE_SECONDS = 60.0
LOOK_EVERY_SECONDS = 0.02


async def until(look: Callable[[], Awaitable[T]], good: Callable[[T], Any], *, seconds: float = PATIENCE_SECONDS) -> T:
    """Looks again and again until it is good. Raises AssertionError with what was seen last."""
    seen = await look()
    try:
        async with asyncio.timeout(seconds):
            while not good(seen):
                await asyncio.sleep(LOOK_EVERY_SECONDS)
                seen = await look()
    except TimeoutError:
        raise AssertionError(f"not within {seconds} s; seen last: {seen}") from None
    return seen


async def so(reached: Callable[[], bool], *, seconds: float = PATIENCE_SECONDS) -> None:
    """The same for what needs no asking."""

    async def look() -> bool:
        return reached()

    await until(look, bool, seconds=seconds)
