"""Waiting before another try: full jitter, so that replicas do not come back all at once; a wish to stop ends it."""

import asyncio
import random

SHORTEST_SECONDS = 0.05
FIRST_SECONDS = 0.1


async def pause(failures: int, *, longest: float, stop: asyncio.Event, chance: random.Random) -> None:
    limit = min(longest, FIRST_SECONDS * 2.0 ** min(failures, 20))
    await stopped_within(chance.uniform(SHORTEST_SECONDS, limit), stop)


async def stopped_within(seconds: float, stop: asyncio.Event) -> bool:
    try:
        async with asyncio.timeout(seconds):
            return await stop.wait()
    except TimeoutError:
        return False
