"""Orders out: one, a list of them, and the story of one."""

from typing import Annotated
from uuid import UUID

from aiohttp import web
from msgspec import Meta, Struct

from libs.common.auth import Role
from libs.common.clock import Moment
from libs.common.errors import Invalid, NotFound
from libs.common.http import path_id, reply
from libs.common.operations import Operation, allow
from libs.common.queries import next_page, query
from services.orders.routes.bodies import OrderBody, TimelineEntry, body_of, entry_of, whose
from services.orders.routes.keys import CURSORS, STORE
from services.orders.store import BEGINNING, LONGEST_PAGE, Place, Sought, TooWide
from services.orders.transitions import Status

routes = web.RouteTableDef()


class Paging(Struct, frozen=True, forbid_unknown_fields=True):
    """Which orders, newest first. Times count by the millisecond; `placed_after` begins with that one."""

    limit: Annotated[int, Meta(ge=1, le=100)] = 20
    cursor: str | None = None
    customer: UUID | None = None
    status: Status | None = None
    placed_after: Moment | None = None
    placed_before: Moment | None = None


class OrderPage(Struct, frozen=True):
    items: list[OrderBody]
    next: str | None


class TimelinePaging(Struct, frozen=True, forbid_unknown_fields=True):
    limit: Annotated[int, Meta(ge=1, le=LONGEST_PAGE)] = LONGEST_PAGE
    cursor: str | None = None


class TimelinePosition(Struct, frozen=True):
    """Where a page of an order's timeline ended."""

    order_id: UUID
    place: Place


class Timeline(Struct, frozen=True):
    items: list[TimelineEntry]
    next: str | None


@routes.get("/api/orders")
@allow(Role.CUSTOMER, Role.ADMIN)
@Operation(query=Paging, answers={200: OrderPage}, refuses=[TooWide, NotFound])
async def list_orders(request: web.Request) -> web.Response:
    asked, cursors = query(request, Paging), request.app[CURSORS]
    before = await cursors.open(asked.cursor, UUID) if asked.cursor else None
    sought = Sought(whose(request, asked.customer), asked.status, asked.placed_after, asked.placed_before)
    orders = await request.app[STORE].page(sought, before, asked.limit)
    following = cursors.seal(orders[-1].id) if len(orders) == asked.limit else None
    return reply(OrderPage([body_of(order) for order in orders], following), headers=next_page(request, following))


@routes.get("/api/orders/{id}")
@allow(Role.CUSTOMER, Role.ADMIN)
@Operation(answers={200: OrderBody})
async def read_order(request: web.Request) -> web.Response:
    order = await request.app[STORE].read(path_id(request), whose(request))
    return reply(body_of(order), version=order.version)


@routes.get("/api/orders/{id}/timeline")
@allow(Role.CUSTOMER, Role.ADMIN)
@Operation(query=TimelinePaging, answers={200: Timeline})
async def read_timeline(request: web.Request) -> web.Response:
    """All that was told and heard of it, oldest first; few orders have more than fits a page."""
    asked, cursors, order_id = query(request, TimelinePaging), request.app[CURSORS], path_id(request)
    after = await cursors.open(asked.cursor, TimelinePosition) if asked.cursor else None
    if after and after.order_id != order_id:
        raise Invalid("cursor", "the cursor is of another order's timeline")
    place = after.place if after else BEGINNING
    notes = await request.app[STORE].timeline(order_id, whose(request), after=place, limit=asked.limit)
    full = len(notes) == asked.limit
    following = cursors.seal(TimelinePosition(order_id, notes[-1].place)) if full else None
    return reply(Timeline([entry_of(each) for each in notes], following), headers=next_page(request, following))
