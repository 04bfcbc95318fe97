"""Everything on a customer as one list, to whom the owners allow it."""

import asyncio
import json
from typing import Any
from uuid import UUID

import azure.functions as func
import pytest
from aiohttp import web

from functions import customer_data as module
from functions.connections import Connections
from functions.customer_data import customer_data
from tests.functions.surroundings import ADA, PROFILE, TRACE_ID, TRACEPARENT, TRANSIENT, Owners, answers, refuses


def asks(customer_id: object = ADA, **headers: str) -> func.HttpRequest:
    """As the converter makes it: header names in lower case."""
    return func.HttpRequest(
        "GET",
        f"https://store.example/api/customer-data/{customer_id}",
        headers={"authorization": "Bearer theirs", "traceparent": TRACEPARENT} | headers,
        route_params={"id": str(customer_id)},
        body=b"",
    )


def order(number: int) -> dict[str, Any]:
    return {
        "id": str(UUID(int=number)),
        "customer_id": str(ADA),
        "status": "confirmed",
        "reason": "",
        "currency": "EUR",
        "total": 100,
        "lines": [{"product_id": str(UUID(int=1)), "sku": "L", "name": "Lamp", "price": 100, "quantity": 1, "tax_rate": 0, "tax": 0}],
        "placed_at": "2026-06-01T12:00:00Z",
        "version": 2,
    }


def pages(count: int) -> Any:
    async def answer(request: web.Request) -> web.Response:
        number = int(request.query.get("cursor", "0"))
        return web.json_response({"items": [order(number)], "next": str(number + 1) if number + 1 < count else None})

    return answer


async def test_profile_address_and_orders_are_one_list(to: Connections, owners: Owners) -> None:
    owners.orders = pages(3)

    answer = await customer_data(asks(), to)

    entries = json.loads(answer.get_body())
    assert (answer.status_code, answer.mimetype) == (200, "application/json")
    assert answer.headers["Cache-Control"] == "no-store"
    assert [entry["kind"] for entry in entries] == ["profile", "address", "order", "order", "order"]
    assert entries[0] == {
        "kind": "profile",
        **{name: PROFILE[name] for name in ("id", "name", "email", "language", "status")},
    }
    assert entries[1] == {"kind": "address", **PROFILE["address"]}
    expected = order(0)
    assert entries[2] == {"kind": "order"} | {k: v for k, v in expected.items() if k not in ("customer_id", "version")}


async def test_without_an_address_there_is_no_entry_for_it(to: Connections, owners: Owners) -> None:
    owners.customer = answers(PROFILE | {"address": None})

    answer = await customer_data(asks(), to)

    assert [entry["kind"] for entry in json.loads(answer.get_body())] == ["profile"]


async def test_the_owners_see_the_callers_own_token_and_trace(to: Connections, owners: Owners) -> None:
    answer = await customer_data(asks(), to)

    assert [request.path for request in owners.asked] == [f"/api/customers/{ADA}", "/api/orders"]
    assert {request.headers["Authorization"] for request in owners.asked} == {"Bearer theirs"}
    assert owners.asked[1].query["customer"] == str(ADA)
    traces = {request.headers["traceparent"] for request in owners.asked} | {answer.headers["traceparent"]}
    assert len(traces) == 1
    assert traces.pop().split("-")[1] == TRACE_ID


async def test_a_list_that_is_too_long_says_where_it_goes_on(to: Connections, owners: Owners) -> None:
    owners.orders = pages(module.MOST_PAGES + 1)

    answer = await customer_data(asks(), to)

    assert len(json.loads(answer.get_body())) == 2 + module.MOST_PAGES
    assert answer.headers["Link"] == f'</api/orders?customer={ADA}&limit=100&cursor=20>; rel="next"'


@pytest.mark.parametrize("status", [401, 403, 404])
@pytest.mark.parametrize("owner", ["customer", "orders"])
async def test_a_refusal_of_an_owner_is_ours(to: Connections, owners: Owners, owner: str, status: int) -> None:
    setattr(owners, owner, refuses(status))

    answer = await customer_data(asks(), to)

    assert (answer.status_code, answer.mimetype) == (status, "application/problem+json")
    assert json.loads(answer.get_body())["status"] == status
    assert answer.headers.get("WWW-Authenticate") == ("Bearer" if status == 401 else None)


@pytest.mark.parametrize("owner", ["customer", "orders"])
@pytest.mark.parametrize("reason", ["500", "a gateway's own 404", "no JSON", "another shape", "hanging up"])
async def test_while_an_owner_can_not_say_it_is_503(to: Connections, owners: Owners, owner: str, reason: str) -> None:
    setattr(owners, owner, TRANSIENT[reason])

    answer = await customer_data(asks(), to)

    assert (answer.status_code, answer.mimetype) == (503, "application/problem+json")
    assert answer.headers["Retry-After"] == "2"


@pytest.mark.parametrize("customer_id", ["1", "", "..", "%2e%2e", "../orders?customer=", "a" * 5000, "\x00", "é"])
async def test_what_is_no_id_is_the_id_of_nobody(to: Connections, owners: Owners, customer_id: str) -> None:
    answer = await customer_data(asks(customer_id), to)

    assert answer.status_code == 404
    assert owners.asked == []


async def test_many_ask_at_once(to: Connections, owners: Owners) -> None:
    owners.orders = pages(2)

    answers_ = await asyncio.gather(*(customer_data(asks(), to) for _ in range(50)))

    assert {answer.status_code for answer in answers_} == {200}
    assert len({answer.get_body() for answer in answers_}) == 1
