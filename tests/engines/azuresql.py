"""Azure SQL as far as it can be had: a real SQL Server where Docker answers, else the peer in `tests/engines/tds`.

Without unixODBC there is neither: the tests are skipped, and the end of the run says how to have them.
"""

import asyncio
import inspect
import os
import secrets
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg
import pytest
import pytest_asyncio

from libs.common.database import Database
from libs.common.messages import Fact
from localcloud import certificates
from localcloud.program import Program, listening
from tests.engines import Engine, Parked
from tests.engines.credential import NoCredential, no_secret
from tests.localcloud.programs import free_ports, running

ROOT = Path(__file__).parents[2]
HOW_TO = "unixODBC is missing: install it (apt install unixodbc, brew install unixodbc), and Azure SQL is tested, too"
USER = "tester"


def why_not() -> str:
    """Empty where Azure SQL can be tested."""
    try:
        import pyodbc
    except ImportError:
        return HOW_TO
    return "" if pyodbc.drivers() or find_spec("mssql_python_odbc") else "Microsoft's ODBC driver is missing"


@dataclass(frozen=True, slots=True)
class Server:
    url: str
    administer: Callable[[str], Awaitable[None]]  # a statement that makes or drops a database


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def sql_server(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    if reason := why_not():
        pytest.skip(reason)
    if docker_answers():
        with container() as server:
            yield server
    else:
        async with peer(postgres_url, tmp_path_factory.mktemp("peer")) as server:
            yield server


@pytest.fixture(scope="session")
def azuresql(sql_server: Server) -> Engine:
    @asynccontextmanager
    async def fresh() -> AsyncIterator[str]:
        name = f"test_{uuid4().hex}"
        await sql_server.administer(f"CREATE DATABASE {name}")
        yield urlsplit(sql_server.url)._replace(path=f"/{name}").geturl()
        await sql_server.administer(f"DROP DATABASE {name}")

    return Engine("azuresql", fresh, connect, tell, parked)


def connect(url: str) -> AbstractAsyncContextManager[Database]:
    from libs.common.azuresql import AzureSql

    return AzureSql.connect(url, no_secret, NoCredential())


async def tell(database: Any, facts: Sequence[Fact]) -> None:
    await database.transact(lambda tx: [tx.tell(fact) for fact in facts])


async def parked(database: Any) -> list[Parked]:
    return [Parked(row.event, row.reason) for row in await database.fetch("SELECT event, reason FROM outbox_dead")]


@asynccontextmanager
async def peer(postgres_url: str, folder: Path) -> AsyncIterator[Server]:
    port, word = free_ports(1), secrets.token_urlsafe(12)
    files = certificates.ensure(folder / "certificates", datetime.now(UTC))
    told = {"port": port, "postgres": postgres_url, "certificate": files.server, "key": files.key}
    arguments = [part for name, value in told.items() for part in (f"--{name}", str(value))]
    program = Program(
        name="peer",
        argv=[sys.executable, "-m", "tests.engines.tds", *arguments],
        ready=partial(listening, port),
        env={"PEER_USER": USER, "PEER_WORD": word},
        cwd=ROOT,
    )

    async def administer(statement: str) -> None:
        server = await asyncpg.connect(postgres_url)
        forced = " WITH (FORCE)" if statement.startswith("DROP") else ""
        await server.execute(statement + forced)
        await server.close()

    async with running(program, folder / "log"):
        yield Server(f"mssql://{USER}:{word}@127.0.0.1:{port}/postgres?trust=yes", administer)


def docker_answers() -> bool:
    if not any(map(os.path.exists, ["/var/run/docker.sock", os.environ.get("DOCKER_HOST", "")])):
        return False  # else the client leaves a socket behind
    import docker

    try:
        with closing(docker.from_env(timeout=2)) as client:
            return bool(client.ping())
    except docker.errors.DockerException:
        return False


@contextmanager
def container() -> Iterator[Server]:
    """The image that testcontainers takes by itself, a version later."""
    from testcontainers.community.mssql import SqlServerContainer

    image = inspect.signature(SqlServerContainer).parameters["image"].default.replace("2019", "2022")
    with SqlServerContainer(image, password=f"{secrets.token_urlsafe(12)}aA1!") as running_server:
        host, port = running_server.get_container_host_ip(), running_server.get_exposed_port(1433)
        url = f"mssql://{running_server.username}:{running_server.password}@{host}:{port}/master?trust=yes"

        async def administer(statement: str) -> None:
            await asyncio.to_thread(_administer, url, statement)

        yield Server(url, administer)


def _administer(url: str, statement: str) -> None:
    import pyodbc

    from libs.common import odbc

    key = odbc.Key.of(url, no_secret, NoCredential())
    text, _ = asyncio.run(key.told(odbc.find_driver("")))
    if statement.startswith("DROP"):
        name = statement.rsplit(maxsplit=1)[-1]
        statement = f"ALTER DATABASE {name} SET SINGLE_USER WITH ROLLBACK IMMEDIATE; {statement}"
    with pyodbc.connect(text, autocommit=True) as connection:
        connection.execute(statement)
