"""Waiting in: a customer wants to hear when there is some of a product again."""

from uuid import UUID

from aiohttp import web
from msgspec import Struct

from libs.common.auth import Role
from libs.common.clock import Moment, now
from libs.common.door import CALLER
from libs.common.errors import NotFound
from libs.common.http import no_content, path_id, reply
from libs.common.operations import Operation, allow
from libs.common.queries import query
from services.catalog.routes.keys import STORE
from services.catalog.stock import InStock, TooManyWaits, WaitingListFull

routes = web.RouteTableDef()


class WaitingBody(Struct, frozen=True):
    product_id: UUID
    since: Moment


class WaitingList(Struct, frozen=True):
    items: list[WaitingBody]


class WaitingQuery(Struct, frozen=True, forbid_unknown_fields=True):
    customer: UUID | None = None


@routes.get("/api/waiting")
@allow(Role.CUSTOMER, Role.ADMIN)
@Operation(query=WaitingQuery, answers={200: WaitingList}, refuses=[NotFound])
async def list_waiting(request: web.Request) -> web.Response:
    """All products that the caller waits for, or for staff those that `customer` does."""
    caller, asked = request[CALLER], query(request, WaitingQuery)
    customer_id = asked.customer or caller.id
    if customer_id != caller.id and not caller.is_(Role.ADMIN):
        raise NotFound
    waits = await request.app[STORE].waits_of(customer_id)
    return reply(WaitingList([WaitingBody(product_id, since) for product_id, since in waits.items()]))


@routes.put("/api/products/{id}/waiting")
@allow(Role.CUSTOMER)
@Operation(answers={200: WaitingBody}, refuses=[InStock, WaitingListFull, TooManyWaits])
async def wait_for_product(request: web.Request) -> web.Response:
    """The caller gets one letter when there is some of it again, and then waits no more. Again, it does nothing."""
    product_id = path_id(request)
    since = await request.app[STORE].wait(product_id, request[CALLER].id, now())
    return reply(WaitingBody(product_id, since))


@routes.get("/api/products/{id}/waiting")
@allow(Role.CUSTOMER)
@Operation(answers={200: WaitingBody})
async def read_waiting(request: web.Request) -> web.Response:
    """Since when the caller waits; 404 where they do not."""
    product_id = path_id(request)
    since = await request.app[STORE].waits_since(product_id, request[CALLER].id)
    if since is None:
        raise NotFound
    return reply(WaitingBody(product_id, since))


@routes.delete("/api/products/{id}/waiting")
@allow(Role.CUSTOMER)
@Operation(answers={204: None})
async def stop_waiting(request: web.Request) -> web.Response:
    """Also where the caller does not wait."""
    await request.app[STORE].stop_waiting(path_id(request), request[CALLER].id)
    return no_content()
