"""PostgreSQL's manners: who is let in, by what, and past whom."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import asyncpg
import pytest
from azure.core.credentials import AccessToken
from azure.core.exceptions import ServiceRequestError

from libs.common.errors import Unavailable
from libs.common.postgres import ENTRA_SCOPE, Postgres
from libs.common.settings import Incomplete
from tests.engines.credential import NoCredential, no_secret
from tests.engines.oldest import Oldest
from tests.waiting import until

NO_TLS = "sslmode=disable"
BREAK = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'service'"


class Tokens(NoCredential):
    """Whatever is good at the moment; nothing where nobody gives one."""

    def __init__(self, current: str) -> None:
        self.current, self.scopes = current, set[str]()

    async def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        self.scopes.update(scopes)
        if not self.current:
            raise ServiceRequestError("nobody answers")
        return AccessToken(self.current, 2**31)

    async def password(self) -> str:
        return self.current


def as_told(url: str, query: str, *, password: str = "") -> str:
    """The same server, entered as a role `service`."""
    parts = urlsplit(url)
    who = f"service:{quote(password)}" if password else "service"
    return parts._replace(netloc=f"{who}@{parts.hostname}:{parts.port}", query=query).geturl()


@asynccontextmanager
async def service_with(url: str, password: str) -> AsyncIterator[asyncpg.Connection]:
    """A role of that password; yields one who may change it."""
    server = await asyncpg.connect(url)
    await server.execute(f"CREATE ROLE service LOGIN PASSWORD '{password}'")
    try:
        yield server
    finally:
        await server.execute("DROP ROLE service")
        await server.close()


def trusting(ca: Path, more: str = "") -> str:
    return f"sslrootcert={quote(str(ca), safe='')}{more}"


@pytest.mark.real
async def test_the_connection_is_encrypted_and_the_server_known(oldest_postgres: Oldest) -> None:
    query = trusting(oldest_postgres.certificates.ca)
    async with service_with(oldest_postgres.url, "pw"):
        url = as_told(oldest_postgres.url, query, password="pw")
        async with Postgres.connect(url, no_secret, NoCredential()) as database:
            row = await database.fetchrow("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")

    assert row is not None
    assert row["ssl"]


@pytest.mark.real
async def test_a_server_that_shows_another_certificate_is_not_talked_to(oldest_postgres: Oldest) -> None:
    url = as_told(oldest_postgres.url, "", password="pw")  # the machine's authorities know nothing of it

    with pytest.raises(Unavailable):
        async with Postgres.connect(url, no_secret, NoCredential()):
            pass


async def expect_the_newest(server: asyncpg.Connection, database: Postgres, tokens: Tokens) -> None:
    """The token or password changes, and the connections that were opened with the old one break."""
    assert await database.fetchrow("SELECT 1")
    tokens.current = "second"
    await server.execute("ALTER ROLE service PASSWORD 'second'")
    await server.fetch(BREAK)

    async def answered() -> bool:
        try:
            return await database.fetchrow("SELECT 1") is not None
        except Unavailable:
            return False

    assert await until(answered, bool)


@pytest.mark.real
async def test_with_entra_each_connection_has_the_newest_token(oldest_postgres: Oldest) -> None:
    tokens = Tokens("first")
    url = as_told(oldest_postgres.url, trusting(oldest_postgres.certificates.ca, "&authentication=entra"))

    async with (
        service_with(oldest_postgres.url, "first") as server,
        Postgres.connect(url, no_secret, tokens) as database,
    ):
        await expect_the_newest(server, database, tokens)
        tokens.current = ""
        await server.fetch(BREAK)
        await until(database.ping, lambda answered: not answered)
        with pytest.raises(Unavailable):  # and no other error, although it is the token that is missing
            await database.fetchrow("SELECT 1")

    assert tokens.scopes == {ENTRA_SCOPE}


@pytest.mark.real
async def test_a_password_that_is_not_in_the_url_is_asked_for_anew(oldest_postgres: Oldest) -> None:
    tokens = Tokens("first")

    async with (
        service_with(oldest_postgres.url, "first") as server,
        Postgres.connect(as_told(oldest_postgres.url, NO_TLS), tokens.password, NoCredential()) as database,
    ):
        await expect_the_newest(server, database, tokens)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("authentication=entra&sslmode=require", "leave sslmode=require out"),
        ("authentication=entra&sslmode=disable", "leave sslmode=disable out"),
        ("authentication=magic", "authentication=magic is unknown"),
    ],
)
async def test_what_would_be_unsafe_or_is_unknown_is_refused(query: str, said: str) -> None:
    with pytest.raises(Incomplete, match=said):
        async with Postgres.connect(f"postgresql://service@db.example/x?{query}", no_secret, NoCredential()):
            pass
