"""What orders tell, and what they can be asked to do."""

from typing import ClassVar
from uuid import UUID

from msgspec import Struct

from libs.common.messages import Command, Fact

# What one order may ask for. Orders refuse more; process_order looks again, since a defect may have let it pass.
MOST_LINES = 50
MOST_QUANTITY = 999
MOST_TOTAL = 100_000_00  # minor units


class OrderedLine(Struct, frozen=True, kw_only=True):
    """`price` is one piece's, in minor units of the order's currency, as it was when the order was placed."""

    product_id: UUID
    sku: str
    name: str
    price: int
    quantity: int


class _OrderFact(Fact, frozen=True, kw_only=True):
    subject: ClassVar[str] = "order_id"

    order_id: UUID
    customer_id: UUID
    currency: str
    total: int
    lines: list[OrderedLine]


class OrderPlaced(_OrderFact, frozen=True, kw_only=True):
    """A customer wants these; nothing is set aside yet."""

    type: ClassVar[str] = "store.orders.order-placed.v1"


class OrderConfirmed(_OrderFact, frozen=True, kw_only=True):
    """The order will be fulfilled: what was set aside is sold."""

    type: ClassVar[str] = "store.orders.order-confirmed.v1"


class OrderRejected(_OrderFact, frozen=True, kw_only=True):
    """The order can't be fulfilled; `reason` is for the customer to read."""

    type: ClassVar[str] = "store.orders.order-rejected.v1"

    reason: str


class OrderCancelled(_OrderFact, frozen=True, kw_only=True):
    """The customer no longer wants it; whatever was set aside is free again."""

    type: ClassVar[str] = "store.orders.order-cancelled.v1"

    reason: str


class OrderReturned(_OrderFact, frozen=True, kw_only=True):
    """The goods came back: what was paid is to be refunded."""

    type: ClassVar[str] = "store.orders.order-returned.v1"

    reason: str


class RejectOrder(Command, frozen=True, kw_only=True):
    """The order does not pass validation; `reason` is for the customer to read."""

    type: ClassVar[str] = "store.orders.reject-order.v1"
    subject: ClassVar[str] = "order_id"

    order_id: UUID
    reason: str
