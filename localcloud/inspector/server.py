"""The inspector over HTTP: its page, what the page asks for as JSON, and what one can do there."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from string import Template
from time import monotonic
from typing import Any, Final

import msgspec
from aiohttp import web

from localcloud.eventgrid import wire
from localcloud.eventgrid.container import NotTaken
from localcloud.eventgrid.server import LARGEST_REQUEST
from localcloud.inspector import messages, orders
from localcloud.inspector.actions import PLACES, Actions
from localcloud.inspector.door import Door, NotHere, NotOurPage
from localcloud.inspector.sources import Sources
from localcloud.journal import Full
from localcloud.servicebus.errors import Refused

FRESH_SECONDS: Final = 0.5  # in which whoever asks gets the same look
FOLDER: Final = Path(__file__).with_name("page")
PAGE: Final = Template((FOLDER / "index.html").read_text())
FILES: Final = {
    "/style.css": ("text/css", (FOLDER / "style.css").read_text()),
    "/inspector.js": ("text/javascript", (FOLDER / "inspector.js").read_text()),
}
STATUS: Final[dict[type[Exception], int]] = {
    NotHere: 421,
    NotOurPage: 403,
    wire.Malformed: 422,
    msgspec.DecodeError: 422,
    msgspec.ValidationError: 422,
    UnicodeDecodeError: 422,
    Full: 503,
    NotTaken: 503,
}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
ID = r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|[0-9a-f]{32}"


@dataclass(slots=True)
class Inspector:
    sources: Sources
    door: Door
    fresh_seconds: float = FRESH_SECONDS
    _look: tuple[float, bytes] = (float("-inf"), b"")
    _looking: asyncio.Lock = field(default_factory=asyncio.Lock)
    _reading: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(2))  # of logs, which takes a while

    def app(self) -> web.Application:
        app = web.Application(middlewares=[self._answer], client_max_size=LARGEST_REQUEST + 4096)
        app.router.add_get("/", self._page)
        for path in FILES:
            app.router.add_get(path, self._file)
        app.router.add_get("/api/overview", self._overview)
        app.router.add_get("/api/messages", self._messages)
        app.router.add_get("/api/events", self._events)
        app.router.add_get("/api/graves", self._graves)
        app.router.add_get("/api/orders", self._orders)
        app.router.add_get(f"/api/orders/{{id:{ID}}}", self._way)
        app.router.add_get(r"/api/letters/{id:\d{1,18}}", self._letter)
        app.router.add_routes(Actions(self.sources).routes())
        return app

    # --- the page -----------------------------------------------------------------------------------------------------

    async def _page(self, _: web.Request) -> web.Response:
        return web.Response(text=PAGE.substitute(token=self.door.token), content_type="text/html")

    async def _file(self, request: web.Request) -> web.Response:
        kind, text = FILES[request.path]
        return web.Response(text=text, content_type=kind)

    # --- what it shows ------------------------------------------------------------------------------------------------

    async def _overview(self, request: web.Request) -> web.Response:
        """304 for as long as nothing has changed."""
        async with self._looking:
            at, content = self._look
            if monotonic() - at >= self.fresh_seconds:
                content = msgspec.json.encode(await self.sources.overview())
                self._look = (monotonic(), content)
        headers = {"ETag": f'"{sha256(content).hexdigest()[:32]}"', "Cache-Control": "no-cache"}
        if request.headers.get("If-None-Match") == headers["ETag"]:
            return web.Response(status=304, headers=headers)
        return web.Response(body=content, content_type="application/json", headers=headers)

    async def _messages(self, request: web.Request) -> web.Response:
        entity, place = self.sources.entity(_said(request, "entity")), request.query.get("place", "main")
        if place not in PLACES:
            raise web.HTTPUnprocessableEntity(text=f"place is {', '.join(PLACES)}")
        start, most = _number(request, "from", 0, 2**63), _number(request, "limit", messages.MOST, messages.MOST)
        return _json(messages.peek(entity.sub_queue(PLACES[place]), start, most))

    async def _events(self, request: web.Request) -> web.Response:
        subscriber = self.sources.subscriber(_said(request, "subscription"))
        return _json(messages.waiting(await subscriber.waiting_events(messages.MOST)))

    async def _graves(self, request: web.Request) -> web.Response:
        return _json(await self.sources.graveyard.look(self.sources.subscriber(_said(request, "subscription"))))

    async def _orders(self, _: web.Request) -> web.Response:
        async with self._reading:
            return _json(await asyncio.to_thread(orders.recent, self.sources.logs))

    async def _way(self, request: web.Request) -> web.Response:
        async with self._reading:
            return _json(await asyncio.to_thread(orders.way, self.sources.logs, request.match_info["id"].lower()))

    async def _letter(self, request: web.Request) -> web.Response:
        letter = await self.sources.letters.find(int(request.match_info["id"]))
        if letter is None:
            raise web.HTTPNotFound(text="There is no such letter.")
        return _json(letter)

    # --- who may, and what went wrong ---------------------------------------------------------------------------------

    @web.middleware
    async def _answer(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        response = await self._checked(request, handler)
        self.door.dress(response)
        return response

    async def _checked(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            self.door.check(request)
            return await handler(request)
        except web.HTTPException as error:
            return _problem(error.status, error.text or error.reason)
        except Refused as refused:
            return _problem(refused.status, str(refused))
        except tuple(STATUS) as error:
            return _problem(STATUS[type(error)], str(error) or type(error).__doc__ or "")


def _json(content: Any) -> web.Response:
    return web.Response(body=msgspec.json.encode(content), content_type="application/json")


def _problem(status: int, detail: str) -> web.Response:
    body = msgspec.json.encode({"status": status, "detail": detail})
    return web.Response(body=body, status=status, content_type="application/problem+json")


def _said(request: web.Request, name: str) -> str:
    if not (said := request.query.get(name, "")):
        raise web.HTTPUnprocessableEntity(text=f"say {name}")
    return said


def _number(request: web.Request, name: str, otherwise: int, most: int) -> int:
    text = request.query.get(name, str(otherwise))
    if not (text.isascii() and text.isdecimal() and len(text) < 20 and int(text) <= most):
        raise web.HTTPUnprocessableEntity(text=f"{name} is a number up to {most}")
    return int(text)
