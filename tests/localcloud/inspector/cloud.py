"""A local cloud of real emulators with its inspector, and the unmodified SDK to put something into it."""

import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
import msgspec
from aiohttp import web
from aiohttp.test_utils import TestServer
from azure.servicebus import ServiceBusMessage
from azure.servicebus.aio import ServiceBusClient

from localcloud import functions_keys, identity
from localcloud.access import Access
from localcloud.addresses import HOST
from localcloud.azurite import Azurite
from localcloud.eventgrid.container import Container
from localcloud.inspector import Inspector
from localcloud.inspector.calls import FunctionsHost
from localcloud.inspector.door import SHOWN, Door
from localcloud.inspector.graveyard import Graveyard
from localcloud.inspector.sources import Sources
from localcloud.keyvault import KeyVault
from localcloud.keyvault.secret import Secret
from localcloud.mail import Letters
from localcloud.servicebus import Broker
from localcloud.servicebus.claims import by_role
from tests.localcloud.eventgrid import grid
from tests.localcloud.eventgrid.grid import Functions
from tests.localcloud.programs import free_ports
from tests.localcloud.servicebus.bus import client

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
SECRET_VALUE = "what nobody may see"
TRACE = "0af7651916cd43dd8448eb211c80319c"
ORDER = "01a2169f-f798-75cb-ae0b-2e52499c6df1"

CALLS: list[dict[str, Any]] = [  # the last first
    {"at": NOON.isoformat(), "duration_ms": 12.5, "outcome": "succeeded", "invocation_id": "i", "trace_id": TRACE},
    {"at": NOON.isoformat(), "duration_ms": 1, "outcome": "failed", "invocation_id": "h", "error": "ValueError: no"},
]

WHY = {
    "deadletterreason": "MaxDeliveryAttemptsExceeded",
    "deliveryattempts": 30,
    "lastdeliveryoutcome": "NotFound",
    "publishtime": "2026-06-01T11:00:00.0000000Z",
    "lastdeliveryattempttime": "2026-06-01T12:00:00.0000000Z",
}


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: Any
    headers: Any


@asynccontextmanager
async def container_of(azurite: Azurite, access: Access) -> AsyncIterator[Container]:
    """One of Azurite's, new and empty."""
    name, operator = f"dead-{uuid4()}", access.topology.identities["operator"]
    await azurite.prepare([name], [], datetime.now(UTC))

    def token() -> str:
        at = datetime.now(UTC)
        return identity.identity_token(access.issuer, access.topology, operator, resource=identity.STORAGE, at=at)

    async with Container.open(f"{azurite.blobs}/{name}", azurite.certificates.client_context(), token) as container:
        yield container


@dataclass(frozen=True, slots=True)
class Host:
    """A functions host with one function, as it tells of it and of its calls."""

    address: str
    told: dict[str, Any]


