"""The door: types, sizes, time, how often, how many at once, which origins, and what every answer carries."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any
from uuid import UUID

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from msgspec import Struct
from structlog.testing import capture_logs

from libs.common import http
from libs.common.auth import Role, Verifier
from libs.common.entrance import Entrance
from libs.common.http import read, reply
from libs.common.operations import Operation, allow
from libs.common.proxies import client_behind
from libs.common.rates import WINDOW_SECONDS, Rates
from libs.common.settings import Incomplete, ServiceSettings
from tests.tokens import Tokens
from tests.waiting import so

Client = TestClient[web.Request, web.Application]
Opened = Callable[[Entrance], AbstractAsyncContextManager[Client]]
routes = web.RouteTableDef()
GATE = web.AppKey("gate", asyncio.Event)
WAITING = web.AppKey("waiting", list[object])
SHOP = "https://shop.example"
TOLD: dict[str, Any] = dict.fromkeys(
    ("store_url", "key_vault", "topic_endpoint", "service_bus", "issuer", "audience"), ""
)


class Thing(Struct, frozen=True, forbid_unknown_fields=True):
    name: str


@routes.post("/things")
@allow()
@Operation(body=Thing, answers={200: Thing}, most_bytes=100)
async def post_thing(request: web.Request) -> web.Response:
    return reply(await read(request, Thing))


@routes.get("/things")
@allow()
@Operation(answers={200: None})
async def list_things(_: web.Request) -> web.Response:
    return reply({}, version=1)


@routes.get("/own")
@allow(Role.CUSTOMER, Role.SERVICE)
@Operation(answers={200: None})
async def read_own(_: web.Request) -> web.Response:
    return reply({})


@routes.get("/slow")
@allow()
@Operation(answers={200: None}, seconds=0.01)
async def read_slowly(_: web.Request) -> web.Response:
    await asyncio.Event().wait()
    return reply({})


@routes.get("/waits")
@allow()
@Operation(answers={200: None})
async def wait_for_the_gate(request: web.Request) -> web.Response:
    request.app[WAITING].append(request)
    await request.app[GATE].wait()
    return reply({})


@routes.get("/late")
@allow()
@Operation(answers={200: None})
async def give_up(_: web.Request) -> web.Response:
    raise TimeoutError


@pytest.fixture
def opened(verifier: Verifier) -> Opened:
    async def ready() -> bool:
        return True

    @asynccontextmanager
    async def serving(entrance: Entrance) -> AsyncIterator[Client]:
        app = http.application(routes, verifier, ready, entrance=entrance)
        app[GATE], app[WAITING] = asyncio.Event(), []
        async with TestClient(TestServer(app)) as client:
            yield client

    return serving


@pytest.fixture
async def client(opened: Opened) -> AsyncIterator[Client]:
    async with opened(Entrance(origins=frozenset({SHOP}))) as client:
        yield client


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


# --- how often ----------------------------------------------------------------------------------------------------


def test_a_bucket_empties_and_fills_again_steadily() -> None:
    clock = [1000.0]
    rates = Rates(3, lambda: clock[0])

    first, second, third, fourth = (rates.take("ada") for _ in range(4))
    clock[0] += WINDOW_SECONDS / 3
    again, too_early = rates.take("ada"), rates.take("ada")
    clock[0] += 10 * WINDOW_SECONDS
    full = rates.take("ada")

    assert [left.requests for left in (first, second, third, fourth)] == [2, 1, 0, 0]
    assert [left.wait for left in (first, second, third, fourth)] == [0, 0, 0, 20]
    assert (third.full_in, fourth.full_in) == (60, 60)
    assert (again.wait, too_early.wait, full.requests) == (0, 20, 2)


def test_callers_are_remembered_up_to_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("libs.common.rates.MOST_CALLERS", 2)
    rates = Rates(1, lambda: 0.0)

    waits = [rates.take(caller).wait for caller in ("a", "b", "a", "c", "a")]

    assert waits == [0, 0, 60, 0, 0]  # with c, a was forgotten
    assert len(rates._full_at) == 2


async def test_who_asks_too_often_hears_when_to_come_again_and_others_are_let_in(
    opened: Opened, tokens: Tokens
) -> None:
    async with opened(Entrance(Rates(2, lambda: 0.0))) as client:
        ada, bob = (tokens.bearer(Role.CUSTOMER, oid=UUID(int=n)) for n in (1, 2))
        answers = [await client.get("/own", headers=ada) for _ in range(3)]
        others = [await client.get("/own", headers=bob), await client.get("/things")]
        problem = await answers[2].json()

    assert [answer.status for answer in answers] == [200, 200, 429]
    assert [answer.headers["RateLimit"] for answer in answers] == [
        '"caller";r=1;t=30',
        '"caller";r=0;t=60',
        '"caller";r=0;t=60',
    ]
    assert {answer.headers["RateLimit-Policy"] for answer in answers} == {'"caller";q=2;w=60'}
    assert (answers[2].headers["Retry-After"], problem["title"]) == ("30", "Too many requests")
    assert [answer.status for answer in others] == [200, 200]


async def test_who_guesses_tokens_is_counted_by_address_and_functions_are_not_counted(
    opened: Opened, tokens: Tokens
) -> None:
    async with opened(Entrance(Rates(2, lambda: 0.0))) as client:
        guesses = [await client.get("/own", headers={"Authorization": "Bearer x"}) for _ in range(3)]
        functions = [await client.get("/own", headers=tokens.bearer(Role.SERVICE)) for _ in range(4)]
        probes = [await client.get("/health/live") for _ in range(4)]

    assert [answer.status for answer in guesses] == [401, 401, 429]
    assert {answer.status for answer in (*functions, *probes)} == {200}
    assert "RateLimit" not in functions[0].headers


@pytest.mark.parametrize(
    ("peer", "forwarded", "who"),
    [
        ("203.0.113.5", "", "203.0.113.5"),
        ("203.0.113.5", "198.51.100.1", "203.0.113.5"),  # a stranger's word
        ("10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "1.1.1.1, 198.51.100.1", "198.51.100.1"),  # the first was made up by the second
        ("10.0.0.1", "198.51.100.1, 10.2.2.2", "198.51.100.1"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "rubbish", ""),
        ("10.0.0.1", "2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("10.0.0.1", "::ffff:198.51.100.1", "::ffff:198.51.100.1"),
    ],
)
def test_a_caller_has_the_address_that_trusted_proxies_name(peer: str, forwarded: str, who: str) -> None:
    assert client_behind("10.0.0.0/8")(peer, forwarded).replace("::ffff:c633:6401", "::ffff:198.51.100.1") == who


@pytest.mark.parametrize(
    "wrong", [{"cors_origins": "*"}, {"cors_origins": "https://a.example/x"}, {"cors_origins": "null"},
              {"trusted_proxies": "10.0.0.1/8"}, {"trusted_proxies": "any"}],
)  # fmt: skip
def test_a_door_that_is_told_nonsense_does_not_open(wrong: dict[str, str]) -> None:
    with pytest.raises(Incomplete):
        Entrance.told(ServiceSettings(**TOLD | wrong))


async def test_without_a_limit_nobody_is_counted(opened: Opened) -> None:
    async with opened(Entrance.told(ServiceSettings(**TOLD, rate_limit=0))) as client:
        answer = await client.get("/things")

    assert "RateLimit" not in answer.headers


# --- origins ------------------------------------------------------------------------------------------------------


async def test_a_page_of_a_named_origin_may_ask_and_read_the_answer(client: Client) -> None:
    asked = {"Origin": SHOP, "Access-Control-Request-Method": "POST"}

    before = await client.options("/things", headers=asked)
    answer = await client.get("/things", headers={"Origin": SHOP})

    assert (before.status, before.headers["Access-Control-Allow-Methods"]) == (204, "GET, HEAD, POST")
    assert "Idempotency-Key" in before.headers["Access-Control-Allow-Headers"]
    for each in (before, answer):
        assert (each.headers["Access-Control-Allow-Origin"], each.headers["Vary"]) == (SHOP, "Origin")
        assert "Access-Control-Allow-Credentials" not in each.headers
    assert {"ETag", "RateLimit", "Retry-After"} < set(answer.headers["Access-Control-Expose-Headers"].split(", "))


@pytest.mark.parametrize("origin", ["https://evil.example", "null", f"{SHOP}.evil.example", "http://shop.example"])
async def test_a_page_of_another_origin_may_not(client: Client, origin: str) -> None:
    before = await client.options("/things", headers={"Origin": origin, "Access-Control-Request-Method": "POST"})
    answer = await client.get("/things", headers={"Origin": origin})

    assert before.status == 405
    for each in (before, answer):
        assert "Access-Control-Allow-Origin" not in each.headers


async def test_a_refusal_can_be_read_by_the_page_too(client: Client) -> None:
    answer = await client.get("/own", headers={"Origin": SHOP})

    assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (401, SHOP)


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
