"""Products in and out by the thousand, over HTTP: line by line, resumable, in bounded memory."""

import asyncio
import gc
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from io import BytesIO
from typing import Any
from uuid import uuid4

import psutil
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from libs.common import http
from libs.common.auth import Role, Verifier
from libs.common.cursors import Cursors
from libs.common.postgres import Postgres
from services.catalog.routes import CURSORS, STORE, lines, routes
from services.catalog.store import Page, Sort, Store, Wanted, migrate, open_store
from tests.tokens import Tokens
from tests.waiting import until

pytestmark = pytest.mark.real

Client = TestClient[web.Request, web.Application]
NDJSON = {"Content-Type": "application/x-ndjson"}
MANY = 100_000
MOST_SENT = 6000
MOST_GROWTH = 48 * 2**20  # bytes, for 56 MiB in and as many out, of client and service together


@dataclass(slots=True)
class Counting:
    """A store that knows how many pages were asked for."""

    store: Store
    pages: int = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)

    async def page(self, *asked: Any) -> Page:
        self.pages += 1
        return await self.store.page(*asked)


@pytest.fixture
async def store(database: Postgres) -> Counting:
    await migrate(database)
    return Counting(await open_store(database))


@pytest.fixture
async def client(verifier: Verifier, database: Postgres, store: Store) -> AsyncIterator[Client]:
    app = http.application(routes, verifier, database.ping)
    app[STORE], app[CURSORS] = store, Cursors(b"key")
    async with TestClient(TestServer(app)) as connected:
        yield connected


def line(number: int, **said: Any) -> bytes:
    product = {"sku": f"S-{number}", "name": f"Thing {number}", "price": number, "currency": "EUR", **said}
    return json.dumps(product).encode() + b"\n"


async def send(client: Client, staff: dict[str, str], body: Any, query: str = "") -> list[dict[str, Any]]:
    answer = await client.post(f"/api/products/import{query}", data=body, headers=staff | NDJSON)
    assert (answer.status, answer.content_type) == (200, "application/x-ndjson"), await answer.text()
    return [json.loads(each) for each in (await answer.read()).splitlines()]


async def total(client: Client) -> int:
    body = await (await client.get("/api/products/counts")).json()
    return int(body["total"])


def ended(created: int, unchanged: int, line: int) -> dict[str, Any]:
    counts = {"created": created, "updated": 0, "unchanged": unchanged, "refused": 0}
    return {"type": "done", "line": line, **counts}


async def test_what_is_wrong_is_named_by_its_line_and_stops_no_other(client: Client, staff: dict[str, str]) -> None:
    body = b"".join(
        [
            line(1),
            b"{\n",
            line(3, price=-1),
            b"\n",
            line(5, category_ids=[str(uuid4())]),
            b'{"name": "' + b"x" * lines.MOST_LINE_BYTES + b'"}\n',
            b"\xff\n",
            line(8, version=7),
            line(1, price=9),
            line(10).rstrip(),
        ]
    )

    *refused, progress, done = await send(client, staff, body)

    assert {(each["type"], each["line"], each["field"]) for each in refused} == {
        ("refused", 2, "line"),
        ("refused", 3, "price"),
        ("refused", 5, "category_ids"),
        ("refused", 6, "line"),
        ("refused", 7, "line"),
        ("refused", 8, "body"),
    }
    counts = {"line": 10, "created": 2, "updated": 1, "unchanged": 0, "refused": 6}
    assert (progress, done) == ({"type": "progress", **counts}, {"type": "done", **counts})
    assert await total(client) == 2


async def test_an_import_that_is_sent_again_does_nothing_twice(
    client: Client, staff: dict[str, str], database: Postgres
) -> None:
    body = b"".join(map(line, range(1, 451)))

    first = await send(client, staff, body)
    again = await send(client, staff, body)

    assert [each["line"] for each in first] == [200, 400, 450, 450]
    assert (first[-1], again[-1]) == (ended(450, 0, 450), ended(0, 450, 450))
    (facts,) = await database.fetch("SELECT count(*) AS told FROM outbox")
    assert facts["told"] == 450


async def test_an_import_that_breaks_off_goes_on_where_it_was(client: Client, staff: dict[str, str]) -> None:
    """The connection ends in the middle of a line: what is whole and committed stays, the rest never was."""
    head = "\r\n".join(f"{name}: {value}" for name, value in (staff | NDJSON).items())
    body = b"".join(map(line, range(1, 201))) + line(201)[:20]
    reader, writer = await asyncio.open_connection(client.host, client.port)
    writer.write(
        f"POST /api/products/import HTTP/1.1\r\nHost: store\r\n{head}\r\nContent-Length: 1000000\r\n\r\n".encode()
        + body
    )
    while b'"progress","line":200' not in await reader.readline():
        continue
    writer.transport.abort()

    rest = await send(client, staff, b"".join(map(line, range(201, 301))), "?first_line=201")

    assert rest[-1] == ended(100, 0, 300)
    assert await total(client) == 300


