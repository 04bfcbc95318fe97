"""An order's timeline in the store, on every engine: read page by page, whatever was heard of it, and never cut off."""

from datetime import timedelta
from uuid import UUID

import pytest

from libs.common.errors import NotFound
from services.orders.store import BEGINNING, Note, Store
from services.orders.transitions import Status
from tests.orders.ordering import ADA, NOON, pay, put, stock_up

pytestmark = [pytest.mark.real, pytest.mark.timeout(180)]

BOB = UUID(int=9)
MANY = 510  # more than are read at once


@pytest.fixture
async def order_id(store: Store) -> UUID:
    await stock_up(store)
    return (await put(store)).order_id


async def hear(store: Store, order_id: UUID, number: int) -> None:
    """Several at one moment; what comes later is not what sorts later."""
    heard = Note(f"/é {number * 7 % MANY}", "heard", "news", NOON + timedelta(microseconds=number // 3))
    await store.change(order_id, lambda order: None, cause=heard.mark, heard=heard)


async def pages(store: Store, order_id: UUID, size: int) -> list[list[Note]]:
    found, after = list[list[Note]](), BEGINNING
    while not found or len(found[-1]) == size:
        found.append(await store.timeline(order_id, ADA, after=after, limit=size))
        after = found[-1][-1].place if found[-1] else after
    return found


async def test_the_pages_of_a_timeline_are_all_of_it_each_line_once_and_in_order(store: Store, order_id: UUID) -> None:
    for number in range(9):
        await hear(store, order_id, number)
    await pay(store, order_id)

    whole = await store.timeline(order_id)

    assert len(whole) == 12
    assert whole == sorted(whole, key=lambda note: (note.at, note.version, note.mark))
    assert [note.version for note in whole if note.kind == "told"] == [1, 2, 3]
    for size in (1, 2, 3, 5, 12):
        assert [note for page in await pages(store, order_id, size) for note in page] == whole


async def test_however_much_is_heard_of_an_order_all_that_it_became_is_told(store: Store, order_id: UUID) -> None:
    await pay(store, order_id)
    for number in range(MANY):
        await hear(store, order_id, number)
    await store.change(order_id, lambda order: order.ship("", "", NOON + timedelta(days=1)))

    first, second = await pages(store, order_id, 500)
    told = await store.told(order_id, ADA)

    assert [note.status for note in told] == [Status.PLACED, None, Status.CONFIRMED, Status.SHIPPED]
    assert (len(first), len(second), second[-1]) == (500, MANY + 4 - 500, told[-1])
    assert len({note.mark for note in first + second if note.kind == "heard"}) == MANY


async def test_anothers_timeline_is_not_found(store: Store, order_id: UUID) -> None:
    with pytest.raises(NotFound):
        await store.timeline(order_id, BOB)
    with pytest.raises(NotFound):
        await store.told(order_id, BOB)
