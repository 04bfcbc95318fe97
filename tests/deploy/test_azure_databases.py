"""What the hooks say to PostgreSQL, on a real one: a service migrates its own database, and enters no other."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import asyncpg
import pytest

from deploy.azure.hooks.databases import rights_in_postgres, role_in_postgres
from services.catalog.store import migrate, open_store
from tests.engines.fixtures import connect

pytestmark = [pytest.mark.deploy, pytest.mark.real]

# Azure's own function makes a role that enters with a token; this one's enters with a password.
STAND_IN = """
CREATE OR REPLACE FUNCTION pgaadauth_create_principal_with_oid(name text, id text, kind text, admin bool, mfa bool)
RETURNS text LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    EXECUTE format('CREATE ROLE %I LOGIN PASSWORD %L', name, id);
    RETURN 'Created role for ' || name;
END $$
"""


@dataclass(frozen=True)
class Server:
    """As Azure hands it over: its administrators own the databases, and are no superusers."""

    url: str
    administrator: str
    services: tuple[str, str]

    def as_(self, user: str, password: str, database: str) -> str:
        parts = urlsplit(self.url)
        place = parts.netloc.rpartition("@")[2]
        return urlunsplit(parts._replace(netloc=f"{user}:{password}@{place}", path=f"/{database}"))

    async def say(self, database: str, sql: str) -> None:
        """As the hook does, in one go."""
        connection = await asyncpg.connect(self.as_(self.administrator, "secret", database), timeout=10)
        try:
            await connection.execute(sql)
        finally:
            await connection.close(timeout=10)


@pytest.fixture
async def server(postgres_url: str) -> AsyncIterator[Server]:
    mark = uuid4().hex[:8]
    made = Server(postgres_url, f"ada_{mark}", (f"catalog_{mark}", f"orders_{mark}"))
    root = await asyncpg.connect(postgres_url, timeout=10)
    try:
        await root.execute(f"CREATE ROLE admins_{mark}; CREATE ROLE {made.administrator} LOGIN PASSWORD 'secret'")
        await root.execute(f"GRANT admins_{mark} TO {made.administrator}")
        for name in made.services:
            await root.execute(f"CREATE DATABASE {name} OWNER admins_{mark}")
        await root.execute(STAND_IN)
        yield made
        for name in made.services:
            await root.execute(f"DROP DATABASE {name} WITH (FORCE)")
            await root.execute(f"DROP ROLE IF EXISTS {name}")
        await root.execute(f"DROP ROLE {made.administrator}; DROP ROLE admins_{mark}")
    finally:
        await root.close(timeout=10)


async def prepare(server: Server) -> None:
    home = urlsplit(server.url).path.strip("/") or "postgres"
    for name in server.services:
        await server.say(home, role_in_postgres(name, f"id-of-{name}"))
        await server.say(name, rights_in_postgres(name))


async def test_a_service_can_bring_its_own_database_up_to_date(server: Server) -> None:
    catalog, _ = server.services

    await prepare(server)
    await prepare(server)  # twice is harmless

    async with connect(server.as_(catalog, f"id-of-{catalog}", catalog)) as database:
        await migrate(database)
        await open_store(database)
        assert await database.ping()


async def test_a_service_does_not_enter_the_database_of_another(server: Server) -> None:
    catalog, orders = server.services

    await prepare(server)

    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await asyncpg.connect(server.as_(catalog, f"id-of-{catalog}", orders), timeout=10)
