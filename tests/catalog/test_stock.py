"""The rules of stock. Law 1: received = on_hand + reserved + sold, none negative."""

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from libs.common.messages import Fact
from libs.common.messages.catalog import (
    BackInStock,
    ReservedLine,
    StockChanged,
    StockLow,
    StockRefused,
    StockReplenished,
    StockReserved,
)
from services.catalog.reservations import Reservation, ReservationStatus, UnknownReservation
from services.catalog.stock import (
    BelowReserved,
    Counts,
    InStock,
    NotCounted,
    Stock,
    TooMuchStock,
    WaitingListFull,
    rebuild,
)

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
LAMP, DESK, RUG = (UUID(int=n) for n in (1, 2, 3))
ORDER = UUID(int=100)


def shelves(**counts: int) -> dict[UUID, Stock]:
    """Lamps, desks and rugs."""
    stocks = {}
    for product_id, name in ((LAMP, "Lamp"), (DESK, "Desk"), (RUG, "Rug")):
        stocks[product_id] = Stock(product_id, name)
        stocks[product_id].open(counts.get(name.lower(), 0), NOON)
    return stocks


def lines(**quantities: int) -> list[ReservedLine]:
    ids = {"lamp": LAMP, "desk": DESK, "rug": RUG}
    return [ReservedLine(product_id=ids[name], quantity=quantity) for name, quantity in quantities.items()]


def figures(stock: Stock) -> tuple[int, int, int, int]:
    return stock.on_hand, stock.reserved, stock.sold, stock.received


def test_what_is_held_is_set_aside_and_sold_when_the_order_is_confirmed() -> None:
    shelf, reservation = shelves(lamp=5, desk=2), Reservation(ORDER)

    facts = reservation.hold(lines(lamp=3, desk=1), shelf, NOON)

    assert facts == [StockReserved(order_id=ORDER, version=1, at=NOON)]
    assert (figures(shelf[LAMP]), figures(shelf[DESK])) == ((2, 3, 0, 5), (1, 1, 0, 2))

    reservation.sell(shelf, NOON)

    assert (figures(shelf[LAMP]), figures(shelf[DESK])) == ((2, 0, 3, 5), (1, 0, 1, 2))


def test_all_or_nothing_and_the_customer_reads_why() -> None:
    shelf, reservation = shelves(lamp=5, desk=1), Reservation(ORDER)
    shelf[RUG].deleted = True
    wanted = [*lines(lamp=2, desk=3, rug=1), ReservedLine(product_id=UUID(int=9), quantity=1)]

    (fact,) = reservation.hold(wanted, shelf, NOON)

    assert isinstance(fact, StockRefused)
    assert fact.reason == (
        "Desk is sold out: 3 wanted, 1 left; Rug is no longer sold; a product of this order is no longer sold"
    )
    assert [figures(stock)[1] for stock in shelf.values()] == [0, 0, 0]
    assert reservation.status is ReservationStatus.REFUSED


def test_lines_of_one_product_are_added_up() -> None:
    shelf, reservation = shelves(lamp=5), Reservation(ORDER)

    (fact,) = reservation.hold(lines(lamp=3) + lines(lamp=3), shelf, NOON)

    assert isinstance(fact, StockRefused)


def test_stock_that_is_not_counted_yet_is_sold_out() -> None:
    (fact,) = Reservation(ORDER).hold(lines(lamp=1), {LAMP: Stock(LAMP, "Lamp")}, NOON)

    assert isinstance(fact, StockRefused)
    assert fact.reason == "Lamp is sold out: 1 wanted, 0 left"


# Every pair of what is known of a reservation and what is heard: the state after it, and where the three lamps are.
HELD, SOLD, RELEASED, REFUSED, RETURNED = (
    ReservationStatus.HELD,
    ReservationStatus.SOLD,
    ReservationStatus.RELEASED,
    ReservationStatus.REFUSED,
    ReservationStatus.RETURNED,
)
TRANSITIONS = {
    (HELD, "hold"): HELD,
    (HELD, "sell"): SOLD,
    (HELD, "release"): RELEASED,
    (HELD, "take_back"): RETURNED,
    (SOLD, "hold"): SOLD,
    (SOLD, "sell"): SOLD,
    (SOLD, "release"): SOLD,
    (SOLD, "take_back"): RETURNED,
    (RELEASED, "hold"): RELEASED,
    (RELEASED, "sell"): RELEASED,
    (RELEASED, "release"): RELEASED,
    (RELEASED, "take_back"): RELEASED,
    (REFUSED, "hold"): REFUSED,
    (REFUSED, "sell"): REFUSED,
    (REFUSED, "release"): REFUSED,
    (REFUSED, "take_back"): REFUSED,
    (RETURNED, "hold"): RETURNED,
    (RETURNED, "sell"): RETURNED,
    (RETURNED, "release"): RETURNED,
    (RETURNED, "take_back"): RETURNED,
}
WHERE = {HELD: (2, 3, 0, 5), SOLD: (2, 0, 3, 5), RELEASED: (5, 0, 0, 5), REFUSED: (5, 0, 0, 5), RETURNED: (5, 0, 0, 5)}
STEPS = {(HELD, RETURNED): 2}  # it is sold on the way


def hear(reservation: Reservation, verb: str, shelf: dict[UUID, Stock]) -> Sequence[Fact]:
    if verb == "hold":
        return reservation.hold(lines(lamp=3), shelf, NOON)
    settle = {"sell": reservation.sell, "release": reservation.release, "take_back": reservation.take_back}[verb]
    return settle(shelf, NOON)


