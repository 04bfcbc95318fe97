"""Categories over HTTP."""

from typing import Any
from uuid import uuid4

import pytest

from tests.catalog.http.shop import Client, Headers, create

pytestmark = pytest.mark.real


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
