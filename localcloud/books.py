"""What the store has written down, as the audit sees it, whichever engine a service keeps its books on.

This is an operator's tool: nothing that serves customers reads another service's data.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from msgspec import Struct

from localcloud.mail import MOST_LETTERS

NOBODY = UUID(int=0)  # whose the orders of an erased customer are


class Unreadable(Exception):
    """An engine does not answer; the text says why."""


class Line(Struct, frozen=True):
    product_id: UUID
    quantity: int
    price: int = 0


@dataclass(frozen=True, slots=True)
class Stock:
    product_id: UUID
    received: int
    on_hand: int
    reserved: int
    sold: int


class Offer(Struct, frozen=True):
    """At what a product can be bought."""

    sku: str
    name: str
    price: int
    currency: str
    version: int  # of the product
    tax_rate: int


@dataclass(frozen=True, slots=True)
class Reservation:
    status: str
    pieces: Counter[UUID]  # by product


@dataclass(frozen=True, slots=True)
class Order:
    customer_id: UUID
    status: str
    pieces: Counter[UUID]
    history: list[str]  # every status it has had
    total: int = 0  # minor units

    @classmethod
    def of(cls, customer_id: UUID, status: str, lines: Sequence[Line], history: list[str]) -> "Order":
        return cls(customer_id, status, pieces(lines), history, sum(line.price * line.quantity for line in lines))

    @property
    def confirmed(self) -> bool:
        return "confirmed" in self.history

    @property
    def returned(self) -> bool:
        return self.status == "returned"

    @property
    def given_up(self) -> bool:
        return self.status in ("rejected", "cancelled")

    @property
    def ended(self) -> bool:
        return self.given_up or self.returned

    @property
    def owed(self) -> int:
        """What is to be captured of it and not refunded."""
        return self.total if self.confirmed and not self.ended else 0


@dataclass(frozen=True, slots=True)
class Payment:
    """By the provider's books."""

    status: str
    movements: list[tuple[str, int]]  # every status that it has had, with the amount

    @property
    def kept(self) -> int:
        """Captured minus refunded."""
        return self._moved("captured") - self._moved("refunded")

    def count(self, status: str) -> int:
        return sum(each == status for each, _ in self.movements)

    def _moved(self, status: str) -> int:
        return sum(amount for each, amount in self.movements if each == status)


@dataclass(frozen=True, slots=True)
class Letter:
    message_id: str
    order_id: str  # empty where it is about none
    subject: str


@dataclass(frozen=True, slots=True)
class Books:
    stocks: Sequence[Stock]
    rebuilt: Sequence[Stock]  # the same, from the ledger of all movements
    reservations: dict[UUID, Reservation]  # by order
    offered: dict[UUID, Offer]  # by the catalogue
    listed: dict[UUID, Offer]  # by orders, from what the catalogue told them
    orders: dict[UUID, Order]
    keys: Counter[UUID]  # idempotency records, by order
    payments: dict[UUID, Payment]  # by order
    letters: Sequence[Letter]
    waiting: dict[str, int]  # what is still on its way: where, and how much
    dead: dict[str, int]  # what was given up

    @property
    def letters_dropped(self) -> bool:
        """The mail box is full: the oldest are gone."""
        return len(self.letters) >= MOST_LETTERS


class Ledger(Protocol):
    """One service's books. Reading raises Unreadable."""

    async def unpublished(self) -> int:
        """Facts that are still to be told."""

    async def unpublishable(self) -> int:
        """Facts that Event Grid will never take."""


class CatalogLedger(Ledger, Protocol):
    async def stocks(self) -> list[Stock]: ...

    async def movements(self) -> list[Stock]:
        """What there should be of each product by all that has moved."""

    async def reservations(self) -> dict[UUID, Reservation]:
        """By order."""

    async def offers(self) -> dict[UUID, Offer]:
        """What is published and not deleted, by product."""


class OrdersLedger(Ledger, Protocol):
    async def unsettled(self) -> int:
        """Orders that are still to reach a final state."""

    async def orders(self) -> dict[UUID, Order]: ...

    async def prices(self) -> dict[UUID, Offer]:
        """What is on the price list, by product."""

    async def keys(self) -> Counter[UUID]:
        """How many idempotency records each order has."""


def story(told: Iterable[tuple[int, str]]) -> list[str]:
    """An order's states by its versions. Those after it was settled are told by its timeline, with other news."""
    states = ((version, said.removeprefix("order-")) for version, said in told if said != "payment-requested")
    return [state for _, state in sorted(states)]


def pieces(lines: Iterable[Line]) -> Counter[UUID]:
    """By product."""
    counted: Counter[UUID] = Counter()
    for line in lines:
        counted[line.product_id] += line.quantity
    return counted
