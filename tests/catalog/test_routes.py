"""The catalogue over HTTP."""

import asyncio
from collections.abc import AsyncIterator
from io import BytesIO
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from azure.storage.blob.aio import BlobServiceClient
from yarl import URL

from libs.common import http
from libs.common.auth import Role, Verifier
from libs.common.clock import now
from libs.common.cursors import Cursors
from libs.common.messages.catalog import ReservedLine
from libs.common.pictures import Studio
from libs.common.postgres import Postgres
from services.catalog.gallery import IMAGES_AT_ONCE, Gallery
from services.catalog.media import MOST_IMAGE_BYTES
from services.catalog.routes import CURSORS, GALLERY, STORE, routes
from services.catalog.store import Store, migrate, open_store
from tests.pictures import picture
from tests.tokens import Tokens

pytestmark = pytest.mark.real

Client = TestClient[web.Request, web.Application]
Headers = dict[str, str]
LAMP: dict[str, Any] = {"name": "Lamp", "sku": "LAMP-1", "price": 4900, "currency": "EUR"}
PNG = picture()


@pytest.fixture
async def client(verifier: Verifier, database: Postgres) -> AsyncIterator[Client]:
    """Its Blob Storage does not answer."""
    app = http.application(routes, verifier, database.ping)
    async with BlobServiceClient("https://127.0.0.1:1/store", retry_total=0) as away:
        await migrate(database)
        app[STORE], app[CURSORS] = await open_store(database), Cursors(b"key")
        app[GALLERY] = Gallery(away, "https://media.example/media", Studio(seconds=40))
        async with TestClient(TestServer(app)) as connected:
            yield connected


@pytest.fixture
def store(client: Client) -> Store:
    return client.app[STORE]


async def create(client: Client, staff: Headers, **said: Any) -> Any:
    answer = await client.post("/api/products", json={**LAMP, "sku": uuid4().hex, **said}, headers=staff)
    assert answer.status == 201, await answer.text()
    return await answer.json()


async def recount(client: Client, staff: Headers, product_id: str, count: int, version: int) -> Any:
    return await client.put(
        f"/api/products/{product_id}/stock",
        json={"count": count, "reason": "counted"},
        headers=staff | {"If-Match": f'"v{version}"'},
    )


async def set_aside(store: Store, product_id: str, quantity: int) -> None:
    lines = [ReservedLine(product_id=UUID(product_id), quantity=quantity)]
    await store.change_reservation(
        uuid4(),
        lambda reservation, shelves: reservation.hold(lines, shelves, now()),
        products=[UUID(product_id)],
        cause=uuid4().hex,
    )


# --- products ----------------------------------------------------------------------------------------------------


async def test_a_product_is_created_and_anyone_can_read_it(client: Client, staff: Headers) -> None:
    answer = await client.post(
        "/api/products", json={**LAMP, "description": "Gives light.\n", "opening_stock": 5}, headers=staff
    )

    body = await answer.json()
    assert (answer.status, answer.headers["ETag"]) == (201, '"v1"')
    assert UUID(body["id"]).version == 7
    assert body == {
        **LAMP,
        "id": body["id"],
        "description": "Gives light.\n",
        "tax_rate": 1900,
        "category_ids": [],
        "attributes": {},
        "status": "published",
        "media": [],
        "version": 1,
        "in_stock": False,
    }
    read = await client.get(answer.headers["Location"])
    assert (read.status, read.headers["ETag"], await read.json()) == (200, '"v1"', body)


