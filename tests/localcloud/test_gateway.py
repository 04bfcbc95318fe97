"""The real nginx in front of small services: what it lets through, what it answers itself, what it tells."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientResponse, ClientSession, web
from yarl import URL

from localcloud import certificates, gateway
from localcloud.gateway import Limits
from localcloud.program import Program, listening
from localcloud.topology import Topology
from tests.localcloud.programs import free_ports, running, state_of, stop

pytestmark = pytest.mark.real

NAME = web.AppKey("name", str)
MEGABYTE = 2**20
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


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


async def absent(_: web.Request) -> web.Response:
    return web.Response(status=404, text="<Error>BlobNotFound</Error>", content_type="application/xml")


@asynccontextmanager
async def service(name: str) -> AsyncIterator[str]:
    app = web.Application(client_max_size=10 * MEGABYTE)
    app[NAME] = name
    app.add_routes([web.get("/api/products/busy", busy), web.get("/account/media/absent", absent)])
    app.router.add_route("*", "/{path:.*}", echo)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@pytest.fixture
async def open_gateway(tmp_path: Path, store: Topology) -> AsyncIterator[Open]:
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
            configuration = gateway.render(store, upstreams, listen=listen, ca=ca, limits=limits)
            program = gateway.program(state / "gateway", configuration, port)
            process = await until.enter_async_context(running(program, tmp_path / "log"))
            client = await until.enter_async_context(ClientSession())
            return Gateway(program, tmp_path / "log", process, client, f"http://{listen}")

        yield start


@pytest.fixture
async def nginx(open_gateway: Open) -> Gateway:
    return await open_gateway(gateway.DEFAULT_LIMITS)


async def problem(answer: ClientResponse, status: int) -> dict[str, Any]:
    """What stands in an RFC 9457 answer with this status."""
    assert answer.status == status
    assert answer.content_type == "application/problem+json"
    told = dict(await answer.json())
    assert (told["type"], told["status"]) == ("about:blank", status)
    assert told["title"]
    assert told["detail"]
    return told


def said(nginx: Gateway) -> list[dict[str, Any]]:
    """The access log."""
    return [json.loads(line) for line in nginx.log.read_text().splitlines() if line.startswith("{")]


async def raw(nginx: Gateway, request: bytes) -> bytes:
    """The answer to bytes that no client would send."""
    reader, writer = await asyncio.open_connection("127.0.0.1", URL(nginx.url).port)
    writer.write(request)
    answer = await asyncio.wait_for(reader.read(), timeout=5)
    writer.close()
    await writer.wait_closed()
    return answer


@pytest.mark.parametrize(
    ("path", "service", "sent_on"),
    [
        ("/api/products", "catalog", "/api/products"),
        ("/api/products?q=red%20tea&limit=2", "catalog", "/api/products?q=red%20tea&limit=2"),
        ("/api/products/7/stock", "catalog", "/api/products/7/stock"),
        ("/api/products/7/media", "catalog", "/api/products/7/media"),
        ("/api/categories/7", "catalog", "/api/categories/7"),
        ("/api/orders/7/cancel", "orders", "/api/orders/7/cancel"),
        ("/api/invoice", "orders", "/api/orders"),
        ("/api/invoice/7?a=b", "orders", "/api/orders/7?a=b"),
        ("/api/customers/7", "customers", "/api/customers/7"),
        ("/api/Costumers/7", "customers", "/api/customers/7"),
        ("/api/products/caf%C3%A9%20au%20lait", "catalog", "/api/products/caf%C3%A9%20au%20lait"),
        ("/api/products/../orders/7", "orders", "/api/orders/7"),
        ("//api//products", "catalog", "/api/products"),
    ],
)
async def test_a_route_leads_to_its_service(nginx: Gateway, path: str, service: str, sent_on: str) -> None:
    arrived = await nginx.echo(path)

    assert (arrived["service"], arrived["path"]) == (service, sent_on)


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/api",
        "/api/ordersfoo",
        "/api/orders.json",
        "/api/Orders",
        "/api/products/../internal",
        "/api/products/%2e%2e/internal",
        "/api/products/..%2f..%2finternal",
        "/problem/404",
        "/media",
        "/mediator/x",
        "/health",
    ],
)
async def test_no_other_path_is_sent_on(nginx: Gateway, path: str) -> None:
    answer = await nginx.ask(path)

    assert (await problem(answer, 404))["title"] == "Not Found"


async def test_the_gateway_tells_that_it_lives(nginx: Gateway) -> None:
    assert (await nginx.ask("/health/live")).status == 200
    assert (await nginx.ask("/health/ready")).status == 200


async def test_bodies_are_small_but_for_media(nginx: Gateway) -> None:
    async def send(path: str, size: int) -> ClientResponse:
        return await nginx.ask(path, "POST", data=BytesIO(b"x" * size))

    await problem(await send("/api/products", MEGABYTE + 1), 413)
    await problem(await send("/api/orders/7/media", 2 * MEGABYTE), 413)
    too_large = {"Content-Length": str(211 * MEGABYTE)}
    await problem(await nginx.ask("/api/products/7/media", "POST", headers=too_large), 413)
    assert (await (await send("/api/products", MEGABYTE)).json())["bytes"] == MEGABYTE
    assert (await (await send("/api/products/7/media", 6 * MEGABYTE)).json())["bytes"] == 6 * MEGABYTE


async def test_a_service_that_is_away_is_a_problem_to_try_again(nginx: Gateway) -> None:
    answer = await nginx.ask("/api/customer-data/7")

    await problem(answer, 502)
    assert answer.headers["Retry-After"] == "1"


async def test_a_service_says_itself_when_to_come_again(nginx: Gateway) -> None:
    answer = await nginx.ask("/api/products/busy")

    assert answer.status == 503
    assert answer.headers.getall("Retry-After") == ["77"]


@pytest.mark.parametrize(
    ("request_line", "status"),
    [
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 40_000, 431),
        (b"GET /" + b"x" * 40_000 + b" HTTP/1.1\r\nHost: a", 414),
        (b"NONSENSE", 400),
        (b"GET /%00 HTTP/1.1\r\nHost: a", 400),
        (b"GET / HTTP/9.1\r\nHost: a", 505),
        (b"POST /api/orders HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip", 501),
    ],
)
async def test_what_can_not_be_read_is_a_problem_too(nginx: Gateway, request_line: bytes, status: int) -> None:
    answer = await raw(nginx, request_line + b"\r\nConnection: close\r\n\r\n")

    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status)
    assert b"Content-Type: application/problem+json" in head
    assert json.loads(body)["status"] == status


async def test_who_asks_too_often_is_told_to_wait(open_gateway: Open) -> None:
    nginx = await open_gateway(Limits(rate=1, burst=2))

    answers = [await nginx.ask("/api/products") for _ in range(4)]

    assert [answer.status for answer in answers] == [200, 200, 200, 429]
    await problem(answers[-1], 429)
    assert answers[-1].headers["Retry-After"] == "1"


async def test_two_hundred_orders_at_once_pass(nginx: Gateway) -> None:
    async with asyncio.TaskGroup() as at_once:
        orders = [at_once.create_task(nginx.ask("/api/orders", "POST", json={})) for _ in range(200)]

    assert {order.result().status for order in orders} == {200}


async def test_who_asked_for_what_is_passed_on(nginx: Gateway) -> None:
    given = {"X-Request-Id": "order-7", "traceparent": TRACE, "Authorization": "Bearer t", "Idempotency-Key": "k"}

    headers = (await nginx.echo("/api/orders", headers=given))["headers"]

    assert {name: headers[name.lower()] for name in given} == given
    assert headers["x-forwarded-for"] == "127.0.0.1"
    assert headers["x-forwarded-proto"] == "http"
    assert f"http://{headers['x-forwarded-host']}" == nginx.url


@pytest.mark.parametrize("given", [{}, {"X-Request-Id": "two words"}, {"X-Request-Id": "x" * 65}])
async def test_a_request_without_a_good_id_gets_one(nginx: Gateway, given: dict[str, str]) -> None:
    answer = await nginx.ask("/api/orders", headers=given)

    made = answer.headers["X-Request-Id"]
    assert len(made) == 32
    assert (await answer.json())["headers"]["x-request-id"] == made


@pytest.mark.parametrize("path", ["/api/products", "/api/products/busy", "/api/customer-data/7", "/nowhere"])
async def test_every_answer_is_safe_to_show(nginx: Gateway, path: str) -> None:
    headers = (await nginx.ask(path)).headers

    assert headers.getall("X-Content-Type-Options") == ["nosniff"]
    assert headers.getall("Referrer-Policy") == ["no-referrer"]
    assert headers.getall("Content-Security-Policy") == ["default-src 'none'; frame-ancestors 'none'; sandbox"]
    assert headers["Server"] == "nginx"


async def test_media_is_read_as_anybody(nginx: Gateway) -> None:
    given = {"Authorization": "Bearer t", "Cookie": "a=b", "x-ms-client": "c", "Range": "bytes=0-9"}

    arrived = await nginx.echo("/media/red/tea.png?comp=list&restype=container", headers=given)

    assert (arrived["service"], arrived["path"]) == ("storage", "/account/media/red/tea.png")
    assert arrived["headers"]["range"] == "bytes=0-9"
    assert not {"authorization", "cookie", "x-ms-client", "x-forwarded-for"} & set(arrived["headers"])


async def test_media_can_only_be_read(nginx: Gateway) -> None:
    for method in ("PUT", "POST", "DELETE", "OPTIONS"):
        await problem(await nginx.ask("/media/tea.png", method, data=b"x"), 405)


async def test_media_that_is_not_there_is_a_problem(nginx: Gateway) -> None:
    await problem(await nginx.ask("/media/absent"), 404)


async def test_the_log_tells_what_became_of_a_request_but_no_keys_and_no_persons(nginx: Gateway) -> None:
    await nginx.ask("/api/products?code=open-sesame", headers={"X-Request-Id": "r-1", "traceparent": TRACE})
    await nginx.ask("/api/customer-data/7?code=open-sesame")
    await nginx.ask("/health/live")

    await stop(nginx.process, nginx.program.stop_signal)

    served, away = said(nginx)
    assert "open-sesame" not in nginx.log.read_text()
    assert (served["method"], served["path"], served["status"]) == ("GET", "/api/products", 200)
    assert (served["request_id"], served["traceparent"]) == ("r-1", TRACE)
    assert served["event"] == "request.passed"
    assert "client" not in served
    assert (away["path"], away["status"], away["upstream_status"]) == ("/api/customer-data/7", 502, "502")


async def test_a_quiet_stop_finishes_what_is_under_way(nginx: Gateway) -> None:
    port = URL(nginx.url).port or 0
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"POST /api/orders HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{")
    await nginx.ask("/health/live")  # the worker has read the above

    nginx.process.send_signal(nginx.program.stop_signal)
    async with asyncio.timeout(5):
        while await listening(port):
            continue
    writer.write(b"}")

    assert (await asyncio.wait_for(reader.read(), timeout=5)).startswith(b"HTTP/1.1 200")
    writer.close()
    assert await asyncio.wait_for(nginx.process.wait(), timeout=5) == 0


def test_production_names_hosts_and_speaks_tls(store: Topology) -> None:
    hosts = {name: f"https://{name}.internal.example" for name in ("catalog", "orders", "customers", "functions")}
    hosts |= {"storage": "https://store.blob.example"}

    configuration = gateway.render(store, hosts, listen="0.0.0.0:8080", ca=Path("/etc/ssl/certs/ca-certificates.crt"))

    assert "upstream catalog { server catalog.internal.example:443; keepalive 32; }" in configuration
    assert "proxy_pass https://storage/media/;" in configuration
    assert "storage store.blob.example;" in configuration
    assert "127.0.0.1" not in configuration
