"""All that the store holds on a customer, as one list: what the law lets everyone ask for (GDPR, articles 15 and 20).

The caller's own token goes to the owners of the data, and they decide what its bearer may know.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from itertools import zip_longest
from urllib.parse import urlsplit
from uuid import UUID

import azure.functions as func
import msgspec
import structlog
from msgspec import Struct

from functions import api
from functions.accepting import chosen
from functions.api import Customer, Event, NamedAddress, Order, Preferences, Waiting
from functions.connections import Connections
from functions.tabular import table
from libs.common import cors, problems, telemetry
from libs.common.abreast import of_each
from libs.common.errors import NotFound, StoreError, Unavailable
from libs.common.telemetry import Kind

log = structlog.get_logger()

ABOUT = {"faas.trigger": "http", "http.route": "/api/customer-data/{id}"}
PAGE = 100
MOST_PAGES = 20  # beyond, the answer's Link says where the orders go on
MOST_TIMELINES = 200  # of the newest orders; the others' are read one by one, where they lie
TIMELINES_AT_ONCE = 8
PATIENCE_SECONDS = 20
HEADERS = {"Cache-Control": "no-store", "Vary": "Accept, Origin", "X-Content-Type-Options": "nosniff"}


class ProfileEntry(Struct, frozen=True, tag_field="kind", tag="profile"):
    id: UUID
    name: str
    email: str
    language: str
    status: str


class AddressEntry(NamedAddress, frozen=True, tag_field="kind", tag="address", kw_only=True):
    delivery: bool
    billing: bool


class PreferencesEntry(Preferences, frozen=True, tag_field="kind", tag="preferences"):
    pass


class OrderEntry(Order, frozen=True, tag_field="kind", tag="order", kw_only=True):
    timeline: list[Event] | None  # None where it was not asked for


class WaitingEntry(Waiting, frozen=True, tag_field="kind", tag="waiting"):
    pass


COLUMNS = (
    *("kind", "id", "name", "email", "language", "status"),
    *("street", "postal_code", "city", "country", "phone", "delivery", "billing"),
    *("back_in_stock", "marketing"),
    *("placed_at", "currency", "total", "tax", "payment", "payment_refusal", "reason", "carrier", "tracking"),
    *("order_id", "product_id", "sku", "quantity", "price", "tax_rate", "since", "at", "event"),
)

Entry = ProfileEntry | AddressEntry | PreferencesEntry | OrderEntry | WaitingEntry


def _csv(entries: list[Entry]) -> bytes:
    """One row for each entry; an order's lines and its timeline follow it, each with its order's id."""
    rows = list[dict[str, object]]()
    for entry in entries:
        row = msgspec.to_builtins(entry)
        lines, events = row.pop("lines", []), row.pop("timeline", None) or []
        rows += [row, *({"kind": "line", "order_id": row["id"]} | line for line in lines)]
        rows += ({"order_id": row["id"], "event": event.pop("kind")} | event | {"kind": "event"} for event in events)
    return table(rows, COLUMNS)


# The first is for who does not mind.
FORMS: dict[str, Callable[[list[Entry]], bytes]] = {"application/json": msgspec.json.encode, "text/csv": _csv}


async def customer_data(request: func.HttpRequest, to: Connections) -> func.HttpResponse:
    """A browser asks first whether a page may ask: a host outside Azure's App Service does not answer that for us."""
    seen = cors.exposure(request.headers.get("Origin"), cors.origins(to.settings.cors_origins))
    if request.method == "OPTIONS":
        allowed = seen and seen | cors.permission(["GET"])
        return func.HttpResponse(status_code=204, headers=HEADERS | allowed)
    with telemetry.trace(request.headers.get("traceparent"), "customer_data", Kind.SERVER, ABOUT) as traceparent:
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                answer = await _collect(request, to)
        except TimeoutError:
            answer = _problem(Unavailable("this takes too long now"))
        except StoreError as error:
            answer = _problem(error)
        answer.headers.update(seen | {"traceparent": traceparent})
        log.info("request.answered", path=urlsplit(request.url).path, status=answer.status_code)
        return answer


async def _collect(request: func.HttpRequest, to: Connections) -> func.HttpResponse:
    form = chosen(request.headers.get("Accept"), list(FORMS))
    customer_id, authorization = _id(request), request.headers.get("Authorization", "")
    customer = await _customer(to, customer_id, authorization)
    orders, following = await _orders(to, customer_id, authorization)
    waiting = await api.waiting(to, customer_id, authorization)
    if not (customer or orders or waiting):
        raise NotFound
    told = await _timelines(to, orders, authorization)
    body = FORMS[form](_entries(customer, list(zip_longest(orders, told)), waiting))
    return func.HttpResponse(body, headers=HEADERS | following, mimetype=form, charset="utf-8")


async def _customer(to: Connections, customer_id: UUID, authorization: str) -> Customer | None:
    """None for who has no profile: who has not registered can wait for a product all the same."""
    try:
        return await api.customer(to, customer_id, authorization)
    except NotFound:
        return None


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


async def _timelines(to: Connections, orders: list[Order], authorization: str) -> list[list[Event]]:
    async def read(order: Order) -> list[Event]:
        return await api.timeline(to, order.id, authorization)

    return await of_each(read, orders[:MOST_TIMELINES], TIMELINES_AT_ONCE)


def _entries(
    customer: Customer | None, orders: Iterable[tuple[Order, list[Event] | None]], waiting: list[Waiting]
) -> list[Entry]:
    said = msgspec.structs.asdict
    return [
        *(_person(customer) if customer else ()),
        *(OrderEntry(**said(order), timeline=told) for order, told in orders),
        *(WaitingEntry(**said(each)) for each in waiting),
    ]


def _person(customer: Customer) -> Iterator[Entry]:
    yield ProfileEntry(customer.id, customer.name, customer.email, customer.language, customer.status)
    yield from _addresses(customer)
    yield PreferencesEntry(**msgspec.structs.asdict(customer.preferences))


def _addresses(customer: Customer) -> list[AddressEntry]:
    said = msgspec.structs.asdict
    if customer.addresses is None:
        return [
            AddressEntry(**said(each), name="", delivery=True, billing=True)
            for each in filter(None, [customer.address])
        ]
    delivery, billing = customer.delivery_address, customer.billing_address
    return [
        AddressEntry(**said(each), delivery=each.name == delivery, billing=each.name == billing)
        for each in customer.addresses
    ]


def _problem(error: StoreError) -> func.HttpResponse:
    return func.HttpResponse(
        problems.content(error),
        status_code=error.status,
        headers=HEADERS | problems.headers(error),
        mimetype=problems.CONTENT_TYPE,
    )
