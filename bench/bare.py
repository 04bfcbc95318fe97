"""The least that could answer: aiohttp, uvloop, and the statement; no token, no rule, no log.

`python -m bench.bare FILE`: the file tells where, and with what bytes, which are those of the service.
"""

import asyncio
import random
import sys
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import uvloop
from aiohttp import web
from msgspec import Struct

from bench.statements import APART, ASKED, LIST, Placing, apart, read
from libs.common.postgres_pool import POOL_SIZE
from services.catalog.store.postgres_products import READ
from services.orders.store.postgres_statements import PLACE


class Bare(Struct, frozen=True):
    port: int
    orders: str  # URLs of databases
    catalog: str
    answers: Mapping[str, bytes]  # by operation


def application(told: Bare, orders: asyncpg.Pool, catalog: asyncpg.Pool) -> web.Application:
    placing = Placing(told.answers["place"], random.Random(1))

    def answering(what: str, status: int, ask: Callable[[], Awaitable[Any]]) -> Any:
        async def answer(request: web.Request) -> web.Response:
            await request.read()
            await ask()
            return web.Response(body=told.answers[what], status=status, content_type="application/json")

        return answer

    async def unchanged(_: web.Request) -> web.Response:
        await catalog.fetch(READ, read())
        return web.Response(status=304, headers={"ETag": '"v1-in-stock"'})

    app = web.Application()
    app.router.add_post("/place", answering("place", 202, lambda: orders.fetch(PLACE, *placing.parameters())))
    app.router.add_get("/read", answering("read", 200, lambda: catalog.fetch(READ, read())))
    app.router.add_get("/list", answering("list", 200, lambda: catalog.fetch(LIST, *ASKED)))
    app.router.add_get("/apart", answering("apart", 200, lambda: catalog.fetch(APART, *apart())))
    app.router.add_get("/unchanged", unchanged)
    return app


async def serve(told: Bare) -> None:
    async with (
        asyncpg.create_pool(told.orders, min_size=1, max_size=POOL_SIZE, reset=_no_reset) as orders,
        asyncpg.create_pool(told.catalog, min_size=1, max_size=POOL_SIZE, reset=_no_reset) as catalog,
    ):
        runner = web.AppRunner(application(told, orders, catalog), access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", told.port).start()
        await asyncio.Event().wait()


async def _no_reset(_: Any) -> None:
    """As the services' pools do: it would be a round trip."""


if __name__ == "__main__":
    uvloop.run(serve(msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=Bare)))
