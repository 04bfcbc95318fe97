"""What many tests need: a real PostgreSQL, a database of one's own on it, and noon."""

import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg
import pytest

from libs.common.postgres import Postgres

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


@pytest.fixture
def noon() -> datetime:
    return NOON


@pytest.fixture(scope="session")
def postgres_url() -> str:
    """A server with the right to create databases: postgresql://user:password@host:port."""
    return os.environ["TEST_POSTGRES_URL"]


@pytest.fixture
async def database(postgres_url: str) -> AsyncIterator[Postgres]:
    """A connection to a new, empty database."""
    name = f"test_{uuid4().hex}"
    server = await asyncpg.connect(f"{postgres_url}/postgres")
    await server.execute(f'CREATE DATABASE "{name}"')

    async def password() -> str:
        return urlsplit(postgres_url).password or ""

    async with Postgres.connect(f"{postgres_url}/{name}", password) as connected:
        yield connected
    await server.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
    await server.close()
