"""What orders do when they hear something; delivered twice, early or late."""

import secrets
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import cast
from uuid import UUID, uuid4

import msgspec
import pytest

from libs.common.database import Database
from libs.common.errors import Invalid, NotFound
from libs.common.ids import uuid7_beside
from libs.common.inbox import react
from libs.common.messages import Command, Fact, encode_command, encode_fact
from libs.common.messages.catalog import (
    ProductCreated,
    ProductDeleted,
    ProductStatus,
    ProductUpdated,
    StockRefused,
    StockReserved,
)
from libs.common.messages.customers import CustomerErased, CustomerRegistered, CustomerUpdated
from libs.common.messages.orders import Outcome, RecordLetter, RecordPayment, RejectOrder
from services.orders.domain import NotPaid, Order, Price, UnknownCustomer, Wanted, place
from services.orders.reactions import REACTIONS
from services.orders.store import Attempt, Sought, Store, migrate, open_store
from services.orders.transitions import Payment, Status
from tests.engines import facts

pytestmark = pytest.mark.real

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
ADA, LAMP = UUID(int=1), UUID(int=2)
CREATED = ProductCreated(product_id=LAMP, sku="L", name="Lamp", price=4900, currency="EUR", version=1, at=NOON)
UPDATED = ProductUpdated(
    product_id=LAMP, sku="L", name="Lamp", price=4900, currency="EUR", opening_stock=0, version=1, at=NOON
)
REGISTERED = CustomerRegistered(customer_id=ADA, status="active", version=1, at=NOON)


@pytest.fixture
async def store(any_database: Database) -> Store:
    await migrate(any_database)
    return await open_store(any_database)


async def hear(store: Store, *facts: Fact, times: int = 2) -> None:
    """Everything is delivered twice."""
    for fact in facts:
        for _ in range(times):
            await react(encode_fact(fact, ""), REACTIONS, store)


async def placed(store: Store) -> UUID:
    await hear(store, CREATED, REGISTERED)
    order_id = uuid7_beside(ADA, NOON, secrets.randbits)

    def draft(prices: Mapping[UUID, Price]) -> tuple[Order, bytes]:
        return place(order_id, ADA, [Wanted(LAMP, 1)], prices, NOON), b"{}"

    return (await store.place(Attempt(ADA, uuid4().hex, b"", [LAMP]), draft)).order_id


async def command(store: Store, message: Command, cause: str = "e-1") -> None:
    """Delivered twice, as all."""
    for _ in range(2):
        await react(sent(message, cause), REACTIONS, store)


def sent(message: Command, cause: str = "e-1") -> bytes:
    return encode_command(message, "/functions/any", cause=cause, at=NOON, traceparent="")


async def test_reserved_stock_asks_for_the_payment_and_its_authorisation_confirms_once(
    store: Store, any_database: Database
) -> None:
    order_id = await placed(store)

    await hear(store, StockReserved(order_id=order_id, version=1, at=NOON))
    waiting = await store.read(order_id)
    await command(store, RecordPayment(order_id=order_id, outcome="authorised", amount=4900))

    assert (waiting.status, waiting.payment, waiting.version) == (Status.PLACED, Payment.REQUESTED, 2)
    assert (await store.read(order_id)).status is Status.CONFIRMED
    assert await facts(any_database) == ["order-placed", "payment-requested", "order-confirmed"]


async def test_a_declined_payment_rejects_the_order_with_its_reason(store: Store, any_database: Database) -> None:
    order_id = await placed(store)
    await hear(store, StockReserved(order_id=order_id, version=1, at=NOON))

    await command(store, RecordPayment(order_id=order_id, outcome="declined", amount=4900, reason="no funds"))

    order = await store.read(order_id)
    assert (order.status, order.payment, order.reason) == (Status.REJECTED, Payment.DECLINED, "no funds")
    assert await facts(any_database) == ["order-placed", "payment-requested", "order-rejected"]


