"""Customers in PostgreSQL."""

from pathlib import Path
from uuid import UUID

from asyncpg import Record, UniqueViolationError

from libs.common.errors import NotFound, Stale
from libs.common.postgres import Postgres, Transaction
from services.customers.domain import Customer
from services.customers.store import Action, EmailTaken, Page, Wanted
from services.customers.store.rows import CustomerRow

SCHEMA = Path(__file__).with_name("postgres.sql").read_text()
FIRST = UUID(int=0)


_COLUMNS = "id, name, email, language, address, preferences, status, version"
_CUSTOMER = f"SELECT {_COLUMNS} FROM customers WHERE id = $1"  # noqa: S608  constant texts
_PAGE = f"SELECT {_COLUMNS} FROM customers WHERE name IS NOT NULL AND id > $1"  # noqa: S608
# Looked at first, since the index's refusal, with the address in it, would be a line of the server's log; the index
# refuses who comes at the same moment.
_WRITE = """
UPDATE customers
SET name = $2, email = $3, language = $4, address = $5, preferences = $6, status = $7, version = $8
WHERE id = $1 AND NOT EXISTS (
    SELECT FROM customers AS other WHERE lower(other.email COLLATE "C") = lower($3 COLLATE "C") AND other.id <> $1
)
RETURNING id
"""


class PostgresStore:
    def __init__(self, database: Postgres) -> None:
        self._database = database

    async def register(self, customer_id: UUID, act: Action) -> Customer:
        async with self._database.transaction() as tx:
            await tx.execute("INSERT INTO customers (id) VALUES ($1) ON CONFLICT DO NOTHING", customer_id)
            return await _change(tx, await _locked(tx, customer_id), act)

    async def change(self, customer_id: UUID, act: Action, *, version: int | None = None) -> Customer:
        async with self._database.transaction() as tx:
            customer = _registered(await _locked(tx, customer_id))
            if version not in (None, customer.version):
                raise Stale
            return await _change(tx, customer, act)

    async def read(self, customer_id: UUID) -> Customer:
        row = await self._database.fetchrow(_CUSTOMER, customer_id)
        return _registered(_customer(customer_id, row))

    async def page(self, wanted: Wanted, after: UUID | None, limit: int) -> Page:
        where, values = _where(wanted)
        rows = await self._database.fetch(f"{_PAGE}{where} ORDER BY id LIMIT $2", after or FIRST, limit, *values)
        customers = [_customer(row["id"], row) for row in rows]
        return Page(customers, customers[-1].id if len(rows) == limit else None)


def _where(wanted: Wanted) -> tuple[str, list[str]]:
    """Only what is asked for is in the statement, so that each has a plan of its own."""
    where, values = "", list[str]()
    if wanted.email is not None:
        values.append(wanted.email)
        where += f' AND lower(email COLLATE "C") = lower(${len(values) + 2}::text COLLATE "C")'
    if wanted.status is not None:
        values.append(wanted.status)
        where += f" AND status = ${len(values) + 2}"
    return where, values


async def _locked(tx: Transaction, customer_id: UUID) -> Customer:
    return _customer(customer_id, await tx.fetchrow(f"{_CUSTOMER} FOR UPDATE", customer_id))


async def _change(tx: Transaction, customer: Customer, act: Action) -> Customer:
    if fact := act(customer):
        await _write(tx, customer)
        await tx.tell(fact)
    return customer


async def _write(tx: Transaction, customer: Customer) -> None:
    row = CustomerRow.of(customer).to_columns()
    try:
        written = await tx.fetchrow(_WRITE, *row.values())
    except UniqueViolationError:
        raise EmailTaken from None  # PostgreSQL's own error holds the address
    if written is None:
        raise EmailTaken


def _registered(customer: Customer) -> Customer:
    if customer.profile is None:
        raise NotFound
    return customer


def _customer(customer_id: UUID, row: Record | None) -> Customer:
    return CustomerRow.from_columns(dict(row)).customer() if row else Customer(customer_id)
