"""Customers move from any engine to any other."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from libs.common.database import Database
from libs.common.errors import NotFound
from services.customers import store as customers
from services.customers.domain import Address, AddressBook, Preferences, Profile
from services.customers.store import EmailTaken, Store, Wanted
from tests.engines import Engine, facts
from tests.engines.moves import Move

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
PEOPLE = [UUID(int=number) for number in range(1, 8)]
ADA, GONE, BLOCKED, NEW = PEOPLE[0], PEOPLE[1], PEOPLE[2], UUID(int=99)


def profile(who: UUID) -> Profile:
    """Every second one has addresses, every third one other wishes."""
    home = Address('1 "Main" St\\', "Köln 🎉", "N1", "DE", "zu Hause", "+49 1")
    book = AddressBook.of([home, replace(home, name="Büro")], billing="Büro") if who.int % 2 else AddressBook()
    wanted = Preferences(marketing=True) if who.int % 3 == 0 else Preferences()
    return Profile(f"Ada {who.int} é", f"Ada{who.int}@example.org", "de", book, wanted)


async def fill(store: Store) -> None:
    for who in PEOPLE:
        await store.register(who, lambda customer, who=who: customer.register(profile(who), NOON))  # type: ignore[misc]
    await store.change(GONE, lambda gone: gone.erase(NOON))
    await store.change(BLOCKED, lambda blocked: blocked.replace(profile(BLOCKED), "blocked", NOON))


async def see(store: Store, database: Database) -> Any:
    """Also that an address is still somebody's, and that who was erased has a version to go on from."""
    listed = await store.page(Wanted(), None, 100)
    known = [listed] + [await store.read(who) for who in PEOPLE if who != GONE]
    with pytest.raises(NotFound):
        await store.read(GONE)
    with pytest.raises(EmailTaken):
        taken = replace(profile(NEW), email="ADA1@example.org")
        await store.register(NEW, lambda new: new.register(taken, NOON))
    back = await store.register(GONE, lambda gone: gone.register(profile(GONE), NOON))
    return known, back, await facts(database)


MOVE = Move(customers, fill, see)


async def test_what_is_copied_is_the_same(two_engines: tuple[Engine, Engine]) -> None:
    await MOVE.goes_well(*two_engines)


async def test_a_copy_that_is_interrupted_goes_on(two_engines: tuple[Engine, Engine]) -> None:
    await MOVE.goes_on(*two_engines)