@dataclass(slots=True)
class Cloud:
    broker: Broker
    grid: grid.Running
    letters: Letters
    logs: Path
    bus: ServiceBusClient
    inspector: Inspector
    host: Host
    container: Container
    session: aiohttp.ClientSession
    port: int
    server: TestServer = field(init=False)

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    async def serve(self) -> None:
        self.server = TestServer(self.inspector.app(), host=HOST, port=self.port)
        await self.server.start_server(access_log=None)

    async def ask(self, path: str, **options: Any) -> Answer:
        return await self._ask("GET", path, **options)

    async def act(self, name: str, body: object, **headers: str) -> Answer:
        told = {SHOWN: self.inspector.door.token, "Content-Type": "application/json", **headers}
        return await self._ask("POST", f"/api/{name}", data=BytesIO(json.dumps(body).encode()), headers=told)

    async def overview(self) -> dict[str, Any]:
        found: dict[str, Any] = (await self.ask("/api/overview")).body
        return found

    async def entity(self, name: str) -> dict[str, Any]:
        return next(each for each in (await self.overview())["entities"] if each["name"] == name)

    async def subscription(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = next(e for e in (await self.overview())["subscriptions"] if e["name"] == name)["state"]
        return found

    async def send(self, *messages: ServiceBusMessage, to: str = "orders") -> None:
        async with self.bus.get_queue_sender(to) as sender:
            await sender.send_messages(list(messages))

    async def dead_letter(self, message: ServiceBusMessage, reason: str = "poison", of: str = "orders") -> None:
        await self.send(message, to=of)
        async with self.bus.get_queue_receiver(of) as receiver:
            (received,) = await receiver.receive_messages(1, 10)
            await receiver.dead_letter_message(received, reason=reason, error_description="it is broken")

    async def bury(self, *ids: str, subscription: str = "process-order", name: str = "") -> str:
        """A blob as Event Grid writes it; its name."""
        blob = f"{subscription.upper()}/2026/6/1/12/{name or uuid4()}.json"
        events = [{"specversion": "1.0", "id": id_, "source": "/s", "type": grid.PLACED} | WHY for id_ in ids]
        await self.container.put(blob, json.dumps(events).encode())
        return blob

    async def graves(self, subscription: str = "process-order") -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (await self.ask("/api/graves", params={"subscription": subscription})).body
        return found

    @asynccontextmanager
    async def without_storage(self) -> AsyncIterator[None]:
        """The inspector asks where nobody listens."""
        url = f"https://{HOST}:{free_ports(1)}/store/dead"
        async with Container.open(url, ssl.create_default_context(), lambda: "") as nowhere:
            await self.server.close()
            self.inspector.sources = replace(self.inspector.sources, graveyard=Graveyard(nowhere))
            await self.serve()
            yield

    async def _ask(self, method: str, path: str, **options: Any) -> Answer:
        async with self.session.request(method, self.url + path, **options) as answer:
            content = await answer.read()
            known = msgspec.json.decode(content) if "json" in answer.content_type and content else content.decode()
            return Answer(answer.status, known, answer.headers)


@asynccontextmanager
async def opened(folder: Path, access: Access, azurite: Azurite, functions: Functions) -> AsyncIterator[Cloud]:
    files = azurite.certificates
    keys, logs, port = folder / "keys", folder / "logs", free_ports(1)
    functions_keys.ensure(keys)
    logs.mkdir()
    async with (
        container_of(azurite, access) as container,
        Broker.open(access.topology.queues, folder / "servicebus.sqlite", by_role(access)) as broker,
        broker.listen(HOST, 0, files.server_context()) as bus_port,
        grid.Cloud(
            folder / "eventgrid.sqlite",
            files,
            access,
            broker.send,
            container,  # type: ignore[arg-type]
        ).running(functions.address) as running,
        KeyVault.open(folder / "keyvault.sqlite", access, "vault") as vault,
        Letters.open(folder / "mail.sqlite") as letters,
        host_of(functions_keys.read(keys / functions_keys.MASTER)) as host,
        FunctionsHost.open(host.address, keys) as known,
        aiohttp.ClientSession() as session,
        client(access, files, bus_port) as bus,
    ):
        await vault.shelf.put("orders-key", "v1", Secret(SECRET_VALUE), NOON)
        yard = Graveyard(container)
        sources = Sources(access.topology, broker.namespace, running.grid, vault, letters, known, logs, yard)
        inspector = Inspector(sources, Door(port), 0)
        cloud = Cloud(broker, running, letters, logs, bus, inspector, host, container, session, port)
        await cloud.serve()
        try:
            yield cloud
        finally:
            await cloud.server.close()


@asynccontextmanager
async def host_of(master: str) -> AsyncIterator[Host]:
    bindings = [{"type": "eventGridTrigger", "direction": "in", "name": "event"}]
    told: dict[str, Any] = {
        "functions": [{"name": "process_order", "config": {"bindings": bindings}}],
        "calls": [{"function": "process_order", "calls": CALLS}],
    }

    async def tell(request: web.Request) -> web.Response:
        if request.headers.get("x-functions-key") != master:
            return web.Response(status=401)
        what = request.match_info["what"]
        return web.json_response(told[what]) if what in told else web.Response(status=404)

    app = web.Application()
    app.router.add_get("/admin/{what}", tell)
    server = TestServer(app, host=HOST)
    await server.start_server(access_log=None)
    async with server:
        yield Host(str(server.make_url("")).rstrip("/"), told)


def log(file: Path, *lines: dict[str, Any]) -> None:
    written = [json.dumps({"timestamp": NOON.isoformat(), "trace_id": TRACE} | line) + "\n" for line in lines]
    file.write_text("".join(written))


def write_a_story(logs: Path) -> None:
    """Of an order that was confirmed."""
    log(logs / "orders.log", {"event": "request.answered", "method": "POST", "path": "/api/orders", "status": 202})
    log(
        logs / "functions.log",
        {"event": "order.examined", "order_id": ORDER, "answer": "ReserveStock", "because": "order-placed"},
        {"event": "letter.posted", "order_id": ORDER, "because": "order-confirmed"},
    )
    log(logs / "catalog.log", {"event": "message.handled", "type": "store.catalog.reserve-stock.v1"})


async def fill(cloud: Cloud) -> None:
    await cloud.bury("e-1")
    write_a_story(cloud.logs)
    await cloud.letters.keep(b"Subject: Hello\r\n\r\nDear Ada", "store@x.example", ["ada@x.example"], NOON)
    await cloud.dead_letter(ServiceBusMessage("poison", subject="broken"))
    await cloud.send(ServiceBusMessage("waits", subject="fine"))
