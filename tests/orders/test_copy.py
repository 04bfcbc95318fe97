"""Orders move from any engine to any other."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from libs.common.database import Database
from libs.common.ids import uuid7_beside
from services.orders import store as orders
from services.orders.domain import Order, Price, Wanted, place
from services.orders.store import Attempt, Note, Sought, Store
from tests.engines import Engine, facts
from tests.engines.moves import Move

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]

NOON = datetime(2026, 6, 1, 12, 0, 0, 123456, tzinfo=UTC)
ADA, BOB, GONE = UUID(int=1), UUID(int=2), UUID(int=3)
LAMP, DESK, RUG = UUID(int=11), UUID(int=12), UUID(int=13)
PLACED = [(ADA, 1), (BOB, 2), (ADA, 3), (GONE, 4), (ADA, 5)]  # by whom, and a number


def order_id(who: UUID, number: int) -> UUID:
    return uuid7_beside(who, NOON + timedelta(seconds=number), lambda bits: number)


async def put(store: Store, who: UUID, number: int, key: str = "") -> bytes:
    def draft(prices: Mapping[UUID, Price]) -> tuple[Order, bytes]:
        placed = place(order_id(who, number), who, [Wanted(LAMP, number)], prices, NOON + timedelta(seconds=number))
        return placed, f"answer {number} é".encode()

    return (await store.place(Attempt(who, key or f"key/{number} 🔑", b"\x00\xff", [LAMP]), draft)).answer


async def fill(store: Store) -> None:
    """Orders in every state, an erased and a blocked customer, a price that changed and a product that is gone."""
    for who in (ADA, BOB, GONE):
        await store.know_customer(who, "active", 1)
    for product_id, name in ((LAMP, 'Lamp "é" 🎉'), (DESK, "Desk"), (RUG, "Rug")):
        await store.list_price(Price(product_id, "SKU", name, 4900, "EUR", version=2, tax_rate=1900))
    await store.delist(DESK, 3)
    for who, number in PLACED:
        await put(store, who, number)
    heard = Note("stock 1", "heard", "stock-reserved", NOON, 2, "é 🎉")
    await store.change(order_id(ADA, 1), lambda order: order.reserve(NOON), cause="stock 1", heard=heard)
    await store.change(order_id(ADA, 1), lambda order: order.record_payment("authorised", order.total, "", NOON))
    await store.change(order_id(ADA, 1), lambda order: order.refuse_capture("blocked é"))
    await store.change(order_id(ADA, 1), lambda order: order.record_payment("captured", order.total, "", NOON))
    await store.change(order_id(ADA, 1), lambda order: order.ship("DHL", "JJD é", NOON))
    await store.change(order_id(BOB, 2), lambda order: order.reject("none left", NOON), cause="stock 2")
    await store.change(order_id(ADA, 3), lambda order: order.cancel("no", NOON), cause="mind changed")
    await store.forget_customer(GONE, 2, NOON + timedelta(hours=1))
    await store.know_customer(BOB, "blocked", 2)


async def see(store: Store, database: Database) -> Any:
    """Also that repeats are known for what they are, and facts that come late for late."""
    everything = await store.page(Sought(), None, 100)
    waiting = await store.waiting(NOON + timedelta(days=1), 100)
    histories = [await store.timeline(order.id) for order in everything]
    lists = [[order.id for order in await store.page(Sought(who), None, 100)] for who in (ADA, BOB, GONE)]
    repeats = [await put(store, ADA, number) for number in (1, 3, 5)]
    for number in (1, 2, 3):
        await store.change(
            order_id(*PLACED[number - 1]), refuse, cause=["stock 1", "stock 2", "mind changed"][number - 1]
        )
    await store.list_price(Price(LAMP, "SKU", "old", 1, "EUR", version=1))
    refusals = []
    for who, number in ((BOB, 6), (GONE, 7)):
        with pytest.raises(Exception) as refusal:
            await put(store, who, number)
        refusals.append(refusal.type)
    return everything, waiting, histories, lists, repeats, refusals, await facts(database)


def refuse(order: Order) -> None:
    raise AssertionError("this message has had its effect")


MOVE = Move(orders, fill, see)


async def test_what_is_copied_is_the_same(two_engines: tuple[Engine, Engine]) -> None:
    await MOVE.goes_well(*two_engines)


async def test_a_copy_that_is_interrupted_goes_on(two_engines: tuple[Engine, Engine]) -> None:
    await MOVE.goes_on(*two_engines)
