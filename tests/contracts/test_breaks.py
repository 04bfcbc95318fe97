"""Changes that break somebody are found, with the name of whom they break; those that break nobody are let through."""

import json
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from deploy.contracts import breaks
from deploy.contracts.__main__ import found
from deploy.contracts.breaks import ANYONE, Break
from deploy.contracts.files import Contracts, now, released

Change = Callable[[Any], Any]
PRODUCT, UPDATED = "store.catalog.product-created.v1", "store.catalog.product-updated.v1"
PLACED, RESERVE = "store.orders.order-placed.v1", "store.catalog.reserve-stock.v1"


@pytest.fixture(scope="module")
def current() -> Contracts:
    return now()


def test_nothing_breaks_since_the_last_release(current: Contracts) -> None:
    """Where it does on purpose: a new class `.v2` of the message, or a new path, beside the old one."""
    assert [str(each) for each in found(released(), current)] == []


def test_each_consumer_reads_what_is_told(current: Contracts) -> None:
    unread = {
        (who, name): breaks.unread(current.messages[name], read)
        for who, heard in current.consumers.items()
        for name, read in heard.items()
        if name in current.messages
    }

    assert unread
    assert {key: why for key, why in unread.items() if why} == {}


def test_each_consumer_reads_what_is_answered(current: Contracts) -> None:
    for asked, read in current.consumers["functions"].items():
        service, name = asked.split()
        served = breaks.operations(current.http[service]).values()
        (operation,) = [each for each in served if each.schema["operationId"] == name]
        assert breaks.unanswered(current.http[service], operation, read) == []


# --- messages ----------------------------------------------------------------------------------------------------


def put(*path: str | int, value: Any) -> Change:
    def change(schema: Any) -> None:
        for step in path[:-1]:
            schema = schema[step]
        schema[path[-1]] = value

    return change


def drop(*path: str | int) -> Change:
    def change(schema: Any) -> None:
        for step in path[:-1]:
            schema = schema[step]
        del schema[path[-1]]

    return change


def field(name: str) -> Change:
    """Removes it."""

    def change(schema: Any) -> None:
        del schema["properties"][name]
        schema["required"] = [each for each in schema["required"] if each != name]

    return change


def needs(name: str) -> Change:
    def change(schema: Any) -> None:
        schema["properties"].setdefault(name, {"type": "integer"})
        schema["required"].append(name)

    return change


BREAKING: list[tuple[str, Change, set[str]]] = [
    (PRODUCT, field("sku"), {"orders"}),
    (PRODUCT, field("opening_stock"), {"update_inventory"}),
    (PRODUCT, put("properties", "price", "type", value="string"), {"orders"}),
    (PRODUCT, put("properties", "product_id", value={"type": "integer"}), {"orders", "update_inventory"}),
    (PRODUCT, put("properties", "name", value={"anyOf": [{"type": "string"}, {"type": "null"}]}), {"orders"}),
    (PRODUCT, needs("weight"), {"orders", "update_inventory"}),
    (PLACED, field("lines"), {"process_order"}),
    (PLACED, drop("$defs", "OrderedLine", "properties", "quantity"), {"process_order"}),
    (RESERVE, put("$defs", "ReservedLine", "properties", "quantity", "maximum", value=10), {"catalog"}),
    (RESERVE, put("$defs", "ReservedLine", "properties", "quantity", "maximum", value=10**9), {"catalog"}),
    (RESERVE, put("properties", "lines", "minItems", value=2), {"catalog"}),
    (RESERVE, put("properties", "order_id", "format", value="uri"), {"catalog"}),
    ("store.customers.customer-updated.v1", put("properties", "status", "enum", value=["active", "x"]), {"orders"}),
]
HARMLESS: list[tuple[str, Change]] = [
    (PRODUCT, put("properties", "weight", value={"type": "integer", "default": 0})),
    (PRODUCT, put("description", value="other words")),
    (PLACED, put("$defs", "OrderedLine", "properties", "weight", value={"type": "integer", "default": 0})),
    (RESERVE, put("properties", "order_id", "description", value="other words")),
]


def changed(contracts: Contracts, name: str, change: Change) -> Contracts:
    messages = deepcopy(dict(contracts.messages))
    change(messages[name])
    return Contracts(contracts.http, messages, contracts.consumers)


