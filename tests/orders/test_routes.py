"""Orders over HTTP."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import pytest
from aiohttp import ClientResponse, web
from aiohttp.test_utils import TestClient, TestServer
from yarl import URL

from libs.common import http
from libs.common.auth import Role, Verifier
from libs.common.cursors import Cursors
from libs.common.postgres import Postgres
from services.orders.domain import Price
from services.orders.routes import CURSORS, STORE, routes
from services.orders.store import Store, migrate, open_store
from tests.tokens import Tokens

pytestmark = pytest.mark.real

Client = TestClient[web.Request, web.Application]
ADA, BOB, LAMP = UUID(int=1), UUID(int=2), UUID(int=3)
TWO_LAMPS = {"lines": [{"product_id": str(LAMP), "quantity": 2}]}


@pytest.fixture
async def store(database: Postgres) -> Store:
    await migrate(database)
    return await open_store(database)


@pytest.fixture
async def client(verifier: Verifier, database: Postgres, store: Store) -> AsyncIterator[Client]:
    await store.list_price(Price(LAMP, "LAMP", "Lamp", 4900, "EUR", version=1))
    for customer in (ADA, BOB):
        await store.know_customer(customer, "active", 1)
    app = http.application(routes, verifier, database.ping)
    app[STORE], app[CURSORS] = store, Cursors(b"key")
    async with TestClient(TestServer(app)) as connected:
        yield connected


@pytest.fixture
def ada(tokens: Tokens) -> dict[str, str]:
    return tokens.bearer(Role.CUSTOMER, oid=ADA)


@pytest.fixture
def bob(tokens: Tokens) -> dict[str, str]:
    return tokens.bearer(Role.CUSTOMER, oid=BOB)


async def place(client: Client, who: dict[str, str], body: Any = None, key: str | None = None) -> Any:
    return await client.post(
        "/api/orders", json=body or TWO_LAMPS, headers=who | {"Idempotency-Key": key or uuid4().hex}
    )


async def test_an_order_is_accepted_at_our_price_and_can_be_read_where_the_answer_says(
    client: Client, ada: dict[str, str]
) -> None:
    answer = await place(client, ada)

    body = await answer.json()
    assert (answer.status, answer.headers["ETag"]) == (202, '"v1"')
    assert (body["status"], body["total"], body["currency"], body["customer_id"]) == ("placed", 9800, "EUR", str(ADA))
    assert await (await client.get(answer.headers["Location"], headers=ada)).json() == body


async def test_fifty_repeats_at_once_get_the_same_bytes(client: Client, ada: dict[str, str]) -> None:
    answers = await asyncio.gather(*(place(client, ada, key="one") for _ in range(50)))

    assert {answer.status for answer in answers} == {202}
    assert len({await answer.read() for answer in answers}) == 1
    assert len((await (await client.get("/api/orders", headers=ada)).json())["items"]) == 1


async def test_a_key_with_another_body_is_refused(client: Client, ada: dict[str, str]) -> None:
    await place(client, ada, key="one")

    other = {"lines": [{"product_id": str(LAMP), "quantity": 3}]}
    answer = await place(client, ada, other, key="one")

    assert (answer.status, (await answer.json())["field"]) == (422, "Idempotency-Key")


@pytest.mark.parametrize("key", [None, "", "ü", "a b", "x" * 256])
async def test_an_order_needs_a_key(client: Client, ada: dict[str, str], key: str | None) -> None:
    headers = ada | ({"Idempotency-Key": key} if key is not None else {})

    answer = await client.post("/api/orders", json=TWO_LAMPS, headers=headers)

    assert answer.status == 400
    assert "Idempotency-Key" in (await answer.json())["detail"]


def lines(**line: Any) -> Any:
    return {"lines": [{"product_id": str(LAMP), "quantity": 1} | line]}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"lines": []}, "lines"),
        ({"lines": [{"product_id": str(LAMP), "quantity": 1}] * 51}, "lines"),
        ({"lines": [{"product_id": str(LAMP), "quantity": 1}] * 2}, "lines[1].product_id"),
        (lines(price=1), "lines[0]"),
        (lines(quantity=0), "lines[0].quantity"),
        (lines(quantity=-1), "lines[0].quantity"),
        (lines(quantity=1.5), "lines[0].quantity"),
        (lines(quantity="many"), "lines[0].quantity"),
        (lines(quantity=2**63), "lines[0].quantity"),
        (lines(product_id="lamp"), "lines[0].product_id"),
        (lines(product_id=str(UUID(int=99))), "lines[0].product_id"),
        ({**TWO_LAMPS, "total": 1}, "body"),
    ],
)
async def test_what_cannot_be_ordered_names_the_field_and_stores_nothing(
    client: Client, ada: dict[str, str], database: Postgres, body: Any, field: str
) -> None:
    answer = await place(client, ada, body)

    assert (answer.status, (await answer.json())["field"]) == (422, field)
    for table in ("orders", "idempotency", "outbox", "history"):
        assert await database.fetchrow(f"SELECT FROM {table}") is None


async def test_a_stranger_is_told_to_register(client: Client, tokens: Tokens) -> None:
    answer = await place(client, tokens.bearer(Role.CUSTOMER, oid=UUID(int=77)))

    assert (answer.status, (await answer.json())["title"]) == (409, "Unknown customer")


async def test_anothers_order_is_not_found(client: Client, ada: dict[str, str], bob: dict[str, str]) -> None:
    path = (await place(client, ada)).headers["Location"]

    answers = [
        await client.get(path, headers=bob),
        await client.get(f"{path}/timeline", headers=bob),
        await client.post(f"{path}/cancel", headers=bob),
    ]

    assert [answer.status for answer in answers] == [404, 404, 404]
    assert (await (await client.get("/api/orders", headers=bob)).json())["items"] == []


async def test_staff_see_all_orders_but_place_none(client: Client, ada: dict[str, str], tokens: Tokens) -> None:
    staff = tokens.bearer(Role.ADMIN)
    path = (await place(client, ada)).headers["Location"]

    assert (await client.get(path, headers=staff)).status == 200
    assert len((await (await client.get("/api/orders", headers=staff)).json())["items"]) == 1
    assert (await place(client, staff)).status == 403


async def test_an_order_is_cancelled_once_and_its_timeline_says_so(client: Client, ada: dict[str, str]) -> None:
    path = (await place(client, ada)).headers["Location"]

    first = await client.post(f"{path}/cancel", json={"reason": "changed my mind"}, headers=ada)
    again = await client.post(f"{path}/cancel", headers=ada)

    assert [first.status, again.status] == [200, 200]
    assert (await again.json())["reason"] == "changed my mind"
    items = (await (await client.get(f"{path}/timeline", headers=ada)).json())["items"]
    assert [item["name"] for item in items] == ["order-placed", "order-cancelled"]
    assert [(item["status"], item["version"]) for item in items] == [("placed", 1), ("cancelled", 2)]


def following(answer: ClientResponse) -> str:
    url = answer.links["next"]["url"]
    return str(URL(url).relative())


async def test_a_timeline_goes_on_by_its_link_and_its_cursor_is_of_that_order(
    client: Client, ada: dict[str, str]
) -> None:
    path, other = [(await place(client, ada)).headers["Location"] for _ in range(2)]
    await client.post(f"{path}/cancel", headers=ada)
    whole = await (await client.get(f"{path}/timeline", headers=ada)).json()

    first = await client.get(f"{path}/timeline?limit=1", headers=ada)
    second = await client.get(following(first), headers=ada)
    third = await client.get(following(second), headers=ada)
    wrong = [
        await client.get(f"{other}/timeline", params={"cursor": (await first.json())["next"]}, headers=ada),
        await client.get(f"{path}/timeline?limit=501", headers=ada),
    ]

    pages = [await answer.json() for answer in (first, second, third)]
    assert whole["next"] is None
    assert [item for page in pages for item in page["items"]] == whole["items"]
    assert "next" not in third.links
    assert [(answer.status, (await answer.json())["field"]) for answer in wrong] == [(422, "cursor"), (422, "limit")]


async def test_pages_follow_each_other_to_the_end(client: Client, ada: dict[str, str]) -> None:
    placed = [(await (await place(client, ada)).json())["id"] for _ in range(5)]

    seen: list[str] = []
    path: str | None = "/api/orders?limit=2"
    while path:
        answer = await client.get(path, headers=ada)
        page = await answer.json()
        seen += [item["id"] for item in page["items"]]
        path = f"/api/orders?limit=2&cursor={page['next']}" if page["next"] else None
        assert ("Link" in answer.headers) == (page["next"] is not None)

    assert seen == sorted(placed, reverse=True)


@pytest.mark.parametrize(
    "asked",
    [
        "limit=0",
        "limit=101",
        "limit=x",
        "cursor=x",
        "page=2",
        "status=lost",
        "placed_after=yesterday",
        "placed_before=2026-06-01T12:00:00",
        "customer=me",
    ],
)
async def test_a_list_asked_for_wrongly_says_what_is_wrong(client: Client, ada: dict[str, str], asked: str) -> None:
    assert (await client.get(f"/api/orders?{asked}", headers=ada)).status == 422


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/orders"),
        ("GET", "/api/orders"),
        ("GET", f"/api/orders/{LAMP}"),
        ("GET", f"/api/orders/{LAMP}/timeline"),
        ("POST", f"/api/orders/{LAMP}/cancel"),
        ("POST", f"/api/orders/{LAMP}/ship"),
        ("POST", f"/api/orders/{LAMP}/deliver"),
        ("POST", f"/api/orders/{LAMP}/return"),
        ("GET", f"/api/orders/{LAMP}/events"),
    ],
)
async def test_nobody_gets_in_without_a_token_or_with_the_wrong_role(
    client: Client, tokens: Tokens, method: str, path: str
) -> None:
    nobody = await client.request(method, path)
    service = await client.request(method, path, headers=tokens.bearer(Role.SERVICE))

    assert [nobody.status, service.status] == [401, 403]
