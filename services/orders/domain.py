"""The rules of an order, pure: what may happen to it, and what is told of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TypedDict
from uuid import UUID

from libs.common.errors import Conflict, Invalid
from libs.common.messages.orders import (
    MOST_TOTAL,
    OrderCancelled,
    OrderConfirmed,
    OrderedLine,
    OrderPlaced,
    OrderRejected,
)


class Status(StrEnum):
    PLACED = "placed"
    CONFIRMED = "confirmed"
    REJECTED = "rejected"
    CANCELLED = "cancelled"


class UnknownCustomer(Conflict):
    """You are not registered yet: register with POST /api/customers, then order."""


class BlockedCustomer(Conflict):
    """Your account is blocked and can't place orders; please write to us."""


class AlreadyConfirmed(Conflict):
    """The order is confirmed and can no longer be cancelled."""


class AlreadyRejected(Conflict):
    """The order was rejected; there is nothing to cancel."""


@dataclass(frozen=True, slots=True)
class Price:
    """A line of the price list: what one piece costs, in minor units, as of `version` of the product."""

    product_id: UUID
    sku: str
    name: str
    price: int
    currency: str
    version: int


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

    @property
    def total(self) -> int:
        return sum(line.price * line.quantity for line in self.lines)

    def confirm(self, at: datetime) -> OrderConfirmed | None:
        """Stock came too late for an order that is settled: the catalogue hears of that and takes it back."""
        if self.status is not Status.PLACED:
            return None
        self._become(Status.CONFIRMED)
        return OrderConfirmed(version=self.version, at=at, **self._facts())

    def reject(self, reason: str, at: datetime) -> OrderRejected | None:
        if self.status is not Status.PLACED:
            return None
        self._become(Status.REJECTED, reason)
        return OrderRejected(version=self.version, at=at, reason=reason, **self._facts())

    def cancel(self, reason: str, at: datetime) -> OrderCancelled | None:
        if self.status is Status.CANCELLED:
            return None  # nothing new is true
        if self.status is Status.CONFIRMED:
            raise AlreadyConfirmed
        if self.status is Status.REJECTED:
            raise AlreadyRejected
        self._become(Status.CANCELLED, reason)
        return OrderCancelled(version=self.version, at=at, reason=reason, **self._facts())

    def placed(self) -> OrderPlaced:
        return OrderPlaced(version=self.version, at=self.placed_at, **self._facts())

    def _become(self, status: Status, reason: str = "") -> None:
        self.status, self.reason, self.version = status, reason, self.version + 1

    def _facts(self) -> _Facts:
        return {
            "order_id": self.id,
            "customer_id": self.customer_id,
            "currency": self.currency,
            "total": self.total,
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
        product_id=price.product_id, sku=price.sku, name=price.name, price=price.price, quantity=want.quantity
    )


def _refuse_repeats(wanted: Sequence[Wanted]) -> None:
    seen: set[UUID] = set()
    for number, want in enumerate(wanted):
        if want.product_id in seen:
            raise Invalid(f"lines[{number}].product_id", "the product is in the order already; add up the quantities")
        seen.add(want.product_id)
