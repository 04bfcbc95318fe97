"""An order's way through the whole store, as the inspector shows it."""

from typing import Any

import pytest

from tests.localcloud.inspector.browser import expect, visiting
from tests.stories.shop import Shop
from tests.stories.store import RunningStore
from tests.waiting import until

pytestmark = [pytest.mark.story, pytest.mark.xdist_group("store")]

WAY = {
    ("customer", "orders", "POST /api/orders"),
    ("orders", "process_order", "order.examined order-placed"),
    ("process_order", "catalog", "reserve-stock"),
    ("catalog", "orders", "stock-reserved"),
    ("orders", "take_payment", "payment.answered payment-requested"),
    ("take_payment", "orders", "record-payment"),
    ("orders", "catalog", "order-confirmed"),
    ("orders", "take_payment", "payment.answered order-confirmed"),
    ("orders", "notify_customer", "letter.posted order-confirmed"),
    ("notify_customer", "orders", "record-letter"),
}


async def way_of(shop: Shop, inspector: str, order_id: str) -> set[tuple[str, str, str]]:
    async with shop.session.get(f"{inspector}/api/orders/{order_id}", raise_for_status=True) as answer:
        return {(step["of"], step["who"], step["name"]) for step in (await answer.json())["steps"]}


async def overview(shop: Shop, inspector: str) -> Any:
    async with shop.session.get(f"{inspector}/api/overview", raise_for_status=True) as answer:
        return await answer.json()


async def test_an_orders_whole_way_is_known_by_its_id(shop: Shop, running: RunningStore) -> None:
    inspector = running.run().addresses["inspector"]
    product, buyer = await shop.product(stock=5), await shop.customer()
    order = await buyer.settled(await buyer.order(product))

    await until(lambda: way_of(shop, inspector, order["id"]), lambda way: way == WAY)

    known = await overview(shop, inspector)
    calls = {each["name"]: each["calls"] for each in known["functions"]["known"]}
    assert known["functions"]["answers"]
    assert calls["process_order"][0]["ok"]
    assert "catalog-database-password" in [each["name"] for each in known["secrets"]]


async def test_a_browser_draws_it(shop: Shop, running: RunningStore) -> None:
    inspector = running.run().addresses["inspector"]
    product, buyer = await shop.product(stock=1), await shop.customer()
    order = await buyer.settled(await buyer.order(product, quantity=2))  # sold out
    assert order["status"] == "rejected"
    await until(
        lambda: way_of(shop, inspector, order["id"]), lambda way: any(who == "notify_customer" for _, who, _ in way)
    )

    async with visiting(inspector) as visit:
        await visit.see(f"orders/{order['id']}")
        await expect(visit.page.locator("svg text.said", has_text="stock-refused")).to_be_visible()

    assert visit.wrong == []
