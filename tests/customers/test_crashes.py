"""Customers, interrupted between any two statements, on every engine."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from libs.common.database import Database
from libs.common.errors import NotFound
from services.customers.domain import AlreadyRegistered, Profile
from services.customers.store import EmailTaken, Store, migrate, open_store
from tests.engines import Engine, told
from tests.engines.crashes import Verb, survives

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
ADA, BOB = UUID(int=1), UUID(int=2)
PROFILE = Profile("Ada", "ada@example.org", "en")
MOVED = replace(PROFILE, email="ada@new.example")


async def nobody(store: Store) -> None:
    return None


async def register(store: Store) -> None:
    await store.register(ADA, lambda ada: ada.register(PROFILE, NOON))


async def move(store: Store) -> None:
    await store.change(ADA, lambda ada: ada.replace(MOVED, "active", NOON))


async def erase(store: Store) -> None:
    await store.change(ADA, lambda ada: ada.erase(NOON))


async def see(store: Store, database: Database) -> Any:
    """Also whether the old and the new address are somebody's."""
    taken = [await is_taken(store, profile) for profile in (PROFILE, MOVED)]
    try:
        return await store.read(ADA), taken, await of_ada(database)
    except NotFound:
        return None, taken, await of_ada(database)


async def is_taken(store: Store, profile: Profile) -> bool:
    """Bob tries to have it, and gives it back."""
    try:
        await store.register(BOB, lambda bob: bob.register(profile, NOON))
    except EmailTaken:
        return True
    await store.change(BOB, lambda bob: bob.erase(NOON))
    return False


async def of_ada(database: Database) -> list[str]:
    return [event.type for event in await told(database) if event.subject == str(ADA)]


@pytest.mark.parametrize(("prepare", "do"), [(nobody, register), (register, move), (register, erase)])
async def test_it_happens_once_or_not_at_all(engine: Engine, prepare: Any, do: Any) -> None:
    await survives(engine, Verb(migrate, open_store, prepare, do, see, done=(AlreadyRegistered, NotFound)))
