"""What customers are refused over HTTP: named, and nothing is stored."""

from io import BytesIO
from typing import Any

import pytest

from libs.common.postgres import Postgres
from tests.customers.people import (
    BOB,
    HOME,
    JSON,
    OFFICE,
    PATH,
    PROFILE,
    Client,
    call,
)

pytestmark = pytest.mark.real


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
        ({"addresses": [OFFICE, HOME]}, "addresses[1]"),
        ({"address": None, "addresses": [OFFICE, OFFICE]}, "addresses[1].name"),
        ({"address": None, "addresses": [OFFICE | {"country": "ZZ"}]}, "addresses[0].country"),
        ({"address": None, "addresses": [OFFICE | {"name": ""}]}, "addresses[0].name"),
        ({"address": None, "addresses": [OFFICE | {"name": "x" * 51}]}, "addresses[0].name"),
        ({"address": None, "addresses": [OFFICE | {"phone": "call me"}]}, "addresses[0].phone"),
        ({"address": None, "addresses": [OFFICE | {"phone": "+49 228 1\n"}]}, "addresses[0].phone"),
        ({"address": None, "addresses": [OFFICE | {"name": str(number)} for number in range(11)]}, "addresses"),
        ({"address": None, "addresses": [OFFICE], "delivery_address": "Hof"}, "delivery_address"),
        ({"address": None, "addresses": [OFFICE], "billing_address": "Hof"}, "billing_address"),
        ({"billing_address": "main"}, "billing_address"),
        ({"addresses": [OFFICE]}, "address"),
        ({"preferences": {"marketing": "yes"}}, "preferences.marketing"),
        ({"preferences": {"order_news": False}}, "preferences"),
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
    status, problem = await call(client, "POST", "/api/customers", ada | JSON, data=body)

    assert status in (400, 422)
    assert problem["detail"]
    assert await database.fetch("SELECT FROM customers") == []


async def test_a_field_that_is_given_twice_is_checked_twice(client: Client, ada: dict[str, str]) -> None:
    body = b'{"name": "Ada", "email": "nonsense", "email": "a@b.de"}'

    status, _ = await call(client, "POST", "/api/customers", ada | JSON, data=body)

    assert status == 422


async def test_a_body_that_is_too_large_is_refused(client: Client, ada: dict[str, str]) -> None:
    status, _ = await call(client, "POST", "/api/customers", ada | JSON, data=BytesIO(b" " * (2 * 1024 * 1024)))

    assert status == 413