@pytest.mark.parametrize(("state", "verb"), TRANSITIONS)
def test_every_transition_is_in_the_table(state: ReservationStatus, verb: str) -> None:
    shelf, before = shelves(lamp=5), WHERE[state]
    shelf[LAMP].on_hand, shelf[LAMP].reserved, shelf[LAMP].sold, shelf[LAMP].received = before
    reservation = Reservation(ORDER, state, lines(lamp=3), version=1)
    expected = TRANSITIONS[state, verb]

    told = hear(reservation, verb, shelf)

    assert told == []
    assert (reservation.status, figures(shelf[LAMP])) == (expected, WHERE[expected])
    assert reservation.version == 1 + (0 if expected is state else STEPS.get((state, expected), 1))


def test_an_order_that_is_released_before_anything_is_held_gets_nothing_later() -> None:
    shelf, reservation = shelves(lamp=5), Reservation(ORDER)

    reservation.release(shelf, NOON)
    told = reservation.hold(lines(lamp=1), shelf, NOON)

    assert (told, reservation.status, figures(shelf[LAMP])) == ([], RELEASED, (5, 0, 0, 5))


def test_nothing_is_sold_that_was_never_held() -> None:
    for settle in (Reservation(ORDER).sell, Reservation(ORDER).take_back):
        with pytest.raises(UnknownReservation):
            settle(shelves(), NOON)


def test_a_count_below_what_is_set_aside_is_refused_saying_how_much_that_is() -> None:
    shelf = shelves(lamp=5)
    Reservation(ORDER).hold(lines(lamp=3), shelf, NOON)

    with pytest.raises(BelowReserved, match="3 are set aside"):
        shelf[LAMP].recount(2, "flood", NOON)

    (fact,) = shelf[LAMP].recount(3, "flood", NOON)
    assert figures(shelf[LAMP]) == (0, 3, 0, 3)
    assert isinstance(fact, StockChanged)
    assert (fact.on_hand, fact.reserved, fact.reason) == (0, 3, "flood")


def test_stock_is_opened_once_and_not_where_it_was_counted_before() -> None:
    stock = Stock(LAMP, "Lamp")

    first, second = stock.open(5, NOON), stock.open(9, NOON)

    assert [type(fact) for fact in first] == [StockChanged]
    assert (second, figures(stock)) == ([], (5, 0, 0, 5))


class Shop(RuleBasedStateMachine):
    """Commands and facts in any order, any number of times; staff count in between."""

    def __init__(self) -> None:
        super().__init__()
        self.shelf = shelves(lamp=10, desk=4)
        self.reservations: dict[int, Reservation] = {}

    @rule(order=st.integers(0, 5), wanted=st.dictionaries(st.sampled_from(["lamp", "desk", "rug"]), st.integers(1, 6)))
    def reserve(self, order: int, wanted: dict[str, int]) -> None:
        if wanted:
            reservation = self.reservations.setdefault(order, Reservation(UUID(int=order)))
            told, known = reservation.hold(lines(**wanted), self.shelf, NOON), reservation.version

            assert not told or known == 1

    @rule(order=st.integers(0, 5))
    def release(self, order: int) -> None:
        self.reservations.setdefault(order, Reservation(UUID(int=order))).release(self.shelf, NOON)

    @precondition(lambda self: self.reservations)
    @rule(choice=st.data())
    def sell(self, choice: st.DataObject) -> None:
        self.reservations[choice.draw(st.sampled_from(sorted(self.reservations)))].sell(self.shelf, NOON)

    @precondition(lambda self: self.reservations)
    @rule(choice=st.data())
    def take_back(self, choice: st.DataObject) -> None:
        self.reservations[choice.draw(st.sampled_from(sorted(self.reservations)))].take_back(self.shelf, NOON)

    @rule(product=st.sampled_from([LAMP, DESK, RUG]), count=st.integers(0, 12))
    def recount(self, product: UUID, count: int) -> None:
        try:
            self.shelf[product].recount(count, "count", NOON)
        except BelowReserved:
            assert count < self.shelf[product].reserved

    @rule(product=st.sampled_from([LAMP, DESK, RUG]))
    def delete(self, product: UUID) -> None:
        self.shelf[product].deleted = True

    @invariant()
    def law_one_holds(self) -> None:
        for stock in self.shelf.values():
            on_hand, reserved, sold, received = figures(stock)
            assert received == on_hand + reserved + sold
            assert min(on_hand, reserved, sold) >= 0

    @invariant()
    def the_ledger_adds_up(self) -> None:
        for stock in self.shelf.values():
            assert rebuild(stock.movements) == stock.counts
            assert [each.version for each in stock.movements] == list(range(1, stock.version + 1))

    @invariant()
    def what_is_reserved_and_sold_is_what_the_orders_hold_and_bought(self) -> None:
        for status, column in ((HELD, "reserved"), (SOLD, "sold")):
            of = [each.lines for each in self.reservations.values() if each.status is status]
            for product_id, stock in self.shelf.items():
                expected = sum(line.quantity for each in of for line in each if line.product_id == product_id)
                assert getattr(stock, column) == expected


TestShop = Shop.TestCase
TestShop.settings = settings(max_examples=60, stateful_step_count=30)


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
    assert lamp.call([UUID(int=7)], NOON) == [
        BackInStock(product_id=LAMP, sku="", name="Lamp", customers=[UUID(int=7)], version=lamp.version, at=NOON)
    ]
    assert lamp.waiting == 0