@pytest.mark.parametrize(("name", "change", "whose"), BREAKING)
def test_a_change_of_a_message_names_whom_it_breaks(
    current: Contracts, name: str, change: Change, whose: set[str]
) -> None:
    broken = list(found(current, changed(current, name, change)))

    assert {each.where for each in broken} == {name}
    assert {who for each in broken for who in each.whose} >= whose
    assert all(each.whose for each in broken)


def test_whoever_does_not_read_a_field_is_not_named_for_it(current: Contracts) -> None:
    (one,) = found(current, changed(current, PRODUCT, field("sku")))

    assert one == Break(PRODUCT, "to the version before, sku may be missing", ("orders",))
    assert str(one).endswith("this breaks orders")


@pytest.mark.parametrize(("name", "change"), HARMLESS)
def test_a_change_of_a_message_that_breaks_nobody_is_let_through(current: Contracts, name: str, change: Change) -> None:
    assert list(found(current, changed(current, name, change))) == []


def test_a_message_that_is_told_no_more_is_missed(current: Contracts) -> None:
    messages = {name: each for name, each in current.messages.items() if name != PRODUCT}

    (one,) = found(current, Contracts(current.http, messages, current.consumers))

    assert set(one.whose) == {"orders", "update_inventory"}


# --- HTTP --------------------------------------------------------------------------------------------------------

THING: Any = {
    "type": "object",
    "properties": {
        "id": {"type": "string", "format": "uuid"},
        "size": {"enum": ["small", "large"]},
        "note": {"type": "string", "default": ""},
    },
    "required": ["id", "size"],
}
WANTED: Any = {
    "type": "object",
    "properties": {
        "size": {"enum": ["small", "large"]},
        "count": {"type": "integer", "minimum": 1, "maximum": 99},
        "name": {"type": "string", "maxLength": 20, "pattern": "^[a-z]+$"},
        "note": {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None},
    },
    "required": ["size"],
    "additionalProperties": False,
}
OPERATION: Any = {
    "operationId": "make_thing",
    "parameters": [
        {"name": "limit", "in": "query", "required": False, "schema": {"type": "integer", "maximum": 100}},
        {"name": "If-Match", "in": "header", "required": True, "schema": {"type": "string"}},
    ],
    "requestBody": {
        "required": False,
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Wanted"}}},
    },
    "responses": {
        "200": {
            "headers": {"ETag": {}},
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}},
        },
        "404": {"content": {"application/problem+json": {"schema": {"type": "object"}}}},
    },
    "security": [{"bearer": ["Store.Admin"]}, {"bearer": ["Store.Customer"]}],
}
BEFORE: Any = {
    "paths": {"/things": {"post": OPERATION, "get": {**OPERATION, "operationId": "read_things", "requestBody": None}}},
    "components": {"schemas": {"Thing": THING, "Wanted": WANTED}},
}
BEFORE["paths"]["/things"]["get"].pop("requestBody")
POST = ("paths", "/things", "post")
THINGS, WANTS = ("components", "schemas", "Thing"), ("components", "schemas", "Wanted", "properties")

