"""The catalogue as staff fill it and customers search it, through the gateway."""

import asyncio
import json
from collections.abc import AsyncIterator
from functools import partial
from typing import Any
from uuid import uuid4

import pytest

from tests.stories.ground import told_on_each_engine
from tests.stories.shop import Shop
from tests.stories.store import RunningStore
from tests.waiting import until

pytestmark = [pytest.mark.story, pytest.mark.xdist_group("store"), pytest.mark.timeout(240)]

LINES = 400


def line(mark: str, number: int, **said: Any) -> bytes:
    text = f"Made for the garden of {mark}. " * 60  # more than the gateway's usual megabyte together
    product = {"sku": f"{mark}-{number}", "name": f"Spade {number}", "price": 900, "currency": "EUR"}
    return json.dumps(product | {"description": text, "opening_stock": 3} | said).encode() + b"\n"


async def test_what_staff_import_is_searched_counted_and_sold(shop: Shop) -> None:
    """The first progress comes through the gateway while lines are still being sent."""
    mark, progressed = f"m{uuid4().hex[:10]}", asyncio.Event()
    garden = (await shop.as_admin("POST", "/api/categories", json={"name": "Garden"})).body
    bed = (await shop.as_admin("POST", "/api/categories", json={"name": "Bed", "parent_id": garden["id"]})).body
    filed = {"category_ids": [bed["id"]], "attributes": {"color": "red"}, "tax_rate": 700}

    async def body() -> AsyncIterator[bytes]:
        for number in range(LINES):
            yield line(mark, number, **(filed if number == 7 else {}))
        await asyncio.wait_for(progressed.wait(), 20)
        yield line(mark, LINES, price=-1)

    headers = {"Authorization": f"Bearer {shop.token('admin', None)}", "Content-Type": "application/x-ndjson"}
    said = list[dict[str, Any]]()
    async with shop.session.post(f"{shop.gateway}/api/products/import", data=body(), headers=headers) as answer:
        async for each in answer.content:
            said.append(json.loads(each))
            progressed.set()

    assert [each["type"] for each in said] == ["progress", "progress", "refused", "progress", "done"]
    assert {key: said[-1][key] for key in ("line", "created", "refused")} == {
        "line": LINES + 1,
        "created": LINES,
        "refused": 1,
    }
    query = f"q=garden+{mark}&attribute.color=RED&category={garden['id']}"
    (found,) = (await shop.call("GET", f"/api/products?{query}")).body["items"]
    counts = (await shop.call("GET", f"/api/products/counts?{query}")).body
    assert (found["sku"], found["tax_rate"], counts["total"]) == (f"{mark}-7", 700, 1)
    assert {each["category_id"] for each in counts["categories"]} == {garden["id"], bed["id"]}
    await until(partial(shop.stock, found["id"]), lambda stock: stock.body["count"] == 3)
    buyer = await shop.customer()
    assert (await buyer.settled(await buyer.order(found["id"])))["status"] == "confirmed"


@told_on_each_engine
async def test_what_is_archived_between_browsing_and_reserving_is_not_sold(shop: Shop, running: RunningStore) -> None:
    product, buyer = await shop.product(stock=5), await shop.customer()
    await buyer.settled(await buyer.order(product))
    seen = await shop.as_admin("GET", f"/api/products/{product}")
    kept = {name: seen.body[name] for name in ("name", "sku", "price", "currency")}

    with running.paused("functions"):
        order_id = await buyer.order(product)
        archived = await shop.as_admin(
            "PUT", f"/api/products/{product}", json=kept | {"status": "archived"}, headers={"If-Match": seen.etag}
        )
        assert archived.status == 200, archived

    assert (await shop.call("GET", f"/api/products/{product}")).status == 404
    order = await buyer.settled(order_id)
    assert (order["status"], "not for sale" in order["reason"]) == ("rejected", True), order
    assert (await shop.stock(product)).body["sold"] == 1