async def test_the_money_is_followed_and_late_and_repeated_news_of_it_are_harmless(
    store: Store, any_database: Database
) -> None:
    order_id = await placed(store)
    await hear(store, StockReserved(order_id=order_id, version=1, at=NOON))

    for number, outcome in enumerate(("authorised", "captured", "authorised", "declined", "refunded", "captured")):
        record = RecordPayment(order_id=order_id, outcome=cast(Outcome, outcome), amount=4900)
        await command(store, record, cause=f"call-back {number}")

    order = await store.read(order_id)
    assert (order.status, order.payment, order.version) == (Status.CONFIRMED, Payment.REFUNDED, 5)
    assert await facts(any_database) == ["order-placed", "payment-requested", "order-confirmed"]


async def test_a_capture_that_is_refused_is_seen_with_its_reason_until_it_is_done(
    store: Store, any_database: Database
) -> None:
    order_id = await placed(store)
    await hear(store, StockReserved(order_id=order_id, version=1, at=NOON))
    authorised = RecordPayment(order_id=order_id, outcome="authorised", amount=4900)
    refused, captured = (
        msgspec.structs.replace(authorised, refusal="the card is blocked 🎉"),
        RecordPayment(order_id=order_id, outcome="captured", amount=4900),
    )
    await command(store, authorised, cause="requested")
    for _ in range(2):
        await command(store, refused, cause="confirmed")

    order = await store.read(order_id)
    assert (order.status, order.payment, order.payment_refusal, order.version) == (
        *(Status.CONFIRMED, Payment.AUTHORISED, "the card is blocked 🎉"),
        4,
    )
    assert (await store.page(Sought(ADA), None, 1)) == [order]
    with pytest.raises(NotPaid, match="the card is blocked"):
        await store.change(order_id, lambda order: order.ship("DHL", "", NOON))

    await command(store, captured, cause="confirmed")  # the same event once more, and now it went well
    await command(store, refused, cause="an old one")
    shipped = await store.change(order_id, lambda order: order.ship("DHL", "", NOON))
    assert (shipped.status, shipped.payment, shipped.payment_refusal) == (Status.SHIPPED, Payment.CAPTURED, "")
    story = {(each.name, each.reason) for each in await store.timeline(order_id) if each.kind == "payment"}
    assert story == {("authorised", ""), ("capture-refused", "the card is blocked 🎉"), ("captured", "")}


async def test_an_order_that_costs_nothing_is_confirmed_as_soon_as_its_stock_is_set_aside(
    store: Store, any_database: Database
) -> None:
    await hear(store, CREATED, REGISTERED, msgspec.structs.replace(UPDATED, price=0, version=2))
    order_id = await placed(store)

    await hear(store, StockReserved(order_id=order_id, version=1, at=NOON))

    assert (await store.read(order_id)).payment is Payment.NONE
    assert await facts(any_database) == ["order-placed", "order-confirmed"]


async def test_the_timeline_tells_at_which_delivery_a_message_was_understood(store: Store) -> None:
    order_id = await placed(store)
    heard: list[Fact | Command] = [
        StockReserved(order_id=order_id, version=1, at=NOON),
        RecordLetter(order_id=order_id, letter="confirmed"),
        RecordPayment(order_id=order_id, outcome="authorised", amount=4900),
    ]

    for number, message in enumerate(heard, start=2):
        body = encode_fact(message, "") if isinstance(message, Fact) else sent(message)
        for attempt in (number, 9):
            await react(body, REACTIONS, store, attempt=attempt)

    told = {(each.kind, each.name): each.attempt for each in await store.timeline(order_id) if each.kind != "told"}
    assert told == {("heard", "stock-reserved"): 2, ("letter", "confirmed"): 3, ("payment", "authorised"): 4}


