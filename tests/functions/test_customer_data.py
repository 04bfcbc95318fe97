"""Everything on a customer as one list, to whom the owners allow it."""

import asyncio
import csv
import json
from io import StringIO
from typing import Any
from uuid import UUID

import azure.functions as func
import pytest
from aiohttp import web

from functions import customer_data as module
from functions.connections import Connections
from functions.customer_data import customer_data
from tests.functions.surroundings import ADA, PROFILE, SHOP, TRACE_ID, TRACEPARENT, TRANSIENT, Owners, answers, refuses

TOLD = {"at": "2026-06-01T12:00:00Z", "kind": "letter", "name": "confirmed", "attempt": 1, "reason": ""} | {
    "version": None,
    "status": None,
}
EVENT = {name: TOLD[name] for name in ("at", "kind", "name", "reason")}
WAITING = {"product_id": str(UUID(int=7)), "since": "2026-06-02T12:00:00Z"}


def asks(customer_id: object = ADA, **headers: str) -> func.HttpRequest:
    """As the converter makes it: header names in lower case."""
    return func.HttpRequest(
        "GET",
        f"https://store.example/api/customer-data/{customer_id}",
        headers={"authorization": "Bearer theirs", "traceparent": TRACEPARENT} | headers,
        route_params={"id": str(customer_id)},
        body=b"",
    )


def asks_first(origin: str) -> func.HttpRequest:
    """As a browser does, before it lets a page ask."""
    headers = {"origin": origin, "access-control-request-method": "GET"}
    return func.HttpRequest("OPTIONS", f"https://store.example/api/customer-data/{ADA}", headers=headers, body=b"")


def order(number: int) -> dict[str, Any]:
    return {
        "id": str(UUID(int=number)),
        "customer_id": str(ADA),
        "status": "confirmed",
        "reason": "",
        "payment": "captured",
        "currency": "EUR",
        "total": 100,
        "tax": 16,
        "lines": [
            {
                **{"product_id": str(UUID(int=1)), "sku": "L", "name": '=1+1 "Lamp",\nblue', "price": 100},
                **{"quantity": 1, "tax_rate": 1900, "tax": 16},
            }
        ],
        "placed_at": "2026-06-01T12:00:00Z",
        "version": 2,
    }


def pages(count: int) -> Any:
    async def answer(request: web.Request) -> web.Response:
        number = int(request.query.get("cursor", "0"))
        return web.json_response({"items": [order(number)], "next": str(number + 1) if number + 1 < count else None})

    return answer


async def test_all_that_is_held_is_one_list(to: Connections, owners: Owners) -> None:
    owners.orders, owners.waiting = pages(3), answers({"items": [WAITING]})
    owners.timeline = answers({"items": [TOLD], "next": None})

    answer = await customer_data(asks(), to)

    entries = json.loads(answer.get_body())
    assert (answer.status_code, answer.mimetype) == (200, "application/json")
    assert answer.headers["Cache-Control"] == "no-store"
    assert [entry["kind"] for entry in entries] == [
        *("profile", "address", "address", "preferences", "order", "order", "order", "waiting")
    ]
    assert entries[0] == {
        "kind": "profile",
        **{name: PROFILE[name] for name in ("id", "name", "email", "language", "status")},
    }
    hof, buero = PROFILE["addresses"]
    assert entries[1:3] == [
        {"kind": "address", **hof, "delivery": True, "billing": False},
        {"kind": "address", **buero, "delivery": False, "billing": True},
    ]
    assert entries[3] == {"kind": "preferences", **PROFILE["preferences"]}
    expected = {name: value for name, value in order(0).items() if name not in ("customer_id", "version")}
    said = {"carrier": "", "tracking": "", "payment_refusal": "", "timeline": [EVENT]}
    assert entries[4] == {"kind": "order"} | said | expected
    asked = [request.path for request in owners.asked if request.path.endswith("/timeline")]
    assert sorted(asked) == [f"/api/orders/{UUID(int=number)}/timeline" for number in range(3)]
    assert entries[7] == {"kind": "waiting", **WAITING}


