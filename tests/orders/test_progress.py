"""Following an order over HTTP, on every engine: ETags, Prefer, server-sent events, shipping and return, filters."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from libs.common import http
from libs.common.auth import Role, Verifier
from libs.common.clock import now
from libs.common.cursors import Cursors
from libs.common.database import Database
from libs.common.messages import Fact
from services.orders.domain import Order, Price
from services.orders.routes import CURSORS, STORE, routes
from services.orders.store import Sought, Store, migrate, open_store
from services.orders.store.watch import MOST_OF_ONE
from tests.tokens import Tokens
from tests.waiting import so, until

pytestmark = pytest.mark.real

ADA, BOB, LAMP = UUID(int=1), UUID(int=2), UUID(int=3)
TWO_LAMPS = {"lines": [{"product_id": str(LAMP), "quantity": 2}]}
SOUGHT = Sought()
PATIENT = "respond-async, wait=20"


@dataclass(slots=True)
class Caller:
    """Of a service with its own database."""

    client: TestClient[web.Request, web.Application]
    store: Store
    headers: dict[str, str]
    staff: dict[str, str]

    async def place(self, key: str | None = None, prefer: str | None = None) -> Any:
        headers = self.headers | {"Idempotency-Key": key or uuid4().hex} | ({"Prefer": prefer} if prefer else {})
        return await self.client.post("/api/orders", json=TWO_LAMPS, headers=headers)

    async def placed(self) -> str:
        return str((await self.place()).headers["Location"])

    async def get(self, path: str, **headers: str) -> Any:
        return await self.client.get(path, headers=self.headers | {k.replace("_", "-"): v for k, v in headers.items()})

    async def as_staff(self, path: str, body: Any = None) -> Any:
        return await self.client.post(path, json=body, headers=self.staff)

    async def confirm(self, path: str) -> None:
        order_id = UUID(path.rpartition("/")[2])
        await self.store.change(order_id, lambda order: order.reserve(now()))
        await self.store.change(order_id, authorise)


def authorise(order: Order) -> Fact | None:
    return order.record_payment("authorised", order.total, "", now())


@pytest.fixture
async def ada(verifier: Verifier, tokens: Tokens, any_database: Database) -> AsyncIterator[Caller]:
    await migrate(any_database)
    store = await open_store(any_database)
    await store.list_price(Price(LAMP, "LAMP", "Lamp", 4900, "EUR", version=1, tax_rate=1900))
    for customer in (ADA, BOB):
        await store.know_customer(customer, "active", 1)
    app = http.application(routes, verifier, any_database.ping)
    app[STORE], app[CURSORS] = store, Cursors(b"key")
    stop = asyncio.Event()
    async with TestClient(TestServer(app)) as client, asyncio.TaskGroup() as loops:
        loops.create_task(store.watch.follow(store.versions, stop))
        yield Caller(client, store, tokens.bearer(Role.CUSTOMER, oid=ADA), tokens.bearer(Role.ADMIN))
        stop.set()


async def test_an_order_says_its_tax_and_is_not_sent_again_while_it_is_the_same(ada: Caller) -> None:
    path = await ada.placed()

    first = await ada.get(path)
    body = await first.json()
    again = await ada.get(path, If_None_Match=first.headers["ETag"])
    await ada.confirm(path)
    changed = await ada.get(path, If_None_Match=first.headers["ETag"])

    assert (body["total"], body["tax"], body["payment"]) == (9800, 1565, "none")
    assert (body["lines"][0]["tax_rate"], body["lines"][0]["tax"]) == (1900, 1565)
    assert (again.status, changed.status, changed.headers["ETag"]) == (304, 200, '"v3"')
    assert (await changed.json())["payment"] == "authorised"


async def test_who_would_rather_wait_gets_the_settled_order(ada: Caller) -> None:
    placing = asyncio.create_task(ada.place(prefer=PATIENT))
    orders = await until(lambda: ada.store.page(SOUGHT, None, 1), bool)
    await ada.confirm(f"/api/orders/{orders[0].id}")

    answer = await placing

    assert (answer.status, answer.headers["Preference-Applied"], answer.headers["ETag"]) == (201, "wait=20", '"v3"')
    assert (await answer.json())["status"] == "confirmed"
    assert answer.headers["Location"] == f"/api/orders/{orders[0].id}"


async def test_who_has_waited_long_enough_gets_what_everybody_gets(ada: Caller) -> None:
    first = await ada.place("one")
    content = await first.read()

    waited = await ada.place("one", prefer="wait=1")
    await ada.confirm(first.headers["Location"])
    settled = await ada.place("one", prefer="wait=1")
    again = await ada.place("one")

    assert (waited.status, await waited.read(), "Preference-Applied" in waited.headers) == (202, content, False)
    assert (settled.status, (await settled.json())["status"]) == (201, "confirmed")
    assert (again.status, await again.read()) == (202, content)


async def test_a_change_by_another_process_ends_the_wait(ada: Caller, any_database: Database) -> None:
    other = await open_store(any_database)
    placing = asyncio.create_task(ada.place(prefer=PATIENT))
    (order,) = await until(lambda: other.page(SOUGHT, None, 1), bool)

    await other.change(order.id, lambda order: order.reject("sold out", now()))

    assert (await (await placing).json())["reason"] == "sold out"


@pytest.mark.parametrize("prefer", ["wait", "wait=x", "wait=-1", "waits=5", "wait=0", "handling=lenient"])
async def test_a_preference_that_is_not_understood_is_none(ada: Caller, prefer: str) -> None:
    assert (await ada.place(prefer=prefer)).status == 202


async def test_staff_ship_deliver_and_take_back_and_each_again_changes_nothing(ada: Caller) -> None:
    path = await ada.placed()
    await ada.confirm(path)

    ship = {"carrier": "DHL", "tracking": "JJD1"}
    shipped = [await (await ada.as_staff(f"{path}/ship", body)).json() for body in (ship, {"carrier": "UPS"})]
    delivered = [await (await ada.as_staff(f"{path}/deliver")).json() for _ in range(2)]
    returned = [await (await ada.as_staff(f"{path}/return", body)).json() for body in ({"reason": "small"}, None)]

    for said in (shipped, delivered, returned):
        assert said[0] == said[1]
    told = [(each[0]["status"], each[0]["version"]) for each in (shipped, delivered, returned)]
    assert told == [("shipped", 4), ("delivered", 5), ("returned", 6)]
    assert (returned[0]["carrier"], returned[0]["tracking"], returned[0]["reason"]) == ("DHL", "JJD1", "small")


@pytest.mark.parametrize("verb", ["ship", "deliver", "return"])
async def test_what_is_not_confirmed_is_not_sent_and_a_customer_sends_nothing(ada: Caller, verb: str) -> None:
    path = await ada.placed()

    refused = await ada.as_staff(f"{path}/{verb}")
    mine = await ada.client.post(f"{path}/{verb}", headers=ada.headers)

    assert (refused.status, (await refused.json())["title"], mine.status) == (409, "Not confirmed", 403)
    assert (await (await ada.get(path)).json())["version"] == 1


@dataclass(slots=True)
class Stream:
    """What has come of one so far."""

    response: Any
    events: list[dict[str, str]] = field(default_factory=list)

    async def read(self) -> None:
        """To its end."""
        event = dict[str, str]()
        async for line in self.response.content:
            text = line.decode().rstrip("\n")
            if text:
                name, _, value = text.partition(": ")
                event[name] = value
            elif "id" in event:
                self.events.append(event)
                event = {}

    @property
    def names(self) -> list[str]:
        return [event["event"] for event in self.events]


async def test_events_come_as_they_are_told_and_end_with_the_order(ada: Caller) -> None:
    path = await ada.placed()
    stream = Stream(await ada.get(f"{path}/events"))
    reading = asyncio.create_task(stream.read())
    await so(lambda: stream.names == ["order-placed"])

    await ada.confirm(path)
    await so(lambda: len(stream.events) == 3)
    await ada.as_staff(f"{path}/ship")
    await ada.as_staff(f"{path}/deliver")
    await reading

    assert stream.response.headers["Content-Type"].startswith("text/event-stream")
    assert stream.response.headers["X-Content-Type-Options"] == "nosniff"
    names = ["order-placed", "payment-requested", "order-confirmed", "order-shipped", "order-delivered"]
    assert stream.names == names
    assert [event["id"] for event in stream.events] == ["1", "2", "3", "4", "5"]
    assert msgspec.json.decode(stream.events[2]["data"])["status"] == "confirmed"


async def test_a_stream_goes_on_after_the_last_event_that_was_seen(ada: Caller) -> None:
    path = await ada.placed()
    await ada.confirm(path)
    await ada.as_staff(f"{path}/ship")
    await ada.as_staff(f"{path}/deliver")

    stream = Stream(await ada.get(f"{path}/events", Last_Event_ID="3"))
    await stream.read()
    nothing_more = await ada.get(f"{path}/events", Last_Event_ID="5")
    nonsense = Stream(await ada.get(f"{path}/events", Last_Event_ID="no number"))
    await nonsense.read()

    assert stream.names == ["order-shipped", "order-delivered"]
    assert nothing_more.status == 204
    assert len(nonsense.events) == 5


async def test_a_stream_ends_when_the_service_stops(ada: Caller) -> None:
    path = await ada.placed()
    stream = Stream(await ada.get(f"{path}/events"))
    reading = asyncio.create_task(stream.read())
    await so(lambda: bool(stream.events))

    stop = asyncio.Event()
    stop.set()
    await ada.store.watch.follow(ada.store.versions, stop)

    await reading
    assert stream.names == ["order-placed"]


async def test_nobody_asks_for_a_stream_without_its_body(ada: Caller) -> None:
    """HTTP has no end for it: what is written would be taken for the next answer."""
    answer = await ada.client.head(f"{await ada.placed()}/events", headers=ada.headers)

    assert (answer.status, answer.headers["Allow"]) == (405, "GET")


async def test_a_caller_has_so_many_streams_and_no_more(ada: Caller, tokens: Tokens) -> None:
    path = await ada.placed()
    streams = [await ada.get(f"{path}/events") for _ in range(MOST_OF_ONE)]

    one_more = await ada.get(f"{path}/events")
    patient = await ada.place(prefer="wait=20")
    other = await ada.client.get(f"{path}/events", headers=ada.staff)

    assert {stream.status for stream in streams} == {200}
    assert (one_more.status, "Retry-After" in one_more.headers) == (429, True)
    assert (patient.status, other.status) == (202, 200)
    for stream in (*streams, other):
        stream.close()


async def test_anothers_progress_is_not_found(ada: Caller, tokens: Tokens) -> None:
    path = await ada.placed()

    answer = await ada.client.get(f"{path}/events", headers=tokens.bearer(Role.CUSTOMER, oid=BOB))

    assert answer.status == 404


async def test_a_list_is_filtered_and_its_next_page_too(ada: Caller) -> None:
    paths = [await ada.placed() for _ in range(5)]
    for path in paths[:3]:
        await ada.confirm(path)

    first = await ada.get("/api/orders?status=confirmed&limit=2")
    page = await first.json()
    following = first.headers["Link"].split(">")[0].removeprefix("<")
    rest = await (await ada.get(following)).json()
    tomorrow = (now() + timedelta(days=1)).isoformat().replace("+", "%2B")
    later = await (await ada.get(f"/api/orders?placed_after={tomorrow}")).json()
    before = await (await ada.get(f"/api/orders?placed_before={tomorrow}")).json()
    of_bob = await ada.client.get(f"/api/orders?customer={BOB}", headers=ada.staff)

    assert "status=confirmed" in following
    seen = [item["id"] for item in page["items"] + rest["items"]]
    assert [f"/api/orders/{each}" for each in seen] == sorted(paths[:3], reverse=True)
    assert (later["items"], len(before["items"])) == ([], 5)
    assert (await of_bob.json())["items"] == []
