"""Customers over HTTP: the real application, database and tokens."""

from collections.abc import AsyncIterator
from io import BytesIO
from typing import Any
from uuid import UUID

import pytest
from aiohttp.test_utils import TestClient, TestServer

from libs.common import http
from libs.common.auth import Role, Verifier
from libs.common.postgres import Postgres
from services.customers.routes import STORE, routes
from services.customers.store import migrate, open_store
from tests.tokens import Tokens

pytestmark = pytest.mark.real

ADA, BOB = UUID(int=1), UUID(int=2)
HOME = {"street": "Ärmelgasse 1", "city": "Köln", "postal_code": "50667", "country": "DE"}
PROFILE: dict[str, Any] = {"name": "Ada Müller", "email": "ada@example.org", "language": "en", "address": HOME}
PATH = f"/api/customers/{ADA}"
Client = TestClient[Any, Any]


@pytest.fixture
async def client(database: Postgres, verifier: Verifier) -> AsyncIterator[Client]:
    app = http.application(routes, verifier, database.ping)
    await migrate(database)
    app[STORE] = await open_store(database)
    async with TestClient(TestServer(app)) as connected:
        yield connected


@pytest.fixture
def ada(tokens: Tokens) -> dict[str, str]:
    return tokens.bearer(Role.CUSTOMER, oid=ADA)


@pytest.fixture
def bob(tokens: Tokens) -> dict[str, str]:
    return tokens.bearer(Role.CUSTOMER, oid=BOB)


@pytest.fixture
def admin(tokens: Tokens) -> dict[str, str]:
    return tokens.bearer(Role.ADMIN)


@pytest.fixture
def service(tokens: Tokens) -> dict[str, str]:
    return tokens.bearer(Role.SERVICE)


async def call(client: Client, method: str, path: str, who: dict[str, str], **options: Any) -> tuple[int, Any]:
    headers = who | options.pop("headers", {})
    async with client.request(method, path, headers=headers, **options) as response:
        return response.status, await response.json(content_type=None) if await response.read() else None


async def test_a_person_registers_under_the_id_of_their_token(client: Client, ada: dict[str, str]) -> None:
    async with client.post("/api/customers", json=PROFILE, headers=ada) as response:
        body = await response.json()

    assert response.status == 201
    assert response.headers["Location"] == PATH
    assert response.headers["ETag"] == '"v1"'
    assert body == PROFILE | {"id": str(ADA), "status": "active", "version": 1}
    assert await call(client, "GET", PATH, ada) == (200, body)


async def test_german_is_spoken_and_no_address_needed_where_nothing_is_said(
    client: Client, ada: dict[str, str]
) -> None:
    status, body = await call(client, "POST", "/api/customers", ada, json={"name": "Ada", "email": "a@b.de"})

    assert status == 201
    assert (body["language"], body["address"]) == ("de", None)


async def test_a_person_registers_once(client: Client, ada: dict[str, str]) -> None:
    await call(client, "POST", "/api/customers", ada, json=PROFILE)

    status, problem = await call(client, "POST", "/api/customers", ada, json=PROFILE)

    assert (status, problem["title"]) == (409, "Already registered")


async def test_staff_register_others_under_new_ids(client: Client, admin: dict[str, str]) -> None:
    first = await call(client, "POST", "/api/customers", admin, json=PROFILE)
    second = await call(client, "POST", "/api/customers", admin, json=PROFILE | {"email": "eve@example.org"})

    assert (first[0], second[0]) == (201, 201)
    assert UUID(first[1]["id"]).version == UUID(second[1]["id"]).version == 4
    assert first[1]["id"] != second[1]["id"]


async def test_an_email_address_is_taken_in_any_case(client: Client, ada: dict[str, str], bob: dict[str, str]) -> None:
    await call(client, "POST", "/api/customers", ada, json=PROFILE)

    status, problem = await call(client, "POST", "/api/customers", bob, json=PROFILE | {"email": "ADA@example.ORG"})

    assert (status, problem["title"]) == (409, "Email taken")
    assert "example" not in problem["detail"].lower()


