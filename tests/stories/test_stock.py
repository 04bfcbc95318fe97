"""Stock's way through the whole store: staff hear that little is left, customers that there is some again."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from tests.stories.ground import told_on_each_engine
from tests.stories.shop import Shop
from tests.stories.store import RunningStore
from tests.waiting import until

pytestmark = [pytest.mark.story, pytest.mark.xdist_group("store"), pytest.mark.timeout(240)]


async def letters_about(shop: Shop, subject: str, product_id: str) -> list[dict[str, Any]]:
    async with shop.session.get(f"{shop.letters_url}/letters", params={"limit": "100"}) as response:
        found: list[dict[str, Any]] = await response.json()
    return [each for each in found if subject in each["subject"] and product_id in each["message_id"]]


async def deliver(shop: Shop, product_id: str, quantity: int) -> None:
    answer = await shop.as_admin(
        "POST",
        f"/api/products/{product_id}/stock/receipts",
        json={"quantity": quantity, "reason": "delivery"},
        headers={"Idempotency-Key": uuid4().hex},
    )
    assert answer.status == 200, answer


@told_on_each_engine
async def test_staff_get_one_letter_when_little_is_left(shop: Shop, running: RunningStore) -> None:
    product, buyer = await shop.product(stock=5), await shop.customer()
    stock = await shop.stock(product)
    place = f"/api/products/{product}/stock/reorder-level"
    answer = await shop.as_admin("PUT", place, json={"level": 3}, headers={"If-Match": stock.etag})
    assert answer.status == 200, answer

    for _ in range(3):
        await buyer.settled(await buyer.order(product))

    await until(lambda: letters_about(shop, "Little is left", product), bool)
    await running.quiet()
    assert len(await letters_about(shop, "Little is left", product)) == 1
    ledger = (await shop.as_admin("GET", f"/api/products/{product}/stock/ledger")).body["items"]
    assert [each["kind"] for each in ledger].count("sold") == 3
    assert ledger[-1]["kind"] == "opened"


@told_on_each_engine
async def test_who_has_waited_gets_one_letter_and_the_erased_get_none(shop: Shop, running: RunningStore) -> None:
    product = await shop.product(stock=1)
    first, ada, bob, eve = [await shop.customer() for _ in range(4)]
    await first.settled(await first.order(product))
    waiting = f"/api/products/{product}/waiting"
    for each in (ada, bob, eve):
        answer = await each.call("PUT", waiting)
        assert answer.status == 200, answer
    assert (await bob.call("DELETE", waiting)).status == 204
    assert (await eve.call("DELETE", f"/api/customers/{eve.id}")).status == 204

    await deliver(shop, product, 2)

    letter = await ada.letter("Wieder da")
    assert letter["message_id"].endswith(f"-{ada.id}@store>")
    await running.quiet()
    assert len(await letters_about(shop, "Wieder da", product)) == 1
    assert (await ada.call("GET", waiting)).status == 404
    assert (await ada.call("PUT", waiting)).body["title"] == "In stock"


async def test_those_who_wait_are_told_although_the_catalogue_dies_over_it(shop: Shop, running: RunningStore) -> None:
    product = await shop.product(stock=1)
    buyers = [await shop.customer() for _ in range(6)]
    await buyers[0].settled(await buyers[0].order(product))
    for each in buyers[1:]:
        assert (await each.call("PUT", f"/api/products/{product}/waiting")).status == 200

    await deliver(shop, product, 5)
    running.kill("catalog")

    for each in buyers[1:]:
        await each.letter("Wieder da")
    await running.quiet()
    assert len(await letters_about(shop, "Wieder da", product)) == 5


async def test_a_quantity_that_is_none_is_refused_at_the_door_naming_the_line(shop: Shop) -> None:
    product, other, buyer = await shop.product(stock=5), await shop.product(stock=5), await shop.customer()
    await buyer.order(product)  # now price and customer are known
    line = {"product_id": product, "quantity": 1}

    for quantity in (0, -1, 1000, 2**63, 1.5, "two", None):
        answer = await buyer.post_order({"lines": [line, {"product_id": other, "quantity": quantity}]})
        assert (answer.status, answer.body["field"]) == (422, "lines[1].quantity"), quantity

    assert len((await buyer.call("GET", "/api/orders")).body["items"]) == 1
    assert (await shop.stock(other)).body["count"] == 5


@told_on_each_engine
async def test_orders_over_the_same_products_the_other_way_round_all_settle(shop: Shop, running: RunningStore) -> None:
    first, second, buyer = await shop.product(stock=40), await shop.product(stock=40), await shop.customer()
    await buyer.order(first, second)

    orders = await asyncio.gather(
        *(buyer.order(*[first, second][:: 1 if number % 2 else -1]) for number in range(running.few(30)))
    )
    settled = await asyncio.gather(*map(buyer.settled, orders))

    assert {order["status"] for order in settled} == {"confirmed"}
    await running.quiet()
    for product in (first, second):
        stock = (await shop.stock(product)).body
        assert (stock["sold"], stock["reserved"]) == (len(orders) + 1, 0)
