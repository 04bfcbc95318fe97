"""Connections are lent one at a time, and none that something has gone wrong with is lent again."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from libs.common.errors import Conflict, Unavailable
from libs.common.postgres import Postgres
from libs.common.postgres_pool import POOL_SIZE
from tests.engines import Engine
from tests.engines.fixtures import connect
from tests.waiting import until

pytestmark = pytest.mark.real

WHO = "SELECT pg_backend_pid() AS pid"
OTHERS = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"

ASLEEP = "SELECT pid FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(30)' AND wait_event = 'PgSleep'"


@pytest.fixture
async def database(postgres: Engine) -> AsyncIterator[Postgres]:
    async with postgres.fresh() as url, connect(url) as database:
        yield database


async def pid(database: Postgres) -> int:
    row = await database.fetchrow(WHO)
    assert row
    return int(row["pid"])


async def test_one_after_the_other_has_the_same(database: Postgres) -> None:
    assert await pid(database) == await pid(database)


async def test_a_burst_opens_as_many_as_may_be_and_they_are_closed_again_but_one(database: Postgres) -> None:
    database.pool.idle_seconds = 0.2

    await asyncio.gather(*(database.fetchrow("SELECT pg_sleep(0.2)") for _ in range(2 * POOL_SIZE)))

    async def others() -> int:
        return len(await database.fetch(OTHERS))

    assert await others() == POOL_SIZE - 1
    await until(others, lambda count: count == 0, seconds=10)


async def test_a_refusal_leaves_it_as_it_was(database: Postgres) -> None:
    known = await pid(database)

    with pytest.raises(asyncpg.DivisionByZeroError):
        await database.fetchrow("SELECT 1 / 0")
    with pytest.raises(Conflict):
        async with database.transaction() as tx:
            await tx.execute("SELECT 1")
            raise Conflict("no")

    assert await pid(database) == known


async def test_what_was_cut_off_in_the_middle_is_not_lent_again(database: Postgres) -> None:
    sleeping = asyncio.create_task(database.fetchrow("SELECT pg_sleep(30)"))
    (cut_off,) = await until(lambda: database.fetch(ASLEEP), len)  # by another connection

    sleeping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sleeping

    assert cut_off["pid"] not in await asyncio.gather(*(pid(database) for _ in range(POOL_SIZE)))


async def test_one_that_the_server_has_ended_costs_a_request_and_no_more(database: Postgres) -> None:
    known = await pid(database)

    with pytest.raises(Unavailable):
        await database.fetchrow("SELECT pg_terminate_backend(pg_backend_pid())")

    assert await pid(database) != known
