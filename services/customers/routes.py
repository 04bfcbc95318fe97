"""HTTP in: register, read, list, replace, erase."""

from collections.abc import Mapping
from typing import Annotated
from uuid import UUID, uuid4

import msgspec
from aiohttp import web
from msgspec import Meta, Struct

from libs.common.auth import Role
from libs.common.clock import now
from libs.common.cursors import Cursors
from libs.common.door import CALLER
from libs.common.errors import Forbidden, Invalid, NotFound
from libs.common.http import if_match, no_content, path_id, read, reply
from libs.common.messages.customers import Status
from libs.common.operations import Operation, allow
from libs.common.patterns import END, LINE
from libs.common.queries import next_page, query
from services.customers.domain import (
    COUNTRIES,
    MOST_ADDRESSES,
    UNNAMED,
    Address,
    AddressBook,
    AlreadyRegistered,
    Customer,
    Language,
    Preferences,
    Profile,
)
from services.customers.store import EmailTaken, Store, Wanted

routes = web.RouteTableDef()
STORE = web.AppKey("store", Store)
CURSORS = web.AppKey("cursors", Cursors)

# HTML's valid e-mail address (whatwg, section 4.10.5.1.5), less empty parts of the name, with a dot in the domain.
_NAME, _LABEL = r"[a-zA-Z0-9!#$%&'*+/=?^_`{|}~-]+", r"[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?"
EMAIL = rf"^{_NAME}(?:\.{_NAME})*@{_LABEL}(?:\.{_LABEL})+" + END

Email = Annotated[str, Meta(max_length=254, pattern=EMAIL, examples=["ada@example.org"])]
Text200 = Annotated[str, Meta(max_length=200, pattern=LINE)]
Text50 = Annotated[str, Meta(max_length=50, pattern=LINE)]
Text100 = Annotated[str, Meta(max_length=100, pattern=LINE)]
Text20 = Annotated[str, Meta(max_length=20, pattern=LINE)]
Phone = Annotated[str, Meta(max_length=30, pattern=r"^(?:\+?[0-9][0-9 ()/.-]{3,28})?" + END)]

# Told here, and checked by the domain, which says what it is about.
Country = Annotated[str, Meta(extra_json_schema={"enum": sorted(COUNTRIES)})]


class StatusIsForStaff(Forbidden):
    """Only staff may set `status`; leave it out."""


class AddressBody(Struct, frozen=True, forbid_unknown_fields=True):
    """An address as the version before knows it, which kept one only."""

    street: Text200
    city: Text100
    postal_code: Text20
    country: Country


