"""Customers over HTTP."""

from typing import Any
from uuid import UUID

import pytest

from libs.common.postgres import Postgres
from tests.customers.people import (
    ADA,
    FARM,
    HOME,
    OF_THE_VERSION_BEFORE,
    OFFICE,
    PATH,
    PROFILE,
    Client,
    call,
)

pytestmark = pytest.mark.real


async def test_a_person_registers_under_the_id_of_their_token(client: Client, ada: dict[str, str]) -> None:
    async with client.post("/api/customers", json=PROFILE, headers=ada) as response:
        body = await response.json()

    assert response.status == 201
    assert response.headers["Location"] == PATH
    assert response.headers["ETag"] == '"v1"'
    assert body == PROFILE | {
        "id": str(ADA),
        "addresses": [HOME | {"name": "main", "phone": ""}],
        "delivery_address": "main",
        "billing_address": "main",
        "preferences": {"back_in_stock": True, "marketing": False},
        "status": "active",
        "version": 1,
    }
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
    before = {name: value for name, value in body.items() if name in OF_THE_VERSION_BEFORE}
    assert before == moved | {"id": str(ADA), "language": "de", "address": None, "status": "active", "version": 2}
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


async def test_several_addresses_are_kept_and_one_is_for_deliveries_and_one_for_bills(
    client: Client, ada: dict[str, str]
) -> None:
    given = {"addresses": [OFFICE, FARM], "delivery_address": "Hof", "billing_address": "Büro"}
    said = {"name": "Ada", "email": "ada@example.org"} | given

    status, body = await call(client, "POST", "/api/customers", ada, json=said)

    assert status == 201
    assert {name: body[name] for name in given} == given | {"addresses": [FARM, OFFICE]}
    assert body["address"] == {name: FARM[name] for name in ("street", "city", "postal_code", "country")}
    assert (await call(client, "GET", PATH, ada))[1] == body


async def test_who_knows_one_address_only_changes_that_one_only(client: Client, ada: dict[str, str]) -> None:
    wanted = {"addresses": [FARM, OFFICE], "billing_address": "Büro", "preferences": {"back_in_stock": False}}
    await call(client, "POST", "/api/customers", ada, json={"name": "Ada", "email": "ada@example.org"} | wanted)

    moved = await call(client, "PUT", PATH, ada, json=PROFILE, headers={"If-Match": '"v1"'})
    gone = await call(client, "PUT", PATH, ada, json=PROFILE | {"address": None}, headers={"If-Match": '"v2"'})

    assert moved[1]["addresses"] == [HOME | {"name": "Hof", "phone": ""}, OFFICE]
    assert gone[1]["addresses"] == [OFFICE]
    assert {each["billing_address"] for each in (moved[1], gone[1])} == {"Büro"}
    assert {each["preferences"]["back_in_stock"] for each in (moved[1], gone[1])} == {False}


async def test_a_list_of_addresses_replaces_the_list_and_preferences_the_preferences(
    client: Client, ada: dict[str, str]
) -> None:
    await call(client, "POST", "/api/customers", ada, json=PROFILE | {"preferences": {"marketing": True}})
    said = {"name": "Ada", "email": "ada@example.org", "addresses": [], "preferences": {}}

    _, body = await call(client, "PUT", PATH, ada, json=said, headers={"If-Match": '"v1"'})

    assert (body["address"], body["addresses"]) == (None, [])
    assert (body["delivery_address"], body["billing_address"]) == (None, None)
    assert body["preferences"] == {"back_in_stock": True, "marketing": False}


async def test_staff_list_customers_page_by_page_and_find_one_by_email(
    client: Client, admin: dict[str, str], ada: dict[str, str]
) -> None:
    people = [PROFILE | {"email": f"ada{number}+x@example.org"} for number in range(5)]
    made = [(await call(client, "POST", "/api/customers", admin, json=each))[1] for each in people]
    match = {"If-Match": '"v1"'}
    blocked = await call(
        client, "PUT", f"/api/customers/{made[3]['id']}", admin, json=people[3] | {"status": "blocked"}, headers=match
    )
    assert (await call(client, "DELETE", f"/api/customers/{made[4]['id']}", admin))[0] == 204

    listed, path, pages = list[Any](), "/api/customers?limit=3", 0
    while path:
        async with client.get(path, headers=admin) as response:
            listed += (await response.json())["items"]
            path, pages = response.headers.get("Link", "").partition(">")[0].lstrip("<"), pages + 1

    assert pages == 2
    assert listed == sorted([*made[:3], blocked[1]], key=lambda each: each["id"])
    found = [
        (await call(client, "GET", "/api/customers", admin, params=query))[1]["items"]
        for query in (
            {"email": "ADA2+x@example.org"},
            {"email": "nobody@example.org"},
            {"status": "blocked"},
            {"email": "ada2+x@example.org", "status": "blocked"},
        )
    ]
    assert found == [[made[2]], [], [blocked[1]], []]
    assert (await call(client, "GET", "/api/customers", ada))[0] == 403


@pytest.mark.parametrize("asked", ["limit=0", "limit=101", "cursor=x", "status=gone", "email=a", "name=Ada"])
async def test_a_list_that_can_not_be_is_refused(client: Client, admin: dict[str, str], asked: str) -> None:
    assert (await call(client, "GET", f"/api/customers?{asked}", admin))[0] == 422


async def test_an_erasure_heeds_the_version_that_it_is_given(client: Client, ada: dict[str, str]) -> None:
    await call(client, "POST", "/api/customers", ada, json=PROFILE)

    assert (await call(client, "DELETE", PATH, ada, headers={"If-Match": '"v2"'}))[0] == 412
    assert (await call(client, "DELETE", PATH, ada, headers={"If-Match": '"v1"'}))[0] == 204


async def test_what_is_known_already_is_not_sent_again(client: Client, ada: dict[str, str]) -> None:
    await call(client, "POST", "/api/customers", ada, json=PROFILE)

    assert (await call(client, "GET", PATH, ada, headers={"If-None-Match": '"v1"'}))[0] == 304
    assert (await call(client, "GET", PATH, ada, headers={"If-None-Match": '"v0"'}))[0] == 200


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
