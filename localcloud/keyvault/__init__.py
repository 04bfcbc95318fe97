"""Key Vault's secrets over HTTP. Durable; every call is checked against the topology's rights."""

import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from uuid import uuid4

import structlog
from aiohttp import web

from localcloud.access import Access, Forbidden, Unauthorized
from localcloud.addresses import HOST, Addresses, Port
from localcloud.journal import Full, Journal
from localcloud.keyvault import asked, wire
from localcloud.keyvault.asked import Asked
from localcloud.keyvault.backup import LARGEST_BACKUP, Safe
from localcloud.keyvault.refusals import BadParameter, Refused
from localcloud.keyvault.shelf import SCHEMA, Shelf
from localcloud.keyvault.wire import Problem

USER, OFFICER = "Key Vault Secrets User", "Key Vault Secrets Officer"
ALL = "*"  # the right to list is a right on every secret

Act = Callable[[Asked, datetime], Awaitable[web.Response]]

log = structlog.get_logger()


def resource(addresses: Addresses) -> str:
    """What the vault's tokens are for.

    The SDK wants the vault's host and port to end with a dot and the resource's host and port, as in
    `store.vault.azure.net` and `vault.azure.net`. 127.0.0.1 does end with .0.0.1, so it needs no flag.
    """
    return f"https://{HOST.partition('.')[2]}:{addresses.port(Port.KEYVAULT)}"


@dataclass(frozen=True, slots=True)
class KeyVault:
    shelf: Shelf
    access: Access
    resource: str
    clock: Callable[[], datetime]

    @classmethod
    @asynccontextmanager
    async def open(
        cls, path: Path, access: Access, resource: str, clock: Callable[[], datetime] | None = None
    ) -> AsyncIterator["KeyVault"]:
        async with Journal.open(path, SCHEMA) as journal:
            yield cls(
                Shelf(journal, Safe.open(path.with_suffix(".key"))),
                access,
                resource,
                clock or partial(datetime.now, UTC),
            )

    def app(self) -> web.Application:
        app = web.Application(middlewares=[self._answer_errors], client_max_size=LARGEST_BACKUP)
        for method, path, role, act in (
            ("GET", "/secrets", USER, self._list),
            ("POST", "/secrets/restore", OFFICER, self._restore),
            ("PUT", "/secrets/{name}", OFFICER, self._set),
            ("GET", "/secrets/{name}", USER, self._get),
            ("DELETE", "/secrets/{name}", OFFICER, self._delete),
            ("PATCH", "/secrets/{name}", OFFICER, self._update),
            ("POST", "/secrets/{name}/backup", OFFICER, self._back_up),
            ("GET", "/secrets/{name}/versions", USER, self._list_versions),
            ("GET", "/secrets/{name}/{version:[^/]*}", USER, self._get),
            ("PATCH", "/secrets/{name}/{version:[^/]*}", OFFICER, self._update),
            ("GET", "/deletedsecrets", OFFICER, self._list_deleted),
            ("GET", "/deletedsecrets/{name}", OFFICER, self._get_deleted),
            ("DELETE", "/deletedsecrets/{name}", OFFICER, self._purge),
            ("POST", "/deletedsecrets/{name}/recover", OFFICER, self._recover),
        ):
            app.router.add_route(method, path, partial(self._admit, role, act))
        return app

    async def _admit(self, role: str, act: Act, request: web.Request) -> web.Response:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise Unauthorized("AKV10000: Request is missing a Bearer or PoP token.")
        name = wire.name_of(request)
        self.access.require(token, self.resource, role=role, on=f"secrets/{name or ALL}")
        wire.check_version(request)
        return await act(Asked(request, name), self.clock())

    async def _set(self, request: Asked, at: datetime) -> web.Response:
        secret = wire.secret_of(await request.content(), request.written)
        kept = await self.shelf.put(request.name, uuid4().hex, secret, at)
        log.info("secret.set", name=kept.name, version=kept.version)
        return request.with_value(kept)

    async def _get(self, request: Asked, _: datetime) -> web.Response:
        return request.with_value((await self.shelf.get(request.name, request.version)).readable())

    async def _update(self, request: Asked, at: datetime) -> web.Response:
        change = wire.change_of(await request.content())
        return request.bundle(await self.shelf.change(request.name, request.version, change, at))

    async def _delete(self, request: Asked, at: datetime) -> web.Response:
        deleted = await self.shelf.delete(request.name, at)
        log.info("secret.deleted", name=request.name)
        return request.deleted(deleted)

    async def _list(self, request: Asked, _: datetime) -> web.Response:
        page = request.page("")
        return request.secrets(await self.shelf.newest(page.after, page.size + 1), page)

    async def _list_versions(self, request: Asked, _: datetime) -> web.Response:
        page = request.page(0)
        return request.versions(await self.shelf.versions(request.name, page.after, page.size + 1), page)

    async def _list_deleted(self, request: Asked, at: datetime) -> web.Response:
        page = request.page("")
        return request.all_deleted(await self.shelf.all_deleted(page.after, page.size + 1, at), page)

    async def _get_deleted(self, request: Asked, at: datetime) -> web.Response:
        return request.deleted(await self.shelf.deleted(request.name, at))

    async def _recover(self, request: Asked, at: datetime) -> web.Response:
        kept = await self.shelf.recover(request.name, at)
        log.info("secret.recovered", name=request.name)
        return request.bundle(kept)

    async def _purge(self, request: Asked, at: datetime) -> web.Response:
        await self.shelf.purge(request.name, at)
        log.info("secret.purged", name=request.name)
        return web.Response(status=204)

    async def _back_up(self, request: Asked, _: datetime) -> web.Response:
        return request.backup(await self.shelf.back_up(request.name))

    async def _restore(self, request: Asked, at: datetime) -> web.Response:
        kept = await self.shelf.restore(wire.backup_of(await request.content(LARGEST_BACKUP)), at)
        log.info("secret.restored", name=kept.name)
        return request.bundle(kept)

    @web.middleware
    async def _answer_errors(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        try:
            return await handler(request)
        except Unauthorized as error:
            return asked.error(401, Problem("Unauthorized", str(error)), {"WWW-Authenticate": self._challenge()})
        except Forbidden as error:
            return asked.error(403, Problem("Forbidden", str(error), Problem("ForbiddenByRbac")))
        except Refused as error:
            inner = Problem(error.inner) if error.inner else None
            return asked.error(error.status, Problem(error.code, str(error), inner))
        except (Full, sqlite3.Error):
            later = Problem("ServiceUnavailable", "It can't be written now, try again.")
            return asked.error(503, later, {"Retry-After": "1"})
        except web.HTTPException as error:
            return asked.error(error.status, Problem(BadParameter.code, f"{error.reason}: {request.method}"))

    def _challenge(self) -> str:
        authority = self.access.issuer.url.removesuffix("/v2.0")
        return f'Bearer authorization="{authority}", resource="{self.resource}"'
