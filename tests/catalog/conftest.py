"""The catalogue with its Blob Storage: the real Azurite, entered with the token of the catalogue's managed identity."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from azure.core.credentials import AccessToken
from azure.storage.blob.aio import BlobServiceClient, ContainerClient

from libs.common import http
from libs.common.auth import Role, Verifier
from libs.common.cursors import Cursors
from libs.common.database import Database
from libs.common.media import CONTAINER, UPLOADS
from libs.common.pictures import Studio
from libs.common.postgres import Postgres
from localcloud import certificates, topology
from localcloud.access import Issuer
from localcloud.addresses import Addresses, Port
from localcloud.azurite import Azurite
from localcloud.identity import identity_token, issuer_url
from localcloud.store import TOPOLOGY
from services.catalog.gallery import Gallery
from services.catalog.routes import CURSORS, GALLERY, STORE, routes
from services.catalog.store import Store, migrate, open_store
from tests.localcloud.programs import free_ports, running
from tests.tokens import Tokens

Client = TestClient[web.Request, web.Application]
Headers = dict[str, str]

TOOLS = Path(__file__).parents[2] / ".tools"


@dataclass(frozen=True, slots=True)
class Token:
    value: AccessToken

    async def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        assert scopes == ("https://storage.azure.com/.default",)
        return self.value

    async def close(self) -> None: ...

    async def __aenter__(self) -> "Token":
        return self

    async def __aexit__(self, *_: object) -> None: ...


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def azurite(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Azurite]:
    folder, now = tmp_path_factory.mktemp("azurite"), datetime.now(UTC)
    files = certificates.ensure(folder / "certificates", now)
    azurite = Azurite.open(folder, "store", Addresses(free_ports(len(Port))), files)
    async with running(azurite.program(TOOLS), folder / "log"):
        await azurite.prepare([CONTAINER, UPLOADS], [CONTAINER], now)
        yield azurite


@pytest.fixture(scope="session")
def token(azurite: Azurite, tmp_path_factory: pytest.TempPathFactory) -> Token:
    known, at = topology.load(TOPOLOGY), datetime.now(UTC)
    url = issuer_url(azurite.addresses, known.tenant)
    issuer = Issuer.open(tmp_path_factory.mktemp("identity"), url, known.tenant)
    catalog, of = known.identities["catalog"], "https://storage.azure.com"
    value = identity_token(issuer, known, catalog, resource=of, at=at)
    return Token(AccessToken(value, int((at + timedelta(hours=1)).timestamp())))


@pytest.fixture
async def blobs(azurite: Azurite, token: Token) -> AsyncIterator[BlobServiceClient]:
    """Empty."""
    ca = str(azurite.certificates.ca)
    async with BlobServiceClient(azurite.blobs, token, connection_verify=ca, retry_total=0) as blobs:
        for name in (CONTAINER, UPLOADS):
            container = blobs.get_container_client(name)
            for blob in await names(container):
                await container.delete_blob(blob)
        yield blobs


@pytest.fixture
def container(blobs: BlobServiceClient) -> ContainerClient:
    """That of what anyone reads."""
    return blobs.get_container_client(CONTAINER)


@pytest.fixture
def uploads(blobs: BlobServiceClient) -> ContainerClient:
    return blobs.get_container_client(UPLOADS)


@pytest.fixture
async def client(
    verifier: Verifier, database: Postgres, azurite: Azurite, blobs: BlobServiceClient
) -> AsyncIterator[Client]:
    app = http.application(routes, verifier, database.ping)
    await migrate(database)
    app[STORE], app[CURSORS] = await open_store(database), Cursors(b"key")
    app[GALLERY] = Gallery(blobs, f"{azurite.blobs}/{CONTAINER}", Studio(seconds=40))
    async with TestClient(TestServer(app)) as connected:
        yield connected


@pytest.fixture
def staff(tokens: Tokens) -> Headers:
    return tokens.bearer(Role.ADMIN)


@pytest.fixture
async def path(client: Client, staff: Headers) -> str:
    """Of a product."""
    lamp = {"name": "Lamp", "sku": "LAMP", "price": 4900, "currency": "EUR"}
    return (await client.post("/api/products", json=lamp, headers=staff)).headers["Location"]


async def names(container: ContainerClient) -> list[str]:
    return [name async for name in container.list_blob_names()]


@pytest.fixture
async def store(any_database: Database) -> Store:
    """On each engine."""
    await migrate(any_database)
    return await open_store(any_database)