WRONG_PRODUCTS: list[tuple[dict[str, Any], str]] = [
    ({"name": ""}, "name"),
    ({"name": " Lamp"}, "name"),
    ({"name": "x" * 201}, "name"),
    ({"name": "La\0mp"}, "name"),
    ({"name": "Lamp\n"}, "name"),
    ({"name": "Lamp\u2028"}, "name"),
    ({"name": 7}, "name"),
    ({"sku": ""}, "sku"),
    ({"sku": "x" * 65}, "sku"),
    ({"sku": "LAMP 1"}, "sku"),
    ({"sku": "LAMP\n"}, "sku"),
    ({"sku": "ＬＡＭＰ"}, "sku"),  # noqa: RUF001
    ({"price": -1}, "price"),
    ({"price": 100_000_001}, "price"),
    ({"price": 2**63}, "price"),
    ({"price": 49.5}, "price"),
    ({"price": "4900"}, "price"),
    ({"price": True}, "price"),
    ({"currency": "eur"}, "currency"),
    ({"currency": "EURO"}, "currency"),
    ({"currency": "EUR\n"}, "currency"),
    ({"description": "x" * 5001}, "description"),
    ({"description": "\0"}, "description"),
    ({"description": "\0\n"}, "description"),
    ({"category_id": None}, "body"),
    ({"category_ids": ["light"]}, "category_ids[0]"),
    ({"category_ids": [str(UUID(int=9))]}, "category_ids"),
    ({"category_ids": [str(UUID(int=n)) for n in range(11)]}, "category_ids"),
    ({"tax_rate": -1}, "tax_rate"),
    ({"tax_rate": 10_001}, "tax_rate"),
    ({"status": "gone"}, "status"),
    ({"attributes": {"color": None}}, "attributes[...]"),
    ({"attributes": {"color": []}}, "attributes[...]"),
    ({"attributes": {"color": ""}}, "attributes[...]"),
    ({"attributes": {"color": "x" * 101}}, "attributes[...]"),
    ({"attributes": {"watts": 10**13}}, "attributes[...]"),
    ({"attributes": {"a b": 1}}, "attributes"),
    ({"attributes": {f"a{n}": n for n in range(21)}}, "attributes"),
    ({"opening_stock": -1}, "opening_stock"),
    ({"opening_stock": 1_000_001}, "opening_stock"),
    ({"version": 7}, "body"),
    ({"in_stock": True}, "body"),
]


async def test_what_is_wrong_with_a_product_is_named_and_nothing_is_stored(
    client: Client, staff: Headers, database: Postgres
) -> None:
    for said, field in WRONG_PRODUCTS:
        answer = await client.post("/api/products", json=LAMP | said, headers=staff)

        assert (answer.status, (await answer.json())["field"]) == (422, field), said
    for table in ("products", "stock", "outbox"):
        assert await database.fetchrow(f"SELECT FROM {table}") is None


@pytest.mark.parametrize("path", ["/api/products", "/api/categories"])
async def test_a_body_that_is_none_is_refused(client: Client, staff: Headers, path: str) -> None:
    for body in (b"", b"{", b"\xff", b"[]", b"null", b"[" * 10_000, b'{"name":"\\ud800"}', b"NaN"):
        answer = await client.post(path, data=body, headers=staff | {"Content-Type": "application/json"})

        assert (answer.status in (400, 422), answer.content_type) == (True, "application/problem+json"), body


async def test_a_body_that_is_encoded_is_refused(client: Client, staff: Headers) -> None:
    answer = await client.post("/api/products", data=b"no gzip", headers=staff | {"Content-Encoding": "gzip"})

    assert (answer.status, answer.content_type) == (415, "application/problem+json")


async def test_a_sku_is_had_by_one_product(client: Client, staff: Headers) -> None:
    await create(client, staff, sku="LAMP-1")

    answer = await client.post("/api/products", json=LAMP, headers=staff)

    problem = await answer.json()
    assert (answer.status, problem["field"], problem["detail"]) == (
        409,
        "sku",
        "another product has the SKU LAMP-1",
    )


async def test_an_edit_needs_the_newest_etag(client: Client, staff: Headers) -> None:
    made = await create(client, staff)
    path, edit = f"/api/products/{made['id']}", {**LAMP, "price": 5900}

    without = await client.put(path, json=edit, headers=staff)
    first = await client.put(path, json=edit, headers=staff | {"If-Match": '"v1"'})
    second = await client.put(path, json=edit, headers=staff | {"If-Match": '"v1"'})

    assert [without.status, first.status, second.status] == [428, 200, 412]
    assert (first.headers["ETag"], (await first.json())["price"]) == ('"v2"', 5900)


