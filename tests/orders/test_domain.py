"""The rules of an order."""

import itertools
import re
from collections.abc import Callable
from datetime import UTC, datetime
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
    Outcome,
    PaymentRequested,
)
from services.orders.domain import NotPaid, Order, Price, Wanted, place, tax_within
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
    Payment,
    Status,
    Verb,
)

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
LAMP, DESK, RUG, GIFT = (UUID(int=n) for n in (1, 2, 3, 4))
PRICES = {
    LAMP: Price(LAMP, "LAMP", "Lamp", 4900, "EUR", version=1),
    DESK: Price(DESK, "DESK", "Desk", 25000, "EUR", version=3),
    RUG: Price(RUG, "RUG", "Rug", 9900, "USD", version=1),
    GIFT: Price(GIFT, "GIFT", "Gift", 0, "EUR", version=1),
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
DO: dict[Verb, Callable[[Order], Fact | None]] = {
    Verb.CONFIRM: lambda order: order.confirm(NOON),
    Verb.REJECT: lambda order: order.reject("sold out", NOON),
    Verb.EXPIRE: lambda order: order.expire(NOON),
    Verb.CANCEL: lambda order: order.cancel("changed my mind", NOON),
    Verb.SHIP: lambda order: order.ship("DHL", "JJD1", NOON),
    Verb.DELIVER: lambda order: order.deliver(NOON),
    Verb.RETURN: lambda order: order.take_back("too small", NOON),
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


def paid(order: Order, outcome: Outcome, amount: int | None = None, reason: str = "") -> Fact | None:
    return order.record_payment(outcome, order.total if amount is None else amount, reason, NOON)


def test_reserved_stock_is_paid_for_before_the_order_is_confirmed() -> None:
    order = placed()

    requested, confirmed = order.reserve(NOON), paid(order, "authorised")

    assert isinstance(requested, PaymentRequested)
    assert (requested.version, requested.total) == (2, 34800)
    assert isinstance(confirmed, OrderConfirmed)
    assert (order.status, order.payment, order.version) == (Status.CONFIRMED, Payment.AUTHORISED, 3)
    assert (order.reserve(NOON), paid(order, "authorised"), paid(order, "declined")) == (None, None, None)
    assert order.version == 3


def test_what_costs_nothing_needs_no_payment() -> None:
    order = placed(Wanted(GIFT, 3))

    assert isinstance(order.reserve(NOON), OrderConfirmed)
    assert (order.status, order.payment) == (Status.CONFIRMED, Payment.NONE)


def test_a_declined_payment_rejects_the_order_with_its_reason() -> None:
    order = placed()
    order.reserve(NOON)

    fact = paid(order, "declined", reason="the card has expired")

    assert isinstance(fact, OrderRejected)
    assert (order.status, order.payment, fact.reason) == (Status.REJECTED, Payment.DECLINED, "the card has expired")


def test_an_authorisation_of_another_amount_confirms_nothing() -> None:
    order = placed()
    order.reserve(NOON)

    fact = paid(order, "authorised", 100)

    assert isinstance(fact, OrderRejected)
    assert "100 of 34800" in order.reason
    paid(order, "voided")
    assert order.payment is Payment.VOIDED


@pytest.mark.parametrize("settle", [Verb.CANCEL, Verb.REJECT, Verb.EXPIRE])
def test_an_authorisation_that_comes_too_late_changes_nothing_and_its_void_is_noted(settle: Verb) -> None:
    order = placed()
    order.reserve(NOON)
    DO[settle](order)
    state = order.status

    assert (paid(order, "authorised"), paid(order, "declined")) == (None, None)
    assert (order.status, order.version, order.payment) == (state, 3, Payment.REQUESTED)
    assert paid(order, "voided") is None
    assert (order.status, order.version, order.payment) == (state, 4, Payment.VOIDED)


@given(st.lists(st.sampled_from(["authorised", "declined", "captured", "voided", "refunded"]), max_size=12))
def test_a_payment_goes_forward_only_however_often_and_late_it_is_told(outcomes: list[Outcome]) -> None:
    forward = [Payment.REQUESTED, Payment.AUTHORISED, Payment.CAPTURED, Payment.REFUNDED]
    order, seen = placed(), [Payment.REQUESTED]
    order.reserve(NOON)

    for outcome in outcomes:
        paid(order, outcome)
        if order.payment is not seen[-1]:
            seen.append(order.payment)

    ended = [each for each in seen if each in (Payment.DECLINED, Payment.VOIDED)]
    walked = [forward.index(each) for each in seen if each in forward]
    assert walked == sorted(walked)
    assert seen[-len(ended) :] == ended if ended else True
    assert (order.status is Status.CONFIRMED) == (Payment.AUTHORISED in seen)


def test_an_order_whose_capture_is_refused_is_not_shipped_until_it_is_captured() -> None:
    order = placed()
    order.refuse_capture("too early")
    order.reserve(NOON)
    paid(order, "authorised")
    for _ in range(2):
        order.refuse_capture("the card is blocked")

    assert (order.status, order.payment, order.version) == (Status.CONFIRMED, Payment.AUTHORISED, 4)
    with pytest.raises(NotPaid, match="the card is blocked"):
        order.ship("DHL", "", NOON)

    paid(order, "captured")
    order.refuse_capture("too late")
    assert (order.payment_refusal, order.version) == ("", 5)
    assert isinstance(order.ship("DHL", "", NOON), OrderShipped)


def test_what_was_shipped_before_its_capture_was_refused_is_shipped() -> None:
    order = placed()
    order.reserve(NOON)
    paid(order, "authorised")
    order.ship("DHL", "", NOON)

    order.refuse_capture("the card is blocked")

    assert (order.ship("UPS", "", NOON), order.carrier) == (None, "DHL")
    assert (order.status, order.payment_refusal) == (Status.SHIPPED, "the card is blocked")


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
