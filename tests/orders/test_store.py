"""The contract of the orders store, on every engine."""

import asyncio
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from libs.common.database import Database
from libs.common.errors import Conflict, Invalid, NotFound
from libs.common.ids import uuid7_beside
from libs.common.messages import Fact
from libs.common.migrations import Behind
from services.orders.domain import BlockedCustomer, Order, Price, UnknownCustomer, Wanted, place
from services.orders.store import Attempt, KeyReused, Note, Receipt, Sought, Store, migrate, open_store, states
from services.orders.transitions import Payment, Status
from tests.engines import Engine, facts
from tests.engines.wire import Wire

pytestmark = pytest.mark.real

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
ADA, LAMP, DESK = UUID(int=1), UUID(int=2), UUID(int=3)
OF_ADA, ANYBODYS = Sought(ADA), Sought()


@pytest.fixture
async def store(any_database: Database) -> Store:
    await migrate(any_database)
    opened = await open_store(any_database)
    await stock_up(opened)
    return opened


async def stock_up(store: Store) -> None:
    await store.know_customer(ADA, "active", 1)
    await store.list_price(Price(LAMP, "LAMP", "Lamp", 4900, "EUR", version=1))
    await store.list_price(Price(DESK, "DESK", "Desk", 25000, "EUR", version=1))


async def put(
    store: Store,
    *,
    key: str = "k-1",
    who: UUID = ADA,
    product: UUID = LAMP,
    body: bytes = b"a",
    at: datetime = NOON,
) -> Receipt:
    order_id = uuid7_beside(who, at, secrets.randbits)

    def draft(prices: Mapping[UUID, Price]) -> tuple[Order, bytes]:
        order = place(order_id, who, [Wanted(product, 2)], prices, at)
        return order, b'{"total":%d,"id":"%s"}' % (order.total, str(order_id).encode())

    return await store.place(Attempt(who, key, body, [product]), draft)


async def told(store: Store, order_id: UUID) -> list[tuple[int, str]]:
    return [(entry.version, entry.name) for entry in await store.timeline(order_id) if entry.kind == "told"]


async def pay(store: Store, order_id: UUID) -> None:
    """Reserved and authorised."""
    await store.change(order_id, lambda order: order.reserve(NOON), cause=f"reserved {order_id}")
    await store.change(order_id, authorise, cause=f"paid {order_id}")


def authorise(order: Order) -> Fact | None:
    return order.record_payment("authorised", order.total, "", NOON)


async def test_a_placed_order_its_history_and_its_fact_are_stored_together(
    store: Store, any_database: Database
) -> None:
    receipt = await put(store)

    order = await store.read(receipt.order_id, ADA)
    assert (order.status, order.total, order.version, order.placed_at) == (Status.PLACED, 9800, 1, NOON)
    assert await told(store, order.id) == [(1, "order-placed")]
    assert await facts(any_database) == ["order-placed"]


async def test_in_sql_an_order_of_what_was_ordered_before_is_one_round_trip(sql_engine: Engine) -> None:
    engine = sql_engine
    async with engine.fresh() as url, engine.connect(url) as direct, Wire.before(url) as (wire, through):
        await migrate(direct)
        async with engine.connect(through) as wired:
            store = await open_store(wired)
            await stock_up(store)
            await put(store, key="k-1")
            wire.listen()

            await put(store, key="k-2")

            assert wire.turns == 1


async def test_fifty_repeats_at_once_are_one_order_with_one_answer(store: Store, any_database: Database) -> None:
    receipts = await asyncio.gather(*(put(store) for _ in range(50)))

    assert len({receipt.order_id for receipt in receipts}) == 1
    assert len({receipt.answer for receipt in receipts}) == 1
    assert len(await store.page(OF_ADA, None, 100)) == 1
    assert await facts(any_database) == ["order-placed"]


async def test_a_key_is_not_taken_for_another_body(store: Store) -> None:
    await put(store)

    with pytest.raises(KeyReused):
        await put(store, body=b"b")


async def test_a_key_belongs_to_its_customer(store: Store) -> None:
    await store.know_customer(UUID(int=9), "active", 1)

    first, second = await put(store), await put(store, who=UUID(int=9))

    assert first.order_id != second.order_id