async def test_opening_stock_is_for_new_products_only(client: Client, staff: Headers) -> None:
    made = await create(client, staff, opening_stock=5)

    answer = await client.put(
        f"/api/products/{made['id']}", json={**LAMP, "opening_stock": 9}, headers=staff | {"If-Match": '"v1"'}
    )

    assert answer.status == 422


async def test_of_fifty_editors_one_wins(client: Client, staff: Headers) -> None:
    made = await create(client, staff)

    answers = await asyncio.gather(
        *(
            client.put(
                f"/api/products/{made['id']}",
                json={**LAMP, "name": f"Lamp {n}"},
                headers=staff | {"If-Match": '"v1"'},
            )
            for n in range(50)
        )
    )

    assert sorted(answer.status for answer in answers) == [200] + [412] * 49


async def test_a_copy_is_good_until_the_product_or_its_stock_changes(client: Client, staff: Headers) -> None:
    made = await create(client, staff)
    path = f"/api/products/{made['id']}"
    etag = (await client.get(path)).headers["ETag"]

    known = await client.get(path, headers={"If-None-Match": f'"x", {etag}'})
    await recount(client, staff, made["id"], 5, 0)
    stocked = await client.get(path, headers={"If-None-Match": etag})
    edited = await client.put(path, json=LAMP, headers=staff | {"If-Match": stocked.headers["ETag"]})

    assert (known.status, await known.read(), known.headers["ETag"]) == (304, b"", etag)
    assert (stocked.status, (await stocked.json())["in_stock"]) == (200, True)
    assert edited.status == 200


async def test_a_deleted_product_is_not_found(client: Client, staff: Headers) -> None:
    made = await create(client, staff)
    path = f"/api/products/{made['id']}"

    answers = [
        await client.delete(path, headers=staff),
        await client.delete(path, headers=staff | {"If-Match": '"v7"'}),
        await client.delete(path, headers=staff | {"If-Match": '"v1"'}),
        await client.get(path),
        await client.get(f"{path}/stock"),
        await client.delete(path, headers=staff | {"If-Match": '"v2"'}),
    ]

    assert [answer.status for answer in answers] == [428, 412, 204, 404, 404, 404]


WRITES = [
    ("POST", "/api/products"),
    ("PUT", "/api/products/{}"),
    ("DELETE", "/api/products/{}"),
    ("POST", "/api/products/{}/media"),
    ("DELETE", "/api/products/{}/media/{}"),
    ("POST", "/api/products/{}/media/uploads"),
    ("POST", "/api/products/{}/media/uploads/{}/complete"),
    ("PUT", "/api/products/{}/stock"),
    ("POST", "/api/categories"),
    ("PUT", "/api/categories/{}"),
    ("DELETE", "/api/categories/{}"),
]


async def test_only_staff_write(client: Client, tokens: Tokens) -> None:
    for method, template in WRITES:
        path = template.replace("{}", str(UUID(int=1)))
        nobody = await client.request(method, path)
        customer = await client.request(method, path, headers=tokens.bearer(Role.CUSTOMER, Role.SERVICE))

        assert (nobody.status, customer.status) == (401, 403), (method, path)


async def test_what_is_no_id_is_the_id_of_nothing(client: Client, staff: Headers) -> None:
    for method, path in (*WRITES, ("GET", "/api/products/{}"), ("GET", "/api/categories/{}")):
        if "{}" in path:
            bodies = {"stock": {"count": 1, "reason": "x"}, "products": LAMP, "categories": {"name": "x"}}
            body = next(body for part, body in bodies.items() if part in path)
            said: dict[str, Any] = (
                {"data": b"...", "headers": {"Content-Type": "image/png"}}
                if path.endswith("/media")
                else {"json": body}
            )
            headers = staff | {"If-Match": '"v1"'} | said.pop("headers", {})
            answer = await client.request(method, path.replace("{}", "1"), headers=headers, **said)

            assert answer.status == 404, (method, path)


