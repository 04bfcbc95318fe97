"""Who hears or carries messages is away for long: orders are taken, nothing but outboxes grows, all flows after."""

import asyncio
import logging
import os
from dataclasses import dataclass, field
from time import monotonic

import psutil
import pytest

from localcloud.eventgrid import Conditions
from tests.stories.bank import Bank
from tests.stories.ground import told_on_each_engine
from tests.stories.shop import Buyer, Shop
from tests.stories.store import RunningStore
from tests.stories.weather import weather
from tests.waiting import so

AWAY_SECONDS = float(os.environ.get("AWAY_SECONDS", "30"))  # of those who carry, on PostgreSQL; `make soak` says more
PATIENCE_SECONDS = 120 + 3 * AWAY_SECONDS

pytestmark = [
    pytest.mark.story,
    pytest.mark.xdist_group("store"),
    pytest.mark.timeout(180 + PATIENCE_SECONDS + AWAY_SECONDS),
]

log = logging.getLogger(__name__)  # what `make soak` shows

HOUR = 3600
SCALED = Conditions(time_scale=1 / 1200)  # an hour of Event Grid's waits is three seconds
WAITING = 20  # orders
RATE = 15  # orders in a second
WARM = 100  # orders, after which a process has what it needs
MOST_GROWTH = 8 * 2**20  # bytes of a process, however long it lasts
MOST_OF_LATTER_HALF = 4 * 2**20
SERVICES = ("orders", "catalog", "customers", "functions")


@told_on_each_engine
async def test_while_functions_are_away_for_an_hour_orders_wait_and_then_each_is_done_once(
    shop: Shop, running: RunningStore
) -> None:
    bank = Bank(shop.session, running.run().addresses["payments"])
    product, buyer = await shop.product(stock=100), await shop.customer()
    await buyer.settled(await buyer.order(product))
    await running.quiet()

    async with weather(running, SCALED):
        with running.away("functions"):
            order_ids = [await buyer.order(product) for _ in range(running.few(WAITING))]
            began = monotonic()
            await so(lambda: monotonic() - began > HOUR * SCALED.time_scale)
        settled = [await buyer.settled(order_id) for order_id in order_ids]
        await running.quiet()

    assert {order["status"] for order in settled} == {"confirmed"}
    assert [await bank.movements(each) for each in order_ids] == [["authorised", "captured"]] * len(order_ids)
    letters = await shop.letters(buyer)
    assert (len(letters), {letter["repeats"] for letter in letters}) == (len(order_ids) + 1, {0})
    assert (await shop.stock(product)).body["sold"] == len(order_ids) + 1


@dataclass(slots=True)
class Load:
    """Orders at a steady rate, which the clock has to give; each tried once; no one waits for the answers of others."""

    buyer: Buyer
    product: str
    statuses: list[int] = field(default_factory=list)

    async def run(self, count: int, rate: float) -> None:
        began = monotonic()
        async with asyncio.TaskGroup() as orders:
            for number in range(count):
                await asyncio.sleep(max(0.0, began + number / rate - monotonic()))
                orders.create_task(self._order())

    async def _order(self) -> None:
        answer = await self.buyer.post_order({"lines": [{"product_id": self.product, "quantity": 1}]})
        self.statuses.append(answer.status)


def resident(running: RunningStore) -> dict[str, int]:
    return {part: psutil.Process(running.pid(part)).memory_info().rss for part in SERVICES}


def growth(of: dict[str, int], since: dict[str, int]) -> dict[str, int]:
    return {part: size - since[part] for part, size in of.items()}


def tries(running: RunningStore) -> int:
    """How often the relay of orders has tried in vain."""
    return (running.folder / "logs" / "orders.log").read_bytes().count(b'"relay.interrupted"')


@told_on_each_engine
async def test_while_event_grid_and_service_bus_are_away_orders_are_taken_in_bounded_memory_and_all_flow_after(
    shop: Shop, running: RunningStore
) -> None:
    seconds, rate = (AWAY_SECONDS, RATE) if running.engine == "postgres" else (10, RATE * 3 // 10)
    half = int(seconds * rate / 2)
    product, buyer = await shop.product(stock=WARM + 2 * half + 1), await shop.customer()
    await buyer.settled(await buyer.order(product))
    load, before = Load(buyer, product), tries(running)
    await load.run(running.few(WARM), rate)
    await running.quiet()

    with running.away("cloud"):
        at_first = resident(running)
        await load.run(half, rate)
        at_half = resident(running)
        await load.run(half, rate)
        at_last, tried = resident(running), tries(running) - before
    back = monotonic()
    await running.quiet(PATIENCE_SECONDS)
    log.info("%d orders settled in %.0f s", len(load.statuses), monotonic() - back)
    log.info("grown by bytes, %s, in the latter half %s", growth(at_last, at_first), growth(at_last, at_half))

    assert set(load.statuses) == {202}
    stock = (await shop.stock(product)).body
    assert (stock["sold"], stock["reserved"]) == (len(load.statuses) + 1, 0)
    assert max(growth(at_last, at_first).values()) < MOST_GROWTH
    assert max(growth(at_last, at_half).values()) < MOST_OF_LATTER_HALF
    assert 3 <= tried <= 10 + seconds / 2  # less and less often
