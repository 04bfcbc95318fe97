"""Customers in Azure SQL."""

from pathlib import Path
from typing import Any
from uuid import UUID

from libs.common.azuresql import AzureSql, Row, Transaction, UniqueViolation
from libs.common.errors import NotFound, Stale
from services.customers.domain import Customer
from services.customers.store import Action, EmailTaken, Page, Wanted
from services.customers.store.rows import CustomerRow

SCHEMA = Path(__file__).with_name("azuresql.sql").read_text()
FIRST = bytes(16)

# Two who find no row both insert one; the second waits for the first, and inserts nothing.
_ENSURE = """
INSERT INTO customers (id)
SELECT ? WHERE NOT EXISTS (SELECT 1 FROM customers WITH (UPDLOCK, HOLDLOCK) WHERE id = ?)
"""
_CUSTOMER = "SELECT id, name, email, language, address, preferences, status, version FROM customers WHERE id = ?"
_LOCK = """
SELECT id, name, email, language, address, preferences, status, version
FROM customers WITH (UPDLOCK, ROWLOCK) WHERE id = ?
"""
_PAGE = """
SELECT TOP (?) id, name, email, language, address, preferences, status, version
FROM customers WHERE name IS NOT NULL AND id > ?
"""
_WRITE = """
UPDATE customers
SET name = ?, email = ?, language = ?, address = ?, preferences = ?, status = ?, version = ? WHERE id = ?
"""


class AzureSqlStore:
    def __init__(self, database: AzureSql) -> None:
        self._database = database

    async def register(self, customer_id: UUID, act: Action) -> Customer:
        def work(tx: Transaction) -> Customer:
            tx.execute(_ENSURE, customer_id.bytes, customer_id.bytes)
            return _change(tx, _locked(tx, customer_id), act)

        return await self._database.transact(work)

    async def change(self, customer_id: UUID, act: Action, *, version: int | None = None) -> Customer:
        def work(tx: Transaction) -> Customer:
            customer = _registered(_locked(tx, customer_id))
            if version not in (None, customer.version):
                raise Stale
            return _change(tx, customer, act)

        return await self._database.transact(work)

    async def read(self, customer_id: UUID) -> Customer:
        row = await self._database.fetchrow(_CUSTOMER, customer_id.bytes)
        return _registered(_customer(customer_id, row))

    async def page(self, wanted: Wanted, after: UUID | None, limit: int) -> Page:
        where, values = _where(wanted)
        beyond = after.bytes if after else FIRST
        rows = await self._database.fetch(f"{_PAGE}{where} ORDER BY id", limit, beyond, *values)
        customers = [_customer(UUID(bytes=row.id), row) for row in rows]
        return Page(customers, customers[-1].id if len(rows) == limit else None)


def _where(wanted: Wanted) -> tuple[str, list[Any]]:
    """Only what is asked for is in the statement, so that each has a plan of its own."""
    where, values = "", list[Any]()
    if wanted.email is not None:
        values.append(wanted.email.lower())
        where += " AND email_key = ?"
    if wanted.status is not None:
        values.append(wanted.status)
        where += " AND status = ?"
    return where, values


def _locked(tx: Transaction, customer_id: UUID) -> Customer:
    return _customer(customer_id, tx.fetchrow(_LOCK, customer_id.bytes))


def _change(tx: Transaction, customer: Customer, act: Action) -> Customer:
    if fact := act(customer):
        _write(tx, customer)
        tx.tell(fact)
    return customer


def _write(tx: Transaction, customer: Customer) -> None:
    row = CustomerRow.of(customer).to_columns()
    del row["id"]
    try:
        tx.execute(_WRITE, *row.values(), customer.id.bytes)
    except UniqueViolation:
        raise EmailTaken from None  # the database's own error holds the address


def _registered(customer: Customer) -> Customer:
    if customer.profile is None:
        raise NotFound
    return customer


def _customer(customer_id: UUID, row: Row | None) -> Customer:
    if row is None:
        return Customer(customer_id)
    columns = {name: getattr(row, name) for name in CustomerRow.columns()}
    return CustomerRow.from_columns(columns | {"id": customer_id}).customer()
