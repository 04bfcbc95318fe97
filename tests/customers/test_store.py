"""The contract of the customers store, on every engine."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import pytest

from libs.common.errors import NotFound, Stale, StoreError
from libs.common.messages import CloudEvent
from libs.common.postgres import Postgres
from services.customers.domain import Address, AlreadyRegistered, Customer, Profile
from services.customers.store import EmailTaken, Store, open_store

pytestmark = pytest.mark.real

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
ADA, BOB = UUID(int=1), UUID(int=2)
PROFILE = Profile("Ada Müller 🎉", "Ada@example.org", "en", Address("1 Main St", "London", "N1", "GB"))


@pytest.fixture
async def store(database: Postgres) -> Store:
    return await open_store(database)


async def register(store: Store, who: UUID = ADA, profile: Profile = PROFILE) -> Customer:
    return await store.register(who, lambda customer: customer.register(profile, NOON))


async def facts(database: Postgres) -> list[str]:
    rows = await database.fetch("SELECT event FROM outbox ORDER BY seq")
    return [CloudEvent.decode(row["event"]).type.split(".")[2] for row in rows]


async def test_a_customer_and_the_fact_are_stored_together(store: Store, database: Postgres) -> None:
    await register(store)

    assert await store.read(ADA) == Customer(ADA, PROFILE, "active", 1)
    assert await facts(database) == ["customer-registered"]


async def test_of_many_registrations_at_once_one_wins(store: Store, database: Postgres) -> None:
    results = await asyncio.gather(*(register(store) for _ in range(20)), return_exceptions=True)

    assert sum(isinstance(result, Customer) for result in results) == 1
    assert sum(isinstance(result, AlreadyRegistered) for result in results) == 19
    assert await facts(database) == ["customer-registered"]


async def test_an_email_address_is_one_customers(store: Store, database: Postgres) -> None:
    await register(store)

    with pytest.raises(EmailTaken) as refusal:
        await register(store, BOB, replace(PROFILE, email="aDA@EXAMPLE.org"))

    assert refusal.value.__cause__ is None
    with pytest.raises(NotFound):
        await store.read(BOB)
    assert await facts(database) == ["customer-registered"]


async def test_an_email_address_can_not_be_taken_over_later(store: Store) -> None:
    await register(store)
    await register(store, BOB, replace(PROFILE, email="bob@example.org"))

    with pytest.raises(EmailTaken):
        await store.change(BOB, lambda bob: bob.replace(PROFILE, "active", NOON))

    assert (await store.read(BOB)).version == 1


async def test_of_two_editors_the_second_is_stale(store: Store, database: Postgres) -> None:
    await register(store)
    moved = replace(PROFILE, address=None)

    await store.change(ADA, lambda ada: ada.replace(moved, "active", NOON), version=1)
    with pytest.raises(Stale):
        await store.change(ADA, lambda ada: ada.replace(PROFILE, "blocked", NOON), version=1)

    assert await store.read(ADA) == Customer(ADA, moved, "active", 2)
    assert await facts(database) == ["customer-registered", "customer-updated"]


async def test_of_many_editors_at_once_one_wins(store: Store) -> None:
    await register(store)

    async def rename(number: int) -> Customer:
        renamed = replace(PROFILE, name=f"Ada {number}")
        return await store.change(ADA, lambda ada: ada.replace(renamed, "active", NOON), version=1)

    results = await asyncio.gather(*(rename(number) for number in range(20)), return_exceptions=True)

    assert sum(isinstance(result, Customer) for result in results) == 1
    assert sum(isinstance(result, Stale) for result in results) == 19


async def test_erasure_leaves_a_tombstone_without_personal_data(store: Store, database: Postgres) -> None:
    await register(store)

    await store.change(ADA, lambda ada: ada.erase(NOON))

    row = await database.fetchrow("SELECT * FROM customers")
    assert row is not None
    assert {name: value for name, value in row.items() if value is not None} == {
        "id": ADA,
        "status": "active",
        "version": 2,
    }
    assert await facts(database) == ["customer-registered", "customer-erased"]


async def test_the_erased_are_not_found(store: Store, database: Postgres) -> None:
    await register(store)
    await store.change(ADA, lambda ada: ada.erase(NOON))

    with pytest.raises(NotFound):
        await store.read(ADA)
    with pytest.raises(NotFound):
        await store.change(ADA, lambda ada: ada.erase(NOON))
    assert len(await facts(database)) == 2


async def test_the_erased_may_register_again_and_their_address_is_free(store: Store) -> None:
    await register(store)
    await store.change(ADA, lambda ada: ada.erase(NOON))

    await register(store, BOB)
    again = await register(store, ADA, replace(PROFILE, email="ada@new.example"))

    assert again.version == 3


async def test_no_message_holds_personal_data(store: Store, database: Postgres) -> None:
    await register(store)
    await store.change(ADA, lambda ada: ada.replace(replace(PROFILE, name="Ada King"), "active", NOON))
    await store.change(ADA, lambda ada: ada.erase(NOON))

    for row in await database.fetch("SELECT event FROM outbox"):
        assert not any(secret in row["event"].lower() for secret in (b"ada", b"example.org", b"london"))


async def test_nobody_is_not_found(store: Store) -> None:
    with pytest.raises(NotFound):
        await store.read(ADA)
    with pytest.raises(StoreError):
        await store.change(ADA, lambda ada: ada.erase(NOON))