class NamedAddressBody(AddressBody, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`name` is what its owner calls it; `phone` is for whoever delivers there."""

    name: Text50
    phone: Phone = ""


class PreferencesBody(Struct, frozen=True, forbid_unknown_fields=True):
    """Letters about orders are always sent. `back_in_stock` is about what one has asked to be told of."""

    back_in_stock: bool = True
    marketing: bool = False


class Registration(Struct, frozen=True, forbid_unknown_fields=True):
    """`delivery_address` and `billing_address` name one of the `addresses`; unless they do, both are the first.

    `address` is how the version before says where to deliver; with it go no `addresses`.
    """

    name: Text200
    email: Email
    language: Language = "de"
    address: AddressBody | None = None
    addresses: Annotated[list[NamedAddressBody], Meta(max_length=MOST_ADDRESSES)] | None = None
    delivery_address: Text50 | None = None
    billing_address: Text50 | None = None
    preferences: PreferencesBody | None = None


class Replacement(Registration, frozen=True, forbid_unknown_fields=True):
    """The whole profile. Without a `status` or `preferences` the customer keeps theirs; without `addresses`, all but
    the one for deliveries, which `address` then says.
    """

    status: Status | None = None


class Listing(Struct, frozen=True, forbid_unknown_fields=True):
    """`email` is a whole address; upper and lower case are the same."""

    limit: Annotated[int, Meta(ge=1, le=100)] = 20
    cursor: str | None = None
    email: Email | None = None
    status: Status | None = None


class KeptAddress(Struct, frozen=True):
    street: str
    city: str
    postal_code: str
    country: str


class NamedAddress(KeptAddress, frozen=True):
    name: str
    phone: str


class CustomerBody(Struct, frozen=True):
    """`address` is the one for deliveries, as the version before shows it."""

    id: UUID
    name: str
    email: str
    language: Language
    address: KeptAddress | None
    addresses: list[NamedAddress]
    delivery_address: str | None
    billing_address: str | None
    preferences: PreferencesBody
    status: Status
    version: int


class CustomerPage(Struct, frozen=True):
    """Where `next` says how the list goes on, a page may be short all the same."""

    items: list[CustomerBody]
    next: str | None


@routes.post("/api/customers")
@allow(Role.CUSTOMER, Role.ADMIN)
@Operation(body=Registration, answers={201: CustomerBody}, refuses=[AlreadyRegistered, EmailTaken])
async def register(request: web.Request) -> web.Response:
    """People register themselves, once; staff register anybody."""
    profile, at, caller = profile_of(await read(request, Registration), None), now(), request[CALLER]
    customer_id = uuid4() if caller.is_(Role.ADMIN) else caller.id
    customer = await request.app[STORE].register(customer_id, lambda customer: customer.register(profile, at))
    return answer(customer, status=201, headers={"Location": f"/api/customers/{customer_id}"})


@routes.get("/api/customers")
@allow(Role.ADMIN)
@Operation(query=Listing, answers={200: CustomerPage})
async def list_customers(request: web.Request) -> web.Response:
    asked, cursors = query(request, Listing), request.app[CURSORS]
    after = await cursors.open(asked.cursor, UUID) if asked.cursor else None
    page = await request.app[STORE].page(Wanted(asked.email, asked.status), after, asked.limit)
    following = cursors.seal(page.reached) if page.reached else None
    items = [body_of(customer, customer.profile) for customer in page.customers if customer.profile]
    return reply(CustomerPage(items, following), headers=next_page(request, following))


@routes.get("/api/customers/{id}")
@allow(Role.CUSTOMER, Role.ADMIN, Role.SERVICE)
@Operation(answers={200: CustomerBody})
async def read_customer(request: web.Request) -> web.Response:
    return answer(await request.app[STORE].read(own_id(request)))


@routes.put("/api/customers/{id}")
@allow(Role.CUSTOMER, Role.ADMIN)
@Operation(body=Replacement, headers=["If-Match"], answers={200: CustomerBody}, refuses=[StatusIsForStaff, EmailTaken])
async def replace_customer(request: web.Request) -> web.Response:
    customer_id, version, at = own_id(request), if_match(request), now()
    wanted = await read(request, Replacement)
    if wanted.status and not request[CALLER].is_(Role.ADMIN):
        raise StatusIsForStaff
    customer = await request.app[STORE].change(
        customer_id,
        lambda customer: customer.replace(profile_of(wanted, customer.profile), wanted.status or customer.status, at),
        version=version,
    )
    return answer(customer)


@routes.delete("/api/customers/{id}")
@allow(Role.CUSTOMER, Role.ADMIN)
@Operation(optional_headers=["If-Match"], answers={204: None})
async def erase_customer(request: web.Request) -> web.Response:
    """Needs no If-Match, and heeds one: who wants to be forgotten means all there is, whatever it has become."""
    customer_id, at = own_id(request), now()
    version = if_match(request) if "If-Match" in request.headers else None
    await request.app[STORE].change(customer_id, lambda customer: customer.erase(at), version=version)
    return no_content()


def own_id(request: web.Request) -> UUID:
    """The id in the path. Customers find nobody but themselves; staff and functions find all. Raises NotFound."""
    customer_id, caller = path_id(request), request[CALLER]
    if customer_id != caller.id and not (caller.is_(Role.ADMIN) or caller.is_(Role.SERVICE)):
        raise NotFound
    return customer_id


def profile_of(body: Registration, known: Profile | None) -> Profile:
    """What is left out stays as it is known, as far as the body's docstring says so. Raises Invalid."""
    preferences = known.preferences if known else Preferences()
    if body.preferences:
        preferences = Preferences(body.preferences.back_in_stock, body.preferences.marketing)
    return Profile(
        body.name, body.email, body.language, _book(body, known.book if known else AddressBook()), preferences
    )


def _book(body: Registration, known: AddressBook) -> AddressBook:
    if body.addresses is not None:
        if body.address is not None:
            raise Invalid("address", "leave it out: `addresses` says them all")
        given = [_address(each, each.name, each.phone) for each in body.addresses]
        return AddressBook.of(given, body.delivery_address, body.billing_address)
    for field, name in (("delivery_address", body.delivery_address), ("billing_address", body.billing_address)):
        if name is not None:
            raise Invalid(field, "say the `addresses`, too")
    return known.delivering_to(_address(body.address, UNNAMED, "") if body.address else None)


def _address(body: AddressBody, name: str, phone: str) -> Address:
    return Address(body.street, body.city, body.postal_code, body.country, name, phone)


def answer(customer: Customer, *, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """Raises NotFound."""
    if customer.profile is None:
        raise NotFound
    body = body_of(customer, customer.profile)
    return reply(body, status=status, version=customer.version, headers=headers)


def body_of(customer: Customer, profile: Profile) -> CustomerBody:
    delivery = profile.book.delivery
    return CustomerBody(
        id=customer.id,
        name=profile.name,
        email=profile.email,
        language=profile.language,
        address=msgspec.convert(delivery, KeptAddress | None, from_attributes=True),
        addresses=msgspec.convert(profile.book.addresses, list[NamedAddress], from_attributes=True),
        delivery_address=delivery.name if delivery else None,
        billing_address=profile.book.billing or None,
        preferences=PreferencesBody(profile.preferences.back_in_stock, profile.preferences.marketing),
        status=customer.status,
        version=customer.version,
    )
