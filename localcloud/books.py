"""What the store has written down: its three databases and its letters, read side by side for the audit.

This is an operator's tool: nothing that serves customers reads another service's tables.
"""

import asyncio
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from uuid import UUID

import asyncpg
import msgspec
from msgspec import Struct

from localcloud.mail import MOST_LETTERS

DATABASES = ("catalog", "orders", "customers")
NOBODY = UUID(int=0)  # whose the orders of an erased customer are
CONNECT_SECONDS = 5
STATEMENT_SECONDS = 30

STOCK = "SELECT product_id, received, on_hand, reserved, sold FROM stock"
RESERVATIONS = "SELECT order_id, status, lines FROM reservations"
ORDERS = """
SELECT id, customer_id, status, lines,
       ARRAY(SELECT h.status FROM history h WHERE h.order_id = o.id ORDER BY h.version) AS history
FROM orders o
"""
KEYS = "SELECT order_id FROM idempotency"
UNPUBLISHED = "SELECT count(*) FROM outbox"
UNPUBLISHABLE = "SELECT count(*) FROM outbox_dead"
UNSETTLED = "SELECT count(*) FROM orders WHERE status = 'placed'"
LETTERS = "SELECT message_id FROM letters"


class Line(Struct, frozen=True):
    product_id: UUID
    quantity: int


@dataclass(frozen=True, slots=True)
class Stock:
    product_id: UUID
    received: int
    on_hand: int
    reserved: int
    sold: int


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

    @property
    def confirmed(self) -> bool:
        return "confirmed" in self.history

    @property
    def given_up(self) -> bool:
        return self.status in ("rejected", "cancelled")


@dataclass(frozen=True, slots=True)
class Books:
    stocks: Sequence[Stock]
    reservations: dict[UUID, Reservation]  # by order
    orders: dict[UUID, Order]
    keys: Counter[UUID]  # how many idempotency records each order has
    letters: frozenset[str]  # by Message-ID
    waiting: dict[str, int]  # what is still on its way: where, and how much
    dead: dict[str, int]  # what was given up

    @property
    def letters_dropped(self) -> bool:
        """The mail box is full: the oldest are gone."""
        return len(self.letters) >= MOST_LETTERS


@dataclass(frozen=True, slots=True)
class Library:
    databases: dict[str, asyncpg.Connection]
    mail: Path  # the mail server's journal

    async def waiting(self) -> dict[str, int]:
        """Facts that are not published yet, and orders that are not settled yet."""
        outboxes = {f"outbox of {name}": await each.fetchval(UNPUBLISHED) for name, each in self.databases.items()}
        return _some({**outboxes, "orders": await self.databases["orders"].fetchval(UNSETTLED)})

    async def dead(self) -> dict[str, int]:
        """Facts that Event Grid will never take."""
        return _some({f"outbox of {name}": await each.fetchval(UNPUBLISHABLE) for name, each in self.databases.items()})

    async def read(self, waiting: dict[str, int], dead: dict[str, int]) -> Books:
        catalog, orders = self.databases["catalog"], self.databases["orders"]
        return Books(
            stocks=[Stock(**row) for row in await catalog.fetch(STOCK)],
            reservations={
                row["order_id"]: Reservation(row["status"], _pieces(row["lines"]))
                for row in await catalog.fetch(RESERVATIONS)
            },
            orders={
                row["id"]: Order(row["customer_id"], row["status"], _pieces(row["lines"]), row["history"])
                for row in await orders.fetch(ORDERS)
            },
            keys=Counter(row["order_id"] for row in await orders.fetch(KEYS)),
            letters=await asyncio.to_thread(self._letters),
            waiting=waiting,
            dead=dead,
        )

    def _letters(self) -> frozenset[str]:
        with closing(sqlite3.connect(f"file:{self.mail}?mode=ro", uri=True)) as journal:
            return frozenset(message_id for (message_id,) in journal.execute(LETTERS) if message_id)


@asynccontextmanager
async def library(url: str, mail: Path) -> AsyncIterator[Library]:
    """`url` is of one who may read every database of the server. Raises OSError or asyncpg.PostgresError."""
    async with AsyncExitStack() as opened:
        databases = {}
        for name in DATABASES:
            databases[name] = await asyncpg.connect(
                urlsplit(url)._replace(path=f"/{name}").geturl(),
                timeout=CONNECT_SECONDS,
                command_timeout=STATEMENT_SECONDS,
                server_settings={"default_transaction_read_only": "on"},
            )
            opened.push_async_callback(databases[name].close, timeout=CONNECT_SECONDS)
        yield Library(databases, mail)


def _some(counts: dict[str, int]) -> dict[str, int]:
    return {where: count for where, count in counts.items() if count}


def _pieces(lines: str) -> Counter[UUID]:
    pieces: Counter[UUID] = Counter()
    for line in msgspec.json.decode(lines, type=list[Line]):
        pieces[line.product_id] += line.quantity
    return pieces
