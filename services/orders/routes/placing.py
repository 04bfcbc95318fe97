"""Orders in: placed once for each key, however often it is asked for."""

import asyncio
import re
import secrets
from collections.abc import Mapping
from typing import Annotated
from uuid import UUID

import msgspec
import structlog
from aiohttp import web
from msgspec import Meta, Struct

from libs.common.auth import Role
from libs.common.clock import now
from libs.common.door import CALLER
from libs.common.errors import KeyReused, StoreError
from libs.common.http import fingerprint, idempotency_key, read, reply
from libs.common.ids import uuid7_beside
from libs.common.messages.orders import MOST_LINES, MOST_QUANTITY
from libs.common.operations import Operation, allow
from services.orders import domain
from services.orders.domain import BlockedCustomer, Order, Price, UnknownCustomer, Wanted
from services.orders.routes.bodies import OrderBody, body_of
from services.orders.routes.keys import STORE
from services.orders.store import Attempt, Store
from services.orders.transitions import Status

log = structlog.get_logger()

routes = web.RouteTableDef()

LONGEST_WAIT_SECONDS = 20  # less than any gateway's patience
_WAIT = re.compile(r'(?:^|[,;\s])wait\s*=\s*"?(\d{1,9})"?\s*(?:$|[,;])', re.IGNORECASE)


class Line(Struct, frozen=True, forbid_unknown_fields=True):
    product_id: UUID
    quantity: Annotated[int, Meta(ge=1, le=MOST_QUANTITY)]


class Placing(Struct, frozen=True, forbid_unknown_fields=True):
    lines: Annotated[list[Line], Meta(min_length=1, max_length=MOST_LINES)]


@routes.post("/api/orders")
@allow(Role.CUSTOMER)
@Operation(
    body=Placing,
    headers=["Idempotency-Key"],
    optional_headers=["Prefer"],
    answers={201: OrderBody, 202: OrderBody},
    refuses=[KeyReused, UnknownCustomer, BlockedCustomer],
)
async def place_order(request: web.Request) -> web.Response:
    """202 with the order as it was placed, the same bytes for each repeat of the key.

    With `Prefer: wait=n` it is 201 with the order as it is then, where it is settled within n seconds (at most 20),
    also for a repeat; else 202 as without, and at once where many wait already.
    """
    key, wanted = idempotency_key(request), await read(request, Placing)
    customer_id, at = request[CALLER].id, now()
    lines = [Wanted(line.product_id, line.quantity) for line in wanted.lines]
    order_id = uuid7_beside(customer_id, at, secrets.randbits)

    def draft(prices: Mapping[UUID, Price]) -> tuple[Order, bytes]:
        order = domain.place(order_id, customer_id, lines, prices, at)
        return order, msgspec.json.encode(body_of(order))

    attempt = Attempt(customer_id, key, fingerprint(wanted), [line.product_id for line in lines])
    receipt = await request.app[STORE].place(attempt, draft)
    location = {"Location": f"/api/orders/{receipt.order_id}"}
    seconds = preferred_wait(request)
    if seconds and (order := await settled_within(request.app[STORE], receipt.order_id, customer_id, seconds)):
        applied = {"Preference-Applied": f"wait={seconds}"}
        return reply(body_of(order), status=201, version=order.version, headers=location | applied)
    return reply(receipt.answer, status=202, version=1, headers=location)


async def settled_within(store: Store, order_id: UUID, customer_id: UUID, seconds: float) -> Order | None:
    """None where it is not, where too many wait already, or where it can't be looked at: placed it is all the same."""
    try:
        async with asyncio.timeout(seconds):
            with store.watch.patiently_on(order_id, customer_id) as watcher:
                while not store.watch.closed:
                    order = await store.read(order_id)
                    if order.status is not Status.PLACED:
                        return order
                    await watcher.rung_within(seconds)
    except TimeoutError:
        pass
    except StoreError as error:
        log.info("order.not_waited_for", reason=error.detail)
    return None


def preferred_wait(request: web.Request) -> int:
    """RFC 7240, section 4.3. What is not understood is no preference."""
    match = _WAIT.search(", ".join(request.headers.getall("Prefer", ())))
    return min(int(match[1]), LONGEST_WAIT_SECONDS) if match else 0