async def test_a_refused_attempt_leaves_nothing_and_its_key_can_be_used_again(
    store: Store, any_database: Database
) -> None:
    stranger = UUID(int=7)

    with pytest.raises(UnknownCustomer):
        await put(store, who=stranger)
    with pytest.raises(Invalid):
        await put(store, product=UUID(int=99))
    assert await facts(any_database) == []

    await store.know_customer(stranger, "active", 1)
    assert (await put(store, who=stranger)).order_id
    assert (await put(store)).order_id


async def test_a_repeat_is_answered_although_the_product_is_gone_and_the_customer_blocked(store: Store) -> None:
    first = await put(store)
    await store.delist(LAMP, 2)
    await store.know_customer(ADA, "blocked", 2)

    assert await put(store) == first

    with pytest.raises(BlockedCustomer):
        await put(store, key="k-2", product=DESK)


async def test_a_new_price_holds_for_the_next_order_also_where_the_old_one_is_remembered(store: Store) -> None:
    await put(store, key="k-1")
    await store.list_price(Price(LAMP, "LAMP", "Lamp", 5900, "EUR", version=2))

    receipt = await put(store, key="k-2")

    assert (await store.read(receipt.order_id)).total == 11800


async def test_facts_that_come_late_change_nothing(store: Store) -> None:
    await store.list_price(Price(LAMP, "LAMP", "Lamp", 100, "EUR", version=5))
    await store.list_price(Price(LAMP, "LAMP", "Lamp", 999, "EUR", version=4))
    await store.delist(DESK, 9)
    await store.list_price(Price(DESK, "DESK", "Desk", 1, "EUR", version=8))

    receipt = await put(store)

    assert (await store.read(receipt.order_id)).total == 200
    with pytest.raises(Invalid):
        await put(store, key="k-2", product=DESK)


async def test_a_change_is_made_once_per_cause(store: Store, any_database: Database) -> None:
    order_id = (await put(store)).order_id

    await store.change(order_id, lambda order: order.confirm(NOON), cause="catalog e-1")
    await store.change(order_id, lambda order: order.confirm(NOON), cause="catalog e-1")

    assert await told(store, order_id) == [(1, "order-placed"), (2, "order-confirmed")]
    assert await facts(any_database) == ["order-placed", "order-confirmed"]


async def test_cancel_and_confirm_at_once_have_one_winner(store: Store, any_database: Database) -> None:
    order_id = (await put(store)).order_id

    tries = [store.change(order_id, lambda order: order.confirm(NOON), cause=f"c-{n}") for n in range(25)]
    tries += [store.change(order_id, lambda order: order.cancel("no", NOON), customer_id=ADA) for _ in range(25)]
    results = await asyncio.gather(*tries, return_exceptions=True)

    assert all(isinstance(result, Order | Conflict) for result in results)
    assert len(await told(store, order_id)) == 2
    assert len(await facts(any_database)) == 2


async def test_a_refused_change_leaves_nothing(store: Store) -> None:
    order_id = (await put(store)).order_id
    await store.change(order_id, lambda order: order.confirm(NOON))

    for _ in range(2):  # the first time leaves no mark that would make the second a repeat
        with pytest.raises(Conflict):
            await store.change(order_id, lambda order: order.cancel("no", NOON), cause="late")

    assert (await store.read(order_id)).status is Status.CONFIRMED


async def test_another_customers_order_is_not_found(store: Store) -> None:
    order_id = (await put(store)).order_id

    for attempt in (
        store.read(order_id, UUID(int=5)),
        store.timeline(order_id, UUID(int=5)),
        store.change(order_id, lambda order: order.cancel("no", NOON), customer_id=UUID(int=5)),
        store.read(uuid4(), ADA),
    ):
        with pytest.raises(NotFound):
            await attempt
    assert (await store.read(order_id)).status is Status.PLACED


async def test_pages_do_not_move_when_orders_are_added(store: Store) -> None:
    ids = sorted([(await put(store, key=f"k-{n}")).order_id for n in range(7)], reverse=True)

    first = await store.page(OF_ADA, None, 3)
    await put(store, key="later")
    second = await store.page(OF_ADA, first[-1].id, 100)

    seen = [order.id for order in first] + [order.id for order in second if order.id in ids]
    assert seen == ids
    assert await store.page(Sought(UUID(int=5)), None, 10) == []


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
    order_id = (await put(store)).order_id

    await store.forget_customer(ADA, 2, NOON - timedelta(seconds=1))

    assert (await store.read(order_id, ADA)).customer_id == ADA


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


