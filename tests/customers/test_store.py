"""The contract of the customers store, on every engine."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import msgspec
import pytest

from libs.common.database import Database
from libs.common.errors import NotFound, Stale, StoreError
from libs.common.migrations import Behind
from services.customers.domain import Address, AddressBook, AlreadyRegistered, Customer, Preferences, Profile
from services.customers.store import EmailTaken, Page, Store, Wanted, migrate, open_store
from tests.engines import facts, told

pytestmark = pytest.mark.real

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
ADA, BOB = UUID(int=1), UUID(int=2)
PROFILE = Profile(
    "Ada Müller 🎉", "Ada@example.org", "en", AddressBook.of([Address("1 Main St", "London", "N1", "GB")])
)


@pytest.fixture
async def store(any_database: Database) -> Store:
    await migrate(any_database)
    return await open_store(any_database)


async def register(store: Store, who: UUID = ADA, profile: Profile = PROFILE) -> Customer:
    return await store.register(who, lambda customer: customer.register(profile, NOON))


async def test_a_customer_and_the_fact_are_stored_together(store: Store, any_database: Database) -> None:
    await register(store)

    assert await store.read(ADA) == Customer(ADA, PROFILE, "active", 1)
    assert await facts(any_database) == ["customer-registered"]


async def test_of_many_registrations_at_once_one_wins(store: Store, any_database: Database) -> None:
    results = await asyncio.gather(*(register(store) for _ in range(20)), return_exceptions=True)

    assert sum(isinstance(result, Customer) for result in results) == 1
    assert sum(isinstance(result, AlreadyRegistered) for result in results) == 19
    assert await facts(any_database) == ["customer-registered"]


async def test_an_email_address_is_one_customers(store: Store, any_database: Database) -> None:
    await register(store)

    with pytest.raises(EmailTaken) as refusal:
        await register(store, BOB, replace(PROFILE, email="aDA@EXAMPLE.org"))

    assert refusal.value.__cause__ is None
    with pytest.raises(NotFound):
        await store.read(BOB)
    assert await facts(any_database) == ["customer-registered"]


async def test_an_email_address_can_not_be_taken_over_later(store: Store) -> None:
    await register(store)
    await register(store, BOB, replace(PROFILE, email="bob@example.org"))

    with pytest.raises(EmailTaken):
        await store.change(BOB, lambda bob: bob.replace(PROFILE, "active", NOON))

    assert (await store.read(BOB)).version == 1


async def test_of_two_editors_the_second_is_stale(store: Store, any_database: Database) -> None:
    await register(store)
    moved = replace(PROFILE, book=AddressBook())

    await store.change(ADA, lambda ada: ada.replace(moved, "active", NOON), version=1)
    with pytest.raises(Stale):
        await store.change(ADA, lambda ada: ada.replace(PROFILE, "blocked", NOON), version=1)

    assert await store.read(ADA) == Customer(ADA, moved, "active", 2)
    assert await facts(any_database) == ["customer-registered", "customer-updated"]


async def test_of_many_editors_at_once_one_wins(store: Store) -> None:
    await register(store)

    async def rename(number: int) -> Customer:
        renamed = replace(PROFILE, name=f"Ada {number}")
        return await store.change(ADA, lambda ada: ada.replace(renamed, "active", NOON), version=1)

    results = await asyncio.gather(*(rename(number) for number in range(20)), return_exceptions=True)

    assert sum(isinstance(result, Customer) for result in results) == 1
    assert sum(isinstance(result, Stale) for result in results) == 19


async def test_addresses_and_preferences_are_kept_as_they_are(store: Store) -> None:
    home, office = Address("1 Main St", "Köln", "N1", "DE", "home", "+49 1"), Address("2", "Bonn", "N2", "DE", "office")
    said = replace(
        PROFILE,
        book=AddressBook.of([home, office], delivery="office", billing="home"),
        preferences=Preferences(back_in_stock=False, marketing=True),
    )

    await register(store, ADA, said)
    await register(store, BOB, Profile("Bob", "bob@example.org", "de"))

    assert (await store.read(ADA)).profile == said
    assert (await store.read(BOB)).profile == Profile("Bob", "bob@example.org", "de", AddressBook(), Preferences())


async def test_customers_are_listed_by_their_ids_without_the_erased(store: Store) -> None:
    people = [UUID(int=number) for number in range(1, 8)]
    for who in reversed(people):
        await register(store, who, replace(PROFILE, email=f"Ada{who.int}@example.org"))
    for who in (people[1], people[5]):
        await store.change(who, lambda gone: gone.erase(NOON))
    await store.change(people[3], lambda blocked: blocked.replace(blocked.profile or PROFILE, "blocked", NOON))

    pages, after = list[Page](), None
    while not pages or after:
        pages.append(await store.page(Wanted(), after, 2))
        after = pages[-1].reached

    listed = [customer for page in pages for customer in page.customers]
    assert listed == [await store.read(who) for who in people if who not in (people[1], people[5])]
    assert all(len(page.customers) <= 2 for page in pages)


async def test_customers_are_found_by_their_whole_address_and_by_their_status(store: Store) -> None:
    await register(store)
    await register(store, BOB, replace(PROFILE, email="bob@example.org"))
    await store.change(BOB, lambda bob: bob.replace(replace(PROFILE, email="bob@example.org"), "blocked", NOON))

    async def ids(wanted: Wanted, after: UUID | None = None) -> list[UUID]:
        return [customer.id for customer in (await store.page(wanted, after, 10)).customers]

    assert await ids(Wanted(email="aDA@example.ORG")) == [ADA]
    assert await ids(Wanted(email="aDA@example.ORG", status="blocked")) == []
    assert await ids(Wanted(email="aDA@example.ORG"), after=ADA) == []
    assert await ids(Wanted(email="example.org")) == []
    assert await ids(Wanted(status="blocked")) == [BOB]
    assert await ids(Wanted(status="active")) == [ADA]


async def test_the_erased_are_not_found(store: Store, any_database: Database) -> None:
    await register(store)
    await store.change(ADA, lambda ada: ada.erase(NOON))

    with pytest.raises(NotFound):
        await store.read(ADA)
    with pytest.raises(NotFound):
        await store.change(ADA, lambda ada: ada.erase(NOON))
    assert len(await facts(any_database)) == 2


async def test_the_erased_may_register_again_and_their_address_is_free(store: Store) -> None:
    await register(store)
    await store.change(ADA, lambda ada: ada.erase(NOON))

    await register(store, BOB)
    again = await register(store, ADA, replace(PROFILE, email="ada@new.example"))

    assert again.version == 3


async def test_no_message_holds_personal_data(store: Store, any_database: Database) -> None:
    await register(store)
    await store.change(ADA, lambda ada: ada.replace(replace(PROFILE, name="Ada King"), "active", NOON))
    await store.change(ADA, lambda ada: ada.erase(NOON))

    for event in await told(any_database):
        assert not any(secret in msgspec.json.encode(event).lower() for secret in (b"ada", b"example.org", b"london"))


async def test_nobody_is_not_found(store: Store) -> None:
    with pytest.raises(NotFound):
        await store.read(ADA)
    with pytest.raises(StoreError):
        await store.change(ADA, lambda ada: ada.erase(NOON))


async def test_a_database_is_brought_up_to_date_once_whoever_tries(any_database: Database) -> None:
    with pytest.raises(Behind, match=r"python -m services\.customers migrate"):
        await open_store(any_database)

    await asyncio.gather(*(migrate(any_database) for _ in range(4)))

    await open_store(any_database)
