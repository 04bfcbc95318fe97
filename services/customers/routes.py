"""HTTP in: register, read, replace, erase."""

from typing import Annotated
from uuid import UUID, uuid4

from aiohttp import web
from msgspec import Meta, Struct

from libs.common.auth import Role
from libs.common.clock import now
from libs.common.errors import Forbidden, NotFound
from libs.common.http import CALLER, if_match, no_content, path_id, read, reply
from libs.common.messages.customers import Status
from libs.common.operations import Operation, allow
from services.customers.domain import COUNTRIES, Address, AlreadyRegistered, Customer, Language, Profile
from services.customers.store import EmailTaken, Store

routes = web.RouteTableDef()
STORE = web.AppKey("store", Store)

# In Python `$` also matches before a last line feed, which has no business in a mail's header.
END = r"$(?!\n)"
LINE = r"^[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f\u2028\u2029]*" + END  # begins with something to see
# HTML's valid e-mail address (whatwg, section 4.10.5.1.5), less empty parts of the name, with a dot in the domain.
_NAME, _LABEL = r"[a-zA-Z0-9!#$%&'*+/=?^_`{|}~-]+", r"[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?"
EMAIL = rf"^{_NAME}(?:\.{_NAME})*@{_LABEL}(?:\.{_LABEL})+" + END

Email = Annotated[str, Meta(max_length=254, pattern=EMAIL, examples=["ada@example.org"])]
Text200 = Annotated[str, Meta(max_length=200, pattern=LINE)]
Text100 = Annotated[str, Meta(max_length=100, pattern=LINE)]
Text20 = Annotated[str, Meta(max_length=20, pattern=LINE)]

Country = Annotated[
    str, Meta(extra_json_schema={"enum": sorted(COUNTRIES)})
]  # the domain says what else is wrong with it


class StatusIsForStaff(Forbidden):
    """Only staff may set `status`; leave it out."""


class AddressBody(Struct, frozen=True, forbid_unknown_fields=True):
    street: Text200
    city: Text100
    postal_code: Text20
    country: Country


class Registration(Struct, frozen=True, forbid_unknown_fields=True):
    name: Text200
    email: Email
    language: Language = "de"
    address: AddressBody | None = None


class Replacement(Registration, frozen=True, forbid_unknown_fields=True):
    """The whole profile. Without a `status` the customer keeps theirs."""

    status: Status | None = None


class CustomerBody(Struct, frozen=True):
    id: UUID
    name: str
    email: str
    language: Language
    address: Address | None
    status: Status
    version: int


@routes.post("/api/customers")
@allow(Role.CUSTOMER, Role.ADMIN)
@Operation(body=Registration, answers={201: CustomerBody}, refuses=[AlreadyRegistered, EmailTaken])
async def register(request: web.Request) -> web.Response:
    """People register themselves, once; staff register anybody."""
    profile, at, caller = profile_of(await read(request, Registration)), now(), request[CALLER]
    customer_id = uuid4() if caller.is_(Role.ADMIN) else caller.id
    customer = await request.app[STORE].register(customer_id, lambda customer: customer.register(profile, at))
    return answer(customer, status=201, headers={"Location": f"/api/customers/{customer_id}"})


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
    profile = profile_of(wanted)
    customer = await request.app[STORE].change(
        customer_id,
        lambda customer: customer.replace(profile, wanted.status or customer.status, at),
        version=version,
    )
    return answer(customer)


@routes.delete("/api/customers/{id}")
@allow(Role.CUSTOMER, Role.ADMIN)
@Operation(answers={204: None})
async def erase_customer(request: web.Request) -> web.Response:
    """Takes no If-Match: who wants to be forgotten means all there is, whatever it has become meanwhile."""
    at = now()
    await request.app[STORE].change(own_id(request), lambda customer: customer.erase(at))
    return no_content()


def own_id(request: web.Request) -> UUID:
    """The id in the path. Customers find nobody but themselves; staff and functions find all. Raises NotFound."""
    customer_id, caller = path_id(request), request[CALLER]
    if customer_id != caller.id and not (caller.is_(Role.ADMIN) or caller.is_(Role.SERVICE)):
        raise NotFound
    return customer_id


def profile_of(body: Registration) -> Profile:
    """Raises Invalid."""
    given = body.address
    address = Address(given.street, given.city, given.postal_code, given.country) if given else None
    return Profile(body.name, body.email, body.language, address)


def answer(customer: Customer, *, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    profile = customer.profile
    if profile is None:
        raise NotFound
    body = CustomerBody(
        id=customer.id,
        name=profile.name,
        email=profile.email,
        language=profile.language,
        address=profile.address,
        status=customer.status,
        version=customer.version,
    )
    return reply(body, status=status, version=customer.version, headers=headers)
