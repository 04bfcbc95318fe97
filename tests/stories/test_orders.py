"""An order's way through the whole store, as its customer sees it."""

import asyncio
from uuid import UUID, uuid4

import pytest

from localcloud.order import order_once
from tests.stories.ground import told_on_each_engine
from tests.stories.shop import Buyer, Shop
from tests.stories.store import RunningStore
from tests.waiting import until

NOBODY = str(UUID(int=0))

pytestmark = [pytest.mark.story, pytest.mark.xdist_group("store")]


@told_on_each_engine
async def test_an_order_is_confirmed_and_its_letter_is_in_the_mail_box(shop: Shop) -> None:
    product, buyer = await shop.product(stock=5), await shop.customer()

    order = await buyer.settled(await buyer.order(product, quantity=2))

    assert (order["status"], order["total"], order["currency"]) == ("confirmed", 2500, "EUR")
    timeline = (await buyer.call("GET", f"/api/orders/{order['id']}/timeline")).body["items"]
    told = [entry["name"] for entry in timeline if entry["kind"] == "told"]
    assert told == ["order-placed", "payment-requested", "order-confirmed"]
    letter = await buyer.letter()
    assert letter["message_id"] == f"<confirmed-{order['id']}@store>"
    assert order["id"] in await shop.letter_text(letter["id"])
    await until(lambda: shop.stock(product), lambda stock: stock.body["sold"] == 2 and stock.body["reserved"] == 0)


@told_on_each_engine
async def test_what_is_sold_out_is_rejected_with_a_letter_that_says_why(shop: Shop) -> None:
    product, buyer = await shop.product(stock=1), await shop.customer()

    order = await buyer.settled(await buyer.order(product, quantity=2))

    assert order["status"] == "rejected"
    assert "sold out" in order["reason"]
    letter = await buyer.letter()
    assert letter["message_id"] == f"<rejected-{order['id']}@store>"
    stock = (await shop.stock(product)).body
    assert (stock["on_hand"], stock["reserved"], stock["sold"]) == (1, 0, 0)


@told_on_each_engine
async def test_an_order_is_cancelled_before_it_is_validated(shop: Shop, running: RunningStore) -> None:
    product, buyer = await shop.product(stock=5), await shop.customer()

    with running.paused("functions"):
        order_id = await buyer.order(product)
        answer = await buyer.call("POST", f"/api/orders/{order_id}/cancel", json={"reason": "changed my mind"})
        assert (answer.status, answer.body["status"]) == (200, "cancelled")

    letter = await buyer.letter()
    assert letter["message_id"] == f"<cancelled-{order_id}@store>"
    await running.quiet()
    assert (await buyer.settled(order_id))["status"] == "cancelled"
    stock = (await shop.stock(product)).body
    assert (stock["on_hand"], stock["reserved"], stock["sold"]) == (5, 0, 0)


async def test_a_confirmed_order_can_no_longer_be_cancelled(shop: Shop) -> None:
    product, buyer = await shop.product(stock=1), await shop.customer()
    order = await buyer.settled(await buyer.order(product))

    answer = await buyer.call("POST", f"/api/orders/{order['id']}/cancel")

    assert (answer.status, answer.body["title"]) == (409, "Already confirmed")


async def test_an_unknown_product_is_refused_naming_the_line(shop: Shop) -> None:
    buyer = await shop.customer()

    answer = await buyer.post_order({"lines": [{"product_id": str(uuid4()), "quantity": 1}]})

    assert (answer.status, answer.body["field"]) == (422, "lines[0].product_id")
    assert (await buyer.call("GET", "/api/orders")).body["items"] == []


@told_on_each_engine
async def test_fifty_repeats_at_once_are_one_order_and_one_answer(shop: Shop) -> None:
    product, buyer = await shop.product(stock=5), await shop.customer()
    await buyer.order(product)  # now price and customer are known
    body = {"lines": [{"product_id": product, "quantity": 1}]}

    answers = await asyncio.gather(*(buyer.post_order(body, key="once") for _ in range(50)))

    assert {answer.status for answer in answers} == {202}
    assert len({answer.content for answer in answers}) == 1
    assert len((await buyer.call("GET", "/api/orders")).body["items"]) == 2


async def test_a_price_change_under_way_does_not_change_the_order(shop: Shop, running: RunningStore) -> None:
    product, buyer = await shop.product(stock=1000, price=1000), await shop.customer()
    body = {"lines": [{"product_id": product, "quantity": 1}]}

    with running.paused("functions"):
        order_id = await buyer.order(product)
        read = await shop.as_admin("GET", f"/api/products/{product}")
        changed = {key: read.body[key] for key in ("name", "sku", "currency")} | {"price": 9999}
        answer = await shop.as_admin("PUT", f"/api/products/{product}", json=changed, headers={"If-Match": read.etag})
        assert answer.status == 200, answer
        later = await until(lambda: buyer.post_order(body), lambda answer: answer.body["total"] == 9999)

    settled = [await buyer.settled(each) for each in (order_id, later.body["id"])]
    assert [(order["status"], order["total"]) for order in settled] == [("confirmed", 1000), ("confirmed", 9999)]


