"""What the store keeps of the orders of those who are erased, on every engine."""

import asyncio
from datetime import timedelta
from uuid import UUID

import pytest

from services.orders.domain import UnknownCustomer
from services.orders.store import Note, Receipt, Sought, Store
from services.orders.transitions import Status
from tests.orders.ordering import ADA, ANYBODYS, NOON, OF_ADA, pay, put

pytestmark = pytest.mark.real


async def test_a_forgotten_customers_orders_are_nobodys(store: Store) -> None:
    order_id = (await put(store)).order_id

    await store.forget_customer(ADA, 2, NOON)

    assert (await store.read(order_id)).customer_id == UUID(int=0)
    assert await store.page(OF_ADA, None, 10) == []
    with pytest.raises(UnknownCustomer):
        await put(store, key="k-2")


async def test_an_erasure_leaves_no_order_behind_that_is_being_placed(store: Store) -> None:
    for number in range(3):
        who = UUID(int=50 + number)
        await store.know_customer(who, "active", 1)
        orders = [put(store, key=f"k-{n}", who=who) for n in range(10)]

        results = await asyncio.gather(*orders, store.forget_customer(who, 2, NOON), return_exceptions=True)

        assert all(isinstance(result, Receipt | UnknownCustomer | None) for result in results)
        assert await store.page(Sought(who), None, 100) == []
        placed = [await store.read(result.order_id) for result in results if isinstance(result, Receipt)]
        assert {order.customer_id for order in placed} <= {UUID(int=0)}


async def test_an_erasure_that_comes_late_leaves_the_orders_of_a_new_registration(store: Store) -> None:
    before = (await put(store, key="k-1", at=NOON - timedelta(hours=1))).order_id
    await store.know_customer(ADA, "active", 3)
    after = (await put(store, key="k-2")).order_id

    await store.forget_customer(ADA, 2, NOON - timedelta(seconds=1))

    assert [(await store.read(each)).customer_id for each in (before, after)] == [UUID(int=0), ADA]
    assert (await put(store, key="k-2")).order_id == after


async def test_an_order_that_is_placed_before_the_erasure_is_heard_is_nobodys_too(store: Store) -> None:
    order_id = (await put(store, at=NOON + timedelta(hours=5))).order_id

    await store.forget_customer(ADA, 2, NOON)

    assert (await store.read(order_id)).customer_id == UUID(int=0)
    assert await store.page(OF_ADA, None, 10) == []
    with pytest.raises(UnknownCustomer):
        await put(store)  # nothing tells any more that this is a repeat


async def test_an_erasure_that_is_told_again_leaves_the_orders_of_a_new_registration(store: Store) -> None:
    await store.forget_customer(ADA, 2, NOON)
    await store.know_customer(ADA, "active", 3)
    order_id = (await put(store, at=NOON + timedelta(hours=1))).order_id

    await store.forget_customer(ADA, 2, NOON)

    assert (await store.read(order_id)).customer_id == ADA


async def test_what_people_wrote_about_an_erased_customers_orders_is_gone(store: Store) -> None:
    cancelled, shipped = (await put(store, key="k-1")).order_id, (await put(store, key="k-2")).order_id
    await store.change(cancelled, lambda order: order.cancel("Ada has moved to Wien", NOON))
    await pay(store, shipped)
    said = Note("c-1", "payment", "captured", NOON, reason="card of A. Lovelace")
    await store.change(shipped, lambda order: None, cause="c-1", heard=said)
    await store.change(shipped, lambda order: order.ship("DHL", "JJD-ADA", NOON))
    await store.change(shipped, lambda order: order.take_back("Ada did not like it", NOON))
    before = {order.id: order.version for order in await store.page(OF_ADA, None, 10)}

    for _ in range(2):
        await store.forget_customer(ADA, 2, NOON)

    for order in await store.page(ANYBODYS, None, 10):
        assert (order.customer_id, order.reason, order.carrier, order.tracking) == (UUID(int=0), "", "", "")
        assert order.version == before[order.id] + 1  # else a cache would go on showing what is gone
        assert [entry.reason for entry in await store.timeline(order.id) if entry.reason] == []
    assert (await store.read(shipped)).status is Status.RETURNED


async def test_of_a_refused_capture_it_stays_that_it_was_refused(store: Store) -> None:
    refused, other = (await put(store, key="k-1")).order_id, (await put(store, key="k-2")).order_id
    await pay(store, refused)
    await store.change(refused, lambda order: order.refuse_capture("card of A. Lovelace"))

    await store.forget_customer(ADA, 2, NOON)

    assert [(await store.read(each)).payment_refusal for each in (refused, other)] == ["refused", ""]


async def test_nothing_is_written_about_an_order_that_is_being_forgotten(store: Store) -> None:
    order_id = (await put(store)).order_id
    notes = [Note(f"c-{n}", "payment", "declined", NOON, reason="Ada's card") for n in range(20)]
    writing = [store.change(order_id, lambda order: None, cause=note.mark, heard=note) for note in notes]

    await asyncio.gather(*writing[:10], store.forget_customer(ADA, 2, NOON), *writing[10:])

    written = await store.timeline(order_id)
    assert ((await store.read(order_id)).version, len(written)) == (2, 21)
    assert [entry.reason for entry in written if entry.reason] == []