# --- the list ----------------------------------------------------------------------------------------------------


async def names(client: Client, query: str) -> list[str]:
    answer = await client.get(f"/api/products?{query}")
    assert answer.status == 200, await answer.text()
    return [item["name"] for item in (await answer.json())["items"]]


async def test_pages_are_linked(client: Client, staff: Headers) -> None:
    for n in range(5):
        await create(client, staff, name=f"Lamp {n}")
    await create(client, staff, name="Desk")

    found, path = [], "/api/products?q=lamp&sort=name&limit=2"
    while path:
        answer = await client.get(path)
        body = await answer.json()
        found += [item["name"] for item in body["items"]]
        links = {rel: URL(str(link["url"])).path_qs for rel, link in answer.links.items()}
        path = links.get("next", "")
        assert links["first"] == "/api/products?q=lamp&sort=name&limit=2"
        assert (body["next"] is None) == (not path)

    assert found == [f"Lamp {n}" for n in range(5)]


async def test_filters_come_from_the_query(client: Client, staff: Headers) -> None:
    lamp = await create(client, staff, name="Lamp", price=100)
    await create(client, staff, name="Desk", price=300)
    await recount(client, staff, lamp["id"], 1, 0)

    assert await names(client, "sort=name") == ["Desk", "Lamp"]
    assert await names(client, "q=LA") == ["Lamp"]
    assert await names(client, "q=%25") == []
    assert await names(client, "min_price=101") == ["Desk"]
    assert await names(client, "max_price=100") == ["Lamp"]
    assert await names(client, "in_stock=true") == ["Lamp"]
    assert await names(client, "in_stock=false") == ["Desk"]
    assert await names(client, f"category={uuid4()}") == []


WRONG_QUERIES = [
    ("limit=0", "limit"),
    ("limit=101", "limit"),
    ("limit=x", "limit"),
    ("sort=size", "sort"),
    ("category=light", "category"),
    ("min_price=-1", "min_price"),
    ("max_price=9223372036854775808", "max_price"),
    ("in_stock=maybe", "in_stock"),
    ("q=", "q"),
    ("q=%00", "q"),
    (f"q={'x' * 201}", "q"),
    ("cursor=x", "cursor"),
    ("cursor=%ED%A0%80", "cursor"),
    ("page=2", "query"),
    ("sort=relevance", "sort"),
    (f"q={'+'.join('abcdefghijk')}", "q"),
    ("status=gone", "status"),
    ("attribute=red", "attribute"),
    ("attribute.color=", "attribute[...]"),
    ("attribute.a%20b=1", "attribute"),
    ("attribute.color=red&attribute=1", "attribute"),
]


async def test_a_bad_query_names_the_parameter(client: Client) -> None:
    for query, field in WRONG_QUERIES:
        answer = await client.get(f"/api/products?{query}")

        assert (answer.status, (await answer.json())["field"]) == (422, field), query


async def test_what_is_no_text_finds_nothing(client: Client) -> None:
    answer = await client.get("/api/products?q=%ED%A0%80")

    assert answer.status in (200, 422)


async def test_a_cursor_is_for_the_list_that_it_came_with(client: Client, staff: Headers) -> None:
    for _ in range(2):
        await create(client, staff)
    cursor = (await (await client.get("/api/products?limit=1&sort=price")).json())["next"]

    same = await client.get(f"/api/products?limit=1&sort=price&cursor={cursor}")
    other = await client.get(f"/api/products?limit=1&sort=name&cursor={cursor}")

    assert (same.status, other.status, (await other.json())["field"]) == (200, 422, "cursor")


async def test_attributes_are_filters_and_words_are_ranked(client: Client, staff: Headers) -> None:
    await create(client, staff, name="Lamp", attributes={"color": "Red", "watts": 5.0, "dim": True})
    await create(client, staff, name="Desk", description="For a lamp", attributes={"color": "blue"})

    assert await names(client, "q=lam") == ["Lamp", "Desk"]
    assert await names(client, "attribute.color=red&attribute.watts=5&attribute.dim=true") == ["Lamp"]
    assert await names(client, "attribute.color=green") == []


