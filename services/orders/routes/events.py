"""An order's progress as server-sent events (HTML, section 9.2): what is told of it, as it is told."""

import asyncio
from dataclasses import dataclass
from uuid import UUID

import msgspec
from aiohttp import web

from libs.common.auth import Role
from libs.common.door import CALLER
from libs.common.errors import NotFound, Unavailable
from libs.common.http import begin, no_content, path_id
from libs.common.operations import Operation, allow
from services.orders.routes.bodies import entry_of, whose
from services.orders.routes.keys import STORE
from services.orders.store import Note, Store
from services.orders.store.watch import TooManyOfYours, TooManyWatchers, Watcher
from services.orders.transitions import FINAL, Status

routes = web.RouteTableDef()

HEARTBEAT_SECONDS = 10.0  # less than any proxy's patience
LONGEST_SECONDS = 900.0  # then the caller comes again, and its token is looked at anew
WRITE_SECONDS = 10.0
EVENT_STREAM = "text/event-stream"
AT_ONCE = {"X-Accel-Buffering": "no"}  # nginx would keep it until there is a pageful
LAST = FINAL | {Status.DELIVERED}  # of a stream; a return, weeks later, is for another one


@routes.get("/api/orders/{id}/events", allow_head=False)  # what is written to HEAD is taken for the next answer
@allow(Role.CUSTOMER, Role.ADMIN)
@Operation(
    optional_headers=["Last-Event-ID"],
    answers={200: bytes, 204: None},
    answer_types=[EVENT_STREAM],
    refuses=[TooManyWatchers, TooManyOfYours],
)
async def follow_order(request: web.Request) -> web.StreamResponse:
    """An event for each version that is told, from `Last-Event-ID` on. It ends with the order; where there is nothing
    more to come it is 204, and a browser asks no further."""
    progress = _Progress(request.app[STORE], path_id(request), whose(request), last_event_id(request))
    if not await progress.news() and progress.over:
        return no_content()
    with progress.store.watch.on(progress.order_id, request[CALLER].id) as watcher:
        response = await begin(request, EVENT_STREAM, **AT_ONCE)
        try:
            await _stream(response, progress, watcher)
        except (ConnectionResetError, TimeoutError, Unavailable, NotFound):  # it comes again, and goes on where it was
            response.force_close()
    return response


@dataclass(slots=True)
class _Progress:
    store: Store
    order_id: UUID
    customer_id: UUID | None
    seen: int
    over: bool = False

    async def news(self) -> list[Note]:
        """Since `seen`. Raises NotFound or Unavailable."""
        told = await self.store.told(self.order_id, self.customer_id)
        self.over = any(entry.status in LAST for entry in told)
        return [entry for entry in told if entry.version > self.seen]


async def _stream(response: web.StreamResponse, progress: _Progress, watcher: Watcher) -> None:
    clock = asyncio.get_running_loop().time
    until = clock() + LONGEST_SECONDS
    await _write(response, b"retry: 2000\n\n")
    while clock() < until:
        for entry in await progress.news():
            await _write(response, _event(entry))
            progress.seen = entry.version
        if progress.over or progress.store.watch.closed:
            break
        while not await watcher.rung_within(HEARTBEAT_SECONDS) and clock() < until:
            await _write(response, b": still here\n\n")
    await response.write_eof()


async def _write(response: web.StreamResponse, content: bytes) -> None:
    """Raises TimeoutError where the caller does not read, ConnectionResetError where it is gone."""
    async with asyncio.timeout(WRITE_SECONDS):
        await response.write(content)


def _event(entry: Note) -> bytes:
    data = msgspec.json.encode(entry_of(entry))
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (entry.version, entry.name.encode(), data)


def last_event_id(request: web.Request) -> int:
    """What is no version of ours is the beginning."""
    said = request.headers.get("Last-Event-ID", "")
    return int(said) if said.isascii() and said.isdigit() and len(said) < 10 else 0
