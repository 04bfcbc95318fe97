"""The rules of an order, pure: what may happen to it, and what is told of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypedDict
from uuid import UUID

from libs.common.errors import Conflict, Invalid
from libs.common.messages.orders import (
    MOST_TOTAL,
    OrderCancelled,
    OrderConfirmed,
    OrderDelivered,
    OrderedLine,
    OrderPlaced,
    OrderRejected,
    OrderReturned,
    OrderShipped,
    Outcome,
    PaymentRequested,
    Reason,
)
from services.orders.transitions import PAYMENTS, Payment, Status, Verb, next_status

WHOLE = 10_000  # basis points
UNQUOTED = "refused"  # in place of a provider's words that are erased
EXPIRED: Reason = "it was not paid in time"


class UnknownCustomer(Conflict):
    """You are not registered yet: register with POST /api/customers, then order."""


class BlockedCustomer(Conflict):
    """Your account is blocked and can't place orders; please write to us."""


class NotPaid(Conflict):
    """The payment provider refuses to capture the order's payment: it can be shipped once that says it is captured."""


@dataclass(frozen=True, slots=True)
class Price:
    """A line of the price list: what one piece costs, tax included, in minor units, as of `version` of the product."""

    product_id: UUID
    sku: str
    name: str
    price: int
    currency: str
    version: int
    tax_rate: int = 0  # basis points


@dataclass(frozen=True, slots=True)
class Wanted:
    product_id: UUID
    quantity: int


class _Facts(TypedDict):
    """What every fact of an order says."""

    order_id: UUID
    customer_id: UUID
    currency: str
    total: int
    tax: int
    lines: list[OrderedLine]


@dataclass(slots=True)
class Order:
    id: UUID
    customer_id: UUID
    currency: str
    lines: list[OrderedLine]
    placed_at: datetime
    status: Status = Status.PLACED
    version: int = 1
    reason: str = ""
    payment: Payment = Payment.NONE
    carrier: str = ""
    tracking: str = ""
    payment_refusal: str = ""  # why the provider will not capture what it has authorised

    @property
    def total(self) -> int:
        return sum(line.price * line.quantity for line in self.lines)

    @property
    def tax(self) -> int:
        return sum(line.tax for line in self.lines)

    def reserve(self, at: datetime) -> PaymentRequested | OrderConfirmed | None:
        """Stock is set aside: what costs something is to be paid now, what costs nothing is confirmed.

        Where it is settled already it came too late: the catalogue hears of that and takes it back.
        """
        if self.status is not Status.PLACED or self.payment is not Payment.NONE:
            return None
        if self.total == 0:
            return self.confirm(at)
        self.payment, self.version = Payment.REQUESTED, self.version + 1
        return PaymentRequested(version=self.version, at=at, **self._facts())

    def record_payment(
        self, outcome: Outcome, amount: int, reason: str, at: datetime
    ) -> OrderConfirmed | OrderRejected | None:
        """Late and repeated ones change nothing, nor does an authorisation of what is settled otherwise: being told of
        that, the provider gives it back."""
        following = PAYMENTS[outcome].get(self.payment)
        waits = self.status is Status.PLACED
        if following is None or (outcome in ("authorised", "declined") and not waits):
            return None
        if outcome == "authorised" and amount != self.total:
            return self.reject(f"{amount} of {self.total} minor units were authorised", at)
        self.payment, self.payment_refusal = following, ""
        if outcome == "authorised":
            return self.confirm(at)
        if outcome == "declined":
            return self.reject(reason or "the payment was declined", at)
        self.version += 1
        return None

    def refuse_capture(self, refusal: str) -> None:
        """Only of what is still to be captured. It is no end: the provider may do it later, and says so then."""
        if self.payment is Payment.AUTHORISED and self.payment_refusal != refusal:
            self.payment_refusal, self.version = refusal, self.version + 1

    def confirm(self, at: datetime) -> OrderConfirmed | None:
        if not self._become(Verb.CONFIRM):
            return None
        return OrderConfirmed(version=self.version, at=at, **self._facts())

    def reject(self, reason: Reason, at: datetime) -> OrderRejected | None:
        if not self._become(Verb.REJECT, reason):
            return None
        return OrderRejected(version=self.version, at=at, reason=reason, **self._facts())

    def cancel(self, reason: Reason, at: datetime) -> OrderCancelled | None:
        return self._call_off(Verb.CANCEL, reason, at)

    def expire(self, at: datetime) -> OrderCancelled | None:
        return self._call_off(Verb.EXPIRE, EXPIRED, at)

    def ship(self, carrier: str, tracking: str, at: datetime) -> OrderShipped | None:
        """Where it is shipped already, what was said first stays. Raises NotPaid."""
        if self.payment_refusal and (self.status, self.payment) == (Status.CONFIRMED, Payment.AUTHORISED):
            raise NotPaid(f"{NotPaid.__doc__} It said: {self.payment_refusal}")
        if not self._become(Verb.SHIP):
            return None
        self.carrier, self.tracking = carrier, tracking
        return OrderShipped(version=self.version, at=at, carrier=carrier, tracking=tracking, **self._facts())

    def deliver(self, at: datetime) -> OrderDelivered | None:
        if not self._become(Verb.DELIVER):
            return None
        return OrderDelivered(version=self.version, at=at, **self._facts())

    def take_back(self, reason: Reason, at: datetime) -> OrderReturned | None:
        if not self._become(Verb.RETURN, reason):
            return None
        return OrderReturned(version=self.version, at=at, reason=reason, **self._facts())

    def placed(self) -> OrderPlaced:
        return OrderPlaced(version=self.version, at=self.placed_at, **self._facts())

    def disown(self, nobody: UUID) -> None:
        """Its customer is erased, and with them what people wrote about it."""
        self.customer_id, self.version = nobody, self.version + 1
        self.reason = self.carrier = self.tracking = ""
        self.payment_refusal = UNQUOTED if self.payment_refusal else ""

    def _call_off(self, verb: Verb, reason: str, at: datetime) -> OrderCancelled | None:
        if not self._become(verb, reason):
            return None
        return OrderCancelled(version=self.version, at=at, reason=reason, **self._facts())

    def _become(self, verb: Verb, reason: str = "") -> bool:
        """Whether that is new. Raises the Conflict that the table tells."""
        following = next_status(verb, self.status)
        if following is None:
            return False
        self.status, self.reason, self.version = following, reason, self.version + 1
        return True

    def _facts(self) -> _Facts:
        return {
            "order_id": self.id,
            "customer_id": self.customer_id,
            "currency": self.currency,
            "total": self.total,
            "tax": self.tax,
            "lines": self.lines,
        }