@pytest.mark.parametrize("status", ["draft", "archived"])
async def test_what_is_not_published_cannot_be_ordered_until_it_is(store: Store, status: ProductStatus) -> None:
    await hear(store, REGISTERED, CREATED, msgspec.structs.replace(UPDATED, status=status, version=2))
    with pytest.raises(Invalid, match="there is no product"):
        await placed(store)

    await hear(store, msgspec.structs.replace(UPDATED, version=3, tax_rate=1900))

    assert (await store.read(await placed(store))).tax == 782


async def test_refusals_and_a_late_reservation_in_any_order_and_twice_leave_one_refused_order(store: Store) -> None:
    for number, order in enumerate(permutations(range(3))):
        order_id = await placed(store)
        rejection = RejectOrder(order_id=order_id, reason="blocked")
        messages = [
            encode_fact(StockReserved(order_id=order_id, version=1, at=NOON), ""),
            encode_fact(StockRefused(order_id=order_id, reason="sold out", version=1, at=NOON), ""),
            encode_command(rejection, "/f", cause=f"r-{number}", at=NOON, traceparent=""),
        ]

        for message in [messages[index] for index in order] * 2:
            await react(message, REACTIONS, store)

        timeline = await store.timeline(order_id)
        assert (await store.read(order_id)).status is Status.REJECTED
        assert len([entry for entry in timeline if entry.name == "order-rejected"]) == 1
        assert len([entry for entry in timeline if entry.kind == "heard"]) == 3


async def test_refused_stock_rejects_the_order_with_the_reason(store: Store, any_database: Database) -> None:
    order_id = await placed(store)

    await hear(store, StockRefused(order_id=order_id, reason="Lamp is sold out", version=1, at=NOON))

    order = await store.read(order_id)
    assert (order.status, order.reason) == (Status.REJECTED, "Lamp is sold out")
    assert await facts(any_database) == ["order-placed", "order-rejected"]


async def test_a_command_rejects_the_order_once(store: Store) -> None:
    order_id = await placed(store)

    await command(store, RejectOrder(order_id=order_id, reason="blocked"))

    told = [entry.status for entry in await store.timeline(order_id) if entry.kind == "told"]
    assert told == [Status.PLACED, Status.REJECTED]


async def test_stock_that_comes_after_a_cancellation_changes_nothing(store: Store, any_database: Database) -> None:
    order_id = await placed(store)
    await store.change(order_id, lambda order: order.cancel("no", NOON))

    await hear(store, StockReserved(order_id=order_id, version=1, at=NOON))

    assert (await store.read(order_id)).status is Status.CANCELLED
    assert await facts(any_database) == ["order-placed", "order-cancelled"]


async def test_stock_for_an_order_that_is_not_there_is_not_swallowed(store: Store) -> None:
    with pytest.raises(NotFound):
        await hear(store, StockReserved(order_id=uuid4(), version=1, at=NOON))


async def test_prices_follow_versions_not_arrival(store: Store) -> None:
    newer = ProductUpdated(
        product_id=LAMP, sku="L", name="Lamp", price=5900, currency="EUR", opening_stock=0, version=3, at=NOON
    )
    older = ProductUpdated(
        product_id=LAMP, sku="L", name="Lamp", price=1, currency="EUR", opening_stock=0, version=2, at=NOON
    )

    await hear(store, newer, older)
    order_id = await placed(store)

    assert (await store.read(order_id)).total == 5900


async def test_a_deleted_product_stays_deleted_when_its_creation_comes_late(store: Store) -> None:
    await hear(store, REGISTERED, ProductDeleted(product_id=LAMP, version=2, at=NOON), CREATED)

    with pytest.raises(Exception, match="there is no product"):
        await placed(store)


async def test_an_erased_customer_stays_erased_when_an_update_comes_late(store: Store) -> None:
    erased = CustomerErased(customer_id=ADA, version=3, at=NOON + timedelta(seconds=1))
    late = CustomerUpdated(customer_id=ADA, status="active", version=2, at=NOON)

    await hear(store, erased, late, times=1)

    with pytest.raises(UnknownCustomer):
        await placed(store)
