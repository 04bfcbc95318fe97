"""What the catalogue does when it hears something; delivered twice, early or late."""

from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest

from libs.common.errors import Malformed
from libs.common.inbox import react
from libs.common.messages import CloudEvent, Command, Fact, encode_command, encode_fact, read
from libs.common.messages.catalog import (
    AddMediaVariant,
    OpenStock,
    ReservedLine,
    ReserveStock,
    StockChanged,
    StockRefused,
)
from libs.common.messages.orders import OrderCancelled, OrderConfirmed, OrderRejected, OrderReturned
from libs.common.postgres import Postgres
from services.catalog.domain import Details, Media, Product, Variant
from services.catalog.reactions import REACTIONS
from services.catalog.reservations import UnknownReservation
from services.catalog.store import Store, migrate, open_store

pytestmark = pytest.mark.real

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
LAMP, ORDER, ADA = UUID(int=1), UUID(int=100), UUID(int=200)
OPEN = OpenStock(product_id=LAMP, quantity=5)
CONFIRMED = OrderConfirmed(order_id=ORDER, customer_id=ADA, currency="EUR", total=1, lines=[], version=2, at=NOON)
REJECTED = OrderRejected(
    order_id=ORDER, customer_id=ADA, currency="EUR", total=1, lines=[], reason="", version=2, at=NOON
)
CANCELLED = OrderCancelled(
    order_id=ORDER, customer_id=ADA, currency="EUR", total=1, lines=[], reason="", version=2, at=NOON
)
RETURNED = OrderReturned(
    order_id=ORDER, customer_id=ADA, currency="EUR", total=1, lines=[], reason="too big", version=3, at=NOON
)


def reserve(quantity: int = 3) -> ReserveStock:
    return ReserveStock(order_id=ORDER, lines=[ReservedLine(product_id=LAMP, quantity=quantity)])


@pytest.fixture
async def store(database: Postgres) -> Store:
    await migrate(database)
    opened = await open_store(database)
    await opened.add(Product(LAMP, Details("LAMP", "Lamp", "", 100, "EUR", None)), NOON)
    return opened


async def hear(store: Store, *messages: Fact | Command) -> None:
    """Everything is delivered twice, and commands are also sent again for another cause."""
    for message in messages:
        for cause in ("one", "one", "other"):
            body = (
                encode_fact(message, "")
                if isinstance(message, Fact)
                else encode_command(message, "/functions/x", cause=cause, at=NOON, traceparent="")
            )
            await react(body, REACTIONS, store)


async def figures(store: Store) -> tuple[int, int, int, int]:
    stock = await store.stock(LAMP)
    return stock.on_hand, stock.reserved, stock.sold, stock.received


async def told(database: Postgres) -> list[CloudEvent]:
    return [CloudEvent.decode(row["event"]) for row in await database.fetch("SELECT event FROM outbox ORDER BY seq")]


async def test_stock_is_opened_once_and_told(store: Store, database: Postgres) -> None:
    await hear(store, OPEN)

    assert await figures(store) == (5, 0, 0, 5)
    _, changed = await told(database)
    fact = read(changed, StockChanged)
    assert (fact.on_hand, fact.version, fact.reason) == (5, 1, "opening stock")


async def test_stock_of_a_product_that_is_gone_is_not_opened(store: Store, database: Postgres) -> None:
    await store.change(LAMP, lambda lamp: lamp.delete(NOON))

    await hear(store, OPEN, OpenStock(product_id=uuid4(), quantity=5))

    assert await database.fetchrow("SELECT FROM stock WHERE version > 0") is None


async def test_a_count_by_staff_is_newer_than_the_opening_stock(store: Store) -> None:
    await store.change_stock(LAMP, lambda stock: stock.recount(9, "counted", NOON), version=0)

    await hear(store, OPEN)

    assert await figures(store) == (9, 0, 0, 9)


async def test_a_confirmed_order_is_sold_once(store: Store, database: Postgres) -> None:
    await hear(store, OPEN, reserve(), CONFIRMED, reserve(), CANCELLED)

    assert await figures(store) == (2, 0, 3, 5)
    assert [event.type.split(".")[2] for event in await told(database)] == [
        "product-created",
        "stock-changed",
        "stock-reserved",
    ]


