"""The topics' endpoints, `POST /{topic}/api/events?api-version=2018-01-01`: an empty 200, or an error as in Azure."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from aiohttp import web

from localcloud.access import Forbidden, Unauthorized
from localcloud.eventgrid.door import Door, Refused
from localcloud.eventgrid.wire import Event, Malformed, TooMany, parse
from localcloud.journal import Full
from localcloud.subscription import Schema

API_VERSION = "2018-01-01"
LARGEST_REQUEST = 1024 * 1024  # bytes; an event may fill it
MOST_AT_ONCE = 256  # requests
BODY_SECONDS = 30


class UnknownTopic(Exception):
    """There is no such topic."""


class UnknownSubscription(Exception):
    """There is no such subscription, or the code is not its own."""


ANSWERS: dict[type[Exception], type[web.HTTPException]] = {
    Unauthorized: web.HTTPUnauthorized,
    Refused: web.HTTPUnauthorized,
    Forbidden: web.HTTPForbidden,
    UnknownTopic: web.HTTPNotFound,
    UnknownSubscription: web.HTTPNotFound,
    Malformed: web.HTTPBadRequest,
    web.RequestPayloadError: web.HTTPBadRequest,  # not encoded as it says
    TooMany: web.HTTPRequestEntityTooLarge,
    TimeoutError: web.HTTPRequestTimeout,
    Full: web.HTTPServiceUnavailable,
    sqlite3.Error: web.HTTPServiceUnavailable,
}
HEADERS = {401: {"WWW-Authenticate": "Bearer"}, 503: {"Retry-After": "1"}}


@dataclass(frozen=True, slots=True)
class TopicEndpoints:
    topics: Collection[str]
    schemas: Mapping[str, Schema]
    door: Door
    publish: Callable[[str, list[Event]], Awaitable[None]]
    agree: Callable[[str, str], bool]  # by hand, a subscription and its code
    _room: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(MOST_AT_ONCE))

    def app(self) -> web.Application:
        app = web.Application(middlewares=[_answer_errors], client_max_size=LARGEST_REQUEST)
        app.router.add_post("/{topic}/api/events", self._receive)
        for verb in ("GET", "POST"):  # a person's browser, and CloudEvents' callback
            app.router.add_route(verb, "/validate", self._validate)
        return app

    async def _receive(self, request: web.Request) -> web.Response:
        topic = self._topic(request.match_info["topic"])
        self.door.admit(request.headers, topic, datetime.now(UTC))
        if request.query.get("api-version") != API_VERSION:
            raise Malformed(f"The api-version must be {API_VERSION}.")
        if self._room.locked():
            raise Full
        async with self._room:
            async with asyncio.timeout(BODY_SECONDS):
                body = await request.read()
            schema = self.schemas.get(topic, "cloudevents")
            await self.publish(topic, parse(request.content_type, body, request.headers, schema))
        return web.Response()

    def _topic(self, said: str) -> str:
        """As it was named: in Azure it is a host's name, which has no case. Raises UnknownTopic."""
        for name in self.topics:
            if name.lower() == said.lower():
                return name
        raise UnknownTopic

    async def _validate(self, request: web.Request) -> web.Response:
        if not self.agree(request.query.get("subscription", ""), request.query.get("code", "")):
            raise UnknownSubscription
        return web.Response(text="The endpoint is validated: events will be delivered to it.\n")


@web.middleware
async def _answer_errors(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    try:
        return await handler(request)
    except web.HTTPException as error:
        return _error(type(error), error.text or error.reason)
    except tuple(ANSWERS) as error:
        kind = next(answer for kind, answer in ANSWERS.items() if isinstance(error, kind))
        return _error(kind, str(error) or type(error).__doc__ or "")


def _error(kind: type[web.HTTPException], message: str) -> web.Response:
    what = {"code": kind.__name__.removeprefix("HTTP"), "message": message}
    body = {"error": what | {"details": [what]}}
    return web.json_response(body, status=kind.status_code, headers=HEADERS.get(kind.status_code))
