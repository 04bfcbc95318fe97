"""The store's own HTTP API, as the functions ask it. Each owner decides whether the bearer of a token may know."""

import asyncio
from collections.abc import Mapping
from typing import TypeVar
from urllib.parse import urlencode, urlsplit
from uuid import UUID

import aiohttp
import msgspec
from azure.core.exceptions import AzureError
from msgspec import Struct

from functions.answers import body
from functions.connections import Connections
from libs.common import telemetry
from libs.common.clock import Moment
from libs.common.errors import Forbidden, NotFound, StoreError, Unauthorized, Unavailable
from libs.common.messages.customers import Status
from libs.common.messages.orders import OrderedLine

T = TypeVar("T")

TOKEN_SECONDS = 5
MOST_BYTES = 8 * 1024 * 1024
REFUSALS: dict[int, type[StoreError]] = {401: Unauthorized, 403: Forbidden, 404: NotFound}


class Address(Struct, frozen=True):
    street: str
    city: str
    postal_code: str
    country: str


class NamedAddress(Address, frozen=True):
    name: str
    phone: str = ""


class Preferences(Struct, frozen=True):
    back_in_stock: bool = True
    marketing: bool = False


class Customer(Struct, frozen=True):
    """Without `addresses` it is the version before that answers."""

    id: UUID
    name: str
    email: str
    language: str
    status: Status
    address: Address | None = None
    addresses: list[NamedAddress] | None = None
    delivery_address: str | None = None
    billing_address: str | None = None
    preferences: Preferences = Preferences()


class Order(Struct, frozen=True):
    id: UUID
    status: str
    reason: str
    currency: str
    total: int
    lines: list[OrderedLine]
    placed_at: Moment
    tax: int = 0
    carrier: str = ""
    tracking: str = ""
    payment: str = ""
    payment_refusal: str = ""


class OrderPage(Struct, frozen=True):
    items: list[Order]
    next: str | None


class Event(Struct, frozen=True):
    """A line of an order's timeline."""

    at: Moment
    kind: str
    name: str
    reason: str


class Timeline(Struct, frozen=True):
    items: list[Event]


class Waiting(Struct, frozen=True):
    """For a product to be in stock again."""

    product_id: UUID
    since: Moment


class WaitingList(Struct, frozen=True):
    items: list[Waiting]


# Which of the services' operations are asked, and all that is read of their answers.
READS: Mapping[str, type[Struct]] = {
    "catalog list_waiting": WaitingList,
    "customers read_customer": Customer,
    "orders list_orders": OrderPage,
    "orders read_timeline": Timeline,
}


async def our_authorization(to: Connections) -> str:
    """The functions' own. Raises Unavailable."""
    try:
        async with asyncio.timeout(TOKEN_SECONDS):
            token = await to.credential.get_token(to.settings.api_scope)
    except (AzureError, TimeoutError) as error:
        raise Unavailable(f"there is no token for {to.settings.api_scope}: {type(error).__name__}") from error
    return f"Bearer {token.token}"


async def customer(to: Connections, customer_id: UUID, authorization: str) -> Customer:
    """Raises what `_get` raises."""
    return await _get(to, f"{to.settings.customers_url}/api/customers/{customer_id}", authorization, Customer)


async def orders(
    to: Connections, customer_id: UUID, authorization: str, *, limit: int, cursor: str | None
) -> OrderPage:
    """A customer's, newest first. Raises what `_get` raises."""
    query = {"customer": str(customer_id), "limit": str(limit)} | ({"cursor": cursor} if cursor else {})
    return await _get(to, f"{to.settings.orders_url}/api/orders?{urlencode(query)}", authorization, OrderPage)


async def timeline(to: Connections, order_id: UUID, authorization: str) -> list[Event]:
    """Its first page, which is all of nearly every order's. Raises what `_get` raises."""
    url = f"{to.settings.orders_url}/api/orders/{order_id}/timeline"
    return (await _get(to, url, authorization, Timeline)).items


async def waiting(to: Connections, customer_id: UUID, authorization: str) -> list[Waiting]:
    """What a customer waits for. Nothing, where the catalogue knows of no such lists.

    Raises what `_get` raises, but NotFound.
    """
    url = f"{to.settings.catalog_url}/api/waiting?{urlencode({'customer': str(customer_id)})}"
    try:
        return (await _get(to, url, authorization, WaitingList)).items
    except NotFound:
        return []


async def _get(to: Connections, url: str, authorization: str, kind: type[T]) -> T:
    """Raises the owner's Unauthorized, Forbidden or NotFound; Unavailable for whatever else is no answer."""
    headers = {"Authorization": authorization, "traceparent": telemetry.traceparent()}
    try:
        async with to.session.get(url, headers=headers, allow_redirects=False) as response:
            _refuse(response)
            return msgspec.json.decode(await body(response, MOST_BYTES), type=kind)
    except (aiohttp.ClientError, TimeoutError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Unavailable(f"{urlsplit(url).path} can't be read now: {type(error).__name__}") from error


def _refuse(response: aiohttp.ClientResponse) -> None:
    """A refusal counts only where it is the owner's own: a gateway without a back end says 404 too, in HTML."""
    if response.status == 200:
        return
    if response.content_type == "application/problem+json" and response.status in REFUSALS:
        raise REFUSALS[response.status]
    raise Unavailable(f"{response.url.path} can't be read now: {response.status}")
