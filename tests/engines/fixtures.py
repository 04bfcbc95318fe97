"""A server of each engine for all tests of a session, and databases of their own on it."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from itertools import permutations
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg
import pytest
import pytest_asyncio

from libs.common.database import Database
from libs.common.messages import Fact
from libs.common.postgres import Postgres
from localcloud.postgres import Cluster
from tests.engines import ENGINES, Engine, Parked
from tests.engines.azuresql import azuresql, sql_server
from tests.engines.credential import NoCredential, no_secret
from tests.engines.oldest import oldest_postgres, oldest_url
from tests.engines.tables import table_storage, tables
from tests.localcloud.programs import free_ports, running, state_of

__all__ = [
    "any_database",
    "azuresql",
    "database",
    "engine",
    "oldest",
    "oldest_postgres",
    "oldest_url",
    "postgres",
    "postgres_url",
    "sql_engine",
    "sql_server",
    "table_storage",
    "tables",
    "two_engines",
]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def postgres_url(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """A server with the right to create databases."""
    with state_of(tmp_path_factory.mktemp("databases")) as state:
        cluster = Cluster.open(state, free_ports(1))
        async with running(cluster.program(), state / "log"):
            yield cluster.url


@pytest.fixture(scope="session")
def postgres(postgres_url: str) -> Engine:
    return on(postgres_url)


@pytest.fixture(scope="session")
def oldest(oldest_url: str) -> Engine:
    return on(oldest_url)


def on(server_url: str) -> Engine:
    @asynccontextmanager
    async def fresh() -> AsyncIterator[str]:
        name = f"test_{uuid4().hex}"
        server = await asyncpg.connect(server_url)
        await server.execute(f'CREATE DATABASE "{name}"')
        yield urlsplit(server_url)._replace(path=f"/{name}").geturl()
        await server.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
        await server.close()

    return Engine("postgres", fresh, connect, tell, parked)


def connect(url: str) -> AbstractAsyncContextManager[Postgres]:
    return Postgres.connect(url, no_secret, NoCredential())


async def tell(database: Postgres, facts: Sequence[Fact]) -> None:
    async with database.transaction() as tx:
        for fact in facts:
            await tx.tell(fact)


async def parked(database: Postgres) -> list[Parked]:
    return [Parked(row["event"], row["reason"]) for row in await database.fetch("SELECT * FROM outbox_dead")]


@pytest.fixture(params=[*ENGINES, "oldest"])
def engine(request: pytest.FixtureRequest) -> Engine:
    """Each of them, and another PostgreSQL. Servers are started on first use, so this must not be a coroutine."""
    found: Engine = request.getfixturevalue(request.param)
    return found


@pytest.fixture(params=["postgres", "azuresql"])
def sql_engine(request: pytest.FixtureRequest) -> Engine:
    found: Engine = request.getfixturevalue(request.param)
    return found


@pytest.fixture(params=permutations(ENGINES, 2), ids="-to-".join)
def two_engines(request: pytest.FixtureRequest) -> tuple[Engine, Engine]:
    """Each two of them."""
    source, target = map(request.getfixturevalue, request.param)
    return source, target


@pytest.fixture
async def database(postgres: Engine) -> AsyncIterator[Postgres]:
    """A connection to a new, empty PostgreSQL database, where it does not matter which engine it is."""
    async with postgres.fresh() as url, connect(url) as connected:
        yield connected


@pytest.fixture
async def any_database(engine: Engine) -> AsyncIterator[Database]:
    """The same on each engine."""
    async with engine.database() as connected:
        yield connected
