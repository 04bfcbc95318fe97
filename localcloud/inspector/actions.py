"""What one can do: each is a POST from our own page, takes a small body, and says in a sentence what came of it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Final, Literal, TypeVar

import msgspec
import structlog
from aiohttp import web
from msgspec import Meta, Raw, Struct

from localcloud.eventgrid import FAIR, Conditions, wire
from localcloud.inspector.sources import Sources
from localcloud.servicebus import ledger, tending
from localcloud.servicebus.errors import UnknownEntity

PLACES: Final = {"main": ledger.MAIN, "dead": ledger.DEAD, "stuck": ledger.STUCK}

Name = Annotated[str, Meta(min_length=1, max_length=512)]
Place = Literal["main", "dead", "stuck"]
T = TypeVar("T")

log = structlog.get_logger()


class Resend(Struct, frozen=True, forbid_unknown_fields=True):
    entity: Name
    number: Annotated[int, Meta(ge=0)]


class Purge(Struct, frozen=True, forbid_unknown_fields=True):
    entity: Name
    place: Place = "main"


class Publish(Struct, frozen=True, forbid_unknown_fields=True):
    topic: Name
    event: Raw  # a CloudEvent


class Subscription(Struct, frozen=True, forbid_unknown_fields=True):
    subscription: Name


class Buried(Struct, frozen=True, forbid_unknown_fields=True):
    subscription: Name
    blob: Annotated[str, Meta(max_length=1024)] = ""  # none: all of them


class Said(Struct, frozen=True):
    said: str


@dataclass(frozen=True, slots=True)
class Actions:
    sources: Sources

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/api/resend", _takes(Resend, self._resend)),
            web.post("/api/purge", _takes(Purge, self._purge)),
            web.post("/api/publish", _takes(Publish, self._publish)),
            web.post("/api/pause", _takes(Subscription, self._pause)),
            web.post("/api/resume", _takes(Subscription, self._resume)),
            web.post("/api/bring", _takes(Buried, self._bring)),
            web.post("/api/discard", _takes(Buried, self._discard)),
            web.post("/api/conditions", _takes(Conditions, self._change)),
        ]

    async def _resend(self, asked: Resend) -> str:
        await tending.resend(self.sources.entity(asked.entity), asked.number)
        return f"Message {asked.number} is in {asked.entity} again."

    async def _purge(self, asked: Purge) -> str:
        count = await tending.purge(self.sources.entity(asked.entity), PLACES[asked.place])
        what = "message" if asked.place == "main" else "dead letter"
        return f"{count} {what}{'' if count == 1 else 's'} of {asked.entity} thrown away."

    async def _publish(self, asked: Publish) -> str:
        if asked.topic not in self.sources.topology.topics:
            raise UnknownEntity(asked.topic)
        if self.sources.grid.schemas.get(asked.topic) == "eventgrid":
            (event,) = wire.parse(wire.OWN, b"[%s]" % bytes(asked.event), schema="eventgrid")
        else:
            (event,) = wire.parse(wire.ONE, bytes(asked.event))
        await self.sources.grid.publish(asked.topic, [event])
        return f"Published on {asked.topic}: {event.type}."

    async def _pause(self, asked: Subscription) -> str:
        self.sources.subscriber(asked.subscription).pause()
        return f"{asked.subscription} is paused; what comes for it waits."

    async def _resume(self, asked: Subscription) -> str:
        self.sources.subscriber(asked.subscription).resume()
        return f"{asked.subscription} goes on."

    async def _bring(self, asked: Buried) -> str:
        return await self.sources.graveyard.bring(self.sources.subscriber(asked.subscription), asked.blob)

    async def _discard(self, asked: Buried) -> str:
        return await self.sources.graveyard.discard(self.sources.subscriber(asked.subscription), asked.blob)

    async def _change(self, asked: Conditions) -> str:
        self.sources.grid.change(asked)
        return "All is delivered as it should be." if asked == FAIR else "From now on, faults happen."


def _takes(kind: type[T], act: Callable[[T], Awaitable[str]]) -> Callable[[web.Request], Awaitable[web.Response]]:
    """Raises msgspec.DecodeError and what the act raises."""

    async def answer(request: web.Request) -> web.Response:
        asked = msgspec.json.decode(await request.read(), type=kind)
        said = await act(asked)
        log.info("inspector.acted", act=kind.__name__)
        return web.Response(body=msgspec.json.encode(Said(said)), content_type="application/json")

    return answer
