"""schemathesis against every service: all checks, all phases, as nobody and with each role."""

import asyncio
import sys
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from libs.common import http
from libs.common.auth import Role, Verifier
from libs.common.postgres import Postgres
from services.customers import routes as customers
from services.customers import store as customers_store
from libs.common.openapi import document
from tests.tokens import Tokens
import json
from uuid import UUID

pytestmark = pytest.mark.real
HERE = Path(__file__).parent
ADA = UUID(int=1)

ROLES = [(), (Role.ADMIN,), (Role.CUSTOMER,), (Role.SERVICE,)]


@pytest.mark.parametrize("roles", ROLES, ids=lambda roles: roles[0] if roles else "nobody")
async def test_customers(
    roles: tuple[Role, ...], database: Postgres, verifier: Verifier, tokens: Tokens, tmp_path: Path
) -> None:
    await customers_store.migrate(database)
    app = http.application(customers.routes, verifier, database.ping)
    app[customers.STORE] = await customers_store.open_store(database)
    (tmp_path / "openapi.json").write_text(json.dumps(document("customers", customers.routes)))
    async with TestServer(app) as server:
        headers = [x for k, v in (tokens.bearer(*roles, oid=ADA) if roles else {}).items() for x in ("-H", f"{k}: {v}")]
        p = await asyncio.create_subprocess_exec(
            str(Path(sys.executable).parent / "schemathesis"),
            "--config-file",
            str(HERE / "schemathesis.toml"),
            "run",
            str(tmp_path / "openapi.json"),
            "--url",
            str(server.make_url("")),
            *headers,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        out, _ = await p.communicate()
    print(out.decode())
    assert p.returncode == 0
