"""What nobody settles in time is cancelled, so that what is set aside for it is free again.

Every process looks; an order's lock decides who of them, or which message or caller, is first. Whoever is later finds
it settled. A process that dies leaves the rest to the next look.
"""

import asyncio
import random
from datetime import timedelta

import structlog

from libs.common.clock import now
from libs.common.errors import Unavailable
from libs.common.retry import pause, stopped_within
from services.orders.store import Store

log = structlog.get_logger()

BATCH = 100
LONGEST_LOOK_SECONDS = 30.0
LOOKS = 10  # in the time after which an order expires
LONGEST_PAUSE_SECONDS = 30.0


async def expire(store: Store, seconds: float, *, stop: asyncio.Event, chance: random.Random) -> None:
    """Until `stop`."""
    between, failures = min(LONGEST_LOOK_SECONDS, seconds / LOOKS), 0
    while not await stopped_within(chance.uniform(between / 2, between), stop):
        try:
            while await expire_some(store, seconds) == BATCH and not stop.is_set():
                continue
            failures = 0
        except Unavailable as error:
            failures += 1
            log.warning("expiry.interrupted", reason=error.detail, failures=failures)
            await pause(failures, longest=LONGEST_PAUSE_SECONDS, stop=stop, chance=chance)


async def expire_some(store: Store, seconds: float) -> int:
    """Of the oldest; how many it has looked at."""
    at = now()
    waiting = await store.waiting(at - timedelta(seconds=seconds), BATCH)
    for order_id in waiting:
        order = await store.change(order_id, lambda order: order.expire(at))
        log.info("order.expired", order_id=str(order_id), status=order.status)
    return len(waiting)
