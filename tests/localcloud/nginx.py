"""The real nginx in front of small services, which answer with what has arrived."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aiohttp import ClientResponse, ClientSession, web
from yarl import URL

from localcloud import certificates, gateway
from localcloud.gateway import Limits, Network
from localcloud.program import Program
from localcloud.topology import Topology
from tests.localcloud.programs import free_ports, running, state_of

NAME = web.AppKey("name", str)
MEGABYTE = 2**20
SHOP = "https://shop.example"
ORIGINS = ("http://localhost:3000", SHOP)


@dataclass(frozen=True, slots=True)
class Gateway:
    program: Program
    log: Path
    process: asyncio.subprocess.Process
    client: ClientSession
    url: str

    async def ask(self, path: str, method: str = "GET", **options: Any) -> ClientResponse:
        """The path goes out as it is written."""
        answer = await self.client.request(method, URL(self.url + path, encoded=True), allow_redirects=False, **options)
        await answer.read()
        return answer

    async def echo(self, path: str, method: str = "GET", **options: Any) -> dict[str, Any]:
        answer = await self.ask(path, method, **options)
        assert answer.status == 200
        return dict(await answer.json())


Open = Callable[[Limits], Awaitable[Gateway]]


async def echo(request: web.Request) -> web.Response:
    """What arrived."""
    body = await request.read()
    arrived = {
        "service": request.app[NAME],
        "path": request.raw_path,
        "headers": {name.lower(): value for name, value in request.headers.items()},
        "bytes": len(body),
    }
    return web.json_response(arrived)


async def busy(_: web.Request) -> web.Response:
    return web.json_response({}, status=503, headers={"Retry-After": "77", "Referrer-Policy": "origin"})


async def open_to_all(_: web.Request) -> web.Response:
    return web.json_response({}, headers={"Access-Control-Allow-Origin": "*", "Vary": "Origin"})


async def follow(request: web.Request) -> web.StreamResponse:
    """A stream of one event, which ends with its reader."""
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"})
    await response.prepare(request)
    await response.write(b"id: 1\n\n")
    await asyncio.Event().wait()
    return response


async def absent(_: web.Request) -> web.Response:
    return web.Response(status=404, text="<Error>BlobNotFound</Error>", content_type="application/xml")


@asynccontextmanager
async def service(name: str) -> AsyncIterator[str]:
    app = web.Application(client_max_size=10 * MEGABYTE)
    app[NAME] = name
    app.add_routes(
        [
            web.get("/api/products/busy", busy),
            web.get("/api/products/open", open_to_all),
            web.get("/api/orders/{id}/events", follow),
            web.get("/account/media/absent", absent),
        ]
    )
    app.router.add_route("*", "/{path:.*}", echo)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1, handler_cancellation=True)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def gateways(tmp_path: Path, store: Topology) -> AsyncIterator[Open]:
    """Starts nginx before three services and storage; functions are away."""
    async with AsyncExitStack() as until:
        names = ("catalog", "orders", "customers", "storage")
        upstreams = {name: await until.enter_async_context(service(name)) for name in names}
        upstreams |= {"functions": f"http://127.0.0.1:{free_ports(1)}", "storage": f"{upstreams['storage']}/account"}
        state = until.enter_context(state_of(tmp_path))
        ca = certificates.ensure(tmp_path / "our certificates", datetime.now(UTC)).ca

        async def start(limits: Limits) -> Gateway:
            port = free_ports(1)
            listen = f"127.0.0.1:{port}"
            around = Network(origins=ORIGINS)
            configuration = gateway.render(store, upstreams, listen=listen, ca=ca, limits=limits, network=around)
            program = gateway.program(state / "gateway", configuration, port)
            process = await until.enter_async_context(running(program, tmp_path / "log"))
            client = await until.enter_async_context(ClientSession())
            return Gateway(program, tmp_path / "log", process, client, f"http://{listen}")

        yield start
