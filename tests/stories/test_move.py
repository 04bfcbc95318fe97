"""A store that is moved to another engine goes on where it was."""

import asyncio
import sys
from pathlib import Path
from uuid import UUID

import aiohttp
import pytest

from localcloud import launcher
from localcloud.addresses import Port
from localcloud.engines import read
from tests.localcloud.programs import free_ports, state_of
from tests.stories.ground import Ground
from tests.stories.shop import Buyer, Shop
from tests.stories.store import ROOT, RunningStore
from tests.waiting import until

MIXED = "orders=tables,customers=tables"

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
        async with told_on.own(), aiohttp.ClientSession() as session:
            assert await asyncio.to_thread(launcher.main, arguments) == 0  # it brings a loop of its own
            assert f"moved: {said}. Start the store" in capfd.readouterr().out

            async with RunningStore.start(folder, told_on.engine) as store:
                shop = Shop(session, store.run().addresses["gateway"], store.run().addresses["letters"], store.token)
                buyer = Buyer(shop, UUID(known["customer_id"]))
                assert store.run().engines == read(told_on.engine)
                assert (await buyer.call("GET", f"/api/orders/{known['id']}")).body == known
                assert (await buyer.post_order(body, key="before-the-move")).content == first.content
                assert (await buyer.settled(await buyer.order(product, quantity=2)))["status"] == "confirmed"
                assert (await buyer.settled(await buyer.order(product)))["status"] == "rejected"
                await store.quiet()


async def test_a_move_that_is_killed_again_and_again_goes_on_where_it_was(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """In a copy; when a copy has ended, and nothing says yet that the service is there; and between two services."""
    with state_of(tmp_path_factory.mktemp("killed")) as folder:
        async with RunningStore.start(folder, "postgres") as store, aiohttp.ClientSession() as session:
            shop = Shop(session, store.run().addresses["gateway"], store.run().addresses["letters"], store.token)
            product, buyer = await shop.product(stock=5), await shop.customer()
            order = await buyer.settled(await buyer.order(product))
            await store.quiet()
            known = (await buyer.call("GET", f"/api/orders/{order['id']}")).body

        move = ["--state", str(folder), "move", "--port", str(free_ports(len(Port))), "--engine", MIXED]
        for said in ("rows copied", "all of orders is there", "moving customers"):
            await killed_when_it_says(said, move, folder / f"{said}.log")
        assert await asyncio.to_thread(launcher.main, move) == 0

        async with RunningStore.start(folder, MIXED) as store, aiohttp.ClientSession() as session:
            shop = Shop(session, store.run().addresses["gateway"], store.run().addresses["letters"], store.token)
            buyer = Buyer(shop, UUID(known["customer_id"]))
            assert (await buyer.call("GET", f"/api/orders/{known['id']}")).body == known
            await store.quiet()


async def killed_when_it_says(what: str, move: list[str], log: Path) -> None:
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "localcloud.launcher", *move), cwd=ROOT, stdout=output
        )

    async def said() -> str:
        assert process.returncode is None, log.read_text()  # noqa: ASYNC240
        return log.read_text()  # noqa: ASYNC240

    await until(said, lambda text: what in text)
    process.kill()
    await process.wait()
