"""The rules of stock, pure: what is counted, set aside for orders, sold and given back."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from libs.common.errors import Conflict, StoreError
from libs.common.messages.catalog import ReservedLine, StockChanged, StockRefused, StockReserved


class BelowReserved(Conflict):
    """Some of it is set aside for orders."""


class UnknownReservation(StoreError):
    """An order was confirmed for which nothing was ever set aside."""


@dataclass(slots=True)
class Stock:
    """What there is of a product. Always: received = on_hand + reserved + sold. Version 0: not counted yet."""

    product_id: UUID
    name: str  # of the product, for customers to read
    deleted: bool = False
    on_hand: int = 0
    reserved: int = 0
    sold: int = 0
    received: int = 0
    version: int = 0
    published: bool = True  # what is not is not sold

    @property
    def count(self) -> int:
        """What physically lies there."""
        return self.on_hand + self.reserved

    def open(self, quantity: int, at: datetime) -> StockChanged | None:
        return None if self.version else self.recount(quantity, "opening stock", at)

    def recount(self, count: int, reason: str, at: datetime) -> StockChanged:
        """Raises BelowReserved."""
        if count < self.reserved:
            raise BelowReserved(f"{self.reserved} are set aside for orders, so the count can't be {count}")
        self.received += count - self.count
        self.on_hand = count - self.reserved
        self.version += 1
        return StockChanged(
            product_id=self.product_id,
            on_hand=self.on_hand,
            reserved=self.reserved,
            reason=reason,
            version=self.version,
            at=at,
        )

    def reserve(self, quantity: int) -> None:
        self.on_hand, self.reserved, self.version = self.on_hand - quantity, self.reserved + quantity, self.version + 1

    def sell(self, quantity: int) -> None:
        self.reserved, self.sold, self.version = self.reserved - quantity, self.sold + quantity, self.version + 1

    def release(self, quantity: int) -> None:
        self.reserve(-quantity)


Shelves = Mapping[UUID, Stock]


class ReservationStatus(StrEnum):
    NEW = "new"  # nothing is decided, and nothing stored
    HELD = "held"
    SOLD = "sold"
    RELEASED = "released"
    REFUSED = "refused"


@dataclass(slots=True)
class Reservation:
    """What is set aside for an order. It is decided once and settled once, whatever is heard again or late."""

    order_id: UUID
    status: ReservationStatus = ReservationStatus.NEW
    lines: Sequence[ReservedLine] = ()
    version: int = 0

    def hold(
        self, lines: Sequence[ReservedLine], shelves: Shelves, at: datetime
    ) -> StockReserved | StockRefused | None:
        """All or nothing. An order that is settled already gets nothing, and nothing is told."""
        if self.status is not ReservationStatus.NEW:
            return None
        self.lines = lines
        if missing := self._missing(shelves):
            self._become(ReservationStatus.REFUSED)
            return StockRefused(order_id=self.order_id, reason="; ".join(missing), version=self.version, at=at)
        for product_id, quantity in self._wanted().items():
            shelves[product_id].reserve(quantity)
        self._become(ReservationStatus.HELD)
        return StockReserved(order_id=self.order_id, version=self.version, at=at)

    def sell(self, shelves: Shelves) -> None:
        """Raises UnknownReservation."""
        if self.status is ReservationStatus.NEW:
            raise UnknownReservation
        if self.status is ReservationStatus.HELD:
            for product_id, quantity in self._wanted().items():
                shelves[product_id].sell(quantity)
            self._become(ReservationStatus.SOLD)

    def release(self, shelves: Shelves) -> None:
        """Where nothing is decided yet, this decides it: a command to reserve that comes later finds it settled."""
        if self.status is ReservationStatus.HELD:
            for product_id, quantity in self._wanted().items():
                shelves[product_id].release(quantity)
        if self.status in (ReservationStatus.HELD, ReservationStatus.NEW):
            self._become(ReservationStatus.RELEASED)

    def _wanted(self) -> Counter[UUID]:
        wanted: Counter[UUID] = Counter()
        for line in self.lines:
            wanted[line.product_id] += line.quantity
        return wanted

    def _missing(self, shelves: Shelves) -> list[str]:
        return [
            said
            for product_id, quantity in self._wanted().items()
            if (said := _why_not(shelves.get(product_id), quantity))
        ]

    def _become(self, status: ReservationStatus) -> None:
        self.status, self.version = status, self.version + 1


def _why_not(stock: Stock | None, quantity: int) -> str:
    """For customers to read; empty where nothing speaks against it."""
    if stock is None:
        return "a product of this order is no longer sold"
    if stock.deleted:
        return f"{stock.name} is no longer sold"
    if not stock.published:
        return f"{stock.name} is not for sale"
    if quantity > stock.on_hand:
        return f"{stock.name} is sold out: {quantity} wanted, {stock.on_hand} left"
    return ""
