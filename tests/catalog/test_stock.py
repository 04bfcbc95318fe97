"""The rules of stock. Law 1: received = on_hand + reserved + sold, none negative."""

from collections.abc import Sequence
from uuid import UUID

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from libs.common.messages import Fact
from libs.common.messages.catalog import (
    ReservedLine,
    StockChanged,
    StockRefused,
    StockReserved,
)
from services.catalog.reservations import Reservation, ReservationStatus, UnknownReservation
from services.catalog.stock import (
    BelowReserved,
    Stock,
    rebuild,
)
from tests.catalog.shelves import DESK, LAMP, NOON, ORDER, RUG, figures, lines, shelves


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
