"""What is true of customers in tables only."""

from datetime import UTC, datetime
from uuid import UUID

import pytest

from libs.common.tables import Tables
from services.customers.domain import Profile
from services.customers.store import Page, Wanted, migrate
from services.customers.store.tables import TablesStore
from tests.engines import Engine

pytestmark = pytest.mark.real

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
PEOPLE = [UUID(int=number) for number in range(1, 8)]
BLOCKED = PEOPLE[4]


async def test_a_page_walks_so_far_and_no_further_and_the_list_goes_on_from_there(tables: Engine) -> None:
    async with tables.database() as database:
        assert isinstance(database, Tables)
        await migrate(database)
        store = TablesStore(database, most_walked=3)
        for who in PEOPLE:
            profile = Profile("Ada", f"ada{who.int}@example.org", "de")
            await store.register(who, lambda customer, profile=profile: customer.register(profile, NOON))  # type: ignore[misc]
        await store.change(BLOCKED, lambda ada: ada.replace(ada.profile, "blocked", NOON))  # type: ignore[arg-type]

        pages, after = list[Page](), None
        while not pages or after:
            pages.append(await store.page(Wanted(status="blocked"), after, 10))
            after = pages[-1].reached

        short = await store.page(Wanted(), None, 2)

    assert ([customer.id for customer in short.customers], short.reached) == (PEOPLE[:2], PEOPLE[1])
    assert [[customer.id for customer in page.customers] for page in pages] == [[], [BLOCKED], []]
    assert [page.reached for page in pages] == [PEOPLE[2], PEOPLE[5], None]
