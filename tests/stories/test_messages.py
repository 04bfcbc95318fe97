"""Whatever is delivered twice, late, unanswered or in another order: every order comes to the same end."""

import asyncio
import re
from collections.abc import Sequence

import pytest

from localcloud.eventgrid import Conditions
from tests.stories.bank import Bank
from tests.stories.fates import FATES, STOCK, Placed, end_of, place_all
from tests.stories.ground import told_on_each_engine
from tests.stories.shop import Shop
from tests.stories.store import RunningStore
from tests.stories.weather import weather

pytestmark = [pytest.mark.story, pytest.mark.xdist_group("store"), pytest.mark.timeout(240)]

EACH = 2  # orders of each fate; many more would ask how they are more often than one caller may
TWICE = Conditions(time_scale=0.02, duplicate=1, drop=1)  # at once; and once more, for nobody hears that it has arrived
UNRULY = Conditions(time_scale=0.005, seed=5, delay=0.4, reorder=0.5, duplicate=0.2, fail=0.2, drop=0.2)
LAST = ("published", "published", "archived", "draft", "deleted")  # what becomes of a product in the end
LAST_PRICE = 112
# What the inboxes know again, at least, of an order: two copies of what reserves and settles its stock, and of what
# orders hear of that.
KNOWN_AGAIN = 4
DUPLICATES = re.compile(r"^store_inbox_duplicates_total (\d+)", re.MULTILINE)


@pytest.fixture
async def bank(shop: Shop, running: RunningStore) -> Bank:
    return Bank(shop.session, running.run().addresses["payments"])


async def duplicates(shop: Shop, running: RunningStore) -> int:
    """By the count of those who hear the commands and the facts."""
    total, addresses = 0, running.run().addresses
    for name in ("orders", "catalog"):
        async with shop.session.get(f"{addresses[name]}/metrics", raise_for_status=True) as response:
            found = DUPLICATES.search(await response.text())
            total += int(found[1]) if found else 0
    return total


@told_on_each_engine
async def test_all_that_is_delivered_twice_at_once_and_once_more_comes_to_the_same_end(
    shop: Shop, bank: Bank, running: RunningStore
) -> None:
    before = await duplicates(shop, running)

    async with weather(running, TWICE):
        placed = await place_all(shop, bank, EACH)
        await running.quiet()

    await expect_each_its_end(placed, shop, bank)
    assert await duplicates(shop, running) - before >= KNOWN_AGAIN * len(placed)
    letters = [letter for each in placed for letter in await shop.letters(each.buyer)]
    assert {letter["repeats"] for letter in letters} == {0}


@told_on_each_engine
async def test_all_that_comes_late_and_in_another_order_comes_to_the_same_end(
    shop: Shop, bank: Bank, running: RunningStore
) -> None:
    async with weather(running, UNRULY):
        placed = await place_all(shop, bank, EACH)
        await running.quiet()

    await expect_each_its_end(placed, shop, bank)


@told_on_each_engine
async def test_after_a_storm_of_edits_that_are_told_in_any_order_orders_list_what_the_catalogue_offers(
    shop: Shop, running: RunningStore
) -> None:
    products, buyer = await asyncio.gather(*(shop.product(stock=STOCK) for _ in LAST)), await shop.customer()

    async with weather(running, UNRULY):
        await asyncio.gather(*(edit(shop, *each) for each in zip(products, LAST, strict=True)))
        await running.quiet()  # which compares the lists, too

    order = await buyer.settled(await buyer.order(*products[:2]))
    assert [line["price"] for line in order["lines"]] == [LAST_PRICE, LAST_PRICE]
    refused = [await buyer.post_order({"lines": [{"product_id": each, "quantity": 1}]}) for each in products[2:]]
    assert [answer.status for answer in refused] == [422] * len(refused)


async def edit(shop: Shop, product: str, last: str) -> None:
    """A dozen times, and what is said last holds: the facts of it are under way at the same time."""
    path = f"/api/products/{product}"
    read = await shop.as_admin("GET", path)
    said, etag = {key: read.body[key] for key in ("name", "sku", "currency")}, read.etag
    for price in (*range(101, LAST_PRICE), LAST_PRICE):
        status = last if price == LAST_PRICE and last != "deleted" else "draft" if price % 3 == 0 else "published"
        answer = await shop.as_admin(
            "PUT", path, json=said | {"price": price, "status": status}, headers={"If-Match": etag}
        )
        assert answer.status == 200, answer
        etag = answer.etag
    if last == "deleted":
        assert (await shop.as_admin("DELETE", path, headers={"If-Match": etag})).status == 204


async def expect_each_its_end(placed: Sequence[Placed], shop: Shop, bank: Bank) -> None:
    ends = [(each.fate, await end_of(each, shop, bank)) for each in placed]

    assert ends == [(each.fate, FATES[each.fate].end) for each in placed]
