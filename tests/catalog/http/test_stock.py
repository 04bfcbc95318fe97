"""Deliveries, reorder levels, the ledger and those who wait, over HTTP."""

import asyncio
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import pytest

from libs.common.auth import Role
from libs.common.clock import now
from libs.common.messages.catalog import ReservedLine
from services.catalog.domain import Details, Product
from services.catalog.store import Store
from tests.catalog.http.shop import Client, Headers
from tests.tokens import Tokens

pytestmark = pytest.mark.real

ADA, BOB, ORDER = UUID(int=200), UUID(int=201), UUID(int=100)


async def sell(store: Store, stock: int) -> str:
    product = Product(uuid4(), Details(uuid4().hex, "Lamp", "", 100, "EUR", None))
    await store.add(product, now())
    await store.change_stock(product.id, lambda shelf: shelf.open(stock, now()))
    return f"/api/products/{product.id}"


async def hold(store: Store, path: str, quantity: int) -> None:
    product_id = UUID(path.rpartition("/")[2])
    lines = [ReservedLine(product_id=product_id, quantity=quantity)]
    await store.change_reservation(
        ORDER,
        lambda reservation, shelves: reservation.hold(lines, shelves, now()),
        products=[product_id],
        cause=uuid4().hex,
    )


async def receive(client: Client, staff: Headers, path: str, quantity: Any, key: str = "k") -> Any:
    return await client.post(
        f"{path}/stock/receipts",
        json={"quantity": quantity, "reason": "delivery"},
        headers=staff | {"Idempotency-Key": key},
    )


# --- deliveries --------------------------------------------------------------------------------------------------


async def test_a_delivery_is_added_once_however_often_it_is_sent(client: Client, staff: Headers, store: Store) -> None:
    path = await sell(store, 5)
    await hold(store, path, 2)  # the stock's version moves on, which is no matter here

    answers = await asyncio.gather(*(receive(client, staff, path, 3) for _ in range(20)))
    other = await receive(client, staff, path, 4, "another")

    assert {answer.status for answer in answers} == {200}
    assert {answer.headers["ETag"] for answer in answers} == {'"v3"'}
    assert len({await answer.read() for answer in answers}) == 1
    body = await other.json()
    assert (body["on_hand"], body["reserved"], body["received"], body["count"]) == (10, 2, 12, 12)


async def test_a_key_that_was_used_for_another_delivery_is_refused_by_name(
    client: Client, staff: Headers, store: Store
) -> None:
    path = await sell(store, 5)
    first = await receive(client, staff, path, 3)

    other = await receive(client, staff, path, 4)
    again = await receive(client, staff, path, 3)

    problem = await other.json()
    assert (other.status, problem["title"], problem["field"]) == (422, "Key reused", "Idempotency-Key")
    assert (again.status, again.headers["ETag"]) == (200, first.headers["ETag"])
    assert await again.read() == await first.read()
    assert (await (await client.get(f"{path}/stock")).json())["received"] == 8


@pytest.mark.parametrize("quantity", [0, -1, 1.5, "3", None, 2**63, 1_000_001])
async def test_a_quantity_that_is_none_is_named(client: Client, staff: Headers, store: Store, quantity: Any) -> None:
    path = await sell(store, 5)

    answer = await receive(client, staff, path, quantity)

    assert (answer.status, (await answer.json())["field"]) == (422, "quantity")
    assert (await (await client.get(f"{path}/stock")).json())["received"] == 5


async def test_a_delivery_that_is_too_much_uncounted_or_without_key_is_refused(
    client: Client, staff: Headers, store: Store
) -> None:
    path = await sell(store, 5)
    uncounted = Product(uuid4(), Details(uuid4().hex, "Lamp", "", 100, "EUR", None))
    await store.add(uncounted, now())

    too_much = await receive(client, staff, path, 999_996)
    early = await receive(client, staff, f"/api/products/{uncounted.id}", 1)
    nowhere = await receive(client, staff, f"/api/products/{uuid4()}", 1)
    keyless = await client.post(f"{path}/stock/receipts", json={"quantity": 1, "reason": "x"}, headers=staff)

    assert [answer.status for answer in (too_much, early, nowhere, keyless)] == [409, 409, 404, 400]
    assert (await too_much.json())["title"] == "Too much stock"
    assert (await early.json())["title"] == "Not counted"


# --- the reorder level -------------------------------------------------------------------------------------------


async def test_a_level_is_set_and_taken_away_with_the_stocks_etag(client: Client, staff: Headers, store: Store) -> None:
    path = await sell(store, 5)
    place = f"{path}/stock/reorder-level"

    set_ = await client.put(place, json={"level": 3}, headers=staff | {"If-Match": '"v1"'})
    stale = await client.put(place, json={"level": 4}, headers=staff | {"If-Match": '"v1"'})
    blind = await client.put(place, json={"level": 4}, headers=staff)
    away = await client.put(place, json={"level": None}, headers=staff | {"If-Match": set_.headers["ETag"]})

    assert (set_.status, (await set_.json())["reorder_level"], set_.headers["ETag"]) == (200, 3, '"v2"')
    assert (stale.status, blind.status) == (412, 428)
    assert (away.status, (await away.json())["reorder_level"]) == (200, None)