async def test_customers_find_nobody_but_themselves(
    client: Client, ada: dict[str, str], bob: dict[str, str], admin: dict[str, str], service: dict[str, str]
) -> None:
    await call(client, "POST", "/api/customers", ada, json=PROFILE)
    match = {"If-Match": '"v1"'}

    assert (await call(client, "GET", PATH, bob))[0] == 404
    assert (await call(client, "PUT", PATH, bob, json=PROFILE, headers=match))[0] == 404
    assert (await call(client, "DELETE", PATH, bob))[0] == 404
    assert [(await call(client, "GET", PATH, who))[0] for who in (ada, admin, service)] == [200, 200, 200]


async def test_functions_only_read(client: Client, service: dict[str, str]) -> None:
    assert (await call(client, "POST", "/api/customers", service, json=PROFILE))[0] == 403
    assert (await call(client, "PUT", PATH, service, json=PROFILE, headers={"If-Match": '"v1"'}))[0] == 403
    assert (await call(client, "DELETE", PATH, service))[0] == 403


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_without_a_token_nobody_is_served(client: Client, method: str) -> None:
    assert (await call(client, method, PATH, {}))[0] == 401
    assert (await call(client, "POST", "/api/customers", {}, json=PROFILE))[0] == 401


async def test_a_profile_is_replaced_once_by_whoever_read_it(client: Client, ada: dict[str, str]) -> None:
    await call(client, "POST", "/api/customers", ada, json=PROFILE)
    moved = {"name": "Ada King", "email": "ADA@example.org"}

    status, body = await call(client, "PUT", PATH, ada, json=moved, headers={"If-Match": '"v1"'})

    assert status == 200
    assert body == moved | {"id": str(ADA), "language": "de", "address": None, "status": "active", "version": 2}
    assert (await call(client, "PUT", PATH, ada, json=PROFILE, headers={"If-Match": '"v1"'}))[0] == 412
    assert (await call(client, "PUT", PATH, ada, json=PROFILE))[0] == 428


async def test_only_staff_set_the_status(client: Client, ada: dict[str, str], admin: dict[str, str]) -> None:
    await call(client, "POST", "/api/customers", ada, json=PROFILE)
    match = {"If-Match": '"v1"'}

    refused = await call(client, "PUT", PATH, ada, json=PROFILE | {"status": "active"}, headers=match)
    blocked = await call(client, "PUT", PATH, admin, json=PROFILE | {"status": "blocked"}, headers=match)
    renamed = await call(client, "PUT", PATH, ada, json=PROFILE | {"name": "Ada King"}, headers={"If-Match": '"v2"'})

    assert (refused[0], refused[1]["detail"]) == (403, "Only staff may set `status`; leave it out.")
    assert (blocked[0], blocked[1]["status"]) == (200, "blocked")
    assert (renamed[0], renamed[1]["status"]) == (200, "blocked")
    assert (await call(client, "POST", "/api/customers", ada, json=PROFILE | {"status": "active"}))[0] == 422


@pytest.mark.parametrize("who", ["ada", "admin"])
async def test_the_erased_are_gone(
    client: Client, ada: dict[str, str], admin: dict[str, str], who: str, database: Postgres
) -> None:
    await call(client, "POST", "/api/customers", ada, json=PROFILE)
    eraser = {"ada": ada, "admin": admin}[who]

    assert await call(client, "DELETE", PATH, eraser) == (204, None)

    assert (await call(client, "DELETE", PATH, eraser))[0] == 404
    assert (await call(client, "GET", PATH, admin))[0] == 404
    assert (await call(client, "PUT", PATH, ada, json=PROFILE, headers={"If-Match": '"v2"'}))[0] == 404
    assert await database.fetch("SELECT FROM customers WHERE name IS NOT NULL") == []


