"""Tables on the real Azurite, entered with a managed identity's token, as in Azure."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import aiohttp
import msgspec
import pytest
import pytest_asyncio
from azure.core.pipeline.transport import AioHttpTransport
from azure.data.tables.aio import TableServiceClient

from libs.common import archive
from libs.common.database import Database
from libs.common.entities import SYSTEM, Change
from libs.common.messages import Fact
from libs.common.tables import Tables
from localcloud import certificates, topology
from localcloud.access import Issuer
from localcloud.addresses import Addresses, Port
from localcloud.azurite import Azurite
from localcloud.identity import issuer_url
from tests.engines import Engine, Parked
from tests.localcloud.credential import Credential
from tests.localcloud.programs import free_ports, running

ROOT = Path(__file__).parents[2]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def table_storage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Azurite]:
    folder = tmp_path_factory.mktemp("tables")
    files = certificates.ensure(folder / "certificates", datetime.now(UTC))
    azurite = Azurite.open(folder, "store", Addresses(free_ports(len(Port))), files)
    async with running(azurite.program(ROOT / ".tools"), folder / "log"):
        yield azurite


@pytest.fixture(scope="session")
def tables(table_storage: Azurite, tmp_path_factory: pytest.TempPathFactory) -> Engine:
    store = topology.load(ROOT / "deploy/topology.yaml")
    url = issuer_url(table_storage.addresses, store.tenant)
    credential = Credential(Issuer.open(tmp_path_factory.mktemp("identity"), url, store.tenant), store, "orders")
    account, certificates = table_storage.tables, table_storage.certificates

    @asynccontextmanager
    async def fresh() -> AsyncIterator[str]:
        name = f"test{uuid4().hex}"
        yield f"{account}/{name}"
        async with TableServiceClient(
            account, credential=credential, connection_verify=str(certificates.ca)
        ) as service:
            await service.delete_table(name)  # says nothing where there is none

    @asynccontextmanager
    async def connect(url: str) -> AsyncIterator[Database]:
        """`connection_verify` would have the SDK make a TLS context, and so a connection, for each request."""
        connector = aiohttp.TCPConnector(ssl=certificates.client_context())
        async with aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as session:
            transport = AioHttpTransport(session=session, session_owner=False, connection_timeout=5, read_timeout=10)
            async with Tables.connect(url, credential, transport=transport, retry_total=0) as connected:
                yield connected

    return Engine("tables", fresh, connect, tell, parked)


async def tell(database: Tables, facts: Sequence[Fact]) -> None:
    change = Change("any")
    for fact in facts:
        change.tell(fact)
    await database.table.submit(change)


async def parked(database: Tables) -> list[Parked]:
    found = await database.table.range(SYSTEM, "dead|", "dead}")
    events = [msgspec.json.decode(entity.body, type=archive.Parked) for entity in found]
    return [Parked(each.event, each.reason) for each in events]
