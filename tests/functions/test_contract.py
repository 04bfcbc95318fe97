"""What the functions ask is what the services answer: both as they are, over HTTP, with real tokens and databases."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID, uuid4

import azure.functions as func
import pytest
from aiohttp.test_utils import TestClient, TestServer

from functions.connections import Connections
from functions.customer_data import customer_data
from functions.process_order import process_order
from libs.common import http
from libs.common.auth import Role, Verifier
from libs.common.cursors import Cursors
from libs.common.messages import read
from libs.common.messages.orders import RejectOrder
from libs.common.postgres import Postgres
from services.customers import routes as customers
from services.customers.store import migrate as migrate_customers
from services.customers.store import open_store as open_customers
from services.orders import routes as orders
from services.orders.domain import Price
from services.orders.store import migrate as migrate_orders
from services.orders.store import open_store as open_orders
from tests.functions.surroundings import ADA, LAMP, Credential, Queue, arrived, placed
from tests.tokens import Tokens

pytestmark = pytest.mark.real

PROFILE = {
    "name": "Ada",
    "email": "ada@example.org",
    "address": {"street": "1", "city": "K", "postal_code": "5", "country": "DE"},
}
Client = TestClient[Any, Any]


@dataclass(frozen=True, slots=True)
class Services:
    customers: Client
    orders: Client
    tokens: Tokens

    async def register(self) -> None:
        async with self.customers.post("/api/customers", json=PROFILE, headers=self.bearer(Role.CUSTOMER)) as answer:
            assert answer.status == 201

    async def order(self) -> None:
        headers = self.bearer(Role.CUSTOMER) | {"Idempotency-Key": uuid4().hex}
        body = {"lines": [{"product_id": str(LAMP), "quantity": 1}]}
        async with self.orders.post("/api/orders", json=body, headers=headers) as answer:
            assert answer.status == 202

    def bearer(self, role: Role, oid: UUID = ADA) -> dict[str, str]:
        return self.tokens.bearer(role, oid=oid)


@pytest.fixture
async def services(database: Postgres, verifier: Verifier, tokens: Tokens) -> AsyncIterator[Services]:
    """Both keep their tables in one database here; they have none in common."""
    await migrate_customers(database)
    await migrate_orders(database)
    customers_app = http.application(customers.routes, verifier, database.ping)
    customers_app[customers.STORE] = await open_customers(database)
    store = await open_orders(database)
    await store.list_price(Price(LAMP, "L", "Lamp", 100, "EUR", version=1))
    await store.know_customer(ADA, "active", 1)
    orders_app = http.application(orders.routes, verifier, database.ping)
    orders_app[orders.STORE], orders_app[orders.CURSORS] = store, Cursors(b"key")
    async with TestClient(TestServer(customers_app)) as one, TestClient(TestServer(orders_app)) as two:
        yield Services(one, two, tokens)


@pytest.fixture
def real(to: Connections, services: Services) -> Connections:
    token = services.bearer(Role.SERVICE)["Authorization"].removeprefix("Bearer ")
    customers_url, orders_url = (str(each.make_url("")).rstrip("/") for each in (services.customers, services.orders))
    told = replace(to.settings, customers_url=customers_url, orders_url=orders_url, catalog_url=orders_url)
    return replace(to, settings=told, credential=Credential(token))


def asks(headers: dict[str, str]) -> func.HttpRequest:
    lowered = {name.lower(): value for name, value in headers.items()}
    return func.HttpRequest("GET", "https://store/", headers=lowered, route_params={"id": str(ADA)}, body=b"")


async def test_customers_get_all_that_is_known_of_them(services: Services, real: Connections) -> None:
    await services.register()
    for _ in range(101):
        await services.order()

    answer = await customer_data(asks(services.bearer(Role.CUSTOMER)), real)

    entries = json.loads(answer.get_body())
    assert [entry["kind"] for entry in entries] == ["profile", "address", "preferences", *["order"] * 101]
    assert len({entry["id"] for entry in entries[3:]}) == 101
    assert {entry["payment"] for entry in entries[3:]} == {"none"}
    assert {event["name"] for entry in entries[3:] for event in entry["timeline"]} == {"order-placed"}
    named = {"name": "main", "phone": "", "delivery": True, "billing": True}
    assert entries[1] == {"kind": "address"} | PROFILE["address"] | named  # type: ignore[operator]
    assert entries[2] == {"kind": "preferences", "back_in_stock": True, "marketing": False}


async def test_staff_get_the_orders_of_that_customer_only(services: Services, real: Connections) -> None:
    await services.register()
    await services.order()
    async with services.customers.post(
        "/api/customers", json=PROFILE | {"email": "eve@example.org"}, headers=services.bearer(Role.ADMIN)
    ) as answer:
        eve = (await answer.json())["id"]
    request = func.HttpRequest(
        "GET", "https://store/", headers=services.bearer(Role.ADMIN), route_params={"id": eve}, body=b""
    )

    of_eve = await customer_data(request, real)
    of_ada = await customer_data(asks(services.bearer(Role.ADMIN)), real)

    assert [entry["kind"] for entry in json.loads(of_eve.get_body())] == ["profile", "address", "preferences"]
    assert [entry["kind"] for entry in json.loads(of_ada.get_body())] == ["profile", "address", "preferences", "order"]


async def test_others_get_nothing(services: Services, real: Connections) -> None:
    await services.register()

    statuses = [
        (await customer_data(asks(headers), real)).status_code
        for headers in (
            services.bearer(Role.CUSTOMER, uuid4()),
            {},
            {"Authorization": "Bearer x"},
            services.bearer(Role.SERVICE),
        )
    ]

    assert statuses == [404, 401, 401, 403]


async def test_an_order_passes_only_while_its_customer_is_registered_and_active(
    services: Services, real: Connections, queues: dict[str, Queue]
) -> None:
    await process_order(arrived(placed()), queues, real)
    await services.register()
    await process_order(arrived(placed()), queues, real)
    async with services.customers.put(
        f"/api/customers/{ADA}",
        json=PROFILE | {"status": "blocked"},
        headers=services.bearer(Role.ADMIN) | {"If-Match": '"v1"'},
    ) as answer:
        assert answer.status == 200
    await process_order(arrived(placed()), queues, real)

    assert len(queues["catalog"].sent) == 1
    assert [read(command, RejectOrder).reason for command in queues["orders"].sent] == [
        "the customer is not registered",
        "the customer's account is blocked",
    ]


async def test_the_list_of_orders_names_a_customer_to_staff_and_to_themselves(services: Services) -> None:
    await services.order()
    await services.order()

    async def ask(customer: UUID, headers: dict[str, str], limit: int = 100) -> tuple[int, Any, str]:
        query = {"customer": str(customer), "limit": str(limit)}
        async with services.orders.get("/api/orders", params=query, headers=headers) as answer:
            return answer.status, await answer.json(), answer.headers.get("Link", "")

    own, staff = services.bearer(Role.CUSTOMER), services.bearer(Role.ADMIN)
    assert (await ask(uuid4(), own))[0] == 404
    assert [len((await ask(ADA, who))[1]["items"]) for who in (own, staff)] == [2, 2]
    assert (await ask(uuid4(), staff))[1]["items"] == []
    _, first, link = await ask(ADA, staff, limit=1)
    async with services.orders.get(link.partition(">")[0].lstrip("<"), headers=staff) as answer:
        second = await answer.json()
    assert f"customer={ADA}" in link
    assert {item["id"] for item in first["items"]}.isdisjoint(item["id"] for item in second["items"])
    assert len(second["items"]) == 1
