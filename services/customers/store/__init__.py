"""Where customers are kept: the contract, and the engine that a URL asks for."""

from collections.abc import Callable
from typing import Any, Protocol
from uuid import UUID

from libs.common.database import Database
from libs.common.errors import Conflict
from libs.common.messages import Fact
from services.customers.domain import Customer

Action = Callable[[Customer], Fact | None]


class EmailTaken(Conflict):
    """Another customer has this e-mail address."""


class Store(Protocol):
    async def register(self, customer_id: UUID, act: Action) -> Customer:
        """Like `change`, for somebody who need not be known: the first of two at once wins, the other acts on it."""

    async def change(self, customer_id: UUID, act: Action, *, version: int | None = None) -> Customer:
        """The change and its fact together. Raises NotFound, Stale where the customer's version is another, EmailTaken.

        E-mail addresses are the same where they differ in upper and lower case only.
        """

    async def read(self, customer_id: UUID) -> Customer:
        """Raises NotFound, also for the erased."""


async def open_store(database: Database) -> Store:
    """Raises Behind where `migrate` is to be run first."""
    schema, engine = _engine(database)
    await database.check("customers", schema)
    return engine(database)


async def migrate(database: Database) -> None:
    schema, _ = _engine(database)
    await database.migrate("customers", schema)


def _engine(database: Database) -> tuple[str, Callable[[Any], Store]]:
    """Its schema and its store; only this engine's module is imported."""
    match database.engine:
        case "postgres":
            from services.customers.store import postgres

            return postgres.SCHEMA, postgres.PostgresStore
        case "azuresql":
            from services.customers.store import azuresql

            return azuresql.SCHEMA, azuresql.AzureSqlStore
        case _:
            from services.customers.store import tables

            return tables.SCHEMA, tables.TablesStore
