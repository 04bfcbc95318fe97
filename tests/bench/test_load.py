"""The client: it counts what is answered, and gives up where an answer is wrong."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from bench.load import CONNECTIONS, NEW_KEY, Load, Wrong, drive
from bench.servers import request

SECONDS = 0.1


@asynccontextmanager
async def serving(status: int, seen: list[str]) -> AsyncIterator[int]:
    async def answer(request: web.Request) -> web.Response:
        seen.append(request.headers.get("Idempotency-Key", ""))
        return web.Response(status=status, text="x" * 100_000 if status == 200 else None)

    door, app = socket.create_server(("127.0.0.1", 0)), web.Application()
    app.router.add_route("*", "/", answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        await web.SockSite(runner, door).start()
        yield door.getsockname()[1]
    finally:
        await runner.cleanup()


async def test_each_answer_counts_once_it_is_there_to_its_end() -> None:
    seen = list[str]()
    async with serving(200, seen) as port:
        answers = await drive(Load([port], [request("GET", "/", {})], 200, SECONDS))

    assert answers.count == len(seen) >= CONNECTIONS
    assert answers.first == b"x" * 100_000
    assert 0 < answers.p50_ms <= answers.p95_ms <= answers.p99_ms


async def test_each_order_has_a_key_of_its_own() -> None:
    seen = list[str]()
    async with serving(202, seen) as port:
        await drive(Load([port], [request("POST", "/", {"Idempotency-Key": NEW_KEY.decode()}, b"{}")], 202, SECONDS))

    assert len(set(seen)) == len(seen)
    assert NEW_KEY.decode() not in seen


async def test_a_304_has_no_body_to_wait_for() -> None:
    seen = list[str]()
    async with serving(304, seen) as port:
        assert (await drive(Load([port], [request("GET", "/", {})], 304, SECONDS))).count == len(seen)


async def test_an_answer_that_must_not_be_ends_the_measurement() -> None:
    async with serving(503, []) as port:
        with pytest.raises(Wrong, match="503"):
            await drive(Load([port], [request("GET", "/", {})], 200, SECONDS))


async def test_the_requests_are_spread_over_the_ports() -> None:
    one, other = list[str](), list[str]()
    async with serving(202, one) as first, serving(202, other) as second:
        await drive(Load([first, second], [request("POST", "/", {}, b"{}")], 202, SECONDS))

    assert one
    assert other
