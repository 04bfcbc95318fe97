"""Processes are killed in mid-flow; every order still settles exactly once."""

import asyncio

import pytest

from tests.stories.shop import FINAL, Shop
from tests.stories.store import RunningStore
from tests.waiting import until

pytestmark = [pytest.mark.story, pytest.mark.xdist_group("store"), pytest.mark.timeout(180)]

ORDERS = 40


@pytest.mark.parametrize("victim", ["orders", "functions", "catalog", "cloud", "postgres"])
async def test_a_process_killed_in_mid_flow_loses_and_doubles_nothing(
    shop: Shop, running: RunningStore, victim: str
) -> None:
    product, buyer = await shop.product(stock=ORDERS // 2), await shop.customer()
    await buyer.order(product)

    placing = asyncio.gather(*(buyer.order(product) for _ in range(ORDERS)))
    await until(lambda: buyer.call("GET", "/api/orders?limit=100"), lambda page: len(page.body["items"]) > ORDERS // 4)
    running.kill(victim)
    order_ids = await placing
    settled = [await buyer.settled(order_id) for order_id in order_ids]

    assert len(set(order_ids)) == ORDERS
    assert {order["status"] for order in settled} <= set(FINAL)
    assert sum(order["status"] == "confirmed" for order in settled) == ORDERS // 2 - 1  # one was the first
    await running.quiet()
    stock = (await shop.stock(product)).body
    assert (stock["on_hand"], stock["reserved"], stock["sold"]) == (0, 0, ORDERS // 2)


async def test_two_hundred_orders_at_once_all_settle_in_bounded_memory(shop: Shop, running: RunningStore) -> None:
    product, buyer = await shop.product(stock=50), await shop.customer()
    await buyer.order(product)
    before = running.resident_megabytes()

    order_ids = await asyncio.gather(*(buyer.order(product) for _ in range(199)))
    settled = [await buyer.settled(order_id) for order_id in order_ids]

    statuses = [order["status"] for order in settled]
    assert (statuses.count("confirmed"), statuses.count("rejected")) == (49, 150)
    assert running.resident_megabytes() - before < 100
