"""The rules of what follows from stock: staff hear that little is left, customers that there is some again."""

from uuid import UUID

import pytest

from libs.common.messages.catalog import (
    BackInStock,
    StockChanged,
    StockLow,
    StockReplenished,
)
from services.catalog.stock import (
    Counts,
    InStock,
    NotCounted,
    Stock,
    TooMuchStock,
    WaitingListFull,
    rebuild,
)
from tests.catalog.shelves import DESK, LAMP, NOON, ORDER, figures, shelves

# --- the reorder level -------------------------------------------------------------------------------------------


def test_staff_hear_once_that_little_is_left_and_again_only_after_there_was_more() -> None:
    lamp = shelves(lamp=10)[LAMP]
    lamp.reorder_at(4, NOON)

    told = [
        lamp.reserve(5, ORDER, NOON),  # 5 left
        lamp.reserve(1, ORDER, NOON),  # 4: now it is low
        lamp.reserve(2, ORDER, NOON),  # 2: still
        lamp.release(2, ORDER, NOON),  # 4: still
        lamp.release(1, ORDER, NOON),  # 5: no longer
        lamp.reserve(5, ORDER, NOON),  # 0: low once more
    ]

    assert [[type(fact) for fact in facts] for facts in told] == [[], [StockLow], [], [], [], [StockLow]]
    assert told[1][0] == StockLow(
        product_id=LAMP, sku="", name="Lamp", on_hand=4, reorder_level=4, version=lamp.version - 4, at=NOON
    )


def test_a_level_that_is_set_above_what_is_there_is_crossed_at_once() -> None:
    lamp = shelves(lamp=3)[LAMP]

    told = [lamp.reorder_at(2, NOON), lamp.reorder_at(5, NOON), lamp.reorder_at(6, NOON), lamp.reorder_at(6, NOON)]

    assert [[type(fact) for fact in facts] for facts in told] == [[], [StockLow], [], []]
    assert lamp.version == 4
    assert len(lamp.movements) == 1


def test_nobody_hears_of_what_has_no_level_or_is_no_longer_sold() -> None:
    shelf = shelves(lamp=3, desk=3)
    shelf[DESK].reorder_at(1, NOON)
    shelf[DESK].deleted = True

    assert shelf[LAMP].reserve(3, ORDER, NOON) == shelf[DESK].reserve(3, ORDER, NOON) == []


def test_what_is_not_counted_has_neither_a_level_nor_a_delivery() -> None:
    with pytest.raises(NotCounted):
        Stock(LAMP, "Lamp").reorder_at(1, NOON)
    with pytest.raises(NotCounted):
        Stock(LAMP, "Lamp").receive(1, "delivery", NOON)


def test_a_delivery_is_added_and_there_is_an_end_to_it() -> None:
    lamp = shelves(lamp=3)[LAMP]

    (changed,) = lamp.receive(4, "delivery 7", NOON)

    assert isinstance(changed, StockChanged)
    assert (changed.on_hand, changed.reason, figures(lamp)) == (7, "delivery 7", (7, 0, 0, 7))
    with pytest.raises(TooMuchStock):
        lamp.receive(999_994, "delivery 8", NOON)


def test_the_ledger_makes_up_for_what_moved_past_it() -> None:
    lamp = Stock(LAMP, "Lamp", False, 3, 1, 2, 6, version=9)

    lamp.balance(rebuild([]), NOON)

    assert (rebuild(lamp.movements), lamp.version, lamp.movements[0].kind) == (lamp.counts, 10, "opened")
    known = Counts(on_hand=2, reserved=1, sold=2, received=5)
    lamp.balance(known, NOON)
    assert (lamp.movements[1].kind, lamp.movements[1].on_hand, lamp.movements[1].received) == ("corrected", 1, 1)


# --- those who wait ----------------------------------------------------------------------------------------------


def test_customers_wait_only_for_what_is_sold_out_and_not_without_end() -> None:
    lamp = shelves(lamp=1)[LAMP]
    with pytest.raises(InStock):
        lamp.admit()

    lamp.reserve(1, ORDER, NOON)
    for _ in range(10_000):
        lamp.admit()

    with pytest.raises(WaitingListFull):
        lamp.admit()
    assert lamp.waiting == 10_000


def test_that_there_is_some_again_is_told_where_somebody_waits() -> None:
    lamp = shelves(lamp=1)[LAMP]
    lamp.reserve(1, ORDER, NOON)
    assert lamp.release(1, ORDER, NOON) == []

    lamp.reserve(1, ORDER, NOON)
    lamp.admit()
    told = [*lamp.release(1, ORDER, NOON), *lamp.recount(7, "found", NOON)[1:]]

    assert told == [StockReplenished(product_id=LAMP, version=lamp.version - 1, at=NOON)]
    before, customers = lamp.version, [UUID(int=7), UUID(int=8)]
    called = lamp.call(customers, NOON)
    assert called == [
        BackInStock(product_id=LAMP, sku="", name="Lamp", customers=[each], version=version, at=NOON)
        for version, each in enumerate(customers, start=before + 1)
    ]
    assert (len({fact.id() for fact in called}), lamp.version, lamp.waiting) == (2, before + 2, 0)
