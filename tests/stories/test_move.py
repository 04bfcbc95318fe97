"""A store that is moved to another engine goes on where it was."""

import asyncio
from uuid import UUID

import aiohttp
import pytest

from localcloud import launcher
from localcloud.engines import read
from tests.localcloud.programs import free_ports, state_of
from tests.stories.shop import Buyer, Shop
from tests.stories.store import PORTS, RunningStore

pytestmark = [pytest.mark.story, pytest.mark.xdist_group("store"), pytest.mark.timeout(180)]

BEFORE, AFTER = "postgres", "orders=tables,catalog=tables"


async def test_orders_stock_and_keys_are_there_after_a_move(
    tmp_path_factory: pytest.TempPathFactory, capfd: pytest.CaptureFixture[str]
) -> None:
    with state_of(tmp_path_factory.mktemp("moved")) as folder:
        async with RunningStore.start(folder, BEFORE) as store, aiohttp.ClientSession() as session:
            shop = Shop(session, store.run().addresses["gateway"], store.run().addresses["letters"], store.token)
            product, buyer = await shop.product(stock=5), await shop.customer()
            known = await buyer.settled(await buyer.order(product, quantity=2))
            body = {"lines": [{"product_id": product, "quantity": 1}]}
            first = await buyer.post_order(body, key="before-the-move")
            await buyer.settled(first.body["id"])
            await store.quiet()

        arguments = ["--state", str(folder), "move", "--port", str(free_ports(PORTS)), "--engine", AFTER]
        assert await asyncio.to_thread(launcher.main, arguments) == 0  # it brings a loop of its own
        assert "moved: catalog on tables, orders on tables, customers on postgres" in capfd.readouterr().out

        async with RunningStore.start(folder, AFTER) as store, aiohttp.ClientSession() as session:
            shop = Shop(session, store.run().addresses["gateway"], store.run().addresses["letters"], store.token)
            buyer = Buyer(shop, UUID(known["customer_id"]))
            assert store.run().engines == read(AFTER)
            assert (await buyer.call("GET", f"/api/orders/{known['id']}")).body == known
            assert (await buyer.post_order(body, key="before-the-move")).content == first.content
            assert (await buyer.settled(await buyer.order(product, quantity=2)))["status"] == "confirmed"
            assert (await buyer.settled(await buyer.order(product)))["status"] == "rejected"
            await store.quiet()
