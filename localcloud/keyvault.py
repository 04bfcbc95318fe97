"""Key Vault, as far as its secrets are set and read. Durable; every call is checked against the topology's rights."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec
import structlog
from aiohttp import web
from msgspec import Struct

from localcloud.access import Access, Forbidden, Unauthorized
from localcloud.addresses import HOST, Addresses, Port
from localcloud.journal import Full, Journal

NAME = re.compile(r"[0-9a-zA-Z-]{1,127}")
LARGEST_VALUE = 25 * 1024  # bytes of UTF-8
LARGEST_REQUEST = 10 * LARGEST_VALUE  # JSON may spell a byte in six

SCHEMA = """
CREATE TABLE IF NOT EXISTS secrets (
    number  INTEGER PRIMARY KEY, -- rises with every version
    name    TEXT NOT NULL,
    version TEXT NOT NULL,
    created INTEGER NOT NULL,    -- seconds since 1970
    body    BLOB NOT NULL        -- JSON
);
CREATE UNIQUE INDEX IF NOT EXISTS secrets_by_name ON secrets (name, version);
"""
INSERT = "INSERT INTO secrets (name, version, created, body) VALUES (?, ?, ?, ?)"
SELECT = (
    "SELECT version, created, body FROM secrets WHERE name = ?1 AND ?2 IN ('', version) ORDER BY number DESC LIMIT 1"
)
NAMES = "SELECT name, count(*), max(created) FROM secrets GROUP BY name ORDER BY name LIMIT ?"

log = structlog.get_logger()


class Body(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, rename="camel"):
    """What is set; unknown fields (so far the attributes) are refused, not forgotten."""

    value: str
    content_type: str | None = None
    tags: dict[str, str] | None = None


class Named(Struct, frozen=True):
    """A secret without what it says."""

    name: str
    versions: int
    changed: datetime


class Refused(Exception):
    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code = status, code


def resource(addresses: Addresses) -> str:
    """What the vault's tokens are for.

    The SDK wants the vault's host and port to end with a dot and the resource's host and port, as in
    `store.vault.azure.net` and `vault.azure.net`. 127.0.0.1 does end with .0.0.1, so it needs no flag.
    """
    return f"https://{HOST.partition('.')[2]}:{addresses.port(Port.KEYVAULT)}"


@dataclass(frozen=True, slots=True)
class KeyVault:
    journal: Journal
    access: Access
    resource: str

    @classmethod
    @asynccontextmanager
    async def open(cls, path: Path, access: Access, resource: str) -> AsyncIterator["KeyVault"]:
        async with Journal.open(path, SCHEMA) as journal:
            yield cls(journal, access, resource)

    def app(self) -> web.Application:
        app = web.Application(middlewares=[self._answer_errors], client_max_size=LARGEST_REQUEST)
        app.router.add_put("/secrets/{name}", self._set)
        app.router.add_get("/secrets/{name}", self._get)
        app.router.add_get("/secrets/{name}/{version:[^/]*}", self._get)
        return app

    async def names(self, most: int) -> list[Named]:
        """For who sits at this machine: what is here, and nothing of what it says."""
        rows = await self.journal.read(NAMES, most)
        return [Named(name, versions, datetime.fromtimestamp(at, UTC)) for name, versions, at in rows]

    async def _set(self, request: web.Request) -> web.Response:
        name = self._allowed(request, "Key Vault Secrets Officer")
        body = _decode(await request.read())
        version, created = uuid4().hex, int(datetime.now(UTC).timestamp())
        await self.journal.write((INSERT, (name, version, created, msgspec.json.encode(body))))
        log.info("secret.set", name=name, version=version)
        return _shown(request, name, version, created, body)

    async def _get(self, request: web.Request) -> web.Response:
        name = self._allowed(request, "Key Vault Secrets User")
        rows = await self.journal.read(SELECT, name, request.match_info.get("version", ""))
        if not rows:
            raise Refused(404, "SecretNotFound", f"A secret with (name/id) {name} was not found in this key vault.")
        version, created, body = rows[0]
        return _shown(request, name, version, created, msgspec.json.decode(body, type=Body))

    def _allowed(self, request: web.Request, role: str) -> str:
        """The secret's name. Raises Unauthorized, Forbidden and Refused."""
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        name = request.match_info["name"]
        if not token:
            raise Unauthorized("AKV10000: Request is missing a Bearer or PoP token.")
        if not NAME.fullmatch(name):
            raise Refused(400, "BadParameter", f"The request URI contains an invalid name: {name}")
        self.access.require(token, self.resource, role=role, on=f"secrets/{name.lower()}")
        return name.lower()

    @web.middleware
    async def _answer_errors(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        try:
            return await handler(request)
        except Unauthorized as error:
            return _error(401, "Unauthorized", str(error), {"WWW-Authenticate": self._challenge()})
        except Forbidden as error:
            return _error(403, "Forbidden", str(error))
        except Refused as error:
            return _error(error.status, error.code, str(error))
        except Full:
            return _error(503, "ServiceUnavailable", "Too much is waiting to be written.", {"Retry-After": "1"})

    def _challenge(self) -> str:
        authority = self.access.issuer.url.removesuffix("/v2.0")
        return f'Bearer authorization="{authority}", resource="{self.resource}"'


def _decode(content: bytes) -> Body:
    try:
        body = msgspec.json.decode(content, type=Body)
    except msgspec.DecodeError as error:
        raise Refused(400, "BadParameter", str(error)) from error
    if len(body.value.encode()) > LARGEST_VALUE:
        raise Refused(400, "BadParameter", f"The value has more than {LARGEST_VALUE} bytes.")
    return body


def _shown(request: web.Request, name: str, version: str, created: int, body: Body) -> web.Response:
    about: dict[str, Any] = {
        "id": f"{request.scheme}://{request.host}/secrets/{name}/{version}",
        "attributes": {"enabled": True, "created": created, "updated": created},
    }
    return web.json_response(msgspec.to_builtins(body) | about, headers={"Cache-Control": "no-store"})


def _error(status: int, code: str, message: str, headers: dict[str, str] | None = None) -> web.Response:
    return web.json_response({"error": {"code": code, "message": message}}, status=status, headers=headers)
