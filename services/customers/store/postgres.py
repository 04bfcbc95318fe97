"""Customers in PostgreSQL."""

from pathlib import Path
from uuid import UUID

import msgspec
from asyncpg import Record, UniqueViolationError

from libs.common.errors import NotFound, Stale
from libs.common.postgres import Postgres, Transaction
from services.customers.domain import Address, Customer, Profile
from services.customers.store import Action, EmailTaken

SCHEMA = Path(__file__).with_name("postgres.sql").read_text()

_address = msgspec.json.Decoder(Address)


_CUSTOMER = "SELECT id, name, email, language, address, status, version FROM customers WHERE id = $1"


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


async def _locked(tx: Transaction, customer_id: UUID) -> Customer:
    return _customer(customer_id, await tx.fetchrow(f"{_CUSTOMER} FOR UPDATE", customer_id))


async def _change(tx: Transaction, customer: Customer, act: Action) -> Customer:
    if fact := act(customer):
        await _write(tx, customer)
        await tx.tell(fact)
    return customer


async def _write(tx: Transaction, customer: Customer) -> None:
    profile = customer.profile
    try:
        await tx.execute(
            """UPDATE customers
               SET name = $2, email = $3, language = $4, address = $5, status = $6, version = $7 WHERE id = $1""",
            customer.id,
            profile and profile.name,
            profile and profile.email,
            profile and profile.language,
            msgspec.json.encode(profile.address).decode() if profile and profile.address else None,
            customer.status,
            customer.version,
        )
    except UniqueViolationError:
        raise EmailTaken from None  # PostgreSQL's own error holds the address


def _registered(customer: Customer) -> Customer:
    if customer.profile is None:
        raise NotFound
    return customer


def _customer(customer_id: UUID, row: Record | None) -> Customer:
    if row is None:
        return Customer(customer_id)
    return Customer(customer_id, _profile(row), status=row["status"], version=row["version"])


def _profile(row: Record) -> Profile | None:
    if row["name"] is None:
        return None
    address = _address.decode(row["address"]) if row["address"] else None
    return Profile(name=row["name"], email=row["email"], language=row["language"], address=address)
