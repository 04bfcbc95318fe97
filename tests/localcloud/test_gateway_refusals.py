"""What the gateway refuses by itself: no such path, too large, too often, unreadable; and how it tells who is away."""

import asyncio
import json
from io import BytesIO
from typing import Any

import pytest
from aiohttp import ClientResponse
from yarl import URL

from localcloud.gateway import Limits
from tests.localcloud.nginx import MEGABYTE, SHOP, Gateway, Open

pytestmark = pytest.mark.real


async def problem(answer: ClientResponse, status: int) -> dict[str, Any]:
    """What stands in an RFC 9457 answer with this status."""
    assert answer.status == status
    assert answer.content_type == "application/problem+json"
    told = dict(await answer.json())
    assert (told["type"], told["status"]) == ("about:blank", status)
    assert told["title"]
    assert told["detail"]
    return told


async def raw(nginx: Gateway, request: bytes) -> bytes:
    """The answer to bytes that no client would send."""
    reader, writer = await asyncio.open_connection("127.0.0.1", URL(nginx.url).port)
    writer.write(request)
    answer = await asyncio.wait_for(reader.read(), timeout=5)
    writer.close()
    await writer.wait_closed()
    return answer


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


async def test_a_page_that_may_call_can_read_why_it_is_refused(open_gateway: Open) -> None:
    nginx = await open_gateway(Limits(rate=1, burst=9))
    page, too_large = {"Origin": SHOP}, {"Content-Length": str(2 * MEGABYTE)}
    refused = [
        (404, await nginx.ask("/nowhere", headers=page)),
        (404, await nginx.ask("/media/absent", headers=page)),
        (405, await nginx.ask("/media/tea.png", "PUT", headers=page)),
        (413, await nginx.ask("/api/orders", "POST", headers=page | too_large)),
        (502, await nginx.ask("/api/customer-data/7", headers=page)),
    ]
    often = [await nginx.ask("/api/products", headers=page) for _ in range(12)]
    refused.append((429, often[-1]))

    for status, answer in refused:
        await problem(answer, status)
        assert answer.headers.getall("Access-Control-Allow-Origin") == [SHOP], status
        assert {"Retry-After", "X-Request-Id"} == set(answer.headers["Access-Control-Expose-Headers"].split(", "))
        assert answer.headers.getall("Vary") == ["Origin"]


@pytest.mark.parametrize(
    "origin",
    [
        "",
        "null",
        "*",
        "https://shop.example.evil",
        "https://evil https://shop.example",
        "http://shop.example",
        SHOP + ":8",
    ],
)
async def test_any_other_page_reads_nothing(nginx: Gateway, origin: str) -> None:
    answer = await nginx.ask("/nowhere", headers={"Origin": origin} if origin else {})

    await problem(answer, 404)
    assert "Access-Control-Allow-Origin" not in answer.headers
    assert "Access-Control-Expose-Headers" not in answer.headers
    assert answer.headers["Vary"] == "Origin"


async def test_what_a_service_answers_is_for_whom_it_says(nginx: Gateway) -> None:
    """Also where it is busy: the gateway says nothing of its own to that."""
    paths = ("/api/products/open", "/api/products/busy", "/api/products")

    answers = [await nginx.ask(path, headers={"Origin": SHOP}) for path in paths]

    assert [answer.headers.getall("Access-Control-Allow-Origin", []) for answer in answers] == [["*"], [], []]
    assert [answer.headers.getall("Vary", []) for answer in answers] == [["Origin"], [], []]


async def test_two_hundred_orders_at_once_pass(nginx: Gateway) -> None:
    async with asyncio.TaskGroup() as at_once:
        orders = [at_once.create_task(nginx.ask("/api/orders", "POST", json={})) for _ in range(200)]

    assert {order.result().status for order in orders} == {200}


async def test_media_can_only_be_read(nginx: Gateway) -> None:
    for method in ("PUT", "POST", "DELETE", "OPTIONS"):
        await problem(await nginx.ask("/media/tea.png", method, data=b"x"), 405)


async def test_media_that_is_not_there_is_a_problem(nginx: Gateway) -> None:
    await problem(await nginx.ask("/media/absent"), 404)