@pytest.mark.parametrize("path", ["/api/customers/1", "/api/customers/%00", "/api/customers/' OR 1=1", PATH + "0"])
async def test_what_is_no_id_is_the_id_of_nobody(client: Client, admin: dict[str, str], path: str) -> None:
    assert (await call(client, "GET", path, admin))[0] == 404


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": " "}, "name"),
        ({"name": "\u2003Ada"}, "name"),
        ({"name": "Ada\u0000"}, "name"),
        ({"name": "Ada\r\nBcc: all@example.org"}, "name"),
        ({"name": "Ada\u2028B"}, "name"),
        ({"name": "x" * 201}, "name"),
        ({"name": None}, "name"),
        ({"name": 2**63}, "name"),
        ({"email": "ada"}, "email"),
        ({"email": "ada@localhost"}, "email"),
        ({"email": "ada@example.org\n"}, "email"),
        ({"email": "ada@exa mple.org"}, "email"),
        ({"email": ".ada@example.org"}, "email"),
        ({"email": "ada..b@example.org"}, "email"),
        ({"email": "ada@-example.org"}, "email"),
        ({"email": "<ada@example.org>"}, "email"),
        ({"email": "ada@example.org,eve@example.org"}, "email"),
        ({"email": "müller@example.org"}, "email"),
        ({"email": "a" * 243 + "@example.org"}, "email"),
        ({"language": "fr"}, "language"),
        ({"address": HOME | {"country": "ZZ"}}, "address.country"),
        ({"address": HOME | {"country": 1}}, "address.country"),
        ({"address": HOME | {"street": ""}}, "address.street"),
        ({"address": HOME | {"city": "x" * 101}}, "address.city"),
        ({"address": HOME | {"postal_code": "\u0000"}}, "address.postal_code"),
        ({"address": HOME | {"floor": 3}}, "address"),
        ({"address": []}, "address"),
        ({"id": str(BOB)}, "body"),
        ({"version": 7}, "body"),
    ],
    ids=str,
)
async def test_what_is_wrong_is_named_and_nothing_is_stored(
    client: Client, ada: dict[str, str], database: Postgres, change: dict[str, Any], field: str
) -> None:
    status, problem = await call(client, "POST", "/api/customers", ada, json=PROFILE | change)

    assert (status, problem["field"]) == (422, field)
    assert await database.fetch("SELECT FROM customers") == []
    assert await database.fetch("SELECT FROM outbox") == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b"NaN",
        b'{"name": NaN, "email": "a@b.de"}',
        b'{"name": "\\ud800", "email": "a@b.de"}',
        b'{"name": "\xff", "email": "a@b.de"}',
        b"[" * 10_000,
        b'{"name":' * 10_000,
        b'{"name":"Ada","email":"a@b.de","address":' + b"[" * 10_000 + b"]" * 10_000 + b"}",
    ],
    ids=lambda body: repr(body[:40]),
)
async def test_what_is_no_profile_is_a_clear_refusal(
    client: Client, ada: dict[str, str], database: Postgres, body: bytes
) -> None:
    status, problem = await call(client, "POST", "/api/customers", ada, data=body)

    assert status in (400, 422)
    assert problem["detail"]
    assert await database.fetch("SELECT FROM customers") == []


async def test_a_field_that_is_given_twice_is_checked_twice(client: Client, ada: dict[str, str]) -> None:
    body = b'{"name": "Ada", "email": "nonsense", "email": "a@b.de"}'

    status, _ = await call(client, "POST", "/api/customers", ada, data=body)

    assert status == 422


async def test_a_body_that_is_too_large_is_refused(client: Client, ada: dict[str, str]) -> None:
    status, _ = await call(client, "POST", "/api/customers", ada, data=BytesIO(b" " * (2 * 1024 * 1024)))

    assert status == 413
