"""The rules of what is set aside for orders, pure: held, sold, given back."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from libs.common.errors import StoreError
from libs.common.messages import Fact
from libs.common.messages.catalog import ReservedLine, StockRefused, StockReserved
from libs.common.messages.orders import Reason
from services.catalog.stock import Shelves, Stock

Step = Callable[[Stock, int, UUID, datetime], Sequence[Fact]]  # of one product's stock, by a quantity, for an order


class UnknownReservation(StoreError):
    """An order was confirmed, or came back, for which nothing was ever set aside."""


class ReservationStatus(StrEnum):
    NEW = "new"  # nothing is decided, and nothing stored
    HELD = "held"
    SOLD = "sold"
    RELEASED = "released"
    REFUSED = "refused"
    RETURNED = "returned"


@dataclass(slots=True)
class Reservation:
    """What is set aside for an order. It is decided once and settled once, whatever is heard again or late."""

    order_id: UUID
    status: ReservationStatus = ReservationStatus.NEW
    lines: Sequence[ReservedLine] = ()
    version: int = 0

    def hold(self, lines: Sequence[ReservedLine], shelves: Shelves, at: datetime) -> Sequence[Fact]:
        """All or nothing. An order that is settled already gets nothing, and nothing is told."""
        if self.status is not ReservationStatus.NEW:
            return []
        self.lines = lines
        if missing := self._missing(shelves):
            self._become(ReservationStatus.REFUSED)
            return [StockRefused(order_id=self.order_id, reason="; ".join(missing), version=self.version, at=at)]
        noticed = self._each(Stock.reserve, shelves, at)
        self._become(ReservationStatus.HELD)
        return [StockReserved(order_id=self.order_id, version=self.version, at=at), *noticed]

    def sell(self, shelves: Shelves, at: datetime) -> Sequence[Fact]:
        """Raises UnknownReservation."""
        if self.status is ReservationStatus.NEW:
            raise UnknownReservation
        if self.status is not ReservationStatus.HELD:
            return []
        self._become(ReservationStatus.SOLD)
        return self._each(Stock.sell, shelves, at)

    def release(self, shelves: Shelves, at: datetime) -> Sequence[Fact]:
        """Where nothing is decided yet, this decides it: a command to reserve that comes later finds it settled."""
        held = self.status is ReservationStatus.HELD
        if held or self.status is ReservationStatus.NEW:
            self._become(ReservationStatus.RELEASED)
        return self._each(Stock.release, shelves, at) if held else []

    def take_back(self, shelves: Shelves, at: datetime) -> Sequence[Fact]:
        """What was sold is on hand again, also where its sale is heard of only later. Raises UnknownReservation."""
        noticed = self.sell(shelves, at)
        if self.status is not ReservationStatus.SOLD:
            return noticed
        self._become(ReservationStatus.RETURNED)
        return [*noticed, *self._each(Stock.take_back, shelves, at)]

    def _each(self, step: Step, shelves: Shelves, at: datetime) -> Sequence[Fact]:
        return [
            fact
            for product_id, quantity in self._wanted().items()
            for fact in step(shelves[product_id], quantity, self.order_id, at)
        ]

    def _wanted(self) -> Counter[UUID]:
        wanted: Counter[UUID] = Counter()
        for line in self.lines:
            wanted[line.product_id] += line.quantity
        return wanted

    def _missing(self, shelves: Shelves) -> list[Reason]:
        return [
            said
            for product_id, quantity in self._wanted().items()
            if (said := _why_not(shelves.get(product_id), quantity))
        ]

    def _become(self, status: ReservationStatus) -> None:
        self.status, self.version = status, self.version + 1


def _why_not(stock: Stock | None, quantity: int) -> Reason:
    """Empty where nothing speaks against it."""
    if stock is None:
        return "a product of this order is no longer sold"
    if stock.deleted:
        return f"{stock.name} is no longer sold"
    if not stock.published:
        return f"{stock.name} is not for sale"
    if quantity > stock.on_hand:
        return f"{stock.name} is sold out: {quantity} wanted, {stock.on_hand} left"
    return ""
