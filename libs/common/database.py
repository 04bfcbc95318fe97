"""Where a service keeps its data: what every engine can do, and the engine that a URL asks for."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import NamedTuple, Protocol
from urllib.parse import urlsplit

from azure.core.credentials_async import AsyncTokenCredential

from libs.common.measures import Measures
from libs.common.settings import Incomplete, ServiceSettings
from libs.common.vault import PASSWORD_FRESH_SECONDS, Vault
from libs.common.watch import DatabaseWatch

Password = Callable[[], Awaitable[str]]

SCHEMES = {"postgresql": "postgres", "postgres": "postgres", "mssql": "azuresql", "https": "tables"}


MOST_COUNTED = 1000  # of what waits: beyond, the exact number says nothing more


class Backlog(NamedTuple):
    """What is still to be told."""

    waiting: int  # at most MOST_COUNTED
    parked: int
    oldest: bytes | None


class Outbox(Protocol):
    """What is still to be told, for the one process that leads."""

    def claim(self, most: int) -> AbstractAsyncContextManager[list[bytes]]:
        """The oldest events; they are gone when the block ends well, and still there when it does not."""

    async def park(self, event: bytes, reason: str) -> None:
        """An event that Event Grid will never take; it waits for a person."""

    async def forget(self) -> None:
        """Marks of messages that can't come again."""


class Database(Protocol):
    """A connection to an engine. What is engine-specific is between it and the store's module of the same name."""

    @property
    def engine(self) -> str:
        """The name of the module in a service's `store` that is written for it."""

    @property
    def told(self) -> asyncio.Event:
        """Something new may lie in the outbox."""

    @property
    def watch(self) -> DatabaseWatch:
        """What is noted of its work."""

    async def backlog(self) -> Backlog:
        """Of the outbox; anyone may look, at a bounded price. Raises Unavailable."""

    async def ping(self) -> bool:
        """Whether it answers; asked at most once a second."""

    async def migrate(self, name: str, script: str) -> None:
        """Brings messaging and the service's own schema up to date: one process at a time, each step once."""

    async def check(self, name: str, script: str) -> None:
        """Raises Behind where a step is missing, and Unfinished where a copy into it has not ended.

        One step more is fine: first expand, then deploy, then contract.
        """

    def lead(self, stop: asyncio.Event) -> AbstractAsyncContextManager[Outbox | None]:
        """Waits until this process is the only relay, or `stop` (then None). Raises Unavailable."""


def engine_of(url: str) -> str:
    """Raises Incomplete."""
    engine = SCHEMES.get(urlsplit(url).scheme)
    if engine is None:
        said = f"{urlsplit(url).scheme}://" if "://" in url else "text without a scheme"
        raise Incomplete(f"a store's URL begins with postgresql://, mssql:// or https:// (tables), not with {said}")
    return engine


def place_of(url: str) -> str:
    """Without who enters, and how; a secret's name is one, too."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="").geturl()


@asynccontextmanager
async def connect(
    name: str,
    url: str,
    told: ServiceSettings,
    vault: Vault,
    *,
    credential: AsyncTokenCredential,
    measures: Measures | None = None,
) -> AsyncIterator[Database]:
    """`url` is an engine's, or the name of the secret in Key Vault that holds one. Raises Incomplete or Unavailable.

    Only the engine's own driver is imported.
    """
    if "://" not in url:
        url = await vault.read(url)

    async def password() -> str:
        return await vault.read(f"{name}-database-password", PASSWORD_FRESH_SECONDS)

    async with _opening(url, told, password, credential=credential, measures=measures) as database:
        yield database


def _opening(
    url: str,
    told: ServiceSettings,
    password: Password,
    *,
    credential: AsyncTokenCredential,
    measures: Measures | None,
) -> AbstractAsyncContextManager[Database]:
    match engine_of(url):
        case "postgres":
            from libs.common.postgres import Postgres

            return Postgres.connect(url, password, credential, measures=measures)
        case "azuresql":
            try:
                from libs.common.azuresql import AzureSql
            except ImportError as missing:  # pyodbc brings its driver manager on no Linux
                raise Incomplete(f"mssql:// needs unixODBC: install the package unixodbc ({missing})") from missing

            return AzureSql.connect(url, password, credential, driver=told.odbc_driver, measures=measures)
        case _:
            from libs.common.tables import Tables

            return Tables.connect(url, credential, measures=measures)
