"""Lists of products over HTTP: found, counted, page by page."""

from uuid import uuid4

import pytest
from yarl import URL

from libs.common.auth import Role
from tests.catalog.http.shop import LAMP, Client, Headers, create, names, recount
from tests.tokens import Tokens

pytestmark = pytest.mark.real


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
