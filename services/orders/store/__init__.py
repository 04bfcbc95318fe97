"""Where orders are kept: the contract, and the engine that a URL asks for."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, Protocol
from uuid import UUID

from libs.common.archive import Archive
from libs.common.database import Database
from libs.common.errors import Invalid
from libs.common.messages import Fact
from libs.common.messages.customers import Status as CustomerStatus
from services.orders.domain import Order, Price, Status
from services.orders.store.rows import ROWS as ROWS

Draft = Callable[[Mapping[UUID, Price]], tuple[Order, bytes]]  # prices in; the order and the answer to its POST out
Action = Callable[[Order], Fact | None]


class KeyReused(Invalid):
    """The same Idempotency-Key came with another body."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One POST of an order, as its caller may repeat it."""

    customer_id: UUID
    key: str
    fingerprint: bytes  # of the body, to tell a repeat from a reuse
    products: Sequence[UUID]


@dataclass(frozen=True, slots=True)
class Receipt:
    order_id: UUID
    answer: bytes  # JSON, the same for every repeat


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of an order's history."""

    version: int
    status: Status
    at: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class StateCount:
    """How many orders are in a state, and when the oldest of them was placed."""

    status: Status
    count: int
    oldest: datetime


class Store(Protocol):
    async def place(self, attempt: Attempt, draft: Draft) -> Receipt:
        """Order, history, fact and idempotency record in one commit; a repeat gets the first receipt.

        `draft` may be asked again, where a price changed meanwhile. Raises what it raises, KeyReused, UnknownCustomer
        or BlockedCustomer.
        """

    async def change(
        self, order_id: UUID, act: Action, *, cause: str | None = None, customer_id: UUID | None = None
    ) -> Order:
        """The change and its fact together; a cause only once. Raises NotFound, also where it is not the customer's."""

    async def read(self, order_id: UUID, customer_id: UUID | None = None) -> Order:
        """Raises NotFound."""

    async def page(self, customer_id: UUID | None, before: UUID | None, limit: int) -> list[Order]:
        """Newest first."""

    async def history(self, order_id: UUID, customer_id: UUID | None = None) -> list[Entry]:
        """Oldest first. Raises NotFound."""

    async def states(self, newest: int) -> list[StateCount]:
        """Of the newest orders, and no more of them than asked for, so that it stays cheap. None: not in the list."""

    async def list_price(self, price: Price) -> None:
        """What a product costs; an older version than the one known changes nothing."""

    async def delist(self, product_id: UUID, version: int) -> None:
        """The product can no longer be ordered."""

    async def know_customer(self, customer_id: UUID, status: CustomerStatus, version: int) -> None:
        """Who may order; an older version than the one known changes nothing."""

    async def forget_customer(self, customer_id: UUID, version: int, at: datetime) -> None:
        """Their orders until then stay, as nobody's. Later ones are of a person who has registered again."""


async def open_store(database: Database) -> Store:
    """Raises Behind where `migrate` is to be run first, and Unfinished where a copy into it has not ended."""
    engine = _engine(database)
    await database.check("orders", engine.schema)
    return engine.store(database)


async def migrate(database: Database) -> None:
    await database.migrate("orders", _engine(database).schema)


def open_archive(database: Database) -> Archive:
    """All of ROWS, for moving them to another engine."""
    return _engine(database).archive(database)


class _Engine(NamedTuple):
    schema: str
    store: Callable[[Any], Store]
    archive: Callable[[Any], Archive]


def _engine(database: Database) -> _Engine:
    """Only this engine's modules are imported."""
    match database.engine:
        case "postgres":
            from libs.common.postgres_archive import PostgresArchive
            from services.orders.store import postgres

            return _Engine(postgres.SCHEMA, postgres.PostgresStore, PostgresArchive)
        case "azuresql":
            from libs.common.azuresql_archive import AzureSqlArchive
            from services.orders.store import azuresql

            return _Engine(azuresql.SCHEMA, azuresql.AzureSqlStore, AzureSqlArchive)
        case _:
            from services.orders.store import tables, tables_rows

            return _Engine(tables.SCHEMA, tables.TablesStore, tables_rows.archive)
