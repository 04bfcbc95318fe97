"""The services as they are served, each with something of Ada's in it; and all that its database holds."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any
from uuid import UUID, uuid4

from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from libs.common import http
from libs.common.auth import Role, Verifier
from libs.common.cursors import Cursors
from libs.common.database import Database
from libs.common.operations import Operation
from services.catalog import blobs
from services.catalog.gallery import Gallery
from services.catalog.routes import GALLERY
from services.orders.domain import Price
from tests.engines.credential import NoCredential
from tests.tokens import Tokens

PATTERN = re.compile(r":(?:[^{}]|\{[^{}]*\})*\}")  # of an id in a path
SERVICES = ("catalog", "orders", "customers")
ADA, BOB, LAMP = UUID(int=0xADA), UUID(int=0xB0B), UUID(int=3)
JSON = {"Content-Type": "application/json"}
PERSON = {"name": "Ada", "email": "ada@example.org", "language": "en"}
PRODUCT = {
    "name": "Lamp",
    "sku": "LAMP-1",
    "price": 4900,
    "currency": "EUR",
    "description": "bright",
    "attributes": {"colour": "red"},
    "tax_rate": 1900,
}
Client = TestClient[web.Request, web.Application]


@dataclass(frozen=True, slots=True)
class Route:
    method: str
    path: str
    operation: Operation
    policy: frozenset[str]

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    def with_id(self, thing: str) -> str:
        return self.path.replace("{id}", thing).replace("{media_id}", thing).replace("{upload_id}", thing)


def routes_of(service: str) -> Iterator[Route]:
    """Whatever its package `routes` declares, so that none is forgotten."""
    for each in import_module(f"services.{service}.routes").routes:
        yield Route(each.method, PATTERN.sub("}", each.path), each.handler.operation, each.handler.policy)


@dataclass(frozen=True, slots=True)
class Shop:
    service: str
    client: Client
    tokens: Tokens
    thing: str  # Ada's: what {id} stands for

    async def call(self, route: Route, who: Mapping[str, str], **options: Any) -> tuple[int, bytes]:
        headers = {"If-Match": '"v1"', "Idempotency-Key": uuid4().hex} | options.pop("headers", {}) | dict(who)
        path = route.with_id(self.thing)
        async with self.client.request(route.method, path, headers=headers, **options) as answer:
            streams = answer.status < 300 and route.operation.answer_types == ["text/event-stream"]
            return answer.status, b"" if streams else await answer.read()


@asynccontextmanager
async def opened(service: str, database: Database, verifier: Verifier, tokens: Tokens) -> AsyncIterator[Shop]:
    routes, store = import_module(f"services.{service}.routes"), import_module(f"services.{service}.store")
    app = http.application(routes.routes, verifier, database.ping)
    await store.migrate(database)
    app[routes.STORE], app[routes.CURSORS] = await store.open_store(database), Cursors(b"key")
    async with blobs.connect("https://127.0.0.1:1/store", NoCredential()) as nowhere:
        app[GALLERY] = Gallery(nowhere, "https://127.0.0.1:1")
        async with TestClient(TestServer(app)) as client:
            thing = await FILLED[service](client, app[routes.STORE], tokens)
            yield Shop(service, client, tokens, thing)


async def _catalog(client: Client, store: Any, tokens: Tokens) -> str:
    async with client.post("/api/products", json=PRODUCT, headers=tokens.bearer(Role.ADMIN)) as made:
        assert made.status == 201, await made.text()
        product = str((await made.json())["id"])
    waiting = f"/api/products/{product}/waiting"
    async with client.put(waiting, headers=tokens.bearer(Role.CUSTOMER, oid=ADA)) as answer:
        assert answer.status == 200, await answer.text()
    return product


async def _orders(client: Client, store: Any, tokens: Tokens) -> str:
    await store.list_price(Price(LAMP, "LAMP", "Lamp", 4900, "EUR", version=1))
    for customer in (ADA, BOB):
        await store.know_customer(customer, "active", 1)
    ada = tokens.bearer(Role.CUSTOMER, oid=ADA) | {"Idempotency-Key": "one"}
    async with client.post("/api/orders", json=an_order(), headers=ada) as made:
        assert made.status == 202, await made.text()
        return str((await made.json())["id"])


async def _customers(client: Client, store: Any, tokens: Tokens) -> str:
    async with client.post("/api/customers", json=PERSON, headers=tokens.bearer(Role.CUSTOMER, oid=ADA)) as made:
        assert made.status == 201, await made.text()
    return str(ADA)


def an_order() -> dict[str, Any]:
    return {"lines": [{"product_id": str(LAMP), "quantity": 2}]}


FILLED: Mapping[str, Callable[[Client, Any, Tokens], Awaitable[str]]] = {
    "catalog": _catalog,
    "orders": _orders,
    "customers": _customers,
}

# A good body of each kind that is taken.
BODIES: Mapping[str, dict[str, Any]] = {
    "Placing": an_order(),
    "Cancellation": {"reason": "changed my mind"},
    "Registration": PERSON | {"email": "bob@example.org"},
    "Replacement": {"catalog": PRODUCT, "customers": PERSON},
    "Creation": PRODUCT | {"sku": "LAMP-2"},
    "CategoryReplacement": {"name": "Lamps"},
    "Recount": {"count": 7, "reason": "counted"},
    "Receipt": {"quantity": 7, "reason": "came in"},
    "ReorderLevel": {"level": 3},
    "Announcement": {"content_type": "image/png", "size": 7},
    "Shipment": {"carrier": "DHL", "tracking": "7"},
    "Return": {"reason": "too bright"},
}


def body_for(service: str, route: Route) -> dict[str, Any]:
    kind = route.operation.body
    if kind is None or kind is bytes:
        return {}
    known = BODIES.get(kind.__name__)
    assert known is not None, f"{route} takes a {kind.__name__}: put a good one into BODIES"
    body: dict[str, Any] = known.get(service, known)
    return body
