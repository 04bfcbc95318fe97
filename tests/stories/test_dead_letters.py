"""What could not be handled is looked at by an operator and, once the fault is mended, sent again: with one effect."""

import asyncio
import re
import sys
from asyncio.subprocess import PIPE, STDOUT
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from urllib.parse import urlsplit

import aiohttp
import asyncpg
import pytest
from azure.servicebus import ServiceBusSubQueue
from azure.storage.blob.aio import BlobServiceClient

from deploy.dead_letters.queues import copy
from localcloud import flow
from localcloud.access import Access
from localcloud.addresses import Port
from localcloud.functions_keys import EVENT_GRID
from localcloud.program import listening
from localcloud.store import Store
from tests.localcloud.servicebus.bus import client
from tests.stories.ground import told_on_each_engine
from tests.stories.shop import Buyer, Shop
from tests.stories.store import ROOT, RunningStore
from tests.waiting import until

pytestmark = [pytest.mark.story, pytest.mark.xdist_group("store"), pytest.mark.timeout(300)]

COMMAND_SECONDS = 60
ENTRY = re.compile(r"^  (\S+)   (\S+)   order (\S+)$", re.MULTILINE)


@dataclass(frozen=True)
class Operator:
    running: RunningStore
    session: aiohttp.ClientSession

    async def does(self, *arguments: str, status: int = 0) -> str:
        """What the command says, which ends with that status."""
        command = (sys.executable, "-m", "deploy.dead_letters.here", "--state", str(self.running.folder), *arguments)
        process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=PIPE, stderr=STDOUT)
        async with asyncio.timeout(COMMAND_SECONDS):
            said, _ = await process.communicate()
        assert process.returncode == status, said.decode()
        return said.decode()

    async def listed(self, *arguments: str) -> dict[str, str]:
        """The dead letters' ids, by their orders'."""
        said = await self.does("list", *arguments)
        assert b"@example.org" not in said.encode()
        return {order: id_ for id_, _, order in ENTRY.findall(said)}

    async def dead_in(self, queue: str) -> int:
        return (await flow.read(self.session, self.running.run().addresses["letters"])).queues[queue].dead_lettered

    async def blobs(self) -> list[str]:
        dead = self.store.topology.dead_letters
        return await self.store.storage.blobs_in(self.session, dead, datetime.now(UTC))

    @cached_property
    def store(self) -> Store:
        run = self.running.run()
        return Store.open(self.running.folder, run.base_port, datetime.now(UTC), run.engines)

    @asynccontextmanager
    async def table_away(self, table: str) -> AsyncIterator[None]:
        """From the catalogue's database: a mistake that makes its reactions fail."""
        database = await asyncpg.connect(urlsplit(self.store.database)._replace(path="/catalog").geturl())
        try:
            await database.execute(f"ALTER TABLE {table} RENAME TO elsewhere")
            yield
        finally:
            await database.execute(f"ALTER TABLE elsewhere RENAME TO {table}")
            await database.close()

    @asynccontextmanager
    async def another_key(self) -> AsyncIterator[None]:
        """At the functions than Event Grid shows: a mistake that has events refused for ever."""
        file = self.store.state.function_keys / EVENT_GRID
        key = file.read_text()
        try:
            file.write_text("another")
            await self._functions_anew()
            yield
        finally:
            file.write_text(key)
            await self._functions_anew()

    async def _functions_anew(self) -> None:
        before = self.running.pid("functions")
        self.running.kill("functions")

        async def there() -> bool:
            part = self.running.run().parts.get("functions")
            return (
                part is not None and part.pid != before and await listening(self.store.addresses.port(Port.FUNCTIONS))
            )

        await until(there, bool)

    async def half_replay(self, queue: str) -> None:
        """As a replay that is killed after it has sent a message, and before it has settled the dead one."""
        people, port = self.running.people, self.store.addresses.port(Port.SERVICEBUS)
        async with client(Access(people.issuer, people.topology), self.store.certificates, port) as bus:
            async with bus.get_queue_receiver(queue, sub_queue=ServiceBusSubQueue.DEAD_LETTER) as receiver:
                (message, *_) = await receiver.peek_messages(1)
            async with bus.get_queue_sender(queue) as sender:
                await sender.send_messages(copy(message, queue))


@pytest.fixture
def operator(running: RunningStore, shop: Shop) -> Operator:
    return Operator(running, shop.session)


async def known(buyer: Buyer, product: str) -> None:
    """Orders know price and customer."""
    await buyer.settled(await buyer.order(product))


async def statuses(buyer: Buyer, order_ids: list[str]) -> set[str]:
    return {(await buyer.call("GET", f"/api/orders/{each}")).body["status"] for each in order_ids}


