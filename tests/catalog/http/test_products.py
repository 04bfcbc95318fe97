"""Products over HTTP: written by staff, read by anyone."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import pytest

from libs.common.auth import Role
from libs.common.clock import now
from libs.common.postgres import Postgres
from services.catalog.domain import Media, Variant
from services.catalog.store import Store
from tests.catalog.http.shop import LAMP, Client, Headers, create, recount
from tests.tokens import Tokens

pytestmark = pytest.mark.real


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


async def test_an_edit_that_says_no_status_publishes_nothing(client: Client, staff: Headers) -> None:
    made = await create(client, staff, status="draft")
    path = f"/api/products/{made['id']}"

    edited = await client.put(path, json={**LAMP, "price": 1}, headers=staff | {"If-Match": '"v1"'})
    published = await client.put(
        path, json={**LAMP, "status": "published"}, headers=staff | {"If-Match": edited.headers["ETag"]}
    )

    assert [(await answer.json())["status"] for answer in (edited, published)] == ["draft", "published"]


async def test_thumbnails_make_a_copy_old_and_keep_no_editor_from_writing(
    client: Client, staff: Headers, store: Store
) -> None:
    path = f"/api/products/{(await create(client, staff))['id']}"
    image = Media(uuid4(), "https://media.example/a.png", "image/png")
    await store.change(UUID(path[-36:]), lambda lamp: lamp.show(image, now()))
    etag = (await client.get(path)).headers["ETag"]

    await store.change(UUID(path[-36:]), lambda lamp: lamp.vary(image.id, Variant("small", "s", 1, 1)))
    shown = await client.get(path, headers={"If-None-Match": etag})
    early = await client.put(path, json={**LAMP, "price": 1}, headers=staff | {"If-Match": etag})
    late = await client.put(path, json={**LAMP, "price": 2}, headers=staff | {"If-Match": early.headers["ETag"]})

    assert (etag, shown.status, shown.headers["ETag"]) == ('"v2"', 200, '"v2-1"')
    assert (early.status, early.headers["ETag"], late.status) == (200, '"v3-1"', 200)


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
