"""The catalogue over HTTP, before a Blob Storage that does not answer: what its tests have in common."""

from typing import Any
from uuid import UUID, uuid4

from aiohttp import web
from aiohttp.test_utils import TestClient

from libs.common.clock import now
from libs.common.messages.catalog import ReservedLine
from services.catalog.store import Store

Client = TestClient[web.Request, web.Application]
Headers = dict[str, str]
LAMP: dict[str, Any] = {"name": "Lamp", "sku": "LAMP-1", "price": 4900, "currency": "EUR"}


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


async def names(client: Client, query: str) -> list[str]:
    answer = await client.get(f"/api/products?{query}")
    assert answer.status == 200, await answer.text()
    return [item["name"] for item in (await answer.json())["items"]]
