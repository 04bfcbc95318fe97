"""What people read of a service: its OpenAPI document, and Swagger UI."""

from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from msgspec import Struct

from libs.common import http
from libs.common.auth import Verifier
from libs.common.http import reply
from libs.common.operations import Operation, allow
from libs.common.pages import TYPES, with_pages

Client = TestClient[web.Request, web.Application]
routes = web.RouteTableDef()


class Thing(Struct):
    name: str


@routes.get("/api/things/{id}")
@allow()
@Operation(answers={200: Thing})
async def read_thing(_: web.Request) -> web.Response:
    """One of them."""
    return reply(Thing("lamp"))


@pytest.fixture
async def client(verifier: Verifier) -> AsyncIterator[Client]:
    async def ready() -> bool:
        return True

    async with TestClient(TestServer(http.application(with_pages("shop", routes), verifier, ready))) as connected:
        yield connected


async def test_a_service_tells_what_it_serves(client: Client) -> None:
    answer = await client.get("/openapi.json")

    document = await answer.json()
    assert (answer.status, document["openapi"], document["info"]["title"]) == (200, "3.1.0", "Store: shop")
    assert list(document["paths"]) == ["/api/things/{id}"]
    assert document["paths"]["/api/things/{id}"]["get"]["description"] == "One of them."


@pytest.mark.parametrize("encoding", ["gzip, deflate", "identity"])
@pytest.mark.parametrize("name", [None, *TYPES])
async def test_swagger_ui_comes_from_us_alone(client: Client, name: str | None, encoding: str) -> None:
    answer = await client.get(f"/docs/{name}" if name else "/docs", headers={"Accept-Encoding": encoding})

    text = await answer.text()
    assert (answer.status, answer.content_type) == (200, TYPES[name or "index.html"])
    assert "<!doctype html>" in text or "SwaggerUIBundle" in text or ".swagger-ui" in text
    if answer.content_type == "text/html":
        assert "http" not in text, "the page asks somebody else for something"


async def test_only_the_page_may_run_scripts_and_only_ours(client: Client) -> None:
    page, other = await client.get("/docs"), await client.get("/openapi.json")

    assert "script-src 'self';" in page.headers["Content-Security-Policy"]
    assert "unsafe-eval" not in page.headers["Content-Security-Policy"]
    assert other.headers["Content-Security-Policy"].startswith("default-src 'none'; frame-ancestors")


@pytest.mark.parametrize("name", ["LICENSE", "..%2f__init__.py", "__init__.py"])
async def test_what_is_no_page_is_not_found(client: Client, name: str) -> None:
    assert (await client.get(f"/docs/{name}")).status == 404
