"""The ledger of stock, on every engine: the counts can be rebuilt from it whatever has happened."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta, timezone
from random import Random
from uuid import UUID

import pytest

from libs.common.database import Database
from libs.common.errors import NotFound
from services.catalog.reservations import UnknownReservation
from services.catalog.stock import BelowReserved, Counts, Kind, Movement, rebuild
from services.catalog.store import Store, migrate, open_store
from tests.catalog.selling import DESK, LAMP, NOON, hold, ledger, sell, settle
from tests.engines import Engine
from tests.engines.wire import Wire

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]

LATER = NOON + timedelta(hours=1, microseconds=123456)
ORDER = UUID(int=100)
STORM = {"postgres": 300, "azuresql": 150, "tables": 60}


def told(movements: Sequence[Movement]) -> list[tuple[str, int, int, int, int, UUID | None]]:
    return [(each.kind, each.on_hand, each.reserved, each.sold, each.received, each.order_id) for each in movements]


async def test_every_movement_has_its_line(store: Store) -> None:
    other, third = UUID(int=101), UUID(int=102)
    await sell(store, LAMP, stock=5)
    await store.change_stock(LAMP, lambda stock: stock.receive(3, "delivery é 🎉", LATER))
    await hold(store, ORDER, (LAMP, 2))
    await settle(store, ORDER, "sell")
    await hold(store, other, (LAMP, 1))
    await settle(store, other, "release")
    await settle(store, ORDER, "take_back")
    await hold(store, third, (LAMP, 99))  # refused: nothing moves
    await store.change_stock(LAMP, lambda stock: stock.reorder_at(2, LATER))  # nothing moves
    await store.change_stock(LAMP, lambda stock: stock.recount(7, "one is broken", LATER))

    movements = await ledger(store, LAMP)

    assert told(movements) == [
        ("opened", 5, 0, 0, 5, None),
        ("received", 3, 0, 0, 3, None),
        ("reserved", -2, 2, 0, 0, ORDER),
        ("sold", 0, -2, 2, 0, ORDER),
        ("reserved", -1, 1, 0, 0, other),
        ("released", 1, -1, 0, 0, other),
        ("returned", 2, 0, -2, 0, ORDER),
        ("corrected", -1, 0, 0, -1, None),
    ]
    assert [each.version for each in movements] == [1, 2, 3, 4, 5, 6, 7, 9]
    assert (movements[1].reason, movements[1].at, movements[0].at) == ("delivery é 🎉", LATER, NOON)
    assert rebuild(movements) == (await store.stock(LAMP)).counts == Counts(7, 0, 0, 7)


async def test_the_ledger_is_read_page_by_page_newest_first_also_of_what_is_no_longer_sold(store: Store) -> None:
    await sell(store, LAMP, stock=5)
    for count in (6, 7, 8):
        await store.change_stock(LAMP, lambda stock, count=count: stock.recount(count, "", NOON))  # type: ignore[misc]
    await store.change(LAMP, lambda lamp: lamp.delete(NOON))

    first = await store.movements(LAMP, 10**12, 2)
    second = await store.movements(LAMP, first[-1].version, 2)

    assert [each.version for each in (*first, *second)] == [4, 3, 2, 1]
    assert await store.movements(LAMP, 1, 2) == []
    with pytest.raises(NotFound):
        await store.movements(DESK, 10**12, 2)


async def test_after_a_storm_the_counts_are_rebuilt_from_the_ledger(store: Store, any_database: Database) -> None:
    """A hundred hands at once: deliveries, counts, orders that are held, sold, released, returned, in any order."""
    chance = Random(7)
    await sell(store, LAMP, stock=40)
    await sell(store, DESK, stock=20)
    orders = [UUID(int=1000 + number) for number in range(20)]

    async def do_something() -> None:
        order_id, product_id = chance.choice(orders), chance.choice([LAMP, DESK])
        verb, pieces = chance.choice(["hold", "hold", "sell", "release", "take_back", "receive", "recount"]), 1
        pieces = chance.randint(1, 5)
        try:
            match verb:
                case "hold":
                    await hold(store, order_id, *[(LAMP, pieces), (DESK, 1)][:: chance.choice([1, -1])])
                case "receive":
                    await store.change_stock(product_id, lambda stock: stock.receive(pieces, "delivery", NOON))
                case "recount":
                    await store.change_stock(product_id, lambda stock: stock.recount(stock.count - 1, "lost", NOON))
                case "sell" | "release" | "take_back" as settled:
                    await settle(store, order_id, settled)
        except (UnknownReservation, BelowReserved):
            pass

    hands = asyncio.Semaphore(20)

    async def by_hand() -> None:
        async with hands:
            await do_something()

    await asyncio.gather(*(by_hand() for _ in range(STORM[any_database.engine])))

    for product_id in (LAMP, DESK):
        stock, movements = await store.stock(product_id), await ledger(store, product_id)
        assert rebuild(movements) == stock.counts
        assert stock.received == stock.on_hand + stock.reserved + stock.sold
        assert min(stock.on_hand, stock.reserved, stock.sold) >= 0
        assert [each.version for each in movements] == list(range(1, stock.version + 1))
        assert len(movements) > 5


async def test_what_moved_before_the_ledger_or_past_it_is_made_up_for_once(
    store: Store, any_database: Database
) -> None:
    await sell(store, LAMP, stock=5)
    await sell(store, DESK, stock=3)
    await hold(store, ORDER, (LAMP, 2))
    await forget_the_ledger(any_database)
    assert await ledger(store, LAMP) == []
    await settle(store, ORDER, "sell")  # while it is not made up for

    for _ in range(2):
        await migrate(any_database)

    movements = await ledger(store, LAMP)
    assert rebuild(movements) == (await store.stock(LAMP)).counts == Counts(3, 0, 2, 5)
    assert [each.kind for each in movements] == [Kind.SOLD, Kind.CORRECTED]
    assert [each.kind for each in await ledger(store, DESK)] == [Kind.OPENED]
    await store.change_stock(LAMP, lambda stock: stock.recount(4, "found", NOON))
    assert rebuild(await ledger(store, LAMP)) == Counts(4, 0, 2, 6)


async def forget_the_ledger(database: Database) -> None:
    """As it was when the version that knows of none served."""
    match database.engine:
        case "tables":
            await forget_in_tables(database)
        case "azuresql":
            await database.transact(  # type: ignore[attr-defined]
                lambda tx: (tx.execute("DELETE FROM movements"), tx.execute("UPDATE stock SET recorded = 0"))
            )
        case _:
            await database.fetch("DELETE FROM movements")  # type: ignore[attr-defined]
            await database.fetch("UPDATE stock SET recorded = 0")  # type: ignore[attr-defined]


async def forget_in_tables(database: Database) -> None:
    import msgspec

    from libs.common.entities import Change
    from libs.common.tables import Tables
    from services.catalog.store.tables_stock import partition_of_stock

    assert isinstance(database, Tables)
    for product_id in (LAMP, DESK):
        change, place = Change(partition_of_stock(product_id)), partition_of_stock(product_id)
        for entity in await database.table.range(place, "m|", "m}"):
            change.delete(entity)
        (shelf,) = await database.table.range(place, "s|", "s}")
        known = msgspec.json.decode(shelf.body)
        for name in ("recorded", "reorder_level", "waiting"):
            del known["figures"][name]
        change.replace(shelf, msgspec.json.encode(known))
        await database.table.submit(change)


async def test_the_ledger_costs_an_order_no_round_trip(sql_engine: Engine) -> None:
    """Begin, mark, reservation, stock, all that is written, fact, commit; a sale tells nothing."""
    async with sql_engine.fresh() as url, Wire.before(url) as (wire, through), sql_engine.connect(through) as database:
        await migrate(database)
        store = await open_store(database)
        await sell(store, LAMP, stock=50)
        await sell(store, DESK, stock=50)
        for number in range(12):  # until all statements are prepared
            wire.listen()
            await hold(store, UUID(int=number), (LAMP, 1), (DESK, 2))
            held = wire.turns
            await settle(store, UUID(int=number), "sell")

        assert (held, wire.turns - held) == (7, 6)


async def test_a_time_of_another_zone_is_the_same_time(store: Store) -> None:
    elsewhere = LATER.astimezone(timezone(timedelta(hours=5)))
    await sell(store, LAMP, stock=5)
    await store.change_stock(LAMP, lambda stock: stock.recount(4, "", elsewhere))

    assert (await ledger(store, LAMP))[-1].at == LATER