async def test_what_fits_is_counted_by_category(client: Client, staff: Headers) -> None:
    home = await (await client.post("/api/categories", json={"name": "Home"}, headers=staff)).json()
    light = {"name": "Light", "parent_id": home["id"]}
    light = await (await client.post("/api/categories", json=light, headers=staff)).json()
    both = await create(client, staff, name="Lamp", category_ids=[light["id"], home["id"], light["id"]])
    await create(client, staff, name="Desk")

    answer = await client.get("/api/products/counts")
    none = await client.get("/api/products/counts?q=desk")

    assert both["category_ids"] == [light["id"], home["id"]]
    expected = sorted([{"category_id": each["id"], "products": 1} for each in (home, light)], key=str)
    assert await answer.json() == {"total": 2, "categories": expected}
    assert await none.json() == {"total": 1, "categories": []}
    for query in ("limit=1", "sort=name", "cursor=x"):
        assert (await client.get(f"/api/products/counts?{query}")).status == 422


@pytest.mark.parametrize("path", ["/api/products", "/api/products/counts", "/api/categories"])
async def test_a_copy_of_a_list_is_good_until_something_on_it_changes(
    client: Client, staff: Headers, path: str
) -> None:
    category = await (await client.post("/api/categories", json={"name": "Home"}, headers=staff)).json()
    etag = (await client.get(path)).headers["ETag"]

    known = await client.get(path, headers={"If-None-Match": etag})
    await client.post("/api/categories", json={"name": "Light"}, headers=staff)
    await create(client, staff, category_ids=[category["id"]])
    changed = await client.get(path, headers={"If-None-Match": etag})

    assert etag.startswith('W/"')
    assert (known.status, await known.read(), known.headers["ETag"]) == (304, b"", etag)
    assert (changed.status, changed.headers["ETag"] != etag) == (200, True)


async def test_a_weak_etag_is_good_for_no_change(client: Client, staff: Headers) -> None:
    made = await create(client, staff)

    answer = await client.put(f"/api/products/{made['id']}", json=LAMP, headers=staff | {"If-Match": 'W/"v1"'})

    assert answer.status == 412


@pytest.mark.parametrize("status", ["draft", "archived"])
async def test_what_is_not_published_is_seen_by_staff_only(
    client: Client, staff: Headers, tokens: Tokens, status: str
) -> None:
    made = await create(client, staff, status=status)
    path, listed = f"/api/products/{made['id']}", f"/api/products?status={status}"

    for headers in ({}, tokens.bearer(Role.CUSTOMER), {"Authorization": "Bearer x"}, {"Authorization": "x"}):
        assert (await client.get(path, headers=headers)).status == 404
        assert (await client.get(f"{path}/stock", headers=headers)).status == 404
        assert (await client.get(listed, headers=headers)).status == 403
        assert (await client.get(f"/api/products/counts?status={status}", headers=headers)).status == 403
        assert await names(client, "") == []
    read = await client.get(path, headers=staff)
    found = await client.get(listed, headers=staff)
    assert (read.status, (await read.json())["status"]) == (200, status)
    assert [item["id"] for item in (await found.json())["items"]] == [made["id"]]
    await client.put(path, json={**LAMP, "status": "published"}, headers=staff | {"If-Match": read.headers["ETag"]})
    assert (await client.get(path)).status == 200


# --- stock -------------------------------------------------------------------------------------------------------


async def test_staff_set_the_count_and_everyone_sees_it(client: Client, staff: Headers, store: Store) -> None:
    product_id = (await create(client, staff))["id"]
    await recount(client, staff, product_id, 5, 0)
    await set_aside(store, product_id, 3)

    answer = await client.get(f"/api/products/{product_id}/stock")

    assert answer.headers["ETag"] == '"v2"'
    assert await answer.json() == {
        "product_id": product_id,
        "on_hand": 2,
        "reserved": 3,
        "sold": 0,
        "received": 5,
        "count": 5,
        "reorder_level": None,
        "version": 2,
    }