async def test_who_has_no_profile_and_waits_for_a_product_is_told_of_that(to: Connections, owners: Owners) -> None:
    owners.customer, owners.waiting = refuses(404), answers({"items": [WAITING]})

    answer = await customer_data(asks(), to)

    assert (answer.status_code, json.loads(answer.get_body())) == (200, [{"kind": "waiting", **WAITING}])


async def test_the_timelines_of_the_newest_orders_only_are_asked_for_and_so_it_says(
    to: Connections, owners: Owners
) -> None:
    owners.orders = answers({"items": [order(number) for number in range(module.MOST_TIMELINES + 2)], "next": None})

    entries = json.loads((await customer_data(asks(), to)).get_body())

    timelines = [entry["timeline"] for entry in entries if entry["kind"] == "order"]
    assert timelines == [*[[]] * module.MOST_TIMELINES, None, None]


async def test_an_order_of_the_version_before_says_nothing_of_its_payment(to: Connections, owners: Owners) -> None:
    known = {name: value for name, value in order(1).items() if name != "payment"}
    owners.orders = answers({"items": [known], "next": None})

    entries = json.loads((await customer_data(asks(), to)).get_body())

    assert [entry["payment"] for entry in entries if entry["kind"] == "order"] == [""]


async def test_without_an_address_there_is_no_entry_for_it(to: Connections, owners: Owners) -> None:
    owners.customer = answers(PROFILE | {"address": None, "addresses": []})

    answer = await customer_data(asks(), to)

    assert [entry["kind"] for entry in json.loads(answer.get_body())] == ["profile", "preferences"]


async def test_what_the_version_before_says_of_a_customer_is_enough(to: Connections, owners: Owners) -> None:
    news = ("addresses", "delivery_address", "billing_address", "preferences")
    owners.customer = answers({name: value for name, value in PROFILE.items() if name not in news})

    entries = json.loads((await customer_data(asks(), to)).get_body())

    assert entries[1] == {"kind": "address", **PROFILE["address"], "name": "", "phone": ""} | {
        "delivery": True,
        "billing": True,
    }


async def test_where_the_catalogue_knows_of_no_waiting_lists_there_are_none(to: Connections, owners: Owners) -> None:
    owners.waiting = refuses(404)

    answer = await customer_data(asks(), to)

    assert answer.status_code == 200
    assert "waiting" not in [entry["kind"] for entry in json.loads(answer.get_body())]


async def test_a_spreadsheet_gets_every_entry_and_no_formula(to: Connections, owners: Owners) -> None:
    owners.orders, owners.waiting = pages(1), answers({"items": [WAITING]})
    owners.timeline = answers({"items": [TOLD | {"reason": "=1+1"}], "next": None})

    answer = await customer_data(asks(accept="text/csv"), to)

    assert (answer.status_code, answer.mimetype, answer.headers["Vary"]) == (200, "text/csv", "Accept, Origin")
    lines = answer.get_body().decode()
    assert lines.endswith("\r\n")
    assert '"\'=1+1 ""Lamp"",\nblue"' in lines
    rows = list(csv.DictReader(StringIO(lines, newline="")))
    assert [row["kind"] for row in rows] == [
        *("profile", "address", "address", "preferences", "order", "line", "event", "waiting")
    ]
    assert (rows[1]["phone"], rows[1]["delivery"], rows[2]["delivery"]) == ("'+49 221 1", "true", "false")
    assert (rows[4]["id"], rows[4]["total"], rows[5]["order_id"]) == (rows[5]["order_id"], "100", str(UUID(int=0)))
    event = rows[6]
    assert (event["order_id"], event["at"], event["event"]) == (str(UUID(int=0)), TOLD["at"], "letter")
    assert (event["name"], event["reason"], rows[4]["payment"]) == ("confirmed", "'=1+1", "captured")
    assert rows[7]["since"] == WAITING["since"]


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        (None, "application/json"),
        ("", "application/json"),
        ("*/*", "application/json"),
        ("text/*", "text/csv"),
        ("TEXT/CSV;charset=utf-8", "text/csv"),
        ("text/csv;q=0.5, application/json;q=0.4", "text/csv"),
        ("text/csv;q=0.5, */*;q=0.6", "application/json"),
        ("application/json;q=0, */*", "text/csv"),
        ("text/html, application/xhtml+xml, */*;q=0.1", "application/json"),
        ("text/csv;q=2, nonsense, application/json;q=0.9", "text/csv"),
    ],
)
async def test_the_caller_chooses_the_form(to: Connections, accept: str | None, form: str) -> None:
    answer = await customer_data(asks(**({} if accept is None else {"accept": accept})), to)

    assert (answer.status_code, answer.mimetype) == (200, form)


