"""A service with a door, and nothing behind it but what shows how the door behaves."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from msgspec import Struct

from libs.common import http
from libs.common.auth import Role, Verifier
from libs.common.entrance import Entrance
from libs.common.http import read, reply
from libs.common.operations import Operation, allow

Client = TestClient[web.Request, web.Application]
Opened = Callable[[Entrance], AbstractAsyncContextManager[Client]]
routes = web.RouteTableDef()
GATE = web.AppKey("gate", asyncio.Event)
WAITING = web.AppKey("waiting", list[object])
SHOP = "https://shop.example"
TOLD: dict[str, Any] = dict.fromkeys(
    ("store_url", "key_vault", "topic_endpoint", "service_bus", "issuer", "audience"), ""
)


class Thing(Struct, frozen=True, forbid_unknown_fields=True):
    name: str


@routes.post("/things")
@allow()
@Operation(body=Thing, answers={200: Thing}, most_bytes=100)
async def post_thing(request: web.Request) -> web.Response:
    return reply(await read(request, Thing))


@routes.get("/things")
@allow()
@Operation(answers={200: None})
async def list_things(_: web.Request) -> web.Response:
    return reply({}, version=1)


@routes.get("/own")
@allow(Role.CUSTOMER, Role.SERVICE)
@Operation(answers={200: None})
async def read_own(_: web.Request) -> web.Response:
    return reply({})


@routes.get("/slow")
@allow()
@Operation(answers={200: None}, seconds=0.01)
async def read_slowly(_: web.Request) -> web.Response:
    await asyncio.Event().wait()
    return reply({})


@routes.get("/waits")
@allow()
@Operation(answers={200: None})
async def wait_for_the_gate(request: web.Request) -> web.Response:
    request.app[WAITING].append(request)
    await request.app[GATE].wait()
    return reply({})


@routes.get("/late")
@allow()
@Operation(answers={200: None})
async def give_up(_: web.Request) -> web.Response:
    raise TimeoutError


def behind(verifier: Verifier) -> Opened:
    async def ready() -> bool:
        return True

    @asynccontextmanager
    async def serving(entrance: Entrance) -> AsyncIterator[Client]:
        app = http.application(routes, verifier, ready, entrance=entrance)
        app[GATE], app[WAITING] = asyncio.Event(), []
        async with TestClient(TestServer(app)) as client:
            yield client

    return serving