async def test_a_count_below_what_is_set_aside_says_how_much_that_is(
    client: Client, staff: Headers, store: Store
) -> None:
    product_id = (await create(client, staff))["id"]
    await recount(client, staff, product_id, 5, 0)
    await set_aside(store, product_id, 3)

    answer = await recount(client, staff, product_id, 2, 2)

    assert (answer.status, (await answer.json())["detail"]) == (
        409,
        "3 are set aside for orders, so the count can't be 2",
    )
    assert (await recount(client, staff, product_id, 3, 2)).status == 200


async def test_a_count_needs_the_newest_etag(client: Client, staff: Headers) -> None:
    product_id = (await create(client, staff))["id"]

    answers = await asyncio.gather(*(recount(client, staff, product_id, n, 0) for n in range(50)))
    without = await client.put(f"/api/products/{product_id}/stock", json={"count": 1, "reason": "x"}, headers=staff)

    assert sorted(answer.status for answer in answers) == [200] + [412] * 49
    assert without.status == 428


WRONG_COUNTS: list[tuple[dict[str, Any], str]] = [
    ({"count": -1, "reason": "x"}, "count"),
    ({"count": 1_000_001, "reason": "x"}, "count"),
    ({"count": 2**63, "reason": "x"}, "count"),
    ({"count": 1.5, "reason": "x"}, "count"),
    ({"count": 1, "reason": ""}, "reason"),
    ({"count": 1, "reason": "\0"}, "reason"),
    ({"count": 1}, "body"),
    ({"on_hand": 1, "count": 1, "reason": "x"}, "body"),
]


async def test_what_is_wrong_with_a_count_is_named(client: Client, staff: Headers) -> None:
    path = f"/api/products/{(await create(client, staff))['id']}/stock"

    for body, field in WRONG_COUNTS:
        answer = await client.put(path, json=body, headers=staff | {"If-Match": '"v0"'})

        assert (answer.status, (await answer.json())["field"]) == (422, field), body
    assert (await (await client.get(path)).json())["version"] == 0


# --- categories --------------------------------------------------------------------------------------------------


async def category(client: Client, staff: Headers, name: str, parent_id: str | None = None) -> Any:
    answer = await client.post("/api/categories", json={"name": name, "parent_id": parent_id}, headers=staff)
    assert (answer.status, answer.headers["ETag"]) == (201, '"v1"')
    assert await (await client.get(answer.headers["Location"])).json() == await answer.json()
    return await answer.json()


async def test_categories_are_a_tree(client: Client, staff: Headers) -> None:
    home = await category(client, staff, "Home")
    light = await category(client, staff, "Light", home["id"])

    circle = await client.put(
        f"/api/categories/{home['id']}",
        json={"name": "Home", "parent_id": light["id"]},
        headers=staff | {"If-Match": '"v1"'},
    )
    nowhere = await client.post("/api/categories", json={"name": "x", "parent_id": str(uuid4())}, headers=staff)

    for refused in (circle, nowhere):
        assert (refused.status, (await refused.json())["field"]) == (422, "parent_id")
    assert (await (await client.get("/api/categories")).json())["items"] == [home, light]


async def test_a_category_is_edited_and_deleted_with_its_etag(client: Client, staff: Headers) -> None:
    home = await category(client, staff, "Home")
    path = f"/api/categories/{home['id']}"

    without = await client.put(path, json={"name": "House"}, headers=staff)
    edited = await client.put(path, json={"name": "House"}, headers=staff | {"If-Match": '"v1"'})
    stale = await client.delete(path, headers=staff | {"If-Match": '"v1"'})
    gone = await client.delete(path, headers=staff | {"If-Match": '"v2"'})

    assert [without.status, edited.status, stale.status, gone.status] == [428, 200, 412, 204]
    assert (await client.get(path)).status == 404