async def expect_all_sold(shop: Shop, buyer: Buyer, product: str, order_ids: list[str]) -> None:
    assert {(await buyer.settled(each))["status"] for each in order_ids} == {"confirmed"}
    stock = (await shop.stock(product)).body
    assert (stock["on_hand"], stock["sold"] + stock["reserved"]) == (9 - len(order_ids), len(order_ids) + 1)


async def test_a_queues_dead_letters_are_listed_tried_dry_and_replayed_with_one_effect(
    shop: Shop, running: RunningStore, operator: Operator
) -> None:
    product, buyer = await shop.product(stock=10), await shop.customer()
    await known(buyer, product)
    async with operator.table_away("reservations"):
        orders = [await buyer.order(product) for _ in range(4)]
        await until(lambda: operator.dead_in("catalog"), lambda count: count == len(orders))

    listed = await operator.listed("--queue", "catalog", "--reason", "UndefinedTable*")
    dry = await operator.does("replay", "--queue", "catalog")

    assert listed.keys() == set(orders)
    assert "Dry run, nothing was sent. With --yes, these would be: 4 dead letters; queue catalog: 4" in dry
    assert (await operator.dead_in("catalog"), await statuses(buyer, orders)) == (4, {"placed"})

    one = await operator.does("replay", "--id", listed[orders[2]], "--yes")
    assert "1 sent again, 0 not;" in one
    await buyer.settled(orders[2])
    assert (await operator.listed()).keys() == set(orders) - {orders[2]}

    await operator.half_replay("catalog")
    many = await operator.does("replay", "--type", "*reserve-stock*", "--yes")
    twice = await operator.does("replay", "--all", "--yes")
    again = await operator.does("replay", "--id", listed[orders[2]], "--yes", status=1)

    assert ("3 sent again, 0 not;" in many, "0 sent again, 0 not;" in twice) == (True, True)
    assert f"no dead letter has the id {listed[orders[2]]}" in again
    await expect_all_sold(shop, buyer, product, orders)
    await running.quiet()


async def test_poison_that_is_replayed_is_dead_again_and_nothing_goes_round(operator: Operator, shop: Shop) -> None:
    product, buyer = await shop.product(stock=10), await shop.customer()
    await known(buyer, product)
    async with operator.table_away("reservations"):
        order = await buyer.order(product)
        await until(lambda: operator.dead_in("catalog"), lambda count: count == 1)

        said = await operator.does("replay", "--all", "--yes")
        await until(lambda: operator.dead_in("catalog"), lambda count: count == 1)

        assert "1 sent again, 0 not;" in said
        assert (await operator.listed()).keys() == {order}
    await operator.does("replay", "--all", "--yes")
    assert (await buyer.settled(order))["status"] == "confirmed"


@told_on_each_engine
async def test_event_grids_dead_letters_are_listed_tried_dry_and_replayed_with_one_effect(
    shop: Shop, running: RunningStore, operator: Operator
) -> None:
    product, buyer = await shop.product(stock=10), await shop.customer()
    await known(buyer, product)
    await running.quiet()
    async with operator.another_key():
        orders = [await buyer.order(product) for _ in range(4)]
        await until(operator.blobs, lambda names: len(names) == len(orders))
        refused = await operator.does("replay", "--all", "--yes", status=1)

    listed = await operator.listed("--subscription", "process-order")
    dry = await operator.does("replay", "--all")

    assert "0 sent again, 4 not;" in refused
    assert "function process_order answered 401" in refused
    assert listed.keys() == set(orders)
    assert "Dry run, nothing was sent. With --yes, these would be: 4 dead letters; subscription process-order: 4" in dry
    assert (len(await operator.blobs()), await statuses(buyer, orders)) == (4, {"placed"})

    one = await operator.does("replay", "--id", listed[orders[1]], "--yes")
    assert "1 sent again, 0 not;" in one
    await buyer.settled(orders[1])

    async with left_over(operator):
        many = await operator.does("replay", "--subscription", "process-order", "--type", "*order-placed*", "--yes")
    twice = await operator.does("replay", "--all", "--yes")

    assert ("3 sent again, 0 not;" in many, "3 sent again, 0 not;" in twice) == (True, True)
    await expect_all_sold(shop, buyer, product, orders)
    assert await operator.blobs() == []
    await running.quiet()


@asynccontextmanager
async def left_over(operator: Operator) -> AsyncIterator[None]:
    """The blobs are there again, as whoever is killed after delivering them and before deleting them leaves them."""
    storage, dead = operator.store.storage, operator.store.topology.dead_letters
    ca = str(storage.certificates.ca)
    async with BlobServiceClient(storage.blobs, storage.key, connection_verify=ca) as blobs:
        container = blobs.get_container_client(dead)
        kept = {name: await (await container.download_blob(name)).readall() for name in await operator.blobs()}
        yield
        assert await operator.blobs() == []
        for name, content in kept.items():
            await container.upload_blob(name, content)
