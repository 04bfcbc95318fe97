"""HTTP in: place, read, list, cancel; the story of an order."""

import re
import secrets
from collections.abc import Mapping
from hashlib import sha256
from typing import Annotated
from uuid import UUID

import msgspec
from aiohttp import web
from msgspec import Meta, Struct

from libs.common.auth import Role
from libs.common.clock import Moment, now
from libs.common.cursors import Cursors
from libs.common.errors import Malformed, NotFound
from libs.common.http import CALLER, path_id, query, read, reply
from libs.common.ids import uuid7_beside
from libs.common.messages.orders import MOST_LINES, MOST_QUANTITY, OrderedLine
from libs.common.operations import Operation, allow
from services.orders import domain
from services.orders.domain import (
    AlreadyConfirmed,
    AlreadyRejected,
    BlockedCustomer,
    Order,
    Price,
    Status,
    UnknownCustomer,
    Wanted,
)
from services.orders.store import Attempt, KeyReused, Store

routes = web.RouteTableDef()
STORE = web.AppKey("store", Store)
CURSORS = web.AppKey("cursors", Cursors)

Text = Annotated[str, Meta(max_length=500, pattern=r"^[^\x00]*$")]


class Line(Struct, frozen=True, forbid_unknown_fields=True):
    product_id: UUID
    quantity: Annotated[int, Meta(ge=1, le=MOST_QUANTITY)]


class Placing(Struct, frozen=True, forbid_unknown_fields=True):
    lines: Annotated[list[Line], Meta(min_length=1, max_length=MOST_LINES)]


class Cancellation(Struct, frozen=True, forbid_unknown_fields=True):
    reason: Text = "cancelled by the customer"


class Paging(Struct, frozen=True, forbid_unknown_fields=True):
    limit: Annotated[int, Meta(ge=1, le=100)] = 20
    cursor: str | None = None
    customer: UUID | None = None


class OrderBody(Struct, frozen=True):
    id: UUID
    customer_id: UUID
    status: Status
    reason: str
    currency: str
    total: int
    lines: list[OrderedLine]
    placed_at: Moment
    version: int


class OrderPage(Struct, frozen=True):
    items: list[OrderBody]
    next: str | None


class TimelineEntry(Struct, frozen=True):
    version: int
    status: Status
    at: Moment
    reason: str


class Timeline(Struct, frozen=True):
    items: list[TimelineEntry]


@routes.post("/api/orders")
@allow(Role.CUSTOMER)
@Operation(
    body=Placing,
    headers=["Idempotency-Key"],
    answers={202: OrderBody},
    refuses=[KeyReused, UnknownCustomer, BlockedCustomer],
)
async def place_order(request: web.Request) -> web.Response:
    key, wanted = idempotency_key(request), await read(request, Placing)
    customer_id, at = request[CALLER].id, now()
    lines = [Wanted(line.product_id, line.quantity) for line in wanted.lines]
    order_id = uuid7_beside(customer_id, at, secrets.randbits)

    def draft(prices: Mapping[UUID, Price]) -> tuple[Order, bytes]:
        order = domain.place(order_id, customer_id, lines, prices, at)
        return order, msgspec.json.encode(body_of(order))

    fingerprint = sha256(msgspec.json.encode(wanted)).digest()
    attempt = Attempt(customer_id, key, fingerprint, [line.product_id for line in lines])
    receipt = await request.app[STORE].place(attempt, draft)
    return reply(receipt.answer, status=202, version=1, headers={"Location": f"/api/orders/{receipt.order_id}"})


@routes.get("/api/orders")
@allow(Role.CUSTOMER, Role.ADMIN)
@Operation(query=Paging, answers={200: OrderPage}, refuses=[NotFound])
async def list_orders(request: web.Request) -> web.Response:
    asked, cursors = query(request, Paging), request.app[CURSORS]
    before = cursors.open(asked.cursor, UUID) if asked.cursor else None
    orders = await request.app[STORE].page(whose(request, asked.customer), before, asked.limit)
    following = cursors.seal(orders[-1].id) if len(orders) == asked.limit else None
    return reply(OrderPage([body_of(order) for order in orders], following), headers=link(asked, following))


@routes.get("/api/orders/{id}")
@allow(Role.CUSTOMER, Role.ADMIN)
@Operation(answers={200: OrderBody})
async def read_order(request: web.Request) -> web.Response:
    order = await request.app[STORE].read(path_id(request), whose(request))
    return reply(body_of(order), version=order.version)


@routes.get("/api/orders/{id}/timeline")
@allow(Role.CUSTOMER, Role.ADMIN)
@Operation(answers={200: Timeline})
async def read_timeline(request: web.Request) -> web.Response:
    entries = await request.app[STORE].history(path_id(request), whose(request))
    return reply(Timeline([TimelineEntry(e.version, e.status, e.at, e.reason) for e in entries]))


@routes.post("/api/orders/{id}/cancel")
@allow(Role.CUSTOMER, Role.ADMIN)
@Operation(body=Cancellation, answers={200: OrderBody}, refuses=[AlreadyConfirmed, AlreadyRejected])
async def cancel_order(request: web.Request) -> web.Response:
    wanted = await read(request, Cancellation) if request.can_read_body else Cancellation()
    order = await request.app[STORE].change(
        path_id(request), lambda order: order.cancel(wanted.reason, now()), customer_id=whose(request)
    )
    return reply(body_of(order), version=order.version)


def whose(request: web.Request, asked: UUID | None = None) -> UUID | None:
    """A customer sees their own orders, staff see all, or those of the customer they ask for. Raises NotFound."""
    caller = request[CALLER]
    if caller.is_(Role.ADMIN):
        return asked
    if asked not in (None, caller.id):
        raise NotFound
    return caller.id


def link(asked: Paging, following: str | None) -> dict[str, str]:
    """RFC 8288: where the list goes on."""
    if following is None:
        return {}
    customer = f"&customer={asked.customer}" if asked.customer else ""
    return {"Link": f'</api/orders?limit={asked.limit}{customer}&cursor={following}>; rel="next"'}


def idempotency_key(request: web.Request) -> str:
    """draft-ietf-httpapi-idempotency-key-header-07: a quoted string; bare ones are taken too. Raises Malformed."""
    key = request.headers.get("Idempotency-Key", "")
    match = re.fullmatch(r'"?([!#-\[\]-~]{1,255})"?', key)
    if match is None:
        raise Malformed("send an Idempotency-Key header: 1 to 255 visible ASCII characters, new for each new order")
    return match[1]


def body_of(order: Order) -> OrderBody:
    return OrderBody(
        id=order.id,
        customer_id=order.customer_id,
        status=order.status,
        reason=order.reason,
        currency=order.currency,
        total=order.total,
        lines=order.lines,
        placed_at=order.placed_at,
        version=order.version,
    )
