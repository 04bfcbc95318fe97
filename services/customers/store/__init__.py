"""Where customers are kept: the contract, and the engine that a URL asks for."""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol
from uuid import UUID

from libs.common.archive import Archive
from libs.common.database import Database
from libs.common.errors import Conflict
from libs.common.messages import Fact
from libs.common.messages.customers import Status
from services.customers.domain import Customer
from services.customers.store.rows import ROWS as ROWS

Action = Callable[[Customer], Fact | None]


class EmailTaken(Conflict):
    """Another customer has this e-mail address."""


class Wanted(NamedTuple):
    """What customers on a list have in common."""

    email: str | None = None
    status: Status | None = None


class Page(NamedTuple):
    """By their ids. `reached` is where the list goes on; a page may be short all the same, and even empty."""

    customers: list[Customer]
    reached: UUID | None


class Store(Protocol):
    async def register(self, customer_id: UUID, act: Action) -> Customer:
        """Like `change`, for somebody who need not be known: the first of two at once wins, the other acts on it."""

    async def change(self, customer_id: UUID, act: Action, *, version: int | None = None) -> Customer:
        """The change and its fact together. Raises NotFound, Stale where the customer's version is another, EmailTaken.

        E-mail addresses are the same where they differ in upper and lower case only.
        """

    async def read(self, customer_id: UUID) -> Customer:
        """Raises NotFound, also for the erased."""

    async def page(self, wanted: Wanted, after: UUID | None, limit: int) -> Page:
        """At most so many of those who are registered, in the order of their ids."""


async def open_store(database: Database) -> Store:
    """Raises Behind where `migrate` is to be run first, and Unfinished where a copy into it has not ended."""
    engine = _engine(database)
    await database.check("customers", engine.schema)
    return engine.store(database)


async def migrate(database: Database) -> None:
    await database.migrate("customers", _engine(database).schema)


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
            from services.customers.store import postgres

            return _Engine(postgres.SCHEMA, postgres.PostgresStore, PostgresArchive)
        case "azuresql":
            from libs.common.azuresql_archive import AzureSqlArchive
            from services.customers.store import azuresql

            return _Engine(azuresql.SCHEMA, azuresql.AzureSqlStore, AzureSqlArchive)
        case _:
            from services.customers.store import tables, tables_rows

            return _Engine(tables.SCHEMA, tables.TablesStore, tables_rows.archive)
