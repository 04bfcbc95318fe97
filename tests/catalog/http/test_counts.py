"""Counts of stock over HTTP."""

import asyncio
from typing import Any

import pytest

from services.catalog.store import Store
from tests.catalog.http.shop import Client, Headers, create, recount, set_aside

pytestmark = pytest.mark.real


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