async def test_a_category_with_something_in_it_is_not_deleted(client: Client, staff: Headers) -> None:
    home = await category(client, staff, "Home")
    await create(client, staff, category_ids=[home["id"]])

    answer = await client.delete(f"/api/categories/{home['id']}", headers=staff | {"If-Match": '"v1"'})

    assert (answer.status, (await answer.json())["title"]) == (409, "Category in use")


# --- media: what never reaches Blob Storage. The rest is in test_media.py ------------------------------------------


async def upload(client: Client, staff: Headers, product_id: str, body: Any, kind: str = "image/png") -> Any:
    return await client.post(f"/api/products/{product_id}/media", data=body, headers=staff | {"Content-Type": kind})


NO_IMAGES = [
    (PNG, "image/svg+xml", 415),
    (PNG, "text/html", 415),
    (PNG, "image/jpeg", 422),
    (b"<svg/>", "image/png", 422),
    (b"", "image/png", 422),
    (PNG + bytes(MOST_IMAGE_BYTES), "image/png", 413),
]


async def test_what_is_no_image_of_ours_is_refused(client: Client, staff: Headers) -> None:
    product_id = (await create(client, staff))["id"]

    for body, kind, status in NO_IMAGES:
        answer = await upload(client, staff, product_id, BytesIO(body), kind)

        assert (answer.status, answer.content_type) == (status, "application/problem+json"), body[:20]
    assert (await (await client.get(f"/api/products/{product_id}")).json())["version"] == 1


async def in_pieces(pieces: int) -> AsyncIterator[bytes]:
    yield PNG
    for _ in range(pieces):
        yield bytes(64 * 1024)


async def test_a_stream_without_end_is_cut_off_at_the_limit(client: Client, staff: Headers) -> None:
    product_id = (await create(client, staff))["id"]

    answer = await upload(client, staff, product_id, in_pieces(200))

    assert answer.status == 413


async def test_storage_that_is_away_is_said_and_nothing_is_stored(client: Client, staff: Headers) -> None:
    product_id = (await create(client, staff))["id"]

    answer = await upload(client, staff, product_id, PNG)

    assert (answer.status, "Retry-After" in answer.headers) == (503, True)
    assert (await (await client.get(f"/api/products/{product_id}")).json())["media"] == []


async def test_an_image_of_nothing_is_not_taken(client: Client, staff: Headers) -> None:
    product_id = (await create(client, staff))["id"]

    assert (await upload(client, staff, str(uuid4()), PNG)).status == 404
    assert (await client.delete(f"/api/products/{product_id}/media/{uuid4()}", headers=staff)).status == 404


async def test_only_so_many_images_are_uploaded_at_once(client: Client, staff: Headers) -> None:
    product_id, goes_on = (await create(client, staff))["id"], asyncio.Event()

    async def slowly() -> AsyncIterator[bytes]:
        yield b"<"
        await goes_on.wait()

    async with asyncio.TaskGroup() as group:
        slow = [group.create_task(upload(client, staff, product_id, slowly())) for _ in range(IMAGES_AT_ONCE)]
        while (one_more := await upload(client, staff, product_id, b"<")).status == 422:
            continue  # until the slow ones have taken all places
        goes_on.set()

    assert one_more.status == 503
    assert [(await each).status for each in slow] == [422] * IMAGES_AT_ONCE


async def test_an_upload_that_is_cut_off_stores_nothing_and_frees_its_place(client: Client, staff: Headers) -> None:
    product_id = (await create(client, staff))["id"]
    address = urlsplit(str(client.make_url("/")))
    head = f"POST /api/products/{product_id}/media HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\n"
    head += f"Authorization: {staff['Authorization']}\r\nContent-Length: 1000\r\n\r\n"

    for _ in range(IMAGES_AT_ONCE + 1):
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        writer.write(head.encode() + PNG)
        await writer.drain()
        writer.write_eof()
        assert await reader.read() == b""
        writer.close()

    assert (await upload(client, staff, product_id, b"<")).status == 422
    assert (await (await client.get(f"/api/products/{product_id}")).json())["version"] == 1
