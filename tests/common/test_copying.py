"""What a copy refuses: to lose something, to mix data, and to call equal what is not."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from uuid import UUID

import pytest

from libs.common import copying
from libs.common.archive import Page, Row
from libs.common.copying import Differs, Elsewhere, Filled, Served, Sum, Untold, copy, refuse_served
from libs.common.migrations import Unfinished
from libs.common.postgres import Postgres
from libs.common.postgres_archive import PostgresArchive
from services.customers import store as customers
from services.customers.domain import Profile
from services.customers.store.rows import ROWS, CustomerRow
from tests.engines import Engine, tell_all

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
ADA, BOB = UUID(int=1), UUID(int=2)


def row(number: int, version: int = 1) -> CustomerRow:
    return CustomerRow(
        id=UUID(int=number), name=None, email=None, language=None, address=None, status="active", version=version
    )


def test_a_sum_knows_no_order_and_misses_no_change() -> None:
    ones = Sum().plus([row(1), row(2)])

    assert Sum().plus([row(2)]).plus([row(1)]) == ones
    assert Sum().plus([row(1), row(2, version=2)]) != ones
    assert Sum().plus([row(1), row(1)]) != ones


class Two:
    """A source with Ada in it, and an empty target."""

    def __init__(self, source: Postgres, target: Postgres) -> None:
        self.source, self.target = source, target

    async def copy(self, origin: str = "there", *, source: PostgresArchive | None = None) -> list[str]:
        said = list[str]()
        await copy(
            source or PostgresArchive(self.source), PostgresArchive(self.target), ROWS, origin=origin, say=said.append
        )
        return said


@pytest.fixture
async def two(postgres: Engine) -> AsyncIterator[Two]:
    async with AsyncExitStack() as stack:
        source, target = [await stack.enter_async_context(postgres.database()) for _ in range(2)]
        assert isinstance(source, Postgres)
        assert isinstance(target, Postgres)
        for each in (source, target):
            await customers.migrate(each)
        await register(source, ADA)
        yield Two(source, target)


async def register(database: Postgres, who: UUID) -> None:
    profile = Profile("Ada", f"ada{who.int}@example.org", "en")
    store = await customers.open_store(database)
    await store.register(who, lambda customer: customer.register(profile, NOON))


@pytest.mark.real
async def test_it_says_what_it_does_and_nothing_personal(two: Two) -> None:
    said = await two.copy()

    assert said[0] == "customers: 1 of 1 rows copied"
    assert said[1].startswith("customers: 1 rows, checksum ")
    assert not [line for line in said if "ada" in line.lower()]


@pytest.mark.real
async def test_a_copy_that_has_ended_is_recognised_and_does_nothing(two: Two) -> None:
    """Its operator may have been killed before they heard of it."""
    said = await two.copy()

    assert await two.copy() == said[1:]
    await customers.open_store(two.target)


@pytest.mark.real
async def test_what_is_filled_with_anything_else_is_not_filled_again(two: Two) -> None:
    await two.copy()
    await register(two.target, BOB)

    with pytest.raises(Filled, match="customers: 1 rows there, 2 here"):
        await two.copy()


@pytest.mark.real
async def test_a_copy_that_is_under_way_is_not_gone_on_with_from_elsewhere(two: Two) -> None:
    await PostgresArchive(two.target).note(copying.ORIGIN, "another place")

    with pytest.raises(Elsewhere, match="another place"):
        await two.copy()


class Changing(PostgresArchive):
    """Somebody registers just after the last page was read for the first time."""

    async def page(self, kind: type[Row], after: str) -> Page:
        found = await super().page(kind, after)
        if kind is CustomerRow and not found.rows:
            await self.database.fetch("INSERT INTO customers (id) VALUES ($1) ON CONFLICT DO NOTHING", BOB)
        return found


@pytest.mark.real
async def test_what_was_changed_meanwhile_is_noticed_and_the_copy_is_not_served(two: Two) -> None:
    with pytest.raises(Differs, match="customers: 2 rows there, 1 here"):
        await two.copy(source=Changing(two.source))

    with pytest.raises(Unfinished):
        await customers.open_store(two.target)


@pytest.mark.real
async def test_a_service_that_runs_and_facts_that_wait_are_in_the_way(two: Two) -> None:
    with pytest.raises(Untold):
        await refuse_served(two.source)

    await tell_all(two.source)
    await refuse_served(two.source)

    async with two.source.lead(asyncio.Event()):
        with pytest.raises(Served):
            await refuse_served(two.source, patience=0.1)
