"""The books are read as the services write them, on every engine, and as the mail server does."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from operator import attrgetter
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import pytest
from msgspec import structs

from libs.common.database import Database
from libs.common.entities import Change
from libs.common.ids import uuid7_beside
from libs.common.messages.catalog import ReservedLine
from libs.common.tables import Tables
from localcloud.azurite import Azurite
from localcloud.books import Books, Letter, Offer, Order, Payment, Reservation, Stock, Unreadable
from localcloud.books_postgres import PostgresLedger
from localcloud.books_tables import TablesLedger
from localcloud.laws import payments_match_orders
from localcloud.library import Library
from localcloud.mail import Letters
from localcloud.payments.book import Sum
from localcloud.payments.till import MOVE, Till
from services.catalog import store as catalog_store
from services.catalog.domain import Details, Product
from services.catalog.reservations import ReservationStatus
from services.catalog.stock import Kind, Movement
from services.catalog.store.tables import TablesStore
from services.catalog.store.tables_stock import Figures, Intent, Record
from services.customers import store as customers_store
from services.orders import store as orders_store
from services.orders.domain import Order as Ordered
from services.orders.domain import Price, Wanted, place
from tests.engines import Engine

pytestmark = pytest.mark.real

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
ADA, MUG, LAMP, DRAFT, GONE = (UUID(int=each) for each in (21, 1, 2, 3, 4))
BOUGHT, REFUSED, OPEN, BACK = (uuid7_beside(ADA, NOON, Random(seed).getrandbits) for seed in (1, 2, 3, 4))
LETTER = b"Message-ID: <confirmed-1@store>\r\nSubject: Confirmed\r\nX-Order-Id: %s\r\n\r\nHello" % str(BOUGHT).encode()

by_product = attrgetter("product_id")

SERVICES = {"catalog": catalog_store, "orders": orders_store, "customers": customers_store}


@asynccontextmanager
async def opened(engine: Engine, name: str) -> AsyncIterator[tuple[Database, Any, str]]:
    """The service's database, its store, and the database's URL."""
    async with engine.fresh() as url, engine.connect(url) as database:
        await SERVICES[name].migrate(database)
        yield database, await SERVICES[name].open_store(database), url


def ledger(engine: str, url: str, storage: Azurite | None) -> AbstractAsyncContextManager[Any]:
    """What the audit makes of it."""
    match engine:
        case "postgres":
            return PostgresLedger.open(url)
        case "azuresql":
            from localcloud.books_azuresql import AzureSqlLedger

            return AzureSqlLedger.open(url, urlsplit(url).path.lstrip("/"))
        case _:
            assert storage
            return TablesLedger.open(storage, url.rpartition("/")[2])


def product(product_id: UUID) -> Product:
    return Product(product_id, Details(f"SKU-{product_id.int}", "Mug", "", 1490, "EUR", None))


def opened_with(count: int) -> catalog_store.StockAction:
    return lambda stock: stock.open(count, NOON)


async def hold(store: catalog_store.Store, order_id: UUID, product_id: UUID, quantity: int) -> None:
    lines = [ReservedLine(product_id=product_id, quantity=quantity)]
    await store.change_reservation(
        order_id,
        lambda reservation, shelves: reservation.hold(lines, shelves, NOON),
        products=[product_id],
        cause=f"reserve {order_id}",
    )


async def keep_shop(store: catalog_store.Store) -> None:
    """Two of eleven mugs are sold, one is held, three were returned, there is no lamp; and two are not to be bought."""
    for product_id, count in ((MUG, 11), (LAMP, 0), (DRAFT, 0), (GONE, 0)):
        await store.add(product(product_id), NOON)
        await store.change_stock(product_id, opened_with(count))
    await store.change(DRAFT, lambda known: known.replace(structs.replace(known.details, status="draft"), NOON))
    await store.change(GONE, lambda known: known.delete(NOON))
    await hold(store, BOUGHT, MUG, 2)
    await store.change_reservation(
        BOUGHT, lambda reservation, shelves: reservation.sell(shelves, NOON), cause="confirmed"
    )
    await hold(store, REFUSED, LAMP, 1)
    await hold(store, OPEN, MUG, 1)
    await hold(store, BACK, MUG, 3)
    await store.change_reservation(
        BACK, lambda reservation, shelves: reservation.take_back(shelves, NOON), cause="returned"
    )


async def go_shopping(store: orders_store.Store) -> None:
    """One order is confirmed, one is rejected, and one is open."""
    await store.know_customer(ADA, "active", 1)
    for each in (MUG, LAMP, GONE):
        await store.list_price(Price(each, "SKU", "Mug", 1490, "EUR", version=1, tax_rate=700))
    await store.delist(GONE, 2)
    for order_id, product_id, quantity in ((BOUGHT, MUG, 2), (REFUSED, LAMP, 1), (OPEN, MUG, 1)):

        def draft(
            prices: Mapping[UUID, Price], made: tuple[UUID, Wanted] = (order_id, Wanted(product_id, quantity))
        ) -> tuple[Ordered, bytes]:
            return place(made[0], ADA, [made[1]], prices, NOON), b"{}"

        await store.place(orders_store.Attempt(ADA, f"key {order_id}", b"", [product_id]), draft)
    await store.change(BOUGHT, lambda order: order.confirm(NOON), cause="reserved")
    await store.change(BOUGHT, lambda order: order.ship("", "", NOON))
    await store.change(REFUSED, lambda order: order.reject("none left", NOON), cause="refused")


async def park_one(database: Database) -> None:
    async with database.lead(asyncio.Event()) as outbox:
        assert outbox
        async with outbox.claim(1) as events:
            await outbox.park(events[0], "413")


async def test_the_books_are_read_as_they_are_written(
    engine: Engine, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    storage = request.getfixturevalue("table_storage") if engine.name == "tables" else None
    async with Letters.open(tmp_path / "mail.sqlite") as letters:
        await letters.keep(LETTER, "store@localhost", ["ada@example.org"], NOON)
    async with Till.open(tmp_path / "payments.sqlite") as till:
        await till.change(BOUGHT, lambda entry: entry.authorise(Sum(2980, "EUR")))
        await till.change(BOUGHT, lambda entry: entry.capture(Sum(2980, "EUR")))
        await till.change(OPEN, lambda entry: entry.authorise(Sum(9904, "EUR")))

    async with (
        opened(engine, "catalog") as (catalog_database, catalog, catalog_url),
        opened(engine, "orders") as (_, orders, orders_url),
        opened(engine, "customers") as (_, _, customers_url),
    ):
        await keep_shop(catalog)
        await go_shopping(orders)
        await park_one(catalog_database)
        async with (
            ledger(engine.name, catalog_url, storage) as first,
            ledger(engine.name, orders_url, storage) as second,
            ledger(engine.name, customers_url, storage) as third,
        ):
            library = Library(first, second, third, tmp_path / "mail.sqlite", tmp_path / "payments.sqlite")
            read = await library.read(await library.waiting(), await library.dead())

    there = [
        Stock(MUG, received=11, on_hand=8, reserved=1, sold=2),
        *(Stock(each, 0, 0, 0, 0) for each in (LAMP, DRAFT, GONE)),
    ]
    assert replace(
        read, stocks=sorted(read.stocks, key=by_product), rebuilt=sorted(read.rebuilt, key=by_product)
    ) == Books(
        stocks=there,
        rebuilt=there,
        reservations={
            BOUGHT: Reservation("sold", Counter({MUG: 2})),
            REFUSED: Reservation("refused", Counter({LAMP: 1})),
            OPEN: Reservation("held", Counter({MUG: 1})),
            BACK: Reservation("returned", Counter({MUG: 3})),
        },
        offered={each: Offer(f"SKU-{each.int}", "Mug", 1490, "EUR", 1, 1900) for each in (MUG, LAMP)},
        listed={each: Offer("SKU", "Mug", 1490, "EUR", 1, 700) for each in (MUG, LAMP)},
        orders={
            BOUGHT: Order(ADA, "shipped", Counter({MUG: 2}), ["placed", "confirmed", "shipped"], total=2980),
            REFUSED: Order(ADA, "rejected", Counter({LAMP: 1}), ["placed", "rejected"], total=1490),
            OPEN: Order(ADA, "placed", Counter({MUG: 1}), ["placed"], total=1490),
        },
        keys=Counter({BOUGHT: 1, REFUSED: 1, OPEN: 1}),
        letters=[Letter("<confirmed-1@store>", str(BOUGHT), "Confirmed")],
        payments={
            BOUGHT: Payment("captured", [("authorised", 2980), ("captured", 2980)]),
            OPEN: Payment("pending", [("pending", 9904)]),
        },
        waiting={"outbox of catalog": 13, "outbox of orders": 6, "orders": 1, "call-backs of payments": 1},
        dead={"outbox of catalog": 1},
    )


async def test_a_payment_that_is_charged_twice_in_the_providers_books_breaks_the_eighth_law(
    postgres: Engine, tmp_path: Path
) -> None:
    async with Letters.open(tmp_path / "mail.sqlite"), Till.open(tmp_path / "payments.sqlite") as till:
        await till.change(BOUGHT, lambda entry: entry.authorise(Sum(2980, "EUR")))
        await till.change(BOUGHT, lambda entry: entry.capture(Sum(2980, "EUR")))
        async with opened(postgres, "catalog") as (_, _, catalog), opened(postgres, "orders") as (_, orders, url):
            await go_shopping(orders)
            async with ledger("postgres", catalog, None) as first, ledger("postgres", url, None) as second:
                library = Library(first, second, second, tmp_path / "mail.sqlite", tmp_path / "payments.sqlite")
                once = [*payments_match_orders(await library.read({}, {}))]
                await till.journal.write((MOVE, (str(BOUGHT), "captured", 2980, NOON.isoformat())))
                twice = [*payments_match_orders(await library.read({}, {}))]

    assert once == []
    assert [line.partition(" ")[2] for line in twice] == [
        f"{BOUGHT} is shipped and owes 2980; 5960 is captured and not refunded",
        f"{BOUGHT} is charged more than once: [('authorised', 2980), ('captured', 2980), ('captured', 2980)]",
        "orders owe 2980; 5960 is captured and not refunded",
    ]


async def test_in_tables_what_is_committed_counts_and_what_is_only_intended_does_not(
    tables: Engine, table_storage: Azurite
) -> None:
    async with opened(tables, "catalog") as (_, store, url), ledger("tables", url, table_storage) as books:
        assert isinstance(store, TablesStore)
        for each in (MUG, LAMP):
            await store.add(product(each), NOON)
            await store.change_stock(each, lambda stock: stock.open(10, NOON))
        known = [await store.ledger.reserved(order) for order in (BOUGHT, OPEN)]
        for each, order in ((MUG, BOUGHT), (LAMP, OPEN)):
            await store.ledger.intend(Intent(order, "lost"), [await store.ledger.settled(each)])
        lines = [ReservedLine(product_id=MUG, quantity=2)]
        redo = [Figures(MUG, on_hand=8, reserved=2, received=10, version=2)]
        moved = [Movement(product_id=MUG, version=2, kind=Kind.RESERVED, on_hand=-2, reserved=2, at=NOON)]
        await store.ledger.write_reserved(known[0], Record(ReservationStatus.HELD, lines, 1, "lost", redo, moved))
        await store.ledger.write_reserved(known[1], Record())  # so that the attempt fails

        stocks, rebuilt, reservations = await books.stocks(), await books.movements(), await books.reservations()

    assert sorted(rebuilt, key=by_product) == sorted(stocks, key=by_product)
    assert sorted(stocks, key=by_product) == [Stock(MUG, 10, 8, 2, 0), Stock(LAMP, 10, 10, 0, 0)]
    assert reservations == {BOUGHT: Reservation("held", Counter({MUG: 2}))}


async def test_in_tables_a_thousand_entities_and_one_that_is_in_pieces_are_read_to_the_end(
    tables: Engine, table_storage: Azurite
) -> None:
    key = b'{"order_id":"%s","answer":"%s"}' % (str(BOUGHT).encode(), b"a" * 200_000)
    async with opened(tables, "orders") as (database, _, url), ledger("tables", url, table_storage) as books:
        assert isinstance(database, Tables)
        for partition in range(11):
            change = Change(f"{partition:x}")
            for number in range(100):
                change.create(f"x|{number:03}", b"fact")
            await database.table.submit(change)
        change = Change("0")
        change.create("i|", key)
        await database.table.submit(change)

        assert await books.unpublished() == 1100
        assert await books.keys() == Counter({BOUGHT: 1})


@pytest.mark.parametrize("away", ["postgres", "tables"])
async def test_an_engine_that_is_away_is_said_to_be(away: str, table_storage: Azurite) -> None:
    with pytest.raises(Unreadable):
        async with ledger(away, "postgresql://nobody@127.0.0.1:9/none", table_storage) as books:
            await books.unpublished()
