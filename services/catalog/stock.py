"""The rules of stock, pure: what is counted, and the ledger of every movement, from which the counts can be rebuilt."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from libs.common.errors import Conflict, NotFound
from libs.common.messages import Fact
from libs.common.messages.catalog import MOST_PIECES, BackInStock, StockChanged, StockLow, StockReplenished

MOST_WAITING = 10_000  # for one product
MOST_WAITED_FOR = 100  # by one customer
NOT_RECORDED = "moved before the ledger began, or past it"
CALLED_AT_ONCE = 45  # with each go two operations of an entity group transaction, which has a hundred


class BelowReserved(Conflict):
    """Some of it is set aside for orders."""


class NotCounted(Conflict):
    """Its stock is not counted yet. Count it first, or repeat this in a moment, when its opening stock has come."""


class TooMuchStock(Conflict):
    """There would be more of it than can be counted."""


class InStock(Conflict):
    """There is some of it: order it."""


class WaitingListFull(Conflict):
    """So many wait for this product that nobody else can."""


class TooManyWaits(Conflict):
    """You wait for as many products as you can; take one off first."""


class Kind(StrEnum):
    """Why stock has moved."""

    OPENED = "opened"
    RECEIVED = "received"
    CORRECTED = "corrected"
    RESERVED = "reserved"
    RELEASED = "released"
    SOLD = "sold"
    RETURNED = "returned"


@dataclass(frozen=True, slots=True, kw_only=True)
class Movement:
    """A line of the ledger: by how much each count has changed, to which version of the stock."""

    product_id: UUID
    version: int
    kind: Kind
    on_hand: int = 0
    reserved: int = 0
    sold: int = 0
    received: int = 0
    reason: str = ""
    order_id: UUID | None = None
    at: datetime


@dataclass(frozen=True, slots=True)
class Counts:
    on_hand: int = 0
    reserved: int = 0
    sold: int = 0
    received: int = 0


def rebuild(movements: Iterable[Movement]) -> Counts:
    """Of one product, in any order."""
    on_hand = reserved = sold = received = 0
    for each in movements:
        on_hand, reserved = on_hand + each.on_hand, reserved + each.reserved
        sold, received = sold + each.sold, received + each.received
    return Counts(on_hand, reserved, sold, received)


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
    reorder_level: int | None = None  # staff hear when no more than this is on hand
    waiting: int = 0  # customers who want to hear when there is some again
    sku: str = ""
    movements: list[Movement] = field(default_factory=list, compare=False, repr=False)  # since it was read
    published: bool = True  # what is not is not sold

    @property
    def count(self) -> int:
        """What physically lies there."""
        return self.on_hand + self.reserved

    @property
    def counts(self) -> Counts:
        return Counts(self.on_hand, self.reserved, self.sold, self.received)

    def open(self, quantity: int, at: datetime) -> Sequence[Fact]:
        if self.version:
            return []  # nothing new is true
        return self._counted(Kind.OPENED, quantity, "opening stock", at)

    def recount(self, count: int, reason: str, at: datetime) -> Sequence[Fact]:
        """Raises BelowReserved."""
        if count < self.reserved:
            raise BelowReserved(f"{self.reserved} are set aside for orders, so the count can't be {count}")
        return self._counted(Kind.CORRECTED, count - self.count, reason, at)

    def receive(self, quantity: int, reason: str, at: datetime) -> Sequence[Fact]:
        """Raises NotCounted or TooMuchStock."""
        if not self.version:
            raise NotCounted
        if self.count + quantity > MOST_PIECES:
            raise TooMuchStock(f"there are {self.count}, and {MOST_PIECES} can be counted")
        return self._counted(Kind.RECEIVED, quantity, reason, at)

    def reorder_at(self, level: int | None, at: datetime) -> Sequence[Fact]:
        """None: nobody wants to hear. Raises NotCounted."""
        if not self.version:
            raise NotCounted
        if level == self.reorder_level:
            return []
        was_low, self.reorder_level, self.version = self._low, level, self.version + 1
        return [self._stock_low(at)] if self._low and not was_low else []

    def reserve(self, quantity: int, order_id: UUID, at: datetime) -> Sequence[Fact]:
        return self._move(Kind.RESERVED, Counts(on_hand=-quantity, reserved=quantity), at, order_id=order_id)

    def sell(self, quantity: int, order_id: UUID, at: datetime) -> Sequence[Fact]:
        return self._move(Kind.SOLD, Counts(reserved=-quantity, sold=quantity), at, order_id=order_id)

    def release(self, quantity: int, order_id: UUID, at: datetime) -> Sequence[Fact]:
        return self._move(Kind.RELEASED, Counts(on_hand=quantity, reserved=-quantity), at, order_id=order_id)

    def take_back(self, quantity: int, order_id: UUID, at: datetime) -> Sequence[Fact]:
        return self._move(Kind.RETURNED, Counts(on_hand=quantity, sold=-quantity), at, order_id=order_id)

    def balance(self, ledger: Counts, at: datetime) -> None:
        """What the ledger does not know of (it is younger than the store) becomes a movement of its own."""
        moved = Counts(
            on_hand=self.on_hand - ledger.on_hand,
            reserved=self.reserved - ledger.reserved,
            sold=self.sold - ledger.sold,
            received=self.received - ledger.received,
        )
        self.version += 1
        self._record(Kind.OPENED if ledger == Counts() else Kind.CORRECTED, moved, at, reason=NOT_RECORDED)

    def admit(self) -> None:
        """One more customer waits. Raises NotFound where it is not for anyone to see, InStock or WaitingListFull."""
        if not self.published:
            raise NotFound
        if self.on_hand:
            raise InStock
        if self.waiting >= MOST_WAITING:
            raise WaitingListFull
        self.waiting += 1

    def dismiss(self) -> None:
        self.waiting = max(0, self.waiting - 1)

    def call(self, customers: Sequence[UUID], at: datetime) -> Sequence[Fact]:
        """They wait no more, and each is told by a fact of their own, so that each letter comes to an end of its own.

        Of what is no longer sold nobody is told.
        """
        self.waiting = max(0, self.waiting - len(customers))
        if self.deleted:
            self.version += 1
            return []
        return [self._back_in_stock(each, at) for each in customers]

    @property
    def may_call(self) -> bool:
        """Whoever waits shall be told, or sent home."""
        return self.deleted or (self.published and self.on_hand > 0)

    @property
    def _low(self) -> bool:
        return self.reorder_level is not None and self.on_hand <= self.reorder_level and not self.deleted

    def _counted(self, kind: Kind, more: int, reason: str, at: datetime) -> Sequence[Fact]:
        noticed = self._move(kind, Counts(on_hand=more, received=more), at, reason=reason)
        changed = StockChanged(
            product_id=self.product_id,
            on_hand=self.on_hand,
            reserved=self.reserved,
            reason=reason,
            version=self.version,
            at=at,
        )
        return [changed, *noticed]

    def _move(
        self, kind: Kind, moved: Counts, at: datetime, *, reason: str = "", order_id: UUID | None = None
    ) -> Sequence[Fact]:
        """Says what follows: that there is little left, or some again."""
        was_low, was_out, facts = self._low, self.on_hand <= 0, list[Fact]()
        self.on_hand, self.reserved = self.on_hand + moved.on_hand, self.reserved + moved.reserved
        self.sold, self.received = self.sold + moved.sold, self.received + moved.received
        self.version += 1
        self._record(kind, moved, at, reason=reason, order_id=order_id)
        if self._low and not was_low:
            facts.append(self._stock_low(at))
        if was_out and self.on_hand > 0 and self.waiting:
            facts.append(StockReplenished(product_id=self.product_id, version=self.version, at=at))
        return facts

    def _record(
        self, kind: Kind, moved: Counts, at: datetime, *, reason: str = "", order_id: UUID | None = None
    ) -> None:
        self.movements.append(
            Movement(
                product_id=self.product_id,
                version=self.version,
                kind=kind,
                on_hand=moved.on_hand,
                reserved=moved.reserved,
                sold=moved.sold,
                received=moved.received,
                reason=reason,
                order_id=order_id,
                at=at,
            )
        )

    def _back_in_stock(self, customer_id: UUID, at: datetime) -> BackInStock:
        self.version += 1
        return BackInStock(
            product_id=self.product_id,
            sku=self.sku,
            name=self.name,
            customers=[customer_id],
            version=self.version,
            at=at,
        )

    def _stock_low(self, at: datetime) -> StockLow:
        return StockLow(
            product_id=self.product_id,
            sku=self.sku,
            name=self.name,
            on_hand=self.on_hand,
            reorder_level=self.reorder_level or 0,
            version=self.version,
            at=at,
        )


Shelves = Mapping[UUID, Stock]


def on_sale(stock: Stock | None) -> Stock:
    """Raises NotFound."""
    if stock is None or stock.deleted:
        raise NotFound
    return stock
