"""Messages in: what orders do when they hear something."""

from datetime import datetime

from libs.common.clock import now
from libs.common.inbox import Cause, Reactions
from libs.common.messages import Message
from libs.common.messages.catalog import ProductCreated, ProductDeleted, ProductUpdated, StockRefused, StockReserved
from libs.common.messages.customers import CustomerErased, CustomerRegistered, CustomerUpdated
from libs.common.messages.orders import OrderConfirmed, OrderRejected, RecordLetter, RecordPayment, RejectOrder
from libs.common.messages.views import uses
from services.orders.domain import Order, Price
from services.orders.store import Note, Store

CAPTURE_REFUSED = "capture-refused"  # as the timeline says it


@uses("order_id")
async def request_payment(store: Store, event: StockReserved, cause: Cause) -> None:
    at = now()
    await store.change(event.order_id, lambda order: order.reserve(at), cause=cause, heard=_heard(event, cause, at))


@uses("order_id", "reason")
async def reject(store: Store, message: StockRefused | RejectOrder, cause: Cause) -> None:
    at = now()
    heard = _heard(message, cause, at, message.reason)
    await store.change(message.order_id, lambda order: order.reject(message.reason, at), cause=cause, heard=heard)


@uses("order_id", "outcome", "amount", "reason", "refusal")
async def record_payment(store: Store, command: RecordPayment, cause: Cause) -> None:
    at, refusal = now(), command.refusal
    name, reason = (CAPTURE_REFUSED, refusal) if refusal else (command.outcome, command.reason)

    def act(order: Order) -> OrderConfirmed | OrderRejected | None:
        if refusal:
            order.refuse_capture(refusal)
            return None
        return order.record_payment(command.outcome, command.amount, command.reason, at)

    heard = Note(str(cause), "payment", name, at, cause.attempt, reason)
    await store.change(command.order_id, act, cause=cause, heard=heard)


@uses("order_id", "letter")
async def record_letter(store: Store, command: RecordLetter, cause: Cause) -> None:
    heard = Note(str(cause), "letter", command.letter, now(), cause.attempt)
    await store.change(command.order_id, _nothing, cause=cause, heard=heard)


@uses("product_id", "sku", "name", "price", "currency", "version", "tax_rate", "status")
async def list_price(store: Store, event: ProductCreated | ProductUpdated, cause: Cause) -> None:
    if event.status != "published":
        await store.delist(event.product_id, event.version)
        return
    said = (event.product_id, event.sku, event.name, event.price, event.currency)
    await store.list_price(Price(*said, version=event.version, tax_rate=event.tax_rate))


@uses("product_id", "version")
async def delist(store: Store, event: ProductDeleted, cause: Cause) -> None:
    await store.delist(event.product_id, event.version)


@uses("customer_id", "status", "version")
async def know_customer(store: Store, event: CustomerRegistered | CustomerUpdated, cause: Cause) -> None:
    await store.know_customer(event.customer_id, event.status, event.version)


@uses("customer_id", "version", "at")
async def forget_customer(store: Store, event: CustomerErased, cause: Cause) -> None:
    await store.forget_customer(event.customer_id, event.version, event.at)


def _heard(message: Message, cause: Cause, at: datetime, reason: str = "") -> Note:
    return Note(str(cause), "heard", message.type.split(".")[2], at, cause.attempt, reason)


def _nothing(order: Order) -> None:
    """Becomes of the order: it is only written down."""


REACTIONS: Reactions[Store] = {
    StockReserved: request_payment,
    StockRefused: reject,
    RejectOrder: reject,
    RecordPayment: record_payment,
    RecordLetter: record_letter,
    ProductCreated: list_price,
    ProductUpdated: list_price,
    ProductDeleted: delist,
    CustomerRegistered: know_customer,
    CustomerUpdated: know_customer,
    CustomerErased: forget_customer,
}