async def test_progress_is_told_while_lines_are_still_sent(client: Client, staff: dict[str, str]) -> None:
    heard = asyncio.Event()

    async def slowly() -> AsyncIterator[bytes]:
        yield b"".join(map(line, range(200)))
        await asyncio.wait_for(heard.wait(), 10)
        yield line(200)

    async with client.post("/api/products/import", data=slowly(), headers=staff | NDJSON) as answer:
        first = json.loads(await answer.content.readline())
        heard.set()
        rest = (await answer.read()).splitlines()

    assert (first["type"], first["line"]) == ("progress", 200)
    assert json.loads(rest[-1])["type"] == "done"


async def test_an_import_stops_when_the_service_does(client: Client, staff: dict[str, str]) -> None:
    client.app[http.DRAINING].set()

    (stopped,) = await send(client, staff, line(1))

    assert (stopped["type"], stopped["line"]) == ("stopped", 0)
    assert "another" in stopped["detail"]


async def test_nobody_asks_for_an_export_without_its_body(client: Client, staff: dict[str, str]) -> None:
    answer = await client.head("/api/products/export", headers=staff)

    assert (answer.status, answer.headers["Allow"]) == (405, "GET")


async def test_what_is_exported_can_be_imported(client: Client, staff: dict[str, str]) -> None:
    category = await (await client.post("/api/categories", json={"name": "Home"}, headers=staff)).json()
    said = {"category_ids": [category["id"]], "attributes": {"color": "red", "watts": 5.5}, "tax_rate": 700}
    await send(client, staff, line(1, **said) + line(2, status="draft", opening_stock=3) + line(3))

    exported = await (await client.get("/api/products/export", headers=staff)).read()
    drafts = await (await client.get("/api/products/export?status=draft", headers=staff)).read()
    again = await send(client, staff, exported)

    products = {each["sku"]: each for each in map(json.loads, exported.splitlines())}
    assert sorted(products) == ["S-1", "S-2", "S-3"]
    assert said.items() <= products["S-1"].items()
    assert [json.loads(each)["sku"] for each in drafts.splitlines()] == ["S-2"]
    assert again[-1] == ended(0, 3, 3)


async def test_only_staff_and_only_lines(client: Client, staff: dict[str, str], tokens: Tokens) -> None:
    for role, expected in ((None, 401), (Role.CUSTOMER, 403), (Role.SERVICE, 403)):
        headers = tokens.bearer(role) if role else {}
        sent = await client.post("/api/products/import", data=line(1), headers=headers | NDJSON)
        read = await client.get("/api/products/export", headers=headers)
        assert (sent.status, read.status) == (expected, expected)

    other = await client.post("/api/products/import", json=[], headers=staff)
    wrong = await client.post("/api/products/import?first_line=0", data=b"", headers=staff | NDJSON)
    assert (other.status, wrong.status) == (415, 422)


@pytest.mark.timeout(180)
async def test_memory_is_bounded_whatever_the_number_of_lines(client: Client, staff: dict[str, str]) -> None:
    text = "A thing that somebody may want to have, for this or for that. " * 8
    process = psutil.Process()
    await send(client, staff, b"".join(line(number, description=text) for number in range(400)))
    gc.collect()
    before = highest = process.memory_info().rss

    async def body() -> AsyncIterator[bytes]:
        for first in range(0, MANY, 50):
            yield b"".join(line(number, description=text) for number in range(first, first + 50))

    async with client.post("/api/products/import", data=body(), headers=staff | NDJSON) as answer:
        while said := await answer.content.readline():
            imported, highest = json.loads(said), max(highest, process.memory_info().rss)
    exported = 0
    async with client.get("/api/products/export", headers=staff) as answer:
        async for chunk in answer.content.iter_any():
            exported += chunk.count(b"\n")
            highest = max(highest, process.memory_info().rss)

    assert imported == ended(MANY - 400, 400, MANY)
    assert exported == MANY
    assert highest - before < MOST_GROWTH, f"{(highest - before) / 2**20:.0f} MiB"


async def test_who_does_not_read_an_export_makes_it_wait(
    client: Client, staff: dict[str, str], store: Counting
) -> None:
    await send(client, staff, BytesIO(b"".join(line(number, description="x" * 4000) for number in range(MOST_SENT))))
    head = "\r\n".join(f"{name}: {value}" for name, value in staff.items())

    _, writer = await asyncio.open_connection(client.host, client.port, limit=1024)
    writer.write(f"GET /api/products/export HTTP/1.1\r\nHost: store\r\n{head}\r\n\r\n".encode())
    await until(lambda: no_more(store), bool)

    assert 0 < store.pages < MOST_SENT // 200 // 2
    writer.transport.abort()


async def no_more(store: Counting) -> bool:
    """Whether no page is asked for while another caller gets one."""
    before = store.pages
    await store.store.page(Wanted(), Sort.NEWEST, None, 100)
    return 0 < before == store.pages