@told_on_each_engine
async def test_a_product_deleted_before_it_is_reserved_rejects_the_order(shop: Shop, running: RunningStore) -> None:
    product, buyer = await shop.product(stock=5), await shop.customer()

    with running.paused("functions"):
        order_id = await buyer.order(product)
        read = await shop.as_admin("GET", f"/api/products/{product}")
        gone = await shop.as_admin("DELETE", f"/api/products/{product}", headers={"If-Match": read.etag})
        assert gone.status == 204, gone

    order = await buyer.settled(order_id)
    assert (order["status"], "no longer sold" in order["reason"]) == ("rejected", True)


async def test_the_original_names_still_lead_there(shop: Shop) -> None:
    product, buyer = await shop.product(stock=5), await shop.customer()
    await buyer.order(product)
    body = {"lines": [{"product_id": product, "quantity": 1}]}

    invoice = await buyer.call("POST", "/api/invoice", json=body, headers={"Idempotency-Key": "i-1"})
    costumer = await buyer.call("GET", f"/api/Costumers/{buyer.id}")

    assert invoice.status == 202
    assert costumer.body["id"] == str(buyer.id)


@told_on_each_engine
async def test_all_that_is_held_on_a_customer_is_one_list_for_them_alone(shop: Shop) -> None:
    product, buyer, other = await shop.product(stock=5), await shop.customer(), await shop.customer()
    order = await buyer.settled(await buyer.order(product))

    mine = await buyer.call("GET", f"/api/customer-data/{buyer.id}")
    theirs = await other.call("GET", f"/api/customer-data/{buyer.id}")
    nobodys = await shop.call("GET", f"/api/customer-data/{buyer.id}")

    kinds = [entry["kind"] for entry in mine.body]
    assert kinds[0] == "profile"
    assert order["id"] in [entry.get("id") for entry in mine.body if entry["kind"] == "order"]
    assert (theirs.status, nobodys.status) == (404, 401)


async def test_a_blocked_customer_orders_nothing(shop: Shop) -> None:
    product, buyer = await shop.product(stock=1000), await shop.customer()
    await buyer.order(product)  # now orders know them
    read = await shop.as_admin("GET", f"/api/customers/{buyer.id}")
    blocked = {"name": read.body["name"], "email": read.body["email"], "status": "blocked"}
    answer = await shop.as_admin("PUT", f"/api/customers/{buyer.id}", json=blocked, headers={"If-Match": read.etag})
    assert answer.status == 200, answer
    body = {"lines": [{"product_id": product, "quantity": 1}]}

    refused = await until(lambda: buyer.post_order(body), lambda answer: answer.status == 409)
    before = (await buyer.call("GET", "/api/orders?limit=100")).body["items"]
    again = await buyer.post_order(body)

    assert [each.body["title"] for each in (refused, again)] == ["Blocked customer"] * 2
    listed = (await buyer.call("GET", "/api/orders?limit=100")).body["items"]
    assert {order["id"] for order in listed} == {order["id"] for order in before}


@told_on_each_engine
async def test_an_erased_customer_is_forgotten_and_their_order_stays_in_the_books(
    shop: Shop, running: RunningStore
) -> None:
    product, buyer, heir = await shop.product(stock=5), await shop.customer(), Buyer(shop, uuid4())
    order = await buyer.settled(await buyer.order(product))
    profile = (await buyer.call("GET", f"/api/customers/{buyer.id}")).body

    erased = await buyer.call("DELETE", f"/api/customers/{buyer.id}")

    assert erased.status == 204, erased
    kept = await until(
        lambda: shop.as_admin("GET", f"/api/orders/{order['id']}"), lambda kept: kept.body["customer_id"] == NOBODY
    )
    assert (kept.body["status"], kept.body["total"]) == ("confirmed", order["total"])
    assert (await buyer.call("GET", "/api/orders")).body["items"] == []
    assert (await buyer.call("GET", f"/api/customers/{buyer.id}")).status == 404
    anew = {"name": "Somebody else", "email": profile["email"]}
    assert (await heir.call("POST", "/api/customers", json=anew)).status == 201


async def test_one_trace_runs_from_the_request_to_the_letter(shop: Shop, running: RunningStore) -> None:
    product, buyer = await shop.product(stock=5), await shop.customer()
    await buyer.order(product)
    trace_id = uuid4().hex
    body = {"lines": [{"product_id": product, "quantity": 1}]}

    answer = await buyer.post_order(body, headers={"traceparent": f"00-{trace_id}-{'1' * 16}-01"})
    await buyer.settled(answer.body["id"])
    await until(lambda: shop.letters(buyer), lambda letters: len(letters) == 2)

    for name, event in {
        "orders": "request.answered",
        "functions": "function.called",
        "catalog": "message.handled",
    }.items():
        assert any(line["event"] == event for line in running.log_lines(name, trace_id)), f"{name} lost the trace"


async def test_the_sample_order_tells_its_story_step_by_step(running: RunningStore) -> None:
    told: list[str] = []

    await order_once(running.folder, told.append)

    steps = [line.split()[2] for line in told if " s  " in line]
    assert steps[:6] == ["orders", "process_order", "catalog", "orders", "take_payment", "orders"]
    assert sorted(steps[6:]) == ["catalog", "notify_customer", "orders", "orders", "take_payment"]
