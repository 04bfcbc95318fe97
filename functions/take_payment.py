"""An order's payment follows the order.

It is authorised when its stock is set aside, captured when it is confirmed, voided when it is called off, and refunded
when it comes back.
"""

from collections.abc import Sequence

import azure.functions as func
import structlog

from functions import events, payments
from functions.connections import Connections
from functions.events import Queues
from functions.payments import Payment, Refused, Sum
from libs.common.messages.orders import (
    OrderCancelled,
    OrderConfirmed,
    OrderRejected,
    OrderReturned,
    PaymentRequested,
    RecordPayment,
)

log = structlog.get_logger()

CalledOff = OrderRejected | OrderCancelled
Due = PaymentRequested | OrderConfirmed | CalledOff | OrderReturned
HEARD: Sequence[type[Due]] = (PaymentRequested, OrderConfirmed, OrderRejected, OrderCancelled, OrderReturned)
FIRST_CHANGE = 2  # the version that it makes


async def take_payment(event: func.CloudEvent, queues: Queues, to: Connections) -> None:
    """Fails, and is called again, where the provider can't say now what became of it."""
    with events.trace(event, "take_payment"):
        order = events.read(event, HEARD)
        if needs_nothing(order):
            log.info("payment.not_needed", order_id=str(order.order_id), because=events.name(order))
            return
        if (command := await _settle(order, to)) is not None:
            events.send(command, queues, sender="take_payment", because=event, fact=order)


async def _settle(order: Due, to: Connections) -> RecordPayment | None:
    """A capture that is refused is an outcome, too: else nobody would see that a confirmed order is not paid."""
    about = {"order_id": str(order.order_id), "because": events.name(order)}
    try:
        payment = await _ask(order, to)
    except Refused as refused:
        if not isinstance(order, OrderConfirmed):
            raise
        log.warning("capture.refused", **about)
        return RecordPayment(order_id=order.order_id, outcome="authorised", amount=order.total, refusal=refused.detail)
    log.info("payment.answered", **about, status=payment.status)
    return _news(order, payment)


def needs_nothing(order: Due) -> bool:
    """It costs nothing; or it was called off by its very first change, so that no other can have asked for money."""
    return order.total == 0 or (isinstance(order, CalledOff) and order.version <= FIRST_CHANGE)


async def _ask(order: Due, to: Connections) -> Payment:
    total = Sum(order.total, order.currency)
    match order:
        case PaymentRequested():
            return await payments.authorise(to, order.order_id, total)
        case OrderConfirmed():
            return await payments.capture(to, order.order_id, total)
        case OrderReturned():
            return await payments.refund(to, order.order_id, total)
        case _:
            return await payments.void(to, order.order_id)


def _news(order: Due, payment: Payment) -> RecordPayment | None:
    """None while it is pending, for a call-back tells the rest; and where there was nothing to be voided."""
    if payment.status == "pending" or (isinstance(order, CalledOff) and payment.status != "voided"):
        return None
    return RecordPayment(order_id=order.order_id, outcome=payment.status, amount=payment.amount, reason=payment.reason)