@pytest.mark.parametrize("heard", [[CONFIRMED, RETURNED], [RETURNED, CONFIRMED], [CONFIRMED, RETURNED, CONFIRMED]])
async def test_what_comes_back_is_on_hand_once(store: Store, heard: list[Fact]) -> None:
    await hear(store, OPEN, reserve(), *heard, reserve())

    assert await figures(store) == (5, 0, 0, 5)


@pytest.mark.parametrize("settled", [REJECTED, CANCELLED])
async def test_an_order_that_is_off_gives_everything_back_once(store: Store, settled: Fact) -> None:
    await hear(store, OPEN, reserve(), settled, reserve())

    assert await figures(store) == (5, 0, 0, 5)


@pytest.mark.parametrize("settled", [REJECTED, CANCELLED])
async def test_an_order_that_was_off_before_gets_nothing(store: Store, database: Postgres, settled: Fact) -> None:
    await hear(store, OPEN, settled, reserve())

    assert await figures(store) == (5, 0, 0, 5)
    assert not [event for event in await told(database) if "stock-re" in event.type]


async def test_a_refusal_is_told_once_for_the_customer_to_read(store: Store, database: Postgres) -> None:
    await hear(store, OPEN, reserve(6), CANCELLED)

    assert await figures(store) == (5, 0, 0, 5)
    (refusal,) = [read(event, StockRefused) for event in await told(database) if "refused" in event.type]
    assert (refusal.order_id, refusal.reason) == (ORDER, "Lamp is sold out: 6 wanted, 5 left")


async def test_what_is_deleted_or_unknown_is_no_longer_sold(store: Store, database: Postgres) -> None:
    await hear(store, OPEN)
    await store.change(LAMP, lambda lamp: lamp.delete(NOON))

    unknown = ReservedLine(product_id=uuid4(), quantity=1)
    await hear(store, ReserveStock(order_id=ORDER, lines=[*reserve().lines, unknown]))

    refusal = read((await told(database))[-1], StockRefused)
    assert refusal.reason == "Lamp is no longer sold; a product of this order is no longer sold"


async def test_a_confirmation_out_of_the_blue_is_a_defect_that_leaves_nothing(store: Store, database: Postgres) -> None:
    with pytest.raises(UnknownReservation):
        await hear(store, CONFIRMED)

    for table in ("reservations", "inbox"):
        assert await database.fetchrow(f"SELECT FROM {table}") is None


@pytest.mark.parametrize(
    "command",
    [
        reserve(0),
        reserve(-1),
        reserve(2**62),
        ReserveStock(order_id=ORDER, lines=[]),
        OpenStock(product_id=LAMP, quantity=-1),
        OpenStock(product_id=LAMP, quantity=2**62),
    ],
)
async def test_what_makes_no_sense_is_refused_before_any_effect(
    store: Store, database: Postgres, command: Command
) -> None:
    with pytest.raises(Malformed):
        await hear(store, command)

    assert await figures(store) == (0, 0, 0, 0)
    assert await database.fetchrow("SELECT FROM inbox") is None


async def test_a_thumbnail_is_shown_beside_its_image_and_is_no_news_to_others(store: Store, database: Postgres) -> None:
    media = Media(uuid4(), "https://media.example/a.png", "image/png")
    await store.change(LAMP, lambda product: product.show(media, NOON))
    small = AddMediaVariant(product_id=LAMP, media_id=media.id, size="small", url="u", width=160, height=90)

    before = await told(database)

    await hear(store, small)

    lamp = await store.read(LAMP)
    assert [each.variants for each in lamp.media] == [(Variant("small", "u", 160, 90),)]
    assert (lamp.version, await told(database)) == (2, before)


async def test_a_thumbnail_of_what_is_gone_is_shown_nowhere(store: Store) -> None:
    for product_id in (LAMP, uuid4()):
        await hear(
            store, AddMediaVariant(product_id=product_id, media_id=uuid4(), size="small", url="u", width=1, height=1)
        )

    assert (await store.read(LAMP)).version == 1
