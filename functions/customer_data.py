"""All that the store holds on a customer, as one list: what the law lets everyone ask for (GDPR, article 15).

The caller's own token goes to the owners of the data, and they decide what its bearer may know.
"""

import asyncio
from urllib.parse import urlsplit
from uuid import UUID

import azure.functions as func
import msgspec
import structlog
from msgspec import Struct

from functions import api
from functions.api import Address, Customer, Order
from functions.connections import Connections
from libs.common import problems, telemetry
from libs.common.errors import NotFound, StoreError, Unavailable
from libs.common.telemetry import Kind

log = structlog.get_logger()

ABOUT = {"faas.trigger": "http", "http.route": "/api/customer-data/{id}"}
PAGE = 100
MOST_PAGES = 20  # beyond, the answer's Link says where the orders go on
PATIENCE_SECONDS = 20
HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


class ProfileEntry(Struct, frozen=True, tag_field="kind", tag="profile"):
    id: UUID
    name: str
    email: str
    language: str
    status: str


class AddressEntry(Address, frozen=True, tag_field="kind", tag="address"):
    pass


class OrderEntry(Order, frozen=True, tag_field="kind", tag="order"):
    pass


Entry = ProfileEntry | AddressEntry | OrderEntry


async def customer_data(request: func.HttpRequest, to: Connections) -> func.HttpResponse:
    with telemetry.trace(request.headers.get("traceparent"), "customer_data", Kind.SERVER, ABOUT) as traceparent:
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                answer = await _collect(request, to)
        except TimeoutError:
            answer = _problem(Unavailable("this takes too long now"))
        except StoreError as error:
            answer = _problem(error)
        answer.headers["traceparent"] = traceparent
        log.info("request.answered", path=urlsplit(request.url).path, status=answer.status_code)
        return answer


async def _collect(request: func.HttpRequest, to: Connections) -> func.HttpResponse:
    customer_id, authorization = _id(request), request.headers.get("Authorization", "")
    customer = await api.customer(to, customer_id, authorization)
    orders, following = await _orders(to, customer_id, authorization)
    body = msgspec.json.encode(_entries(customer, orders))
    return func.HttpResponse(body, headers=HEADERS | following, mimetype="application/json")


def _id(request: func.HttpRequest) -> UUID:
    try:
        return UUID(request.route_params["id"])
    except ValueError as error:
        raise NotFound from error


async def _orders(to: Connections, customer_id: UUID, authorization: str) -> tuple[list[Order], dict[str, str]]:
    """The newest, and a Link to the rest where there are too many."""
    orders: list[Order] = []
    cursor = None
    for _ in range(MOST_PAGES):
        page = await api.orders(to, customer_id, authorization, limit=PAGE, cursor=cursor)
        orders += page.items
        cursor = page.next
        if cursor is None:
            return orders, {}
    return orders, {"Link": f'</api/orders?customer={customer_id}&limit={PAGE}&cursor={cursor}>; rel="next"'}


def _entries(customer: Customer, orders: list[Order]) -> list[Entry]:
    profile = ProfileEntry(customer.id, customer.name, customer.email, customer.language, customer.status)
    addresses = [AddressEntry(*msgspec.structs.astuple(customer.address))] if customer.address else []
    return [profile, *addresses, *(OrderEntry(*msgspec.structs.astuple(order)) for order in orders)]


def _problem(error: StoreError) -> func.HttpResponse:
    return func.HttpResponse(
        problems.content(error),
        status_code=error.status,
        headers=HEADERS | problems.headers(error),
        mimetype=problems.CONTENT_TYPE,
    )
