"""Signing in as a person does it: the page in a real browser, by keyboard, and the way back to the application."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from uuid import uuid4

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.localcloud.directory import ADA, Directory
from tests.localcloud.inspector.browser import Visit, expect, visiting

pytestmark = pytest.mark.real

PATIENCE = 10


@dataclass(slots=True)
class Application:
    """Somebody's own, at the address to go back to; it remembers what it is brought."""

    url: str = ""
    answers: asyncio.Queue[dict[str, str]] = field(default_factory=asyncio.Queue)

    async def receive(self, request: web.Request) -> web.Response:
        said = await request.post() if request.method == "POST" else request.query
        self.answers.put_nowait({name: str(value) for name, value in said.items()})
        return web.Response(
            text="<!doctype html><title>Back</title><link rel=icon href=data:,><h1>Back</h1>", content_type="text/html"
        )

    async def answer(self) -> dict[str, str]:
        return await asyncio.wait_for(self.answers.get(), PATIENCE)


@pytest.fixture
async def application() -> AsyncIterator[Application]:
    application, app = Application(), web.Application()
    app.router.add_route("*", "/", application.receive)
    async with TestServer(app, host="localhost") as server:
        application.url = f"http://localhost:{server.port}"
        yield application


@pytest.fixture
async def visit(directory: Directory) -> AsyncIterator[Visit]:
    async with visiting(str(directory.client.make_url("")).rstrip("/")) as visit:
        yield visit


async def asked(visit: Visit, directory: Directory, application: Application, **change: str) -> None:
    query = directory.asked(redirect_uri=application.url, **change)
    url = directory.client.make_url(f"/{directory.topology.tenant}/oauth2/v2.0/authorize").with_query(query)
    await visit.page.goto(str(url))
    await expect(visit.page.get_by_role("heading", name="Sign in")).to_be_visible()


async def test_a_screen_reader_is_told_who_there_is_and_what_to_do(
    visit: Visit, directory: Directory, application: Application
) -> None:
    await asked(visit, directory, application)

    await expect(visit.page.locator("main")).to_match_aria_snapshot("""
- heading "Sign in" [level=1]
- paragraph: Who are you?
- button "Admin Store.Admin"
- button "Service Store.Service"
- button "Ada Lovelace Store.Customer"
- text: /customer.s id/
- textbox /customer.s id/
- button "Sign in with it"
""")
    assert await visit.evaluate("document.documentElement.lang + document.title") == "enSign in"


@pytest.mark.parametrize("mode", ["query", "form_post"])
async def test_a_person_signs_in_by_keyboard_and_the_application_gets_a_code_that_is_good(
    visit: Visit, directory: Directory, application: Application, mode: str
) -> None:
    await asked(visit, directory, application, response_mode=mode)

    await visit.tab_to("Ada Lovelace")
    assert await visit.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    await visit.press("Enter")
    await expect(visit.page.get_by_role("heading", name="Back")).to_be_visible()
    answer = await application.answer()
    tokens = await directory.redeem(answer["code"], redirect_uri=application.url)

    assert answer["state"] == "s&t"
    assert visit.page.url.startswith(application.url)
    assert directory.claims(tokens["access_token"])["oid"] == str(ADA)
    assert visit.wrong == []


async def test_a_stranger_types_their_id_and_signs_in_by_keyboard(
    visit: Visit, directory: Directory, application: Application
) -> None:
    customer = str(uuid4())
    await asked(visit, directory, application)

    while await visit.evaluate("document.activeElement.id") != "other":
        await visit.press("Tab")
    await visit.page.keyboard.type(customer)
    await visit.press("Enter")
    answer = await application.answer()
    tokens = await directory.redeem(answer["code"], redirect_uri=application.url)

    assert directory.claims(tokens["access_token"])["oid"] == customer


async def test_what_is_no_id_is_not_sent(visit: Visit, directory: Directory, application: Application) -> None:
    await asked(visit, directory, application)

    await visit.page.get_by_label("customer").fill("ada")
    await visit.press("Enter")

    assert await visit.evaluate("document.querySelector('#other').validity.patternMismatch")
    assert application.answers.empty()


async def test_where_the_way_back_is_not_the_applications_the_page_says_so_and_offers_nothing(
    visit: Visit, directory: Directory
) -> None:
    query = directory.asked(redirect_uri="https://evil.example")
    url = directory.client.make_url(f"/{directory.topology.tenant}/oauth2/v2.0/authorize").with_query(query)

    await visit.page.goto(str(url))

    await expect(visit.page.get_by_role("heading", name="Signing in failed")).to_be_visible()
    assert await visit.page.get_by_role("button").count() == 0
