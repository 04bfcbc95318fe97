"""What is asked of the provider because of an order's fact, and what orders are told of it."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from functions.connections import Connections
from functions.payments import Refused
from functions.take_payment import take_payment
from libs.common.errors import Malformed, Unavailable
from libs.common.messages import Fact, read
from libs.common.messages.orders import (
    OrderCancelled,
    OrderConfirmed,
    OrderRejected,
    OrderReturned,
    PaymentRequested,
    RecordPayment,
)
from localcloud.payments.book import Status
from localcloud.payments.till import Till
from tests.functions.surroundings import ADA, LINES, NOON, ORDER, TRACE_ID, Queue, arrived, placed

Queues = dict[str, Queue]


def fact(kind: Callable[..., Fact], version: int = 3, total: int = 34800, **more: str) -> Fact:
    known: dict[str, Any] = {"order_id": ORDER, "customer_id": ADA, "currency": "EUR", "lines": LINES, "at": NOON}
    return kind(version=version, total=total, **known, **more)


def requested(total: int = 34800) -> Fact:
    return fact(PaymentRequested, version=2, total=total)


def confirmed(total: int = 34800) -> Fact:
    return fact(OrderConfirmed, total=total)


def rejected(total: int = 34800) -> Fact:
    return fact(OrderRejected, total=total, reason="no")


def cancelled(total: int = 34800) -> Fact:
    return fact(OrderCancelled, total=total, reason="no")


def returned(total: int = 34800) -> Fact:
    return fact(OrderReturned, version=5, total=total, reason="broken")


def told(queues: Queues) -> list[RecordPayment]:
    return [read(command, RecordPayment) for command in queues["orders"].sent]


async def hear(queues: Queues, to: Connections, *facts: Fact) -> list[str]:
    """The outcomes that orders are told."""
    for each in facts:
        await take_payment(arrived(each), queues, to)
    return [command.outcome for command in told(queues)]


async def charged(till: Till) -> list[str]:
    """Every status that the payment has had."""
    return [each.split()[0] for shown in await till.newest(10) for each in shown.movements]


async def test_an_order_that_is_confirmed_is_paid(queues: Queues, to: Connections, till: Till) -> None:
    assert await hear(queues, to, requested(), confirmed()) == ["authorised", "captured"]

    first = told(queues)[0]
    assert first == RecordPayment(order_id=ORDER, outcome="authorised", amount=34800)
    assert await charged(till) == ["authorised", "captured"]


async def test_what_comes_back_is_refunded(queues: Queues, to: Connections, till: Till) -> None:
    await hear(queues, to, requested(), confirmed(), returned())

    assert await charged(till) == ["authorised", "captured", "refunded"]
    assert told(queues)[-1].outcome == "refunded"


@pytest.mark.parametrize("called_off", [rejected, cancelled])
async def test_an_order_that_is_called_off_is_never_charged(
    queues: Queues, to: Connections, till: Till, called_off: Callable[[], Fact]
) -> None:
    assert await hear(queues, to, requested(), called_off()) == ["authorised", "voided"]
    assert await charged(till) == ["authorised", "voided"]


async def test_where_the_calling_off_is_heard_first_it_wins(queues: Queues, to: Connections, till: Till) -> None:
    assert await hear(queues, to, cancelled(), requested()) == ["voided", "voided"]
    assert await charged(till) == ["voided"]


async def test_a_decline_is_told_with_its_reason_and_is_not_voided(queues: Queues, to: Connections) -> None:
    await hear(queues, to, requested(99_01), rejected(99_01))

    assert told(queues) == [
        RecordPayment(order_id=ORDER, outcome="declined", amount=99_01, reason="the bank has declined the payment")
    ]


async def test_of_what_is_pending_a_callback_tells(queues: Queues, to: Connections) -> None:
    assert await hear(queues, to, requested(99_06)) == []


@pytest.mark.parametrize("order", [requested, confirmed, cancelled, rejected, returned])
async def test_what_costs_nothing_is_not_asked_for(
    queues: Queues, to: Connections, till: Till, order: Callable[[int], Fact]
) -> None:
    assert await hear(queues, to, order(0)) == []
    assert await charged(till) == []


@pytest.mark.parametrize("kind", [OrderCancelled, OrderRejected])
async def test_what_was_called_off_before_a_payment_was_asked_for_needs_none(
    queues: Queues, to: Connections, till: Till, kind: Callable[..., Fact]
) -> None:
    assert await hear(queues, to, fact(kind, version=2, reason="no")) == []
    assert await charged(till) == []


async def test_a_repeat_of_everything_is_the_same_commands_and_one_charge(
    queues: Queues, to: Connections, till: Till
) -> None:
    facts = (requested(), confirmed())

    await hear(queues, to, *facts, *facts)

    sent = queues["orders"].sent
    assert [command.id for command in sent[:2]] == [command.id for command in sent[2:]]
    assert len({command.id for command in sent}) == 2
    assert await charged(till) == ["authorised", "captured"]


async def test_a_refund_waits_for_its_capture(queues: Queues, to: Connections, till: Till) -> None:
    await hear(queues, to, requested())

    with pytest.raises(Refused):
        await hear(queues, to, returned())
    await hear(queues, to, confirmed(), returned())

    assert await charged(till) == ["authorised", "captured", "refunded"]


@pytest.mark.parametrize(
    ("asked", "total", "refusal"),
    [
        (99_07, 99_07, "capture: the bank has blocked the card"),
        (348_00, 348_01, "capture: it is a payment of 34800 EUR, not of 34801 EUR"),
    ],
)
async def test_a_capture_that_is_refused_is_told_with_its_reason(
    queues: Queues, to: Connections, till: Till, asked: int, total: int, refusal: str
) -> None:
    await hear(queues, to, requested(asked), *[confirmed(total)] * 2)

    assert (
        told(queues)[1:]
        == [
            RecordPayment(order_id=ORDER, outcome="authorised", amount=total, refusal=refusal),
        ]
        * 2
    )
    assert await charged(till) == ["authorised"]


async def test_a_capture_that_goes_well_after_it_was_refused_is_other_news(
    queues: Queues, to: Connections, till: Till
) -> None:
    await hear(queues, to, requested(99_07), confirmed(99_07))
    await till.change(ORDER, lambda entry: entry.settle(Status.CAPTURED))

    await hear(queues, to, confirmed(99_07))

    refused, captured = queues["orders"].sent[1:]
    assert (told(queues)[-1].outcome, told(queues)[-1].refusal) == ("captured", "")
    assert refused.id != captured.id


async def test_while_nobody_answers_the_event_is_tried_again(
    queues: Queues, to: Connections, unused_tcp_port: int
) -> None:
    gone = replace(to, settings=replace(to.settings, payments_url=f"http://127.0.0.1:{unused_tcp_port}"))

    with pytest.raises(Unavailable):
        await hear(queues, gone, requested())

    assert queues["orders"].sent == []


async def test_what_is_not_heard_here_is_refused(queues: Queues, to: Connections) -> None:
    with pytest.raises(Malformed):
        await hear(queues, to, placed())


async def test_the_command_goes_on_with_the_trace(queues: Queues, to: Connections) -> None:
    await hear(queues, to, requested())

    (command,) = queues["orders"].sent
    assert (command.source, command.subject) == ("/functions/take_payment", str(UUID(int=1)))
    assert command.traceparent.split("-")[1] == TRACE_ID
