"""The rules of an order."""

import itertools
import re
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from types import NoneType
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.common.errors import Conflict, Invalid
from libs.common.messages import Fact
from libs.common.messages.orders import (
    MOST_TOTAL,
    OrderCancelled,
    OrderConfirmed,
    OrderDelivered,
    OrderRejected,
    OrderReturned,
    OrderShipped,
)
from services.orders.domain import Price, Wanted, place, tax_within
from services.orders.transitions import (
    TRANSITIONS,
    AlreadyCancelled,
    AlreadyConfirmed,
    AlreadyDelivered,
    AlreadyRejected,
    AlreadyReturned,
    AlreadyShipped,
    NotConfirmed,
    NotShipped,
    Status,
    Verb,
)
from tests.orders.samples import DESK, DO, LAMP, NOON, RUG, placed


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


# Every pair of verb and state, written out here once more: the state after it, or the refusal.
EXPECTED: dict[tuple[Verb, Status], Status | type[Conflict]] = {
    **{(verb, status): status for verb in (Verb.CONFIRM, Verb.REJECT, Verb.EXPIRE) for status in Status},
    (Verb.CONFIRM, Status.PLACED): Status.CONFIRMED,
    (Verb.REJECT, Status.PLACED): Status.REJECTED,
    (Verb.EXPIRE, Status.PLACED): Status.CANCELLED,
    (Verb.CANCEL, Status.PLACED): Status.CANCELLED,
    (Verb.CANCEL, Status.CONFIRMED): AlreadyConfirmed,
    (Verb.CANCEL, Status.REJECTED): AlreadyRejected,
    (Verb.CANCEL, Status.CANCELLED): Status.CANCELLED,
    (Verb.CANCEL, Status.SHIPPED): AlreadyShipped,
    (Verb.CANCEL, Status.DELIVERED): AlreadyDelivered,
    (Verb.CANCEL, Status.RETURNED): AlreadyReturned,
    (Verb.SHIP, Status.PLACED): NotConfirmed,
    (Verb.SHIP, Status.CONFIRMED): Status.SHIPPED,
    (Verb.SHIP, Status.REJECTED): AlreadyRejected,
    (Verb.SHIP, Status.CANCELLED): AlreadyCancelled,
    (Verb.SHIP, Status.SHIPPED): Status.SHIPPED,
    (Verb.SHIP, Status.DELIVERED): AlreadyDelivered,
    (Verb.SHIP, Status.RETURNED): AlreadyReturned,
    (Verb.DELIVER, Status.PLACED): NotConfirmed,
    (Verb.DELIVER, Status.CONFIRMED): NotShipped,
    (Verb.DELIVER, Status.REJECTED): AlreadyRejected,
    (Verb.DELIVER, Status.CANCELLED): AlreadyCancelled,
    (Verb.DELIVER, Status.SHIPPED): Status.DELIVERED,
    (Verb.DELIVER, Status.DELIVERED): Status.DELIVERED,
    (Verb.DELIVER, Status.RETURNED): AlreadyReturned,
    (Verb.RETURN, Status.PLACED): NotConfirmed,
    (Verb.RETURN, Status.CONFIRMED): NotShipped,
    (Verb.RETURN, Status.REJECTED): AlreadyRejected,
    (Verb.RETURN, Status.CANCELLED): AlreadyCancelled,
    (Verb.RETURN, Status.SHIPPED): Status.RETURNED,
    (Verb.RETURN, Status.DELIVERED): Status.RETURNED,
    (Verb.RETURN, Status.RETURNED): Status.RETURNED,
}
TOLD = {
    Status.CONFIRMED: OrderConfirmed,
    Status.REJECTED: OrderRejected,
    Status.CANCELLED: OrderCancelled,
    Status.SHIPPED: OrderShipped,
    Status.DELIVERED: OrderDelivered,
    Status.RETURNED: OrderReturned,
}


@pytest.mark.parametrize(("verb", "state"), list(itertools.product(Verb, Status)))
def test_every_pair_of_verb_and_state_leads_where_the_table_says(verb: Verb, state: Status) -> None:
    order = placed()
    order.status = state
    expected = EXPECTED[verb, state]

    if isinstance(expected, Status):
        fact = DO[verb](order)

        assert order.status is expected
        assert type(fact) is (TOLD[expected] if expected is not state else NoneType)
        assert order.version == (1 if expected is state else 2)
    else:
        with pytest.raises(expected):
            DO[verb](order)

        assert (order.status, order.version) == (state, 1)


def test_the_drawing_in_the_docs_is_the_table() -> None:
    drawn = re.findall(r"^ +(\w+) --> (\w+): (\w+)", Path("docs/orders.md").read_text(), re.MULTILINE)

    table = {
        (state.value, following.value, verb.value)
        for verb, row in TRANSITIONS.items()
        for state, following in row.items()
        if isinstance(following, Status)
    }
    assert {each for each in drawn if each[0] in set(Status)} == table


@given(st.lists(st.sampled_from(list(Verb)), max_size=10))
def test_an_order_settles_once_whatever_comes_after(verbs: list[Verb]) -> None:
    order, told = placed(), list[Fact]()

    for verb in verbs:
        try:
            fact = DO[verb](order)
        except Conflict:
            continue
        told += [fact] if fact else []

    assert [fact.version for fact in told] == list(range(2, len(told) + 2))
    assert len({type(fact) for fact in told}) == len(told)
    assert sum(isinstance(fact, OrderConfirmed | OrderRejected | OrderCancelled) for fact in told) <= 1


@given(st.integers(0, MOST_TOTAL), st.integers(0, 10_000))
def test_tax_is_what_a_gross_amount_contains_rounded_half_up(gross: int, rate: int) -> None:
    exact = Decimal(gross * rate) / (10_000 + rate)

    assert tax_within(gross, rate) == exact.quantize(Decimal(1), ROUND_HALF_UP)
    assert 0 <= tax_within(gross, rate) <= gross


@given(st.lists(st.tuples(st.integers(0, 10**5), st.integers(1, 9), st.integers(0, 10_000)), min_size=1, max_size=9))
def test_an_orders_tax_is_the_sum_of_its_lines_which_freeze_their_rates(lines: list[tuple[int, int, int]]) -> None:
    prices = {
        UUID(int=n): Price(UUID(int=n), str(n), "x", price, "EUR", 1, rate) for n, (price, _, rate) in enumerate(lines)
    }
    wanted = [Wanted(UUID(int=n), quantity) for n, (_, quantity, _) in enumerate(lines)]

    order = place(uuid4(), uuid4(), wanted, prices, NOON)

    assert [line.tax_rate for line in order.lines] == [rate for _, _, rate in lines]
    assert [line.tax for line in order.lines] == [tax_within(price * count, rate) for price, count, rate in lines]
    assert order.placed().tax == order.tax == sum(line.tax for line in order.lines)


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
