"""What becomes of an order after it is placed: called off by its customer or by staff; sent and taken back by staff.

Only staff say that goods have come back, not the customer who has sent them: it is they who hold the parcel, and what
is said here gives the money back.
"""

from aiohttp import web
from msgspec import Struct

from libs.common.auth import Role
from libs.common.clock import now
from libs.common.http import path_id, read, reply
from libs.common.operations import Operation, allow
from services.orders.domain import NotPaid
from services.orders.routes.bodies import OrderBody, Text, Word, body_of, whose
from services.orders.routes.keys import STORE
from services.orders.store import Action
from services.orders.transitions import (
    AlreadyCancelled,
    AlreadyConfirmed,
    AlreadyDelivered,
    AlreadyRejected,
    AlreadyReturned,
    AlreadyShipped,
    NotConfirmed,
    NotShipped,
)

routes = web.RouteTableDef()


class Cancellation(Struct, frozen=True, forbid_unknown_fields=True):
    reason: Text = "cancelled by the customer"


class Shipment(Struct, frozen=True, forbid_unknown_fields=True):
    carrier: Word = ""
    tracking: Word = ""


class Return(Struct, frozen=True, forbid_unknown_fields=True):
    reason: Text = "returned by the customer"


@routes.post("/api/orders/{id}/cancel")
@allow(Role.CUSTOMER, Role.ADMIN)
@Operation(
    body=Cancellation,
    answers={200: OrderBody},
    refuses=[AlreadyConfirmed, AlreadyRejected, AlreadyShipped, AlreadyDelivered, AlreadyReturned],
)
async def cancel_order(request: web.Request) -> web.Response:
    wanted = await read(request, Cancellation) if request.can_read_body else Cancellation()
    return await _changed(request, lambda order: order.cancel(wanted.reason, now()))


@routes.post("/api/orders/{id}/ship")
@allow(Role.ADMIN)
@Operation(
    body=Shipment,
    answers={200: OrderBody},
    refuses=[NotConfirmed, NotPaid, AlreadyRejected, AlreadyCancelled, AlreadyDelivered, AlreadyReturned],
)
async def ship_order(request: web.Request) -> web.Response:
    """Said again it changes nothing: the carrier and the number that were said first stay."""
    wanted = await read(request, Shipment) if request.can_read_body else Shipment()
    return await _changed(request, lambda order: order.ship(wanted.carrier, wanted.tracking, now()))


@routes.post("/api/orders/{id}/deliver")
@allow(Role.ADMIN)
@Operation(
    answers={200: OrderBody},
    refuses=[NotConfirmed, NotShipped, AlreadyRejected, AlreadyCancelled, AlreadyReturned],
)
async def deliver_order(request: web.Request) -> web.Response:
    return await _changed(request, lambda order: order.deliver(now()))


@routes.post("/api/orders/{id}/return")
@allow(Role.ADMIN)
@Operation(body=Return, answers={200: OrderBody}, refuses=[NotConfirmed, NotShipped, AlreadyRejected, AlreadyCancelled])
async def return_order(request: web.Request) -> web.Response:
    """The goods are here again, also those that never arrived: what was paid is refunded."""
    wanted = await read(request, Return) if request.can_read_body else Return()
    return await _changed(request, lambda order: order.take_back(wanted.reason, now()))


async def _changed(request: web.Request, act: Action) -> web.Response:
    order = await request.app[STORE].change(path_id(request), act, customer_id=whose(request))
    return reply(body_of(order), version=order.version)
