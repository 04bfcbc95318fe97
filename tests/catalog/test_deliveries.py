"""Deliveries with their keys, on every engine: each is added once, and whoever repeats it hears what was said first."""

import asyncio
from uuid import UUID

import pytest

from libs.common.errors import KeyReused, NotFound
from services.catalog.stock import NotCounted, Stock
from services.catalog.store import Delivery, Store
from tests.catalog.selling import DESK, LAMP, NOON, counted, figures, hold, product, sell

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]

KEY = "delivery/7#?|é"  # a store takes any, also what no row may be called


async def receive(store: Store, quantity: int, *, product_id: UUID = LAMP, key: str = KEY) -> bytes:
    return await store.receive(
        Delivery(product_id, key, b"%d" % quantity), lambda stock: stock.receive(quantity, "delivery", NOON), shown
    )


def shown(stock: Stock) -> bytes:
    return b"v%d: %d" % (stock.version, stock.on_hand)


async def test_a_repeat_gets_the_first_answer_whatever_has_moved_since(store: Store) -> None:
    await sell(store, LAMP, stock=5)

    first = await receive(store, 3)
    await hold(store, UUID(int=100), (LAMP, 2))
    later = await receive(store, 3)
    await store.change(LAMP, lambda lamp: lamp.delete(NOON))
    last = await receive(store, 3)

    assert first == later == last == b"v2: 8"
    with pytest.raises(NotFound):
        await receive(store, 3, key="another")


async def test_a_key_that_comes_with_another_body_is_refused_and_nothing_moves(store: Store) -> None:
    await sell(store, LAMP, stock=5)
    await receive(store, 3)

    with pytest.raises(KeyReused) as refused:
        await receive(store, 4)

    assert (refused.value.field, refused.value.status) == ("Idempotency-Key", 422)
    assert await figures(store, LAMP) == (8, 0, 0, 8)


async def test_a_key_is_for_one_product_and_upper_and_lower_case_are_not_the_same(store: Store) -> None:
    await sell(store, LAMP, stock=5)
    await sell(store, DESK, stock=5)

    answers = [
        await receive(store, 1, key="k"),
        await receive(store, 2, key="K"),
        await receive(store, 3, key="k", product_id=DESK),
    ]

    assert answers == [b"v2: 6", b"v3: 8", b"v2: 8"]


async def test_of_many_at_once_one_is_added_and_each_other_hears_of_it_or_is_refused(store: Store) -> None:
    await sell(store, LAMP, stock=5)

    answers = await asyncio.gather(*(receive(store, 3 + number % 2) for number in range(12)), return_exceptions=True)

    added = {answer for answer in answers if isinstance(answer, bytes)}
    refused = [answer for answer in answers if isinstance(answer, KeyReused)]
    on_hand = (await store.stock(LAMP)).on_hand
    assert on_hand in (8, 9)
    assert (added, len(refused), len(answers)) == ({b"v2: %d" % on_hand}, 6, 12)


async def test_a_key_whose_first_attempt_was_refused_can_be_used_again(store: Store) -> None:
    await store.add(product(LAMP), NOON)
    with pytest.raises(NotCounted):
        await receive(store, 3)

    await store.change_stock(LAMP, counted(1))

    assert await receive(store, 4) == b"v2: 5"


async def test_what_the_version_before_has_added_is_not_added_again(store: Store) -> None:
    """Of it there is a mark, and nothing of what it said."""
    await sell(store, LAMP, stock=5)
    cause = Delivery(LAMP, KEY, b"").cause
    await store.change_stock(LAMP, lambda stock: stock.receive(3, "delivery", NOON), cause=cause)

    assert await receive(store, 4) == b"v2: 8"
    assert await figures(store, LAMP) == (8, 0, 0, 8)


async def test_the_version_before_does_not_add_again_what_this_one_has(store: Store) -> None:
    await sell(store, LAMP, stock=5)
    await receive(store, 3)

    cause = Delivery(LAMP, KEY, b"").cause
    await store.change_stock(LAMP, lambda stock: stock.receive(4, "delivery", NOON), cause=cause)

    assert await figures(store, LAMP) == (8, 0, 0, 8)
