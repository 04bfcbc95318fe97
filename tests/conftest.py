"""What many tests need: a real PostgreSQL, and a database of one's own on it."""

from collections.abc import AsyncIterator
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg
import pytest
import pytest_asyncio

from libs.common.postgres import Postgres
from localcloud.postgres import Cluster
from tests.localcloud.programs import free_ports, running, state_of

pytest_plugins = ["tests.tokens"]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def postgres_url(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """A server with the right to create databases."""
    with state_of(tmp_path_factory.mktemp("databases")) as state:
        cluster = Cluster.open(state, free_ports(1))
        async with running(cluster.program(), state / "log"):
            yield cluster.url


@pytest.fixture
async def database(postgres_url: str) -> AsyncIterator[Postgres]:
    """A connection to a new, empty database."""
    name = f"test_{uuid4().hex}"
    server = await asyncpg.connect(postgres_url)
    await server.execute(f'CREATE DATABASE "{name}"')
    url = urlsplit(postgres_url)

    async def password() -> str:
        return url.password or ""

    async with Postgres.connect(url._replace(path=f"/{name}").geturl(), password) as connected:
        yield connected
    await server.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
    await server.close()
