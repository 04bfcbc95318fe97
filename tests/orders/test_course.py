"""The course of an order in the store, on every engine: each state, its timeline, and who waits for it."""

import asyncio
from datetime import timedelta
from uuid import uuid4

import pytest

from libs.common.database import Database
from services.orders.store import Note, Store, open_store
from services.orders.transitions import Payment, Status
from tests.engines import facts
from tests.orders.ordering import ADA, NOON, OF_ADA, authorise, pay, put, told

pytestmark = pytest.mark.real


async def test_an_order_goes_its_way_through_every_state_and_payment(store: Store, any_database: Database) -> None:
    order_id = (await put(store)).order_id
    await pay(store, order_id)
    await store.change(order_id, lambda order: order.record_payment("captured", order.total, "", NOON))
    await store.change(order_id, lambda order: order.ship("DHL 🎉", "JJD1", NOON))

    shipped = await store.read(order_id)
    assert (shipped.status, shipped.payment, shipped.carrier) == (Status.SHIPPED, Payment.CAPTURED, "DHL 🎉")
    await store.change(order_id, lambda order: order.deliver(NOON))
    await store.change(order_id, lambda order: order.take_back("too small", NOON))

    order = await store.read(order_id)
    assert (order.status, order.version, order.reason) == (Status.RETURNED, 7, "too small")
    assert order == (await store.page(OF_ADA, None, 1))[0]
    names = [
        "order-placed",
        "payment-requested",
        "order-confirmed",
        "order-shipped",
        "order-delivered",
        "order-returned",
    ]
    assert await told(store, order_id) == list(zip((1, 2, 3, 5, 6, 7), names, strict=True))
    assert await facts(any_database) == names


async def test_a_timeline_has_each_message_once_with_its_tries_before_what_it_led_to(store: Store) -> None:
    order_id = (await put(store)).order_id
    later = NOON + timedelta(seconds=1)
    reserved = Note("catalog e-1", "heard", "stock-reserved", later, attempt=3)
    paid = Note("pay c-1", "payment", "authorised", later + timedelta(seconds=1), attempt=2, reason="card 🎉")
    letter = Note("mail c-2", "letter", "confirmed", later + timedelta(seconds=2))

    for _ in range(2):
        await store.change(order_id, lambda order: order.reserve(later), cause=reserved.mark, heard=reserved)
        await store.change(order_id, authorise, cause=paid.mark, heard=paid)
        await store.change(order_id, lambda order: None, cause=letter.mark, heard=letter)

    told = [(each.kind, each.name, each.attempt, each.reason) for each in await store.timeline(order_id)]
    assert told == [
        ("told", "order-placed", 1, ""),
        ("told", "order-confirmed", 1, ""),  # at noon: its own moment decides, not when it was written down
        ("heard", "stock-reserved", 3, ""),
        ("told", "payment-requested", 1, ""),
        ("payment", "authorised", 2, "card 🎉"),
        ("letter", "confirmed", 1, ""),
    ]


async def test_what_comes_too_late_is_written_down_and_changes_nothing(store: Store, any_database: Database) -> None:
    order_id = (await put(store)).order_id
    cancelled = await store.change(order_id, lambda order: order.cancel("no", NOON))
    late = Note("catalog e-1", "heard", "stock-reserved", NOON)

    order = await store.change(order_id, lambda order: order.reserve(NOON), cause=late.mark, heard=late)

    assert (order, await store.read(order_id)) == (cancelled, cancelled)
    assert [entry.name for entry in await store.timeline(order_id) if entry.kind == "heard"] == ["stock-reserved"]
    assert await facts(any_database) == ["order-placed", "order-cancelled"]


async def test_pay_and_expire_at_once_have_one_winner(store: Store, any_database: Database) -> None:
    order_id = (await put(store)).order_id
    await store.change(order_id, lambda order: order.reserve(NOON))

    tries = [store.change(order_id, authorise, cause=f"p-{n}") for n in range(25)]
    tries += [store.change(order_id, lambda order: order.expire(NOON)) for _ in range(25)]
    await asyncio.gather(*tries)

    order = await store.read(order_id)
    assert (order.status, order.payment) in [
        (Status.CONFIRMED, Payment.AUTHORISED),
        (Status.CANCELLED, Payment.REQUESTED),
    ]
    assert order.version == len(await told(store, order_id)) == len(await facts(any_database)) == 3


async def test_fifty_who_ship_at_once_ship_once(store: Store) -> None:
    order_id = (await put(store)).order_id
    await pay(store, order_id)

    ships = [store.change(order_id, lambda order, n=n: order.ship("DHL", f"{n}", NOON)) for n in range(50)]  # type: ignore[misc]
    orders = await asyncio.gather(*ships)

    assert len({order.tracking for order in orders}) == 1
    assert len(await told(store, order_id)) == 4


async def test_what_waits_too_long_is_found_oldest_first_and_what_is_settled_is_not(store: Store) -> None:
    early = [NOON + timedelta(minutes=n) for n in range(5)]
    ids = [(await put(store, key=f"k-{n}", at=at)).order_id for n, at in enumerate(early)]
    await store.change(ids[1], lambda order: order.cancel("no", NOON))
    await pay(store, ids[2])

    for _ in range(2):  # the first look may tidy up
        assert await store.waiting(early[4], 10) == [ids[0], ids[3]]
        assert await store.waiting(early[4], 1) == [ids[0]]
    assert await store.waiting(NOON, 10) == []


async def test_versions_are_told_of_the_orders_that_there_are(store: Store) -> None:
    first, second = (await put(store, key="k-1")).order_id, (await put(store, key="k-2")).order_id
    await pay(store, second)

    assert await store.versions([first, second, uuid4()]) == {first: 1, second: 3}
    assert await store.versions([]) == {}


async def test_a_change_wakes_who_watches_in_the_same_process(store: Store) -> None:
    order_id = (await put(store)).order_id

    with store.watch.on(order_id, ADA) as watcher:
        await store.change(order_id, lambda order: order.cancel("no", NOON))

        assert await watcher.rung_within(0)
        assert not await watcher.rung_within(0)


async def test_a_change_by_another_process_wakes_who_watches(store: Store, any_database: Database) -> None:
    order_id, stop = (await put(store)).order_id, asyncio.Event()
    other = await open_store(any_database)

    async with asyncio.TaskGroup() as loops:
        loops.create_task(store.watch.follow(store.versions, stop))
        with store.watch.on(order_id, ADA) as watcher:
            assert await watcher.rung_within(60)  # what it knows is compared with what there is, once
            await other.change(order_id, lambda order: order.cancel("no", NOON))
            assert await watcher.rung_within(60)
            stop.set()
            assert await watcher.rung_within(60)
    assert store.watch.closed
