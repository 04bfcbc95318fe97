"""The rules of an order."""

from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.common.errors import Conflict, Invalid
from libs.common.messages import Fact
from libs.common.messages.orders import MOST_TOTAL
from services.orders.domain import (
    AlreadyConfirmed,
    AlreadyRejected,
    Order,
    Price,
    Status,
    Wanted,
    place,
)

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
LAMP, DESK, RUG = (UUID(int=n) for n in (1, 2, 3))
PRICES = {
    LAMP: Price(LAMP, "LAMP", "Lamp", 4900, "EUR", version=1),
    DESK: Price(DESK, "DESK", "Desk", 25000, "EUR", version=3),
    RUG: Price(RUG, "RUG", "Rug", 9900, "USD", version=1),
}


def placed(*wanted: Wanted) -> Order:
    return place(uuid4(), uuid4(), wanted or (Wanted(LAMP, 2), Wanted(DESK, 1)), PRICES, NOON)


def test_an_order_is_placed_at_our_prices() -> None:
    order = placed()

    assert order.status is Status.PLACED
    assert [(line.sku, line.price, line.quantity) for line in order.lines] == [("LAMP", 4900, 2), ("DESK", 25000, 1)]
    assert order.total == 34800
    assert (order.placed().total, order.placed().version) == (34800, 1)


@pytest.mark.parametrize(
    ("wanted", "field", "said"),
    [
        ([Wanted(LAMP, 1), Wanted(UUID(int=9), 1)], "lines[1].product_id", "there is no product"),
        ([Wanted(LAMP, 1), Wanted(LAMP, 1)], "lines[1].product_id", "already"),
        ([Wanted(LAMP, 1), Wanted(RUG, 1)], "lines[1].product_id", "EUR"),
        ([Wanted(DESK, MOST_TOTAL // 25000 + 1)], "lines", str(MOST_TOTAL)),
    ],
)
def test_what_cannot_be_ordered_is_refused_naming_the_line(wanted: list[Wanted], field: str, said: str) -> None:
    with pytest.raises(Invalid, match=said) as refusal:
        placed(*wanted)

    assert refusal.value.field == field


# Every pair of state and wish: the state after it, or the refusal.
TRANSITIONS: dict[tuple[Status, str], Status | type[Conflict]] = {
    (Status.PLACED, "confirm"): Status.CONFIRMED,
    (Status.PLACED, "reject"): Status.REJECTED,
    (Status.PLACED, "cancel"): Status.CANCELLED,
    (Status.CONFIRMED, "confirm"): Status.CONFIRMED,
    (Status.CONFIRMED, "reject"): Status.CONFIRMED,
    (Status.CONFIRMED, "cancel"): AlreadyConfirmed,
    (Status.REJECTED, "confirm"): Status.REJECTED,
    (Status.REJECTED, "reject"): Status.REJECTED,
    (Status.REJECTED, "cancel"): AlreadyRejected,
    (Status.CANCELLED, "confirm"): Status.CANCELLED,
    (Status.CANCELLED, "reject"): Status.CANCELLED,
    (Status.CANCELLED, "cancel"): Status.CANCELLED,
}


def wish(order: Order, verb: str) -> Fact | None:
    match verb:
        case "confirm":
            return order.confirm(NOON)
        case "reject":
            return order.reject("sold out", NOON)
        case _:
            return order.cancel("changed my mind", NOON)


@pytest.mark.parametrize(("state", "verb"), TRANSITIONS)
def test_every_transition_is_in_the_table(state: Status, verb: str) -> None:
    order = placed()
    order.status = state
    expected = TRANSITIONS[state, verb]

    if isinstance(expected, Status):
        fact = wish(order, verb)

        assert order.status is expected
        assert (fact is not None) == (expected is not state)
    else:
        with pytest.raises(expected):
            wish(order, verb)

        assert (order.status, order.version) == (state, 1)


@given(st.lists(st.sampled_from(["confirm", "reject", "cancel"]), max_size=8))
def test_an_order_settles_once_whatever_comes_after(verbs: list[str]) -> None:
    order, told = placed(), []

    for verb in verbs:
        try:
            told.append(wish(order, verb))
        except Conflict:
            told.append(None)

    facts = [fact for fact in told if fact]
    assert len(facts) == (1 if verbs else 0)
    assert [fact.version for fact in facts] == [2][: len(facts)]


@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(1, 999)), min_size=1, max_size=50))
def test_the_total_is_the_sum_of_the_lines_or_the_order_is_refused(lines: list[tuple[int, int]]) -> None:
    prices = {UUID(int=n): Price(UUID(int=n), str(n), "x", price, "EUR", 1) for n, (price, _) in enumerate(lines)}
    wanted = [Wanted(UUID(int=n), quantity) for n, (_, quantity) in enumerate(lines)]
    expected = sum(price * quantity for price, quantity in lines)

    if expected > MOST_TOTAL:
        with pytest.raises(Invalid):
            place(uuid4(), uuid4(), wanted, prices, NOON)
    else:
        assert place(uuid4(), uuid4(), wanted, prices, NOON).total == expected
