"""Where orders are kept: the contract, and the engine that a URL asks for."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Any, NamedTuple, Protocol
from uuid import UUID

from libs.common.archive import Archive
from libs.common.database import Database
from libs.common.errors import KeyReused, StoreError
from libs.common.messages import Fact
from libs.common.messages.customers import Status as CustomerStatus
from services.orders.domain import Order, Price
from services.orders.store.entries import BEGINNING as BEGINNING
from services.orders.store.entries import Kind as Kind
from services.orders.store.entries import Note as Note
from services.orders.store.entries import Place as Place
from services.orders.store.rows import ROWS as ROWS
from services.orders.store.watch import Watch
from services.orders.transitions import Status

LONGEST_PAGE = 500  # of a page of a timeline

Draft = Callable[[Mapping[UUID, Price]], tuple[Order, bytes]]  # prices in; the order and the answer to its POST out
Action = Callable[[Order], Fact | None]


class TooWide(StoreError):
    """Too many orders would have to be looked through; ask for a shorter time, for one customer, or for any status."""

    status = HTTPStatus.NOT_IMPLEMENTED


@dataclass(frozen=True, slots=True)
class Attempt:
    """One POST of an order, as its caller may repeat it."""

    customer_id: UUID
    key: str
    fingerprint: bytes  # of the body, to tell a repeat from a reuse
    products: Sequence[UUID]

    def receipt(self, fingerprint: bytes, order_id: UUID, answer: bytes) -> "Receipt":
        """The first attempt's, of which these are kept. Raises KeyReused."""
        if fingerprint != self.fingerprint:
            raise KeyReused
        return Receipt(order_id, answer)


@dataclass(frozen=True, slots=True)
class Receipt:
    order_id: UUID
    answer: bytes  # JSON, the same for every repeat


@dataclass(frozen=True, slots=True)
class Sought:
    """Which orders a list shows: whose, in which state, and placed when, to the millisecond."""

    customer_id: UUID | None = None
    status: Status | None = None
    after: datetime | None = None  # then or later
    before: datetime | None = None


@dataclass(frozen=True, slots=True)
class StateCount:
    """How many orders are in a state, and when the oldest of them was placed."""

    status: Status
    count: int
    oldest: datetime


class Store(Protocol):
    @property
    def watch(self) -> Watch:
        """Is rung by what this process changes."""

    async def place(self, attempt: Attempt, draft: Draft) -> Receipt:
        """Order, history, fact and idempotency record in one commit; a repeat gets the first receipt.

        `draft` may be asked again, where a price changed meanwhile. Raises what it raises, KeyReused, UnknownCustomer
        or BlockedCustomer.
        """

    async def change(
        self,
        order_id: UUID,
        act: Action,
        *,
        cause: str | None = None,
        customer_id: UUID | None = None,
        heard: Note | None = None,
    ) -> Order:
        """The change, its fact and what was heard together; a cause only once.

        Raises NotFound, also where it is not the customer's.
        """

    async def read(self, order_id: UUID, customer_id: UUID | None = None) -> Order:
        """Raises NotFound."""

    async def versions(self, order_ids: Sequence[UUID]) -> Mapping[UUID, int]:
        """Of those that there are."""

    async def page(self, sought: Sought, before: UUID | None, limit: int) -> list[Order]:
        """Newest first, older than `before`. May raise TooWide."""

    async def waiting(self, since: datetime, most: int) -> list[UUID]:
        """Orders placed before then that are still to be settled, the oldest first; some may be settled by now."""

    async def timeline(
        self, order_id: UUID, customer_id: UUID | None = None, *, after: Place = BEGINNING, limit: int = LONGEST_PAGE
    ) -> list[Note]:
        """A page of it, oldest first. Raises NotFound."""

    async def told(self, order_id: UUID, customer_id: UUID | None = None) -> list[Note]:
        """Those lines of it that tell what the order became; few, whatever was heard of it. Raises NotFound."""

    async def list_price(self, price: Price) -> None:
        """What a product costs; an older version than the one known changes nothing."""

    async def delist(self, product_id: UUID, version: int) -> None:
        """The product can no longer be ordered."""

    async def know_customer(self, customer_id: UUID, status: CustomerStatus, version: int) -> None:
        """Who may order; an older version than the one known changes nothing."""

    async def forget_customer(self, customer_id: UUID, version: int, at: datetime) -> None:
        """Their orders stay, as nobody's and without what people wrote of them; also those placed until it is heard.

        Where a later registration is known already, orders placed after `at` are of that one.
        """


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


async def states(database: Database, newest: int) -> list[StateCount]:
    """Of the newest orders, and no more of them than asked for, so that it stays cheap. None: not in the list."""
    return await _engine(database).states(database, newest)


class _Engine(NamedTuple):
    schema: str
    store: Callable[[Any], Store]
    archive: Callable[[Any], Archive]
    states: Callable[[Any, int], Awaitable[list[StateCount]]]


def _engine(database: Database) -> _Engine:
    """Only this engine's modules are imported."""
    match database.engine:
        case "postgres":
            from libs.common.postgres_archive import PostgresArchive
            from services.orders.store import postgres, postgres_states

            return _Engine(postgres.SCHEMA, postgres.PostgresStore, PostgresArchive, postgres_states.states)
        case "azuresql":
            from libs.common.azuresql_archive import AzureSqlArchive
            from services.orders.store import azuresql, azuresql_states

            return _Engine(azuresql.SCHEMA, azuresql.AzureSqlStore, AzureSqlArchive, azuresql_states.states)
        case _:
            from services.orders.store import tables, tables_rows, tables_states

            return _Engine(tables.SCHEMA, tables.TablesStore, tables_rows.archive, tables_states.states)