@pytest.mark.parametrize("accept", ["text/html", "application/json;q=0, text/csv;q=0.000", "*/*;q=0", "x"])
async def test_another_form_is_refused_before_anything_is_asked(to: Connections, owners: Owners, accept: str) -> None:
    answer = await customer_data(asks(accept=accept), to)

    assert (answer.status_code, answer.mimetype) == (406, "application/problem+json")
    assert "text/csv" in json.loads(answer.get_body())["detail"]
    assert owners.asked == []


async def test_the_owners_see_the_callers_own_token_and_trace(to: Connections, owners: Owners) -> None:
    answer = await customer_data(asks(), to)

    assert [request.path for request in owners.asked] == [f"/api/customers/{ADA}", "/api/orders", "/api/waiting"]
    assert owners.asked[2].query["customer"] == str(ADA)
    assert {request.headers["Authorization"] for request in owners.asked} == {"Bearer theirs"}
    assert owners.asked[1].query["customer"] == str(ADA)
    traces = {request.headers["traceparent"] for request in owners.asked} | {answer.headers["traceparent"]}
    assert len(traces) == 1
    assert traces.pop().split("-")[1] == TRACE_ID


async def test_a_list_that_is_too_long_says_where_it_goes_on(to: Connections, owners: Owners) -> None:
    owners.orders = pages(module.MOST_PAGES + 1)

    answer = await customer_data(asks(), to)

    assert len(json.loads(answer.get_body())) == 4 + module.MOST_PAGES
    assert len(owners.asked) == 2 + 2 * module.MOST_PAGES
    assert answer.headers["Link"] == f'</api/orders?customer={ADA}&limit=100&cursor=20>; rel="next"'


@pytest.mark.parametrize("status", [401, 403, 404])
@pytest.mark.parametrize("owner", ["customer", "orders"])
async def test_a_refusal_of_an_owner_is_ours(to: Connections, owners: Owners, owner: str, status: int) -> None:
    setattr(owners, owner, refuses(status))

    answer = await customer_data(asks(), to)

    assert (answer.status_code, answer.mimetype) == (status, "application/problem+json")
    assert json.loads(answer.get_body())["status"] == status
    assert answer.headers.get("WWW-Authenticate") == ("Bearer" if status == 401 else None)


@pytest.mark.parametrize("owner", ["customer", "orders", "timeline", "waiting"])
@pytest.mark.parametrize("reason", ["500", "a gateway's own 404", "no JSON", "another shape", "hanging up"])
async def test_while_an_owner_can_not_say_it_is_503(to: Connections, owners: Owners, owner: str, reason: str) -> None:
    owners.orders = pages(1)
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


async def test_a_page_of_the_shop_may_ask_from_a_browser_and_read_also_a_refusal(
    to: Connections, owners: Owners
) -> None:
    owners.orders, owners.waiting = pages(1), answers({"items": []})

    first, answer, refusal = [
        await customer_data(each, to)
        for each in (asks_first(SHOP), asks(origin=SHOP), asks(customer_id="nobody", origin=SHOP))
    ]

    assert (first.status_code, answer.status_code, refusal.status_code) == (204, 200, 404)
    assert first.headers["Access-Control-Allow-Methods"] == "GET"
    assert "Authorization" in first.headers["Access-Control-Allow-Headers"]
    assert {each.headers["Access-Control-Allow-Origin"] for each in (first, answer, refusal)} == {SHOP}
    assert "Origin" in answer.headers["Vary"]


async def test_a_page_of_another_origin_may_not(to: Connections, owners: Owners) -> None:
    owners.orders, owners.waiting = pages(1), answers({"items": []})

    for request in (asks_first("https://elsewhere.example"), asks(origin="https://elsewhere.example"), asks()):
        answer = await customer_data(request, to)

        assert not [name for name, _ in answer.headers.items() if name.lower().startswith("access-control-")]
