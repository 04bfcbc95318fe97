"""A store that is moved to another engine goes on where it was."""

import asyncio
from uuid import UUID

import aiohttp
import pytest

from localcloud import launcher
from localcloud.addresses import Port
from localcloud.engines import read
from tests.localcloud.programs import free_ports, state_of
from tests.stories.ground import Ground
from tests.stories.shop import Buyer, Shop
from tests.stories.store import RunningStore

pytestmark = [pytest.mark.story, pytest.mark.xdist_group("store"), pytest.mark.timeout(180)]


@pytest.mark.parametrize(
    ("before", "told_on", "said"),
    [
        ("postgres", "orders=tables,catalog=tables", "catalog on tables, orders on tables, customers on postgres"),
        ("orders=tables", "azuresql", "azuresql"),
    ],
    indirect=["told_on"],
    ids=["postgres-to-mixed", "mixed-to-azuresql"],
)
async def test_orders_stock_and_keys_are_there_after_a_move(
    before: str,
    told_on: Ground,
    said: str,
    tmp_path_factory: pytest.TempPathFactory,
    capfd: pytest.CaptureFixture[str],
) -> None:
    with state_of(tmp_path_factory.mktemp("moved")) as folder:
        async with RunningStore.start(folder, before) as store, aiohttp.ClientSession() as session:
            shop = Shop(session, store.run().addresses["gateway"], store.run().addresses["letters"], store.token)
            product, buyer = await shop.product(stock=5), await shop.customer()
            bought = await buyer.settled(await buyer.order(product, quantity=2))
            body = {"lines": [{"product_id": product, "quantity": 1}]}
            first = await buyer.post_order(body, key="before-the-move")
            await buyer.settled(first.body["id"])
            await store.quiet()
            known = (await buyer.call("GET", f"/api/orders/{bought['id']}")).body  # paid for meanwhile

        arguments = ["--state", str(folder), "move", "--port", str(free_ports(len(Port))), "--engine", told_on.engine]
        assert await asyncio.to_thread(launcher.main, arguments) == 0  # it brings a loop of its own
        assert f"moved: {said}. Start the store" in capfd.readouterr().out

        async with (
            told_on.cleared(),
            RunningStore.start(folder, told_on.engine) as store,
            aiohttp.ClientSession() as session,
        ):
            shop = Shop(session, store.run().addresses["gateway"], store.run().addresses["letters"], store.token)
            buyer = Buyer(shop, UUID(known["customer_id"]))
            assert store.run().engines == read(told_on.engine)
            assert (await buyer.call("GET", f"/api/orders/{known['id']}")).body == known
            assert (await buyer.post_order(body, key="before-the-move")).content == first.content
            assert (await buyer.settled(await buyer.order(product, quantity=2)))["status"] == "confirmed"
            assert (await buyer.settled(await buyer.order(product)))["status"] == "rejected"
            await store.quiet()