BREAKING_HTTP: dict[str, Change] = {
    "a path is gone": drop("paths", "/things"),
    "a verb is gone": drop(*POST),
    "it has another name": put(*POST, "operationId", value="create_thing"),
    "a status is gone": drop(*POST, "responses", "200"),
    "a header of the answer is gone": drop(*POST, "responses", "200", "headers", "ETag"),
    "the answer has another type": put(*POST, "responses", "200", "content", value={"text/csv": {}}),
    "a field of the answer is gone": lambda document: field("size")(document["components"]["schemas"]["Thing"]),
    "a field with a default is gone from the answer": drop(*THINGS, "properties", "note"),
    "an answer has a new value": put(*THINGS, "properties", "size", "enum", value=["small", "large", "huge"]),
    "a field of the answer may be null": put(
        *THINGS, "properties", "id", value={"anyOf": [{"type": "string", "format": "uuid"}, {"type": "null"}]}
    ),
    "a field of the answer has another type": put(*THINGS, "properties", "id", value={"type": "integer"}),
    "a field of the answer has no format any more": put(*THINGS, "properties", "id", value={"type": "string"}),
    "a new field must be sent": lambda document: needs("weight")(document["components"]["schemas"]["Wanted"]),
    "a field must be sent": put("components", "schemas", "Wanted", "required", value=["size", "count"]),
    "a field is not taken any more": drop(*WANTS, "count"),
    "a value is not taken any more": put(*WANTS, "size", "enum", value=["small"]),
    "null is not taken any more": put(*WANTS, "note", value={"type": "string"}),
    "a maximum is lower": put(*WANTS, "count", "maximum", value=9),
    "a minimum is higher": put(*WANTS, "count", "minimum", value=2),
    "a text must be shorter": put(*WANTS, "name", "maxLength", value=19),
    "a text must be longer": put(*WANTS, "name", "minLength", value=1),
    "a pattern is another": put(*WANTS, "name", "pattern", value="^[a-y]+$"),
    "another type is wanted": put(*WANTS, "count", value={"type": "string"}),
    "a body must be sent": put(*POST, "requestBody", "required", value=True),
    "no body is taken": drop(*POST, "requestBody"),
    "a body of another type is wanted": put(*POST, "requestBody", "content", value={"text/csv": {}}),
    "a parameter is gone": drop(*POST, "parameters", 0),
    "a parameter must be said": put(*POST, "parameters", 0, "required", value=True),
    "a parameter is narrower": put(*POST, "parameters", 0, "schema", "maximum", value=50),
    "a role may call it no more": put(*POST, "security", value=[{"bearer": ["Store.Admin"]}]),
}
HARMLESS_HTTP: dict[str, Change] = {
    "a new path": put("paths", "/others", value={"get": OPERATION}),
    "a new verb": put("paths", "/things", "put", value=OPERATION),
    "a new refusal": put(*POST, "responses", "409", value={}),
    "a refusal less": drop(*POST, "responses", "404"),
    "a new header of the answer": put(*POST, "responses", "200", "headers", "Link", value={}),
    "a new field of the answer": put(*THINGS, "properties", "weight", value={"type": "integer"}),
    "a value less in answers": put(*THINGS, "properties", "size", "enum", value=["small"]),
    "a new optional field": put(*WANTS, "weight", value={"type": "integer", "default": 0}),
    "a new value is taken": put(*WANTS, "size", "enum", value=["small", "large", "huge"]),
    "a maximum is higher": put(*WANTS, "count", "maximum", value=999),
    "a limit is gone": drop(*WANTS, "name", "maxLength"),
    "null is taken, too": put(*WANTS, "count", value={"anyOf": [WANTED["properties"]["count"], {"type": "null"}]}),
    "a field need not be sent": put("components", "schemas", "Wanted", "required", value=[]),
    "a new parameter": lambda document: document["paths"]["/things"]["post"]["parameters"].append(
        {"name": "q", "in": "query", "required": False, "schema": {"type": "string"}}
    ),
    "a parameter need not be said": put(*POST, "parameters", 1, "required", value=False),
    "one more role": put(*POST, "security", value=[*OPERATION["security"], {"bearer": ["Store.Service"]}]),
    "anybody may call it": put(*POST, "security", value=[]),
    "other words": put(*POST, "description", value="other words"),
}


def compared(change: Change, read: Any = None) -> list[Break]:
    after = json.loads(json.dumps(BEFORE))
    change(after)
    return list(breaks.http("shop", BEFORE, after, {"robot": {"shop make_thing": read}} if read else {}))


@pytest.mark.parametrize("what", BREAKING_HTTP)
def test_what_breaks_a_client_is_found(what: str) -> None:
    broken = compared(BREAKING_HTTP[what])

    assert broken
    assert all(ANYONE in each.whose for each in broken)


@pytest.mark.parametrize("what", HARMLESS_HTTP)
def test_what_breaks_no_client_is_let_through(what: str) -> None:
    assert compared(HARMLESS_HTTP[what]) == []


READ: Any = {"type": "object", "properties": {"size": {"enum": ["small", "large"]}}, "required": ["size"]}


@pytest.mark.parametrize(
    ("what", "is_named"),
    [
        ("a field of the answer is gone", True),
        ("an answer has a new value", True),
        ("a field with a default is gone from the answer", False),
        ("a verb is gone", True),
    ],
)
def test_the_consumer_that_reads_what_has_changed_is_named(what: str, is_named: bool) -> None:
    broken = [each for each in compared(BREAKING_HTTP[what], READ) if "POST" in each.where]

    assert [("robot" in each.whose) for each in broken] == [is_named]


def test_a_token_that_was_not_needed_is_missed() -> None:
    before = deepcopy(BEFORE)
    before["paths"]["/things"]["post"]["security"] = []

    assert [each.what for each in breaks.http("shop", before, BEFORE, {})] == ["a token is needed now"]
