"""Where customers are kept: the contract, and the engine that a URL asks for."""

from collections.abc import Callable
from typing import Protocol
from uuid import UUID

from libs.common.errors import Conflict
from libs.common.messages import Fact
from libs.common.postgres import Postgres
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


async def open_store(database: Postgres) -> Store:
    from services.customers.store.postgres import SCHEMA, PostgresStore

    await database.migrate("customers", SCHEMA)
    return PostgresStore(database)
