"""Callers for HTTP tests: an issuer that publishes its keys on loopback, its tokens, and our verifier of them."""

import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import aiohttp
import pytest
from aiohttp import web

from libs.common.auth import Role, Verifier
from localcloud.access import Issuer
from localcloud.identity import discovery

TENANT = UUID("df6a501a-89f2-4bb6-b9e9-3ed29876719f")
AUDIENCE = "df9c4575-bbd0-4236-b004-c82fc26ba986"
SOMEBODY = UUID(int=0x50BED)
AN_HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Tokens:
    issuer: Issuer

    def bearer(self, *roles: Role, oid: UUID = SOMEBODY, **claims: Any) -> dict[str, str]:
        """The headers of a caller with these roles; a customer's `oid` is their id. `claims` replace the usual ones."""
        usual = {"oid": str(oid), "roles": [role.value for role in roles]}
        token = self.issuer.token(AUDIENCE, datetime.now(UTC), AN_HOUR, **usual | claims)
        return {"Authorization": f"Bearer {token}"}


@pytest.fixture(scope="session")
def issuer_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Keeps the key, which is slow to make."""
    return tmp_path_factory.mktemp("issuer")


@pytest.fixture
async def tokens(issuer_folder: Path) -> AsyncIterator[Tokens]:
    """The issuer answers discovery and keys while the test runs."""
    door = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{door.getsockname()[1]}/{TENANT}/v2.0"
    issuer = Issuer.open(issuer_folder, url, TENANT)
    app = web.Application()
    app.add_routes(discovery.routes(issuer))
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        await web.SockSite(runner, door).start()
        yield Tokens(issuer)
    finally:
        await runner.cleanup()


@pytest.fixture
async def verifier(tokens: Tokens) -> AsyncIterator[Verifier]:
    """What a service checks those tokens with; hand it to `http.application`."""
    async with aiohttp.ClientSession() as session:
        yield Verifier(tokens.issuer.url, AUDIENCE, session, lambda: datetime.now(UTC))
