"""A local cloud of real emulators with its inspector, and the unmodified SDK to put something into it."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
from aiohttp import web
from aiohttp.test_utils import TestServer
from azure.servicebus import ServiceBusMessage
from azure.servicebus.aio import ServiceBusClient

from localcloud import functions_keys
from localcloud.access import Access
from localcloud.addresses import HOST
from localcloud.certificates import Certificates
from localcloud.inspector import Inspector
from localcloud.inspector.calls import FunctionsHost
from localcloud.inspector.door import SHOWN, Door
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


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: Any
    headers: Any


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

    async def _ask(self, method: str, path: str, **options: Any) -> Answer:
        async with self.session.request(method, self.url + path, **options) as answer:
            content = await answer.read()
            known = msgspec.json.decode(content) if "json" in answer.content_type and content else content.decode()
            return Answer(answer.status, known, answer.headers)


@asynccontextmanager
async def opened(folder: Path, access: Access, files: Certificates, functions: Functions) -> AsyncIterator[Cloud]:
    keys, logs, port = folder / "keys", folder / "logs", free_ports(1)
    functions_keys.ensure(keys)
    logs.mkdir()
    async with (
        Broker.open(access.topology.queues, folder / "servicebus.sqlite", by_role(access)) as broker,
        broker.listen(HOST, 0, files.server_context()) as bus_port,
        grid.Cloud(folder / "eventgrid.sqlite", files, access, broker.send).running(functions.address) as running,
        KeyVault.open(folder / "keyvault.sqlite", access, "vault") as vault,
        Letters.open(folder / "mail.sqlite") as letters,
        host_of(functions_keys.read(keys / functions_keys.MASTER)) as host,
        FunctionsHost.open(host.address, keys) as known,
        aiohttp.ClientSession() as session,
        client(access, files, bus_port) as bus,
    ):
        await vault.shelf.put("orders-key", "v1", Secret(SECRET_VALUE), NOON)
        sources = Sources(access.topology, broker.namespace, running.grid, vault, letters, known, logs)
        cloud = Cloud(broker, running, letters, logs, bus, Inspector(sources, Door(port), 0), host, session, port)
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
    write_a_story(cloud.logs)
    await cloud.letters.keep(b"Subject: Hello\r\n\r\nDear Ada", "store@x.example", ["ada@x.example"], NOON)
    await cloud.dead_letter(ServiceBusMessage("poison", subject="broken"))
    await cloud.send(ServiceBusMessage("waits", subject="fine"))