async def test_a_list_shows_one_state_one_time_and_one_customer(store: Store) -> None:
    await store.know_customer(UUID(int=9), "active", 1)
    times = [NOON + timedelta(minutes=n) for n in range(6)]
    ids = [(await put(store, key=f"k-{n}", at=at)).order_id for n, at in enumerate(times)]
    other = (await put(store, who=UUID(int=9), at=times[2])).order_id
    await store.change(ids[0], lambda order: order.cancel("no", NOON))
    for n in (1, 2, 3):
        await pay(store, ids[n])
    for n in (2, 3):
        await store.change(ids[n], lambda order: order.ship("", "", NOON))
    await store.change(ids[3], lambda order: order.deliver(NOON))

    async def listed(sought: Sought, before: UUID | None = None, limit: int = 10) -> list[UUID]:
        return [order.id for order in await store.page(sought, before, limit)]

    assert await listed(Sought(status=Status.PLACED)) == [ids[5], ids[4], other]
    assert await listed(Sought(ADA, status=Status.PLACED)) == [ids[5], ids[4]]
    assert await listed(Sought(status=Status.CONFIRMED)) == [ids[1]]
    assert await listed(Sought(status=Status.SHIPPED)) == [ids[2]]
    assert await listed(Sought(status=Status.DELIVERED)) == [ids[3]]
    assert await listed(Sought(status=Status.RETURNED)) == []
    assert await listed(Sought(ADA, after=times[1], before=times[4])) == [ids[3], ids[2], ids[1]]
    assert await listed(Sought(ADA, after=times[1], before=times[4]), before=ids[3]) == [ids[2], ids[1]]
    assert await listed(Sought(after=times[2], before=times[3]), limit=1) == [max(ids[2], other)]
    assert await listed(Sought(after=times[5])) == [ids[5]]
    assert await listed(Sought(after=times[5] + timedelta(milliseconds=1))) == []


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


async def test_nothing_is_written_about_an_order_that_is_being_forgotten(store: Store) -> None:
    order_id = (await put(store)).order_id
    notes = [Note(f"c-{n}", "payment", "declined", NOON, reason="Ada's card") for n in range(20)]
    writing = [store.change(order_id, lambda order: None, cause=note.mark, heard=note) for note in notes]

    await asyncio.gather(*writing[:10], store.forget_customer(ADA, 2, NOON), *writing[10:])

    written = await store.timeline(order_id)
    assert ((await store.read(order_id)).version, len(written)) == (2, 21)
    assert [entry.reason for entry in written if entry.reason] == []


async def test_a_lines_rate_is_frozen_with_its_price(store: Store) -> None:
    await store.list_price(Price(LAMP, "LAMP", "Lamp", 4900, "EUR", version=2, tax_rate=1900))
    order_id = (await put(store)).order_id
    await store.list_price(Price(LAMP, "LAMP", "Lamp", 4900, "EUR", version=3, tax_rate=700))

    (line,) = (await store.read(order_id)).lines

    assert (line.tax_rate, line.tax) == (1900, 1565)
    assert (await store.read((await put(store, key="k-2")).order_id)).tax == 641


async def test_a_database_is_brought_up_to_date_once_whoever_tries(any_database: Database) -> None:
    with pytest.raises(Behind, match=r"python -m services\.orders migrate"):
        await open_store(any_database)

    await asyncio.gather(*(migrate(any_database) for _ in range(4)))

    await open_store(any_database)


async def test_orders_are_counted_by_state_and_no_more_than_asked_for(store: Store, any_database: Database) -> None:
    nothing = await states(any_database, 100)
    receipts = [await put(store, key=f"k-{number}") for number in range(4)]
    await store.change(receipts[0].order_id, lambda order: order.cancel("no", NOON))

    counted = {each.status: each for each in await states(any_database, 100)}
    few = await states(any_database, 2)

    assert nothing == []
    assert {status: each.count for status, each in counted.items()} == {Status.PLACED: 3, Status.CANCELLED: 1}
    assert counted[Status.PLACED].oldest == NOON
    assert sum(each.count for each in few) <= 2


async def test_a_message_that_the_inbox_knew_is_counted(store: Store, any_database: Database) -> None:
    order_id = (await put(store)).order_id

    for _ in range(3):
        await store.change(order_id, lambda order: order.confirm(NOON), cause="/c 1")

    assert any_database.watch.measures.duplicates.read() == {(): 2}
