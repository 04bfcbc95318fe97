"""Orders that come in while processes die."""

import asyncio
from collections.abc import Sequence
from functools import partial

from tests.stories.shop import Buyer
from tests.stories.store import RunningStore
from tests.waiting import so


async def ordered_while_killed(
    running: RunningStore, buyer: Buyer, product: str, count: int, victims: Sequence[str]
) -> list[str]:
    """The ids. The victims die one after the other, spread over the orders."""
    order_ids: list[str] = []

    async def order() -> None:
        order_ids.append(await buyer.order(product))

    def reached(enough: int) -> bool:
        return len(order_ids) >= enough

    async with asyncio.TaskGroup() as orders:
        for _ in range(count):
            orders.create_task(order())
        for number, victim in enumerate(victims, start=1):
            await so(partial(reached, number * count // (len(victims) + 1)))
            running.kill(victim)
    return order_ids
