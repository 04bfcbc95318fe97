"""The version before goes on serving beside this one: each reads what the other writes, and forgets whom it erased.

Its statements and its form of an entity are said here as they were.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
import pytest

from libs.common.azuresql import AzureSql
from libs.common.database import Database
from libs.common.entities import Change, Entity
from libs.common.errors import NotFound
from libs.common.postgres import Postgres
from libs.common.tables import Tables
from services.customers.domain import Address, AddressBook, Preferences, Profile
from services.customers.store import Store, migrate, open_store

pytestmark = pytest.mark.real

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
ADA = UUID(int=1)
HOME = Address("1 Main St", "Köln", "50667", "DE", "home", "+49 1")
OFFICE = Address("2 Side St", "Bonn", "53111", "DE", "office")
PROFILE = Profile(
    "Ada", "ada@example.org", "de", AddressBook.of([HOME, OFFICE], billing="office"), Preferences(marketing=True)
)
MOVED = {"street": "3 New St", "city": "Kiel", "postal_code": "24103", "country": "DE"}
WRITE = "UPDATE customers SET name = {}, email = {}, language = {}, address = {}, version = version + 1"


@dataclass(frozen=True, slots=True)
class OldAddress:
    street: str
    city: str
    postal_code: str
    country: str


@dataclass(frozen=True, slots=True)
class OldProfile:
    name: str
    email: str
    language: str
    address: OldAddress | None


@dataclass(slots=True)
class OldCustomer:
    """As it was an entity's body."""

    id: UUID
    profile: OldProfile | None = None
    status: str = "active"
    version: int = 0


OLD = OldProfile("Ada King", "ada@example.org", "en", OldAddress(**MOVED))


async def read_as_before(database: Any) -> OldProfile | None:
    match database:
        case Tables():
            entity = await entity_of_ada(database)
            return msgspec.json.decode(entity.body, type=OldCustomer).profile
        case Postgres() | AzureSql():
            row = await database.fetchrow("SELECT name, email, language, address FROM customers")
            assert row
            name, email, language, address = tuple(row)
            found = msgspec.json.decode(address, type=OldAddress) if address else None
            return OldProfile(name, email, language, found) if name else None
    raise AssertionError(database)


async def entity_of_ada(database: Tables) -> Entity:
    entity = await database.table.read("customers", f"c|{ADA}")
    assert entity
    return entity


async def write_as_before(database: Any, profile: OldProfile | None) -> None:
    said = [profile and profile.name, profile and profile.email, profile and profile.language]
    address = msgspec.json.encode(profile.address).decode() if profile else None
    match database:
        case Tables():
            entity = await entity_of_ada(database)
            customer = msgspec.json.decode(entity.body, type=OldCustomer)
            customer.profile = profile
            change = Change("customers")
            change.replace(entity, msgspec.json.encode(customer))
            await database.table.submit(change)
        case Postgres():
            await database.fetch(WRITE.format("$1", "$2", "$3", "$4"), *said, address)
        case AzureSql():
            await database.transact(lambda tx: tx.execute(WRITE.format(*"????"), *said, address))


@pytest.fixture
async def store(any_database: Database) -> Store:
    await migrate(any_database)
    opened = await open_store(any_database)
    await opened.register(ADA, lambda ada: ada.register(PROFILE, NOON))
    return opened


async def test_the_version_before_reads_where_to_deliver(store: Store, any_database: Database) -> None:
    assert await read_as_before(any_database) == OldProfile(
        "Ada", "ada@example.org", "de", OldAddress("1 Main St", "Köln", "50667", "DE")
    )


async def test_what_the_version_before_writes_is_the_only_address(store: Store, any_database: Database) -> None:
    await write_as_before(any_database, OLD)

    profile = (await store.read(ADA)).profile
    assert profile
    assert (profile.name, profile.language) == ("Ada King", "en")
    assert profile.book == AddressBook.of([Address(**MOVED)])


async def test_whom_the_version_before_erases_is_gone(store: Store, any_database: Database) -> None:
    await write_as_before(any_database, None)

    with pytest.raises(NotFound):
        await store.read(ADA)
    assert await is_kept(any_database, b"Bonn") is False


async def is_kept(database: Any, what: bytes) -> bool:
    """Whether that is anywhere in what is kept."""
    match database:
        case Tables():
            return any(what in entity.body for entity in await database.table.range("customers", "c|", "c}"))
        case _:
            row = await database.fetchrow("SELECT name, email, language, address, preferences FROM customers")
            return what in repr(tuple(row)).encode()
