"""What orders look like from outside, and who may see them."""

from typing import Annotated
from uuid import UUID

from aiohttp import web
from msgspec import Meta, Struct

from libs.common.auth import Role
from libs.common.clock import Moment
from libs.common.door import CALLER
from libs.common.errors import NotFound
from libs.common.messages.orders import OrderedLine
from libs.common.patterns import NO_NUL
from services.orders.domain import Order
from services.orders.store import Kind, Note
from services.orders.transitions import Payment, Status

Text = Annotated[str, Meta(max_length=500, pattern=NO_NUL)]
Word = Annotated[str, Meta(max_length=100, pattern=NO_NUL)]


class OrderBody(Struct, frozen=True):
    """`total` includes `tax`; `payment_refusal` says why the payment provider will not capture what was authorised."""

    id: UUID
    customer_id: UUID
    status: Status
    reason: str
    payment: Payment
    currency: str
    total: int
    tax: int
    lines: list[OrderedLine]
    carrier: str
    tracking: str
    placed_at: Moment
    version: int
    payment_refusal: str


class TimelineEntry(Struct, frozen=True):
    """`told` is what the order became, with its `version` and `status` then; `heard` is a message to it, `payment` what
    the provider did, `letter` what was sent about it. `attempt` says at which try."""

    at: Moment
    kind: Kind
    name: str
    attempt: int
    reason: str
    version: int | None
    status: Status | None


def body_of(order: Order) -> OrderBody:
    return OrderBody(
        id=order.id,
        customer_id=order.customer_id,
        status=order.status,
        reason=order.reason,
        payment=order.payment,
        currency=order.currency,
        total=order.total,
        tax=order.tax,
        lines=order.lines,
        carrier=order.carrier,
        tracking=order.tracking,
        placed_at=order.placed_at,
        version=order.version,
        payment_refusal=order.payment_refusal,
    )


def entry_of(note: Note) -> TimelineEntry:
    said = (note.at, note.kind, note.name, note.attempt, note.reason)
    return TimelineEntry(*said, note.version or None, note.status)


def whose(request: web.Request, asked: UUID | None = None) -> UUID | None:
    """A customer sees their own orders, staff see all, or those of the customer they ask for. Raises NotFound."""
    caller = request[CALLER]
    if caller.is_(Role.ADMIN):
        return asked
    if asked not in (None, caller.id):
        raise NotFound
    return caller.id
