"""A webhook that remembers what it was asked, and topologies with subscriptions to it."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import msgspec
from aiohttp import web
from aiohttp.test_utils import TestServer
from azure.core.credentials import AzureKeyCredential
from azure.eventgrid import EventGridEvent
from azure.eventgrid.aio import EventGridPublisherClient
from msgspec import structs

from localcloud.addresses import HOST
from localcloud.subscription import Subscription
from localcloud.topology import Topology
from tests.localcloud.eventgrid.grid import KEYS, PATIENCE, Running, event

Hear = Callable[..., Any]  # opens an Event Grid whose only subscription is to the hook
OWN_TOPIC = "customers"  # takes events in Event Grid's own schema here


@dataclass(frozen=True, slots=True)
class Asked:
    verb: str
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


async def agrees(asked: Asked) -> web.Response:
    """To both handshakes, and takes every event."""
    if asked.verb == "OPTIONS":
        return web.Response(headers={"WebHook-Allowed-Origin": "eventgrid.azure.net"})
    if asked.headers.get("aeg-event-type") == "SubscriptionValidation":
        return web.json_response({"validationResponse": asked.json()[0]["data"]["validationCode"]})
    return web.Response(status=202)


@dataclass(slots=True)
class Hook:
    url: str = ""
    answer: Callable[[Asked], Awaitable[web.Response]] = agrees
    asked: asyncio.Queue[Asked] = field(default_factory=asyncio.Queue)

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Hook"]:
        app = web.Application()
        app.router.add_route("*", "/hook", self._receive)
        server = TestServer(app, host=HOST)
        await server.start_server(access_log=None)
        async with server:
            self.url = str(server.make_url("/hook"))
            yield self

    async def next(self) -> Asked:
        return await asyncio.wait_for(self.asked.get(), PATIENCE)

    async def _receive(self, request: web.Request) -> web.Response:
        asked = Asked(request.method, request.headers.copy(), await request.read())
        self.asked.put_nowait(asked)
        return await self.answer(asked)


def hearing(store: Topology, *subscriptions: Mapping[str, Any]) -> Topology:
    """The store's topology with these subscriptions alone."""
    wanted = msgspec.convert(
        [{"name": "hook", "topic": "orders"} | dict(each) for each in subscriptions], list[Subscription]
    )
    return structs.replace(store, subscriptions=wanted, schemas={OWN_TOPIC: "eventgrid"})


async def publish(running: Running, *numbers: int) -> None:
    async with running.topic("orders") as topic:
        await topic.send([event(number) for number in numbers])


async def publish_own(running: Running, *ids: str) -> None:
    url = f"{running.url}/{OWN_TOPIC}/api/events"
    key = AzureKeyCredential(KEYS[OWN_TOPIC][0])
    async with EventGridPublisherClient(url, key, connection_verify=str(running.files.ca)) as topic:
        await topic.send([EventGridEvent("/s", "t", {"n": 1}, "2", id=each) for each in ids])