def place(
    order_id: UUID, customer_id: UUID, wanted: Sequence[Wanted], prices: Mapping[UUID, Price], at: datetime
) -> Order:
    """An order at our prices, frozen on it. Raises Invalid, naming the line."""
    lines = [_priced(number, want, prices) for number, want in enumerate(wanted)]
    _refuse_repeats(wanted)
    currency = prices[wanted[0].product_id].currency
    for number, want in enumerate(wanted):
        if prices[want.product_id].currency != currency:
            raise Invalid(f"lines[{number}].product_id", f"all lines of an order must be priced in {currency}")
    order = Order(order_id, customer_id, currency, lines, at)
    if order.total > MOST_TOTAL:
        raise Invalid("lines", f"the order comes to {order.total} minor units; at most {MOST_TOTAL} are allowed")
    return order


def _priced(number: int, want: Wanted, prices: Mapping[UUID, Price]) -> OrderedLine:
    price = prices.get(want.product_id)
    if price is None:
        raise Invalid(f"lines[{number}].product_id", f"there is no product {want.product_id}")
    return OrderedLine(
        product_id=price.product_id,
        sku=price.sku,
        name=price.name,
        price=price.price,
        quantity=want.quantity,
        tax_rate=price.tax_rate,
        tax=tax_within(price.price * want.quantity, price.tax_rate),
    )


def tax_within(gross: int, rate: int) -> int:
    """The tax that a gross amount contains, at a rate in basis points, rounded half up to a minor unit."""
    return (2 * gross * rate + WHOLE + rate) // (2 * (WHOLE + rate))


def _refuse_repeats(wanted: Sequence[Wanted]) -> None:
    seen: set[UUID] = set()
    for number, want in enumerate(wanted):
        if want.product_id in seen:
            raise Invalid(f"lines[{number}].product_id", "the product is in the order already; add up the quantities")
        seen.add(want.product_id)
