"""The gateway: where a request goes, what goes along, what every answer carries, and how it ends."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from yarl import URL

from localcloud import gateway
from localcloud.program import listening
from localcloud.topology import Topology
from tests.localcloud.nginx import Gateway
from tests.localcloud.programs import stop

pytestmark = pytest.mark.real

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def said(nginx: Gateway) -> list[dict[str, Any]]:
    """The access log."""
    return [json.loads(line) for line in nginx.log.read_text().splitlines() if line.startswith("{")]


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


async def test_the_gateway_tells_that_it_lives(nginx: Gateway) -> None:
    assert (await nginx.ask("/health/live")).status == 200
    assert (await nginx.ask("/health/ready")).status == 200


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
