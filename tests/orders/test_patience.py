"""Who waits for an order keeps nobody else out, and hears that it is placed whatever happens after."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from itertools import cycle, islice
from operator import eq
from typing import Any
from uuid import UUID, uuid4

import pytest
from aiohttp import ClientSession, TCPConnector
from aiohttp.test_utils import TestServer

from libs.common import http
from libs.common.auth import Role, Verifier
from libs.common.cursors import Cursors
from libs.common.entrance import MOST_AT_ONCE
from libs.common.errors import Unavailable
from libs.common.postgres import Postgres
from services.orders.domain import Order
from services.orders.routes import CURSORS, STORE, routes
from services.orders.store import migrate
from services.orders.store.postgres import PostgresStore
from services.orders.store.watch import MOST_OF_ONE, MOST_PATIENT
from tests.orders.ordering import LAMP, stock_up
from tests.tokens import Tokens
from tests.waiting import until

pytestmark = pytest.mark.real

MANY, AT_ONCE = MOST_AT_ONCE + 50, 64
CUSTOMERS = [UUID(int=100 + number) for number in range(2 * MANY // MOST_OF_ONE)]


class Away(PostgresStore):
    """Nothing can be read."""

    async def read(self, order_id: UUID, customer_id: UUID | None = None) -> Order:
        raise Unavailable


class Stuck(PostgresStore):
    """No look comes to an end."""

    async def read(self, order_id: UUID, customer_id: UUID | None = None) -> Order:
        await asyncio.Event().wait()
        raise AssertionError


class Caller:
    """Of orders, with as many connections as there are requests."""

    def __init__(self, client: ClientSession, tokens: Tokens) -> None:
        self._client, self._tokens = client, tokens

    async def call(self, method: str, path: str, who: UUID, **options: Any) -> tuple[int, Any]:
        headers = self._tokens.bearer(Role.CUSTOMER, oid=who) | options.pop("headers", {})
        async with self._client.request(method, path, headers=headers, **options) as answer:
            return answer.status, await answer.json()

    async def place(self, who: UUID, **headers: str) -> tuple[int, Any]:
        body = {"lines": [{"product_id": str(LAMP), "quantity": 1}]}
        return await self.call(
            "POST", "/api/orders", who, json=body, headers=headers | {"Idempotency-Key": uuid4().hex}
        )


@asynccontextmanager
async def served(store: PostgresStore, database: Postgres, verifier: Verifier, tokens: Tokens) -> AsyncIterator[Caller]:
    app = http.application(routes, verifier, database.ping)
    app[STORE], app[CURSORS] = store, Cursors(b"key")
    async with TestServer(app) as server:
        connector = TCPConnector(limit=0)
        async with ClientSession(server.make_url("/"), connector=connector) as client:
            yield Caller(client, tokens)


@pytest.fixture
async def ready(database: Postgres) -> Postgres:
    await migrate(database)
    await stock_up(PostgresStore(database))
    for customer in CUSTOMERS:
        await PostgresStore(database).know_customer(customer, "active", 1)
    return database


async def test_while_more_wait_than_the_door_lets_in_everybody_else_is_served(
    ready: Postgres, verifier: Verifier, tokens: Tokens
) -> None:
    store, waits = PostgresStore(ready), list[asyncio.Task[tuple[int, Any]]]()
    async with served(store, ready, verifier, tokens) as caller, asyncio.TaskGroup() as tasks:
        patient = cycle(CUSTOMERS)
        while len(waits) < MANY:  # no more at once than the database has places for
            waits += [tasks.create_task(caller.place(who, Prefer="wait=20")) for who in islice(patient, AT_ONCE)]
            beyond = max(0, len(waits) - MOST_PATIENT)
            await until(partial(_standing, waits, ready), partial(eq, (beyond, len(waits))), seconds=15)

        placed, order = await caller.place(CUSTOMERS[0])
        path = f"/api/orders/{order['id']}"
        read, _ = await caller.call("GET", path, CUSTOMERS[0])
        cancelled, _ = await caller.call("POST", f"{path}/cancel", CUSTOMERS[0])
        stop = asyncio.Event()
        stop.set()
        await store.watch.follow(store.versions, stop)

    assert (placed, read, cancelled) == (202, 200, 200)
    assert {wait.result()[0] for wait in waits} == {202}


async def _standing(waits: list[asyncio.Task[tuple[int, Any]]], database: Postgres) -> tuple[int, int]:
    """How many wait no more, and how many orders there are."""
    (row,) = await database.fetch("SELECT count(*) FROM orders")
    return sum(wait.done() for wait in waits), row["count"]


@pytest.mark.parametrize("kind", [Away, Stuck])
async def test_an_order_that_cannot_be_looked_at_after_is_placed_all_the_same(
    ready: Postgres, verifier: Verifier, tokens: Tokens, kind: type[PostgresStore]
) -> None:
    async with served(kind(ready), ready, verifier, tokens) as caller:
        status, order = await caller.place(CUSTOMERS[0], Prefer="wait=1")

    assert (status, order["status"]) == (202, "placed")
    assert [row["id"] for row in await ready.fetch("SELECT id FROM orders")] == [UUID(order["id"])]
