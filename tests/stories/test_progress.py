"""An order on its way to the customer and back, and one that nobody settles, as those who wait for them see it."""

import asyncio
import signal
from functools import partial
from pathlib import Path

import pytest

from localcloud.program import Program
from tests.localcloud.programs import running as started
from tests.stories.ground import told_on_each_engine
from tests.stories.shop import Answer, Buyer, Shop
from tests.stories.store import RunningStore
from tests.waiting import until

pytestmark = [pytest.mark.story, pytest.mark.xdist_group("store")]


def cancelled(answer: Answer) -> bool:
    return bool(answer.body["status"] == "cancelled")


async def patiently(buyer: Buyer, product: str) -> Answer:
    await buyer.order(product)  # now price and customer are known
    body = {"lines": [{"product_id": product, "quantity": 1}]}
    return await buyer.post_order(body, headers={"Prefer": "wait=20"})


@told_on_each_engine
async def test_who_waits_gets_the_confirmed_order_and_can_follow_it_until_it_is_back(shop: Shop) -> None:
    product, buyer = await shop.product(stock=5), await shop.customer()

    answer = await patiently(buyer, product)

    assert (answer.status, answer.body["status"]) == (201, "confirmed")
    path = answer.headers["Location"]
    first = await shop.as_admin("POST", f"{path}/ship", json={"carrier": "DHL", "tracking": "JJD1"})
    again = await shop.as_admin("POST", f"{path}/ship", json={"carrier": "UPS", "tracking": "1Z"})
    assert (first.status, again.status, again.body["tracking"]) == (200, 200, "JJD1")
    assert (await shop.as_admin("POST", f"{path}/deliver")).status == 200
    assert (await buyer.call("POST", f"{path}/return")).status == 403
    back = await shop.as_admin("POST", f"{path}/return", json={"reason": "too small"})
    assert (back.status, back.body["status"]) == (200, "returned")

    story = (await buyer.call("GET", f"{path}/timeline")).body["items"]
    told = [entry["name"] for entry in story if entry["kind"] == "told"]
    names = ["order-placed", "payment-requested"]
    assert told == names + [f"order-{status}" for status in ("confirmed", "shipped", "delivered", "returned")]
    assert {"stock-reserved", "authorised"} <= {entry["name"] for entry in story if entry["kind"] != "told"}


async def test_the_events_of_an_order_come_through_the_gateway_as_they_are_told(shop: Shop) -> None:
    product, buyer = await shop.product(stock=0), await shop.customer()
    order_id = await buyer.order(product)

    stream = await buyer.call("GET", f"/api/orders/{order_id}/events")  # read to its end

    events = [line.removeprefix("event: ") for line in stream.content.decode().splitlines() if line[:6] == "event:"]
    assert (stream.status, events) == (200, ["order-placed", "order-rejected"])


@told_on_each_engine
async def test_what_nobody_settles_expires_even_where_who_does_it_is_killed_and_its_stock_comes_back(
    shop: Shop, running: RunningStore, tmp_path: Path
) -> None:
    product, buyer = await shop.product(stock=5), await shop.customer()
    await buyer.settled(await buyer.order(product))

    with running.paused("functions"):
        stalled = [await buyer.order(product) for _ in range(5)]
        program = await asyncio.to_thread(impatient, running)
        async with started(program, tmp_path / "impatient.log") as process:
            await until(partial(buyer.call, "GET", f"/api/orders/{stalled[0]}"), cancelled)
            process.send_signal(signal.SIGKILL)
            await process.wait()
        async with started(program, tmp_path / "impatient again.log") as process:
            for order_id in stalled:
                answer = await until(partial(buyer.call, "GET", f"/api/orders/{order_id}"), cancelled)
                assert answer.body["reason"] == "it was not paid in time"

    await running.quiet()
    stock = (await shop.stock(product)).body
    assert (stock["on_hand"], stock["reserved"], stock["sold"]) == (4, 0, 1)


def impatient(running: RunningStore) -> Program:
    """One more process of orders, for which a second is long."""
    return running.another("orders", EXPIRE_SECONDS="1")
