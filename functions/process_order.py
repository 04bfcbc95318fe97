"""An order was placed: the catalogue shall reserve its stock, or orders shall reject it; never both, never neither."""

import azure.functions as func
import structlog

from functions import api, events
from functions.connections import Connections
from functions.events import Queues
from libs.common.errors import NotFound
from libs.common.messages.catalog import ReservedLine, ReserveStock
from libs.common.messages.orders import (
    MOST_LINES,
    MOST_QUANTITY,
    MOST_TOTAL,
    OrderedLine,
    OrderPlaced,
    Reason,
    RejectOrder,
)
from libs.common.messages.views import view

log = structlog.get_logger()

HEARD = (view(OrderPlaced, "order_id", "customer_id", "total", "lines", "at"),)


async def process_order(event: func.CloudEvent, queues: Queues, to: Connections) -> None:
    """Fails, and is called again, where it can't be known now whether the order is right."""
    with events.trace(event, "process_order"):
        order = events.read(event, HEARD)
        flaw = flaw_of(order) or await _flaw_of_buyer(order, to)
        command = RejectOrder(order_id=order.order_id, reason=flaw) if flaw else _reserve(order)
        events.send(command, queues, sender="process_order", because=event, fact=order)
        about = {"order_id": str(order.order_id), "because": events.name(order)}
        log.info("order.examined", **about, answer=type(command).__name__)


def flaw_of(order: OrderPlaced) -> Reason:
    """Why the order can't be fulfilled; empty where it can."""
    if not 1 <= len(order.lines) <= MOST_LINES:
        return f"an order has 1 to {MOST_LINES} lines"
    for line in order.lines:
        if flaw := _flaw_of_line(line):
            return flaw
    if order.total != sum(line.price * line.quantity for line in order.lines):
        return "the total is not the sum of the lines"
    if order.total > MOST_TOTAL:
        return "the order is worth more than we sell at once"
    return ""


def _flaw_of_line(line: OrderedLine) -> Reason:
    if not 1 <= line.quantity <= MOST_QUANTITY:
        return f"{line.name}: 1 to {MOST_QUANTITY} pieces can be ordered"
    if line.price < 0:
        return f"{line.name}: the price is below zero"
    return ""


async def _flaw_of_buyer(order: OrderPlaced, to: Connections) -> Reason:
    try:
        buyer = await api.customer(to, order.customer_id, await api.our_authorization(to))
    except NotFound:
        return "the customer is not registered"
    return "" if buyer.status == "active" else "the customer's account is blocked"


def _reserve(order: OrderPlaced) -> ReserveStock:
    lines = [ReservedLine(product_id=line.product_id, quantity=line.quantity) for line in order.lines]
    return ReserveStock(order_id=order.order_id, lines=lines)
