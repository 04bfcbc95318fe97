"""An Event Grid that runs, and what it delivers to: a functions host and queues that remember."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer
from azure.core.messaging import CloudEvent
from azure.eventgrid.aio import EventGridPublisherClient
from msgspec import structs

from localcloud.access import Access
from localcloud.addresses import HOST
from localcloud.certificates import Certificates
from localcloud.eventgrid import FAIR, Conditions, Door, Enqueue, EventGrid, FunctionsAddress, Reach, SubscriptionState
from localcloud.eventgrid.container import NotTaken
from localcloud.eventgrid.queues import StorageAccount
from localcloud.servicebus.broker import Envelope
from localcloud.topology import Topology
from tests.localcloud.credential import Credential
from tests.localcloud.programs import free_ports
from tests.waiting import so, until

KEY = "a-secret-key"
KEYS = {topic: ["b25lIGtleSBvZiB0d28=", "dGhlIG90aGVyIGtleQ=="] for topic in ("orders", "customers")}
NOWHERE = FunctionsAddress("http://127.0.0.1:1", KEY)
PLACED = "store.orders.order-placed.v1"
CONFIRMED = "store.orders.order-confirmed.v1"
PATIENCE = 10  # seconds


def event(number: int = 0, event_type: str = PLACED) -> CloudEvent[dict[str, int]]:
    return CloudEvent(source="/services/orders", type=event_type, id=f"e-{number}", data={"number": number})


@dataclass(frozen=True, slots=True)
class Received:
    function: str
    headers: Mapping[str, str]
    body: bytes


async def accepted(_: Received) -> int:
    return 202


@dataclass(slots=True)
class Functions:
    """Answers 202 to every event, as the functions host does, until told otherwise."""

    url: str = ""
    answer: Callable[[Received], Awaitable[int]] = accepted
    received: asyncio.Queue[Received] = field(default_factory=asyncio.Queue)

    @property
    def address(self) -> FunctionsAddress:
        return FunctionsAddress(self.url, KEY)

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Functions"]:
        app = web.Application()
        app.router.add_post("/runtime/webhooks/EventGrid", self._receive)
        server = TestServer(app, host=HOST)
        await server.start_server(access_log=None)
        async with server:
            self.url = str(server.make_url("/"))
            yield self

    async def next(self) -> Received:
        return await asyncio.wait_for(self.received.get(), PATIENCE)

    async def _receive(self, request: web.Request) -> web.Response:
        assert request.query["code"] == KEY
        received = Received(request.query["functionName"], request.headers.copy(), await request.read())
        self.received.put_nowait(received)
        return web.Response(status=await self.answer(received))


@dataclass(frozen=True, slots=True)
class Enqueued:
    queue: str
    body: bytes
    message_id: str
    content_type: str
    properties: Mapping[str, str]
    session_id: str
    partition_key: str


@dataclass(slots=True)
class Queues:
    refusals: list[Exception] = field(default_factory=list)  # raised first, one each
    received: asyncio.Queue[Enqueued] = field(default_factory=asyncio.Queue)

    async def send(self, queue: str, body: bytes, envelope: Envelope) -> None:
        self.received.put_nowait(Enqueued(queue, body, *envelope))
        if self.refusals:
            raise self.refusals.pop(0)

    async def next(self) -> Enqueued:
        return await asyncio.wait_for(self.received.get(), PATIENCE)


@dataclass(slots=True)
class Graves:
    """Storage that remembers what it was given, while it is there."""

    written: dict[str, bytes] = field(default_factory=dict)
    refused: int = 0
    away: bool = False

    async def put(self, name: str, content: bytes) -> None:
        if self.away:
            self.refused += 1
            raise NotTaken("away")
        self.written[name] = content

    def events(self) -> list[dict[str, Any]]:
        return [event for content in self.written.values() for event in json.loads(content)]


@dataclass(frozen=True, slots=True)
class Running:
    grid: EventGrid
    url: str
    files: Certificates
    access: Access

    def topic(self, topic: str, identity: str = "orders") -> EventGridPublisherClient:
        """The unmodified SDK; it only learns of our authority."""
        credential = Credential(self.access.issuer, self.access.topology, identity)
        url = f"{self.url}/{topic}/api/events"
        return EventGridPublisherClient(url, credential, retry_total=0, connection_verify=str(self.files.ca))

    def state(self, subscription: str) -> SubscriptionState:
        return {state.name: state for state in self.grid.state()}[subscription]

    async def until(self, subscription: str, reached: Callable[[SubscriptionState], bool]) -> SubscriptionState:
        await so(lambda: reached(self.state(subscription)), seconds=PATIENCE)
        return self.state(subscription)


@dataclass(frozen=True, slots=True)
class Cloud:
    """All that an Event Grid is opened with, except the functions' address; open it again for a restart."""

    path: Path
    files: Certificates
    access: Access
    enqueue: Enqueue
    graves: Graves = field(default_factory=Graves)
    topology: Topology | None = None  # where not the store's
    account: StorageAccount | None = None

    @asynccontextmanager
    async def running(
        self, functions: FunctionsAddress, time_scale: float = 0.001, under: Conditions = FAIR
    ) -> AsyncIterator[Running]:
        port = free_ports(1)
        url = f"https://{HOST}:{port}"
        async with (
            EventGrid.open(
                self.topology or self.access.topology,
                self.path,
                door=Door(self._authorize, KEYS),
                reach=Reach(functions, self.enqueue, self.account, self._vouch, url),
                bury=self.graves.put,
                conditions=structs.replace(under, time_scale=time_scale),
                tls=self.files.client_context(),
            ) as grid,
            asyncio.TaskGroup() as tasks,
        ):
            serving = tasks.create_task(grid.serve(HOST, port, self.files.server_context()))
            await listening(port)
            yield Running(grid, url, self.files, self.access)
            serving.cancel()

    def _authorize(self, token: str, topic: str) -> None:
        self.access.require(token, "https://eventgrid.azure.net", role="EventGrid Data Sender", on=f"topics/{topic}")

    def _vouch(self, audience: str) -> str:
        return self.access.issuer.token(audience, datetime.now(UTC), roles=["AzureEventGridSecureWebhookSubscriber"])


async def listening(port: int) -> None:
    async def connected() -> bool:
        try:
            _, writer = await asyncio.open_connection(HOST, port)
        except ConnectionRefusedError:
            return False
        writer.close()
        return True

    await until(connected, bool, seconds=PATIENCE)
