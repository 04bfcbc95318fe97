"""The catalogue's workers come with a burst and go when it is over; each order still settles once."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from deploy.autoscale import Autoscaler, for_workers, waiting
from deploy.scaling import Rule, shipped
from deploy.workers import Workers, worker_of
from localcloud import flow
from localcloud.logfiles import LogFiles
from localcloud.processes import Guard
from localcloud.store import Store
from tests.stories.shop import Shop
from tests.stories.store import RunningStore
from tests.waiting import so, until

pytestmark = [pytest.mark.story, pytest.mark.xdist_group("store"), pytest.mark.timeout(300)]

ORDERS = 40
FASTER = 60.0  # its five minutes are five seconds
RULE = replace(for_workers(Rule.of_queue(shipped("catalog")), most=2), messages=ORDERS / 4)


@asynccontextmanager
async def workers_of(running: RunningStore, logs: Path) -> AsyncIterator[Workers]:
    """As the launcher starts the service; whatever becomes of the story, a guard stops them."""
    store = Store.open(running.folder, running.run().base_port, datetime.now(UTC), running.run().engines)
    lock = os.open(os.devnull, os.O_RDONLY)
    guard = await Guard.start(grace=15, lock=lock)
    try:
        async with asyncio.TaskGroup() as group:
            yield Workers(worker_of(store, "catalog"), guard, LogFiles(logs), group)
    finally:
        await guard.stop_all()
        os.close(lock)


async def test_a_burst_brings_workers_and_calm_takes_them_away(
    shop: Shop, running: RunningStore, tmp_path: Path
) -> None:
    product, buyer = await shop.product(stock=ORDERS + 1), await shop.customer()
    await buyer.settled(await buyer.order(product))  # now orders know both
    await running.quiet()
    backlog, counts = partial(waiting, shop.session, shop.letters_url), list[int]()

    async with workers_of(running, tmp_path) as workers:
        scaler = Autoscaler(RULE, workers, backlog, lambda _, count: counts.append(count), FASTER)
        with running.paused("catalog"):  # it may hold one message, the others are for the workers
            order_ids = await asyncio.gather(*(buyer.order(product) for _ in range(ORDERS)))
            await until(lambda: untouched(shop), lambda count: count >= ORDERS - 1)
            scaling = workers.group.create_task(scaler.run())
            await until(lambda: untouched(shop), lambda count: count == 0)
        settled = [await buyer.settled(order_id) for order_id in order_ids]
        await so(lambda: workers.count() == 0 and len(workers.ended) == workers.started)
        scaling.cancel()

    assert counts[0] == 1
    assert (max(counts), counts[-1]) == (2, 0)
    assert workers.started >= 2
    assert set(workers.ended) == {0}
    assert handled(tmp_path) >= ORDERS - 1
    assert [order["status"] for order in settled] == ["confirmed"] * ORDERS
    await running.quiet()
    stock = (await shop.stock(product)).body
    assert (stock["on_hand"], stock["reserved"], stock["sold"]) == (0, 0, ORDERS + 1)


async def untouched(shop: Shop) -> int:
    """In the queue and in nobody's hands."""
    return (await flow.read(shop.session, shop.letters_url)).queues["catalog"].active


def handled(logs: Path) -> int:
    return sum(log.read_text().count("message.handled") for log in logs.glob("*.log"))