@pytest.mark.parametrize(
    ("body", "field"),
    [({"level": -1}, "level"), ({"level": 1.5}, "level"), ({"level": "3"}, "level"), ({}, "body"), ({"x": 1}, "body")],
)
async def test_what_is_wrong_with_a_level_is_named(
    client: Client, staff: Headers, store: Store, body: Any, field: str
) -> None:
    path = await sell(store, 5)

    answer = await client.put(f"{path}/stock/reorder-level", json=body, headers=staff | {"If-Match": '"v1"'})

    assert (answer.status, (await answer.json())["field"]) == (422, field)


# --- the ledger --------------------------------------------------------------------------------------------------


async def test_the_ledger_is_paged_and_its_sums_are_the_counts(client: Client, staff: Headers, store: Store) -> None:
    path = await sell(store, 5)
    await receive(client, staff, path, 3)
    await hold(store, path, 2)

    pages, url = list[Any](), f"{path}/stock/ledger?limit=2"
    while url:
        answer = await client.get(url, headers=staff)
        pages.append(await answer.json())
        url = answer.headers["Link"].split(">")[0].lstrip("<") if "Link" in answer.headers else ""

    items = [item for page in pages for item in page["items"]]
    stock = await (await client.get(f"{path}/stock")).json()
    assert [item["kind"] for item in items] == ["reserved", "received", "opened"]
    for name in ("on_hand", "reserved", "sold", "received"):
        assert sum(item[name] for item in items) == stock[name]
    assert (items[0]["order_id"], items[1]["reason"], pages[-1]["next"]) == (str(ORDER), "delivery", None)
    assert datetime.fromisoformat(items[0]["at"]).tzinfo


async def test_a_cursor_is_for_the_ledger_that_it_came_with(client: Client, staff: Headers, store: Store) -> None:
    path, other = await sell(store, 5), await sell(store, 5)
    cursor = (await (await client.get(f"{path}/stock/ledger?limit=1", headers=staff)).json())["next"]

    answers = [
        await client.get(f"{path}/stock/ledger", params={"cursor": cursor}, headers=staff),
        await client.get(f"{other}/stock/ledger", params={"cursor": cursor}, headers=staff),
        await client.get(f"{path}/stock/ledger", params={"limit": "0"}, headers=staff),
        await client.get(f"/api/products/{uuid4()}/stock/ledger", headers=staff),
    ]

    assert [answer.status for answer in answers] == [200, 422, 422, 404]
    assert [(await answer.json())["field"] for answer in answers[1:3]] == ["cursor", "limit"]


# --- those who wait ----------------------------------------------------------------------------------------------


async def test_a_customer_waits_for_what_is_sold_out_and_sees_and_ends_that(
    client: Client, tokens: Tokens, store: Store
) -> None:
    path, ada, bob = await sell(store, 0), tokens.bearer(Role.CUSTOMER, oid=ADA), tokens.bearer(Role.CUSTOMER, oid=BOB)

    put = await client.put(f"{path}/waiting", headers=ada)
    again = await client.put(f"{path}/waiting", headers=ada)
    mine, theirs = [await client.get(f"{path}/waiting", headers=each) for each in (ada, bob)]
    list_ = await client.get("/api/waiting", headers=ada)

    assert (put.status, again.status, mine.status, theirs.status) == (200, 200, 200, 404)
    assert await put.json() == await again.json() == await mine.json()
    assert (await list_.json())["items"] == [await mine.json()]

    for _ in range(2):
        assert (await client.delete(f"{path}/waiting", headers=bob)).status == 204
    assert (await client.get(f"{path}/waiting", headers=ada)).status == 200
    assert (await client.delete(f"{path}/waiting", headers=ada)).status == 204
    assert (await client.get(f"{path}/waiting", headers=ada)).status == 404


async def test_what_is_in_stock_is_to_be_ordered(client: Client, tokens: Tokens, store: Store) -> None:
    path, ada = await sell(store, 1), tokens.bearer(Role.CUSTOMER, oid=ADA)

    answer = await client.put(f"{path}/waiting", headers=ada)

    assert (answer.status, (await answer.json())["title"]) == (409, "In stock")


async def test_whose_list_it_is_decides_who_reads_it(
    client: Client, tokens: Tokens, staff: Headers, store: Store
) -> None:
    path = await sell(store, 0)
    ada, bob = tokens.bearer(Role.CUSTOMER, oid=ADA), tokens.bearer(Role.CUSTOMER, oid=BOB)
    await client.put(f"{path}/waiting", headers=ada)

    own = await client.get(f"/api/waiting?customer={ADA}", headers=ada)
    others = await client.get(f"/api/waiting?customer={ADA}", headers=bob)
    by_staff = await client.get(f"/api/waiting?customer={ADA}", headers=staff)

    assert (own.status, others.status, by_staff.status) == (200, 404, 200)
    assert await own.json() == await by_staff.json()


async def test_each_route_is_for_whom_it_says(client: Client, tokens: Tokens, staff: Headers, store: Store) -> None:
    path, ada = await sell(store, 0), tokens.bearer(Role.CUSTOMER, oid=ADA)
    for_staff = [("POST", "stock/receipts"), ("PUT", "stock/reorder-level"), ("GET", "stock/ledger")]
    for_customers = [("PUT", "waiting"), ("GET", "waiting"), ("DELETE", "waiting")]

    for routes_, wrong in ((for_staff, ada), (for_customers, staff)):
        for method, route in routes_:
            assert (await client.request(method, f"{path}/{route}")).status == 401, route
            assert (await client.request(method, f"{path}/{route}", headers=wrong)).status == 403, route
    assert (await client.get("/api/waiting")).status == 401
