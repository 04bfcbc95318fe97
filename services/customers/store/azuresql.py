"""Customers in Azure SQL."""

from pathlib import Path
from uuid import UUID

import msgspec

from libs.common.azuresql import AzureSql, Row, Transaction, UniqueViolation
from libs.common.errors import NotFound, Stale
from services.customers.domain import Address, Customer, Profile
from services.customers.store import Action, EmailTaken

SCHEMA = Path(__file__).with_name("azuresql.sql").read_text()

# Two who find no row both insert one; the second waits for the first, and inserts nothing.
_ENSURE = """
INSERT INTO customers (id)
SELECT ? WHERE NOT EXISTS (SELECT 1 FROM customers WITH (UPDLOCK, HOLDLOCK) WHERE id = ?)
"""
_CUSTOMER = "SELECT id, name, email, language, address, status, version FROM customers WHERE id = ?"
_LOCK = "SELECT id, name, email, language, address, status, version FROM customers WITH (UPDLOCK, ROWLOCK) WHERE id = ?"
_WRITE = """
UPDATE customers
SET name = ?, email = ?, language = ?, address = ?, status = ?, version = ? WHERE id = ?
"""

_address = msgspec.json.Decoder(Address)


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


def _locked(tx: Transaction, customer_id: UUID) -> Customer:
    return _customer(customer_id, tx.fetchrow(_LOCK, customer_id.bytes))


def _change(tx: Transaction, customer: Customer, act: Action) -> Customer:
    if fact := act(customer):
        _write(tx, customer)
        tx.tell(fact)
    return customer


def _write(tx: Transaction, customer: Customer) -> None:
    profile = customer.profile
    try:
        tx.execute(
            _WRITE,
            profile and profile.name,
            profile and profile.email,
            profile and profile.language,
            msgspec.json.encode(profile.address).decode() if profile and profile.address else None,
            customer.status,
            customer.version,
            customer.id.bytes,
        )
    except UniqueViolation:
        raise EmailTaken from None  # the database's own error holds the address


def _registered(customer: Customer) -> Customer:
    if customer.profile is None:
        raise NotFound
    return customer


def _customer(customer_id: UUID, row: Row | None) -> Customer:
    if row is None:
        return Customer(customer_id)
    return Customer(customer_id, _profile(row), status=row.status, version=row.version)


def _profile(row: Row) -> Profile | None:
    if row.name is None:
        return None
    address = _address.decode(row.address) if row.address else None
    return Profile(name=row.name, email=row.email, language=row.language, address=address)
