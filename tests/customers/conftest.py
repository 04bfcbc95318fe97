"""Customers over HTTP, and who calls."""

from collections.abc import AsyncIterator

import pytest
from aiohttp.test_utils import TestClient, TestServer

from libs.common import http
from libs.common.auth import Role, Verifier
from libs.common.cursors import Cursors
from libs.common.postgres import Postgres
from services.customers.routes import CURSORS, STORE, routes
from services.customers.store import migrate, open_store
from tests.customers.people import (
    ADA,
    BOB,
    Client,
)
from tests.tokens import Tokens


@pytest.fixture
async def client(database: Postgres, verifier: Verifier) -> AsyncIterator[Client]:
    app = http.application(routes, verifier, database.ping)
    await migrate(database)
    app[STORE], app[CURSORS] = await open_store(database), Cursors(b"key")
    async with TestClient(TestServer(app)) as connected:
        yield connected


@pytest.fixture
def ada(tokens: Tokens) -> dict[str, str]:
    return tokens.bearer(Role.CUSTOMER, oid=ADA)


@pytest.fixture
def bob(tokens: Tokens) -> dict[str, str]:
    return tokens.bearer(Role.CUSTOMER, oid=BOB)


@pytest.fixture
def admin(tokens: Tokens) -> dict[str, str]:
    return tokens.bearer(Role.ADMIN)


@pytest.fixture
def service(tokens: Tokens) -> dict[str, str]:
    return tokens.bearer(Role.SERVICE)
