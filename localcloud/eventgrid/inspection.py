"""What one can do to Event Grid while it runs: look, change the conditions, pause a subscription, publish an event.

All that changes something is a PUT, so that no page elsewhere can have a browser do it.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from aiohttp import web
from msgspec import Struct

from localcloud.eventgrid.faults import Conditions
from localcloud.eventgrid.wire import Malformed, TooMany, parse

if TYPE_CHECKING:
    from localcloud.eventgrid import EventGrid

T = TypeVar("T")


class Wanted(Struct, frozen=True, forbid_unknown_fields=True):
    paused: bool


@dataclass(frozen=True, slots=True)
class Inspection:
    grid: "EventGrid"

    def add_to(self, app: web.Application) -> None:
        app.router.add_get("/event-grid", self._show_conditions)
        app.router.add_put("/event-grid", self._change_conditions)
        app.router.add_get("/event-grid/subscriptions", self._show_subscriptions)
        app.router.add_put("/event-grid/subscriptions/{name}", self._change_subscription)
        app.router.add_put("/event-grid/topics/{topic}/events", self._publish)

    async def _show_conditions(self, _: web.Request) -> web.Response:
        return _json(self.grid.conditions)

    async def _change_conditions(self, request: web.Request) -> web.Response:
        self.grid.change(await _read(request, Conditions))
        return _json(self.grid.conditions)

    async def _show_subscriptions(self, _: web.Request) -> web.Response:
        return _json(self.grid.state())

    async def _change_subscription(self, request: web.Request) -> web.Response:
        wanted, known = await _read(request, Wanted), self.grid.subscriber(request.match_info["name"])
        if known is None:
            raise web.HTTPNotFound(text="there is no such subscription")
        if wanted.paused:
            known.pause()
        else:
            known.resume()
        return _json(known.state())

    async def _publish(self, request: web.Request) -> web.Response:
        """The body is as a publisher would send it."""
        topic = request.match_info["topic"]
        if topic not in self.grid.topics:
            raise web.HTTPNotFound(text="there is no such topic")
        try:
            schema = self.grid.schemas.get(topic, "cloudevents")
            await self.grid.publish(topic, parse(request.content_type, await request.read(), request.headers, schema))
        except (Malformed, TooMany) as error:
            raise web.HTTPUnprocessableEntity(text=str(error)) from error
        return web.Response(status=204)


async def _read(request: web.Request, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(await request.read(), type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise web.HTTPUnprocessableEntity(text=str(error)) from error


def _json(what: Any) -> web.Response:
    return web.Response(body=msgspec.json.encode(what), content_type="application/json")
