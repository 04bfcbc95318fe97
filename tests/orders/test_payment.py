"""An order and its payment: what the provider tells, in whatever order it comes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.common.messages import Fact
from libs.common.messages.orders import (
    OrderConfirmed,
    OrderRejected,
    OrderShipped,
    Outcome,
    PaymentRequested,
)
from services.orders.domain import NotPaid, Order, Wanted
from services.orders.transitions import (
    Payment,
    Status,
    Verb,
)
from tests.orders.samples import DO, GIFT, NOON, placed


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
