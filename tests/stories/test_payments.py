"""The money of an order, whatever happens on its way: charged once or not at all, and the books of all three agree."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from localcloud.audit import audit
from tests.localcloud.programs import running as started
from tests.stories.bank import BLOCKED, DECLINED, LATE_NO, LATE_YES, OPEN, REPEATED, SILENT, Bank
from tests.stories.ground import told_on_each_engine
from tests.stories.killing import ordered_while_killed
from tests.stories.shop import Answer, Buyer, Shop
from tests.stories.store import RunningStore
from tests.stories.test_progress import impatient
from tests.waiting import until

pytestmark = [pytest.mark.story, pytest.mark.xdist_group("store"), pytest.mark.timeout(180)]

PAID = ["authorised", "captured"]
SOME = 20


@pytest.fixture
def bank(shop: Shop, running: RunningStore) -> Bank:
    return Bank(shop.session, running.run().addresses["payments"])


async def bought(shop: Shop, price: int, stock: int = 5) -> tuple[Buyer, dict[str, Any]]:
    """One piece of what costs this, by a new customer."""
    product, buyer = await shop.product(stock=stock, price=price), await shop.customer()
    return buyer, await buyer.settled(await buyer.order(product))


async def heard_of_payment(buyer: Buyer, order_id: str) -> list[str]:
    timeline = (await buyer.call("GET", f"/api/orders/{order_id}/timeline")).body["items"]
    return [entry["name"] for entry in timeline if entry["kind"] == "payment"]


def paid(movements: list[str]) -> bool:
    return movements == PAID


@told_on_each_engine
async def test_what_is_confirmed_is_paid_once_and_what_comes_back_is_refunded(
    shop: Shop, bank: Bank, running: RunningStore
) -> None:
    buyer, order = await bought(shop, 1250)
    await until(lambda: bank.movements(order["id"]), paid)

    for verb in ("ship", "deliver", "return"):
        answer = await shop.as_admin("POST", f"/api/orders/{order['id']}/{verb}", json={})
        assert answer.status == 200, answer

    await running.quiet()
    assert await bank.movements(order["id"]) == [*PAID, "refunded"]
    assert await heard_of_payment(buyer, order["id"]) == [*PAID, "refunded"]


@told_on_each_engine
async def test_a_decline_rejects_the_order_with_its_reason_and_frees_its_stock(
    shop: Shop, bank: Bank, running: RunningStore
) -> None:
    product, buyer = await shop.product(stock=5, price=DECLINED), await shop.customer()

    order = await buyer.settled(await buyer.order(product))

    assert (order["status"], order["reason"]) == ("rejected", "the bank has declined the payment")
    letter = await buyer.letter()
    assert letter["message_id"] == f"<rejected-{order['id']}@store>"
    assert order["reason"] in await shop.letter_text(letter["id"])
    await running.quiet()
    assert await bank.movements(order["id"]) == ["declined"]
    stock = (await shop.stock(product)).body
    assert (stock["on_hand"], stock["reserved"], stock["sold"]) == (5, 0, 0)


async def test_where_the_provider_charges_and_does_not_answer_there_is_one_charge(shop: Shop, bank: Bank) -> None:
    _, order = await bought(shop, SILENT)

    assert order["status"] == "confirmed"
    await until(lambda: bank.movements(order["id"]), paid)


async def test_callbacks_that_come_three_times_at_once_change_nothing(
    shop: Shop, bank: Bank, running: RunningStore
) -> None:
    buyer, order = await bought(shop, REPEATED)

    await running.quiet()

    assert order["status"] == "confirmed"
    assert await bank.movements(order["id"]) == PAID
    told = await heard_of_payment(buyer, order["id"])
    assert sorted(told) == sorted(PAID * 2)  # by the function, and by each call-back once


@pytest.mark.parametrize(
    ("price", "status", "movements"),
    [
        (LATE_YES, "confirmed", ["pending", *PAID]),
        (LATE_NO, "rejected", ["pending", "declined"]),
    ],
)
async def test_what_the_provider_says_later_settles_the_order(
    shop: Shop, bank: Bank, running: RunningStore, price: int, status: str, movements: list[str]
) -> None:
    _, order = await bought(shop, price)

    assert order["status"] == status
    await running.quiet()
    assert await bank.movements(order["id"]) == movements


@told_on_each_engine
async def test_an_order_whose_capture_is_refused_says_so_is_found_by_the_audit_and_ships_once_it_is_paid(
    shop: Shop, bank: Bank, running: RunningStore
) -> None:
    buyer, order = await bought(shop, BLOCKED)
    path, why = f"/api/orders/{order['id']}", "the bank has blocked the card"
    refused = await until(lambda: buyer.call("GET", path), lambda answer: answer.body["payment_refusal"] != "")

    assert why in refused.body["payment_refusal"]
    assert await heard_of_payment(buyer, order["id"]) == ["authorised", "capture-refused"]
    answer = await shop.as_admin("POST", f"{path}/ship", json={})
    assert (answer.status, answer.body["title"], why in answer.body["detail"]) == (409, "Not paid", True)
    (found,) = await audit(running.folder)
    assert (found.law, order["id"] in found.examples[0]) == (8, True)

    assert await bank.settle(order["id"], "captured") == 200
    await until(lambda: buyer.call("GET", path), lambda answer: answer.body["payment"] == "captured")
    assert (await shop.as_admin("POST", f"{path}/ship", json={})).status == 200
    await running.quiet()


async def test_a_late_success_of_a_cancelled_order_is_never_captured(
    shop: Shop, bank: Bank, running: RunningStore
) -> None:
    product, buyer = await shop.product(stock=5, price=OPEN), await shop.customer()
    order_id = await buyer.order(product)
    await until(lambda: bank.movements(order_id), lambda found: found == ["pending"])

    answer = await buyer.call("POST", f"/api/orders/{order_id}/cancel")

    assert (answer.status, answer.body["status"]) == (200, "cancelled")
    await until(lambda: bank.movements(order_id), lambda found: found == ["pending", "voided"])
    assert await bank.settle(order_id, "authorised") == 409
    await running.quiet()
    assert await bank.movements(order_id) == ["pending", "voided"]
    assert (await shop.stock(product)).body["on_hand"] == 5


@told_on_each_engine
async def test_paying_against_cancelling_has_one_winner(shop: Shop, bank: Bank, running: RunningStore) -> None:
    product, buyer = await shop.product(stock=100), await shop.customer()
    await buyer.order(product)

    async def order_and_regret(number: int) -> tuple[str, Answer]:
        """At once; or when the provider has heard of it, which orders are just being told; or when it is too late."""
        order_id = await buyer.order(product)
        seen = number % 3
        await until(lambda: bank.movements(order_id), lambda movements: len(movements) >= seen)
        return order_id, await buyer.call("POST", f"/api/orders/{order_id}/cancel")

    regretted = await asyncio.gather(*map(order_and_regret, range(running.few(30))))

    await running.quiet()
    for order_id, answer in regretted:
        movements = await bank.movements(order_id)
        assert (answer.status == 409) == (movements == PAID), (answer, movements)
        assert answer.status == 409 or movements in ([], ["voided"], ["authorised", "voided"])
    assert {answer.status for _, answer in regretted} == {200, 409}


async def test_paying_against_expiring_has_one_winner(
    shop: Shop, bank: Bank, running: RunningStore, tmp_path: Path
) -> None:
    late, never = await shop.product(stock=50, price=LATE_YES), await shop.product(stock=5, price=OPEN)
    buyer = await shop.customer()
    program = await asyncio.to_thread(impatient, running)  # it waits a second, as the provider does

    async with started(program, tmp_path / "impatient.log"):
        order_ids = [await buyer.order(late) for _ in range(SOME)]
        expiring = await buyer.order(never)
        settled = [await buyer.settled(order_id) for order_id in [*order_ids, expiring]]

    await running.quiet()
    assert settled[-1]["status"] == "cancelled"
    for order in settled:
        movements = await bank.movements(order["id"])
        assert (order["status"] == "confirmed") == (movements == ["pending", *PAID]), (order, movements)
        assert order["status"] == "confirmed" or movements[-1:] in ([], ["voided"])


async def test_while_the_provider_is_down_orders_are_taken_and_all_are_paid_after(
    shop: Shop, bank: Bank, running: RunningStore
) -> None:
    product, buyer = await shop.product(stock=100), await shop.customer()
    await buyer.order(product)

    await bank.be_down(5)
    order_ids = await asyncio.gather(*(buyer.order(product) for _ in range(SOME)))

    settled = [await buyer.settled(order_id) for order_id in order_ids]
    assert {order["status"] for order in settled} == {"confirmed"}
    await running.quiet()
    assert all([paid(await bank.movements(order_id)) for order_id in order_ids])


@pytest.mark.parametrize("victims", [("payments",), ("functions",), ("payments", "functions", "cloud")])
async def test_whoever_of_those_who_pay_is_killed_each_order_is_charged_once(
    shop: Shop, bank: Bank, running: RunningStore, victims: tuple[str, ...]
) -> None:
    product, buyer = await shop.product(stock=100), await shop.customer()
    await buyer.order(product)

    order_ids = await ordered_while_killed(running, buyer, product, SOME, victims)

    settled = [await buyer.settled(order_id) for order_id in order_ids]
    assert {order["status"] for order in settled} == {"confirmed"}
    await running.quiet()
    assert all([paid(await bank.movements(order_id)) for order_id in order_ids])


async def test_what_costs_nothing_is_confirmed_and_nobody_is_asked_for_money(
    shop: Shop, bank: Bank, running: RunningStore
) -> None:
    _, order = await bought(shop, 0)

    await running.quiet()

    assert (order["status"], await bank.movements(order["id"])) == ("confirmed", [])


async def test_a_forged_callback_is_refused_at_the_gateway_and_pays_nothing(
    shop: Shop, bank: Bank, running: RunningStore
) -> None:
    product, buyer = await shop.product(stock=5, price=OPEN), await shop.customer()
    order_id = await buyer.order(product)
    await until(lambda: bank.movements(order_id), lambda found: found == ["pending"])
    forged = {"id": "1", "order_id": order_id, "status": "authorised", "amount": OPEN, "currency": "EUR"}

    answer = await shop.call("POST", "/api/payment-callback", json=forged, headers={"Payment-Timestamp": "1"})

    assert (answer.status, answer.body["title"]) == (401, "Unsigned")
    assert (await buyer.call("GET", f"/api/orders/{order_id}")).body["status"] == "placed"
    assert await bank.settle(order_id, "declined") == 200  # so that the store comes to rest
    assert (await buyer.settled(order_id))["status"] == "rejected"
