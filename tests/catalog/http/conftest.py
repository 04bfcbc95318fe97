"""The catalogue over HTTP, before a Blob Storage that does not answer."""

from collections.abc import AsyncIterator

import pytest
from aiohttp.test_utils import TestClient, TestServer
from azure.storage.blob.aio import BlobServiceClient

from libs.common import http
from libs.common.auth import Verifier
from libs.common.cursors import Cursors
from libs.common.pictures import Studio
from libs.common.postgres import Postgres
from services.catalog.gallery import Gallery
from services.catalog.routes import CURSORS, GALLERY, STORE, routes
from services.catalog.store import Store, migrate, open_store
from tests.catalog.http.shop import Client


@pytest.fixture
async def client(verifier: Verifier, database: Postgres) -> AsyncIterator[Client]:
    """Its Blob Storage does not answer."""
    app = http.application(routes, verifier, database.ping)
    async with BlobServiceClient("https://127.0.0.1:1/store", retry_total=0) as away:
        await migrate(database)
        app[STORE], app[CURSORS] = await open_store(database), Cursors(b"key")
        app[GALLERY] = Gallery(away, "https://media.example/media", Studio(seconds=40))
        async with TestClient(TestServer(app)) as connected:
            yield connected


@pytest.fixture
def store(client: Client) -> Store:
    return client.app[STORE]
