"""Processes are killed in mid-flow; every order still settles exactly once. Azurite is not: it is not made for that."""

import asyncio
import random
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from tests.localcloud.programs import running as started
from tests.stories.ground import told_on_each_engine
from tests.stories.killing import ordered_while_killed
from tests.stories.shop import FINAL, Buyer, Shop
from tests.stories.store import RunningStore
from tests.waiting import so, until

pytestmark = [pytest.mark.story, pytest.mark.xdist_group("store"), pytest.mark.timeout(300)]

ORDERS = 40
VICTIMS = ("catalog", "functions", "orders", "cloud", "customers")
CHAOS_ORDERS = 150
CHAOS_FAULTS = 12
PARTS = ("orders", "catalog", "customers", "functions", "payments", "cloud", "postgres", "gateway")


async def test_a_database_killed_in_mid_flow_loses_and_doubles_nothing(shop: Shop, running: RunningStore) -> None:
    product, buyer = await shop.product(stock=ORDERS // 2), await shop.customer()
    await buyer.order(product)

    placing = asyncio.gather(*(buyer.order(product) for _ in range(ORDERS)))
    await until(lambda: buyer.call("GET", "/api/orders?limit=100"), lambda page: len(page.body["items"]) > ORDERS // 4)
    running.kill("postgres")
    order_ids = await placing

    await expect_half_sold(shop, running, buyer, product, order_ids)


@told_on_each_engine
async def test_each_process_killed_while_orders_flow_loses_and_doubles_nothing(
    shop: Shop, running: RunningStore
) -> None:
    most = running.few(ORDERS)
    product, buyer = await shop.product(stock=most // 2), await shop.customer()
    await buyer.order(product)

    order_ids = await ordered_while_killed(running, buyer, product, most, VICTIMS)

    await expect_half_sold(shop, running, buyer, product, order_ids)


async def expect_half_sold(shop: Shop, running: RunningStore, buyer: Buyer, product: str, order_ids: list[str]) -> None:
    """There were half as many pieces as orders, and one was sold before."""
    settled = [await buyer.settled(order_id) for order_id in order_ids]

    assert len(set(order_ids)) == len(order_ids)
    assert {order["status"] for order in settled} <= set(FINAL)
    assert sum(order["status"] == "confirmed" for order in settled) == len(order_ids) // 2 - 1
    await running.quiet()
    stock = (await shop.stock(product)).body
    assert (stock["on_hand"], stock["reserved"], stock["sold"]) == (0, 0, len(order_ids) // 2)


async def test_two_hundred_orders_at_once_all_settle_in_bounded_memory(shop: Shop, running: RunningStore) -> None:
    product, buyer = await shop.product(stock=50), await shop.customer()
    await buyer.order(product)
    before = running.resident_megabytes()

    order_ids = await asyncio.gather(*(buyer.order(product) for _ in range(199)))
    settled = [await buyer.settled(order_id) for order_id in order_ids]

    statuses = [order["status"] for order in settled]
    assert (statuses.count("confirmed"), statuses.count("rejected")) == (49, 150)
    assert running.resident_megabytes() - before < 100


@told_on_each_engine
async def test_of_two_hundred_orders_for_fifty_pieces_by_two_processes_of_each_service_fifty_are_sold(
    shop: Shop, running: RunningStore, tmp_path: Path
) -> None:
    most = running.few(200)
    product, buyer = await shop.product(stock=most // 4 + 1), await shop.customer()
    await buyer.settled(await buyer.order(product))  # now orders know both
    services = {name: await asyncio.to_thread(running.another, name) for name in ("orders", "catalog")}

    async with AsyncExitStack() as processes:
        for name, program in services.items():
            await processes.enter_async_context(started(program, tmp_path / f"{name}.log"))
        there = replace(buyer, shop=replace(shop, gateway=f"http://127.0.0.1:{services['orders'].ports[0]}"))
        order_ids = await asyncio.gather(*((buyer, there)[each % 2].order(product) for each in range(most)))
        settled = [await buyer.settled(order_id) for order_id in order_ids]
        await running.quiet()

    statuses = [order["status"] for order in settled]
    assert (statuses.count("confirmed"), statuses.count("rejected")) == (most // 4, most - most // 4)
    stock = (await shop.stock(product)).body
    assert (stock["on_hand"], stock["reserved"], stock["sold"]) == (0, 0, most // 4 + 1)
    for name in services:  # none was idle
        assert '"message.handled"' in (tmp_path / f"{name}.log").read_text()


@pytest.mark.parametrize("seed", [3])
async def test_whatever_is_killed_or_stalls_every_order_settles_once(
    shop: Shop, running: RunningStore, seed: int
) -> None:
    chance = random.Random(seed)
    products = [await shop.product(stock=40) for _ in range(3)]
    buyers = [await shop.customer() for _ in range(3)]
    order_ids: list[str] = []

    def reached(count: int) -> bool:
        return len(order_ids) >= count

    async def keep_ordering(buyer: Buyer) -> None:
        for _ in range(CHAOS_ORDERS // len(buyers)):
            order_ids.append(await buyer.order(*chance.sample(products, chance.randint(1, 3))))

    async def keep_failing() -> None:
        for fault in range(1, CHAOS_FAULTS + 1):  # paced by progress, so that every fault meets traffic
            await so(partial(reached, fault * CHAOS_ORDERS // (CHAOS_FAULTS + 1)))
            part = chance.choice(PARTS)
            if chance.random() < 0.7:
                running.kill(part)
            else:
                with running.paused(part):
                    await asyncio.sleep(chance.uniform(0.5, 3))  # the fault itself: it stands still for so long

    await asyncio.gather(keep_failing(), *map(keep_ordering, buyers))

    assert len(set(order_ids)) == len(order_ids) == CHAOS_ORDERS
    await running.quiet()
    for product in products:
        stock = (await shop.stock(product)).body
        assert (stock["received"], stock["reserved"]) == (40, 0)
