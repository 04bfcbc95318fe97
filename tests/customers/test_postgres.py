"""What is true of customers in PostgreSQL only, or seen only there."""

from datetime import UTC, datetime
from uuid import UUID

import pytest

from libs.common.postgres import Postgres
from services.customers.domain import Address, AddressBook, Profile
from services.customers.store import migrate, open_store

pytestmark = pytest.mark.real

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
ADA = UUID(int=1)
PROFILE = Profile("Ada", "ada@example.org", "en", AddressBook.of([Address("1 Main St", "London", "N1", "GB")]))


async def test_erasure_leaves_a_tombstone_without_personal_data(database: Postgres) -> None:
    await migrate(database)
    store = await open_store(database)
    await store.register(ADA, lambda ada: ada.register(PROFILE, NOON))

    await store.change(ADA, lambda ada: ada.erase(NOON))

    row = await database.fetchrow("SELECT * FROM customers")
    assert row is not None
    assert {name: value for name, value in row.items() if value is not None} == {
        "id": ADA,
        "status": "active",
        "version": 2,
    }
