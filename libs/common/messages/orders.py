"""What orders tell, and what they can be asked to do."""

from typing import Annotated, ClassVar, Literal
from uuid import UUID

from msgspec import Meta, Struct

from libs.common.messages import Command, Fact

# What one order may ask for. Orders refuse more; process_order looks again, since a defect may have let it pass.
MOST_LINES = 50
MOST_QUANTITY = 999
MOST_TOTAL = 100_000_00  # minor units

Outcome = Literal["authorised", "declined", "captured", "voided", "refunded"]
Amount = Annotated[int, Meta(ge=0)]  # minor units
Text = Annotated[str, Meta(max_length=1000)]
Reason = str  # for a customer to read. What we say ourselves, functions/reasons.py says in German


class OrderedLine(Struct, frozen=True, kw_only=True):
    """`price` is one piece's, in minor units of the order's currency, as it was when the order was placed.

    `tax` is the whole line's and contained in price times quantity; `tax_rate` is in basis points: 1900 is 19 %.
    """

    product_id: UUID
    sku: str
    name: str
    price: int
    quantity: int
    tax_rate: int = 0
    tax: int = 0


class _OrderFact(Fact, frozen=True, kw_only=True):
    subject: ClassVar[str] = "order_id"

    order_id: UUID
    customer_id: UUID
    currency: str
    total: int
    lines: list[OrderedLine]
    tax: int = 0  # contained in the total: the sum of the lines'


class OrderPlaced(_OrderFact, frozen=True, kw_only=True):
    """A customer wants these; nothing is set aside yet."""

    type: ClassVar[str] = "store.orders.order-placed.v1"


class PaymentRequested(_OrderFact, frozen=True, kw_only=True):
    """Stock is set aside: the total shall be authorised."""

    type: ClassVar[str] = "store.orders.payment-requested.v1"


class OrderConfirmed(_OrderFact, frozen=True, kw_only=True):
    """The order will be fulfilled: what was set aside is sold."""

    type: ClassVar[str] = "store.orders.order-confirmed.v1"


class OrderRejected(_OrderFact, frozen=True, kw_only=True):
    """The order can't be fulfilled; `reason` is for the customer to read."""

    type: ClassVar[str] = "store.orders.order-rejected.v1"

    reason: str


class OrderCancelled(_OrderFact, frozen=True, kw_only=True):
    """The order is called off or has expired; whatever was set aside is free again."""

    type: ClassVar[str] = "store.orders.order-cancelled.v1"

    reason: str


class OrderShipped(_OrderFact, frozen=True, kw_only=True):
    """The goods are on their way."""

    type: ClassVar[str] = "store.orders.order-shipped.v1"

    carrier: str = ""
    tracking: str = ""


class OrderDelivered(_OrderFact, frozen=True, kw_only=True):
    """The goods have arrived."""

    type: ClassVar[str] = "store.orders.order-delivered.v1"


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


class RecordPayment(Command, frozen=True, kw_only=True):
    """What the payment provider has done, or refused to do; `reason` is for the customer to read.

    With a `refusal` it will not capture what it has authorised, and the text says why.
    """

    type: ClassVar[str] = "store.orders.record-payment.v1"
    subject: ClassVar[str] = "order_id"

    order_id: UUID
    outcome: Outcome
    amount: Amount
    reason: Text = ""
    refusal: Text = ""

    def id(self, cause: str) -> UUID:
        """What is refused may be done all the same when the same event comes again."""
        return super().id(f"{cause} refused" if self.refusal else cause)


class RecordLetter(Command, frozen=True, kw_only=True):
    """A letter about the order was handed to the mail provider; `letter` names it, and no person."""

    type: ClassVar[str] = "store.orders.record-letter.v1"
    subject: ClassVar[str] = "order_id"

    order_id: UUID
    letter: Annotated[str, Meta(max_length=100)]
