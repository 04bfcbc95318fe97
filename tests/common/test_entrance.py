"""The door: types, sizes, time, how many at once, and what every answer carries."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from structlog.testing import capture_logs

from libs.common.entrance import Entrance
from tests.common.door import GATE, WAITING, Client, Opened
from tests.waiting import so

# --- bodies -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ("application/json", 200),
        ("application/json; charset=utf-8", 200),
        ("APPLICATION/JSON", 200),
        ("application/vnd.store+json", 200),
        ("application/json; charset=latin-1", 415),
        ("application/jsonx", 415),
        ("text/plain", 415),
        ("application/x-www-form-urlencoded", 415),
        ("multipart/form-data; boundary=x", 415),
        ("image/svg+xml", 415),
        ("nonsense", 415),
    ],
)
async def test_a_body_is_of_a_type_that_is_taken(client: Client, said: str, status: int) -> None:
    answer = await client.post("/things", data=b'{"name":"x"}', headers={"Content-Type": said})

    body = await answer.json(content_type=None)
    assert answer.status == status
    assert status == 200 or (body["title"], answer.headers["Accept"]) == ("Unsupported type", "application/json")


async def test_a_body_that_is_packed_is_not_unpacked(client: Client) -> None:
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}

    answer = await client.post("/things", data=b"\x1f\x8b", headers=headers)

    assert (answer.status, (await answer.json())["detail"]) == (415, "send it as it is, without a Content-Encoding")


async def pieces(count: int) -> AsyncIterator[bytes]:
    for _ in range(count):
        yield b" " * 10


@pytest.mark.parametrize("body", [b" " * 101, pieces(11)], ids=["said", "unsaid"])
async def test_a_body_is_no_larger_than_its_route_takes(client: Client, body: Any) -> None:
    answer = await client.post("/things", data=body, headers={"Content-Type": "application/json"})

    assert (answer.status, (await answer.json())["title"]) == (413, "Too large")


@pytest.mark.parametrize(
    "request_", [{"path": "/things?" + "x" * 9000}, {"path": "/things", "headers": {"X-Long": "x" * 9000}}]
)
async def test_an_address_or_a_header_that_is_too_long_is_refused(client: Client, request_: dict[str, Any]) -> None:
    answer = await client.get(**request_)

    assert answer.status in (400, 414, 431)


# --- time and numbers ---------------------------------------------------------------------------------------------


async def test_what_takes_too_long_is_given_up(client: Client) -> None:
    answer = await client.get("/slow")

    assert (answer.status, (await answer.json())["title"]) == (503, "Took too long")
    assert answer.headers["Retry-After"] == "2"


async def test_a_time_out_of_the_routes_own_is_a_defect(client: Client) -> None:
    assert (await client.get("/late")).status == 500


async def test_more_at_once_than_there_is_room_for_hear_so_at_once_and_probes_get_in(opened: Opened) -> None:
    async with opened(Entrance(most_at_once=2)) as client:
        inside = [asyncio.create_task(client.get("/waits")) for _ in range(2)]
        await so(lambda: len(client.app[WAITING]) == 2)

        refused = [await client.get("/things") for _ in range(3)]
        alive = await client.get("/health/live")
        client.app[GATE].set()
        done = [(await each).status for each in inside]
        after = await client.get("/things")

    assert [(answer.status, answer.headers["Retry-After"]) for answer in refused] == [(503, "2")] * 3
    assert (alive.status, done, after.status) == (200, [200, 200], 200)


# --- what every answer carries --------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/things", "/own", "/slow", "/late", "/nowhere", "/health/live"])
async def test_every_answer_is_safe_to_show(client: Client, path: str) -> None:
    headers = (await client.get(path)).headers

    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert headers["Strict-Transport-Security"].startswith("max-age=")
    assert headers["Cache-Control"] == ("no-cache" if path in ("/things", "/health/live") else "no-store")


@pytest.mark.parametrize("said", ["7", "a" * 64, "A.b_c-1"])
async def test_a_request_keeps_its_name(client: Client, said: str) -> None:
    with capture_logs() as lines:
        answer = await client.get("/things", headers={"X-Request-Id": said})

    assert answer.headers["X-Request-Id"] == said
    assert any(line["event"] == "request.answered" for line in lines)


@pytest.mark.parametrize("said", ["", "a" * 65, "a b", "ü", "a,b", '{"level":"error"}'])
async def test_a_request_without_a_good_name_gets_that_of_its_trace(client: Client, said: str) -> None:
    answer = await client.get("/things", headers={"X-Request-Id": said})

    assert answer.headers["X-Request-Id"] == answer.headers["traceparent"].split("-")[1]
