"""Hostile values in every field and parameter: a clear refusal, or kept as they are; never a 5xx."""

import asyncio
import copy
import json
from collections.abc import AsyncIterator, Iterator
from io import BytesIO
from typing import Any
from urllib.parse import quote

import msgspec
import pytest

from libs.common.auth import Role, Verifier
from tests.access.shops import ADA, JSON, SERVICES, Route, Shop, body_for, opened, routes_of
from tests.engines import ENGINES, Engine
from tests.tokens import Tokens

pytestmark = pytest.mark.real

TEXTS = [
    "\x00",
    "a\x00b",
    "' OR '1'='1' --",
    "'; DROP TABLE products; --",
    "100%_[a-z]\\",
    "x' eq 'x' or PartitionKey ne '",
    "=cmd|' /C calc'!A0",
    "@SUM(1+1)*cmd",
    "\u202eevil\u202c\u200f",
    "a\r\nSet-Cookie: x=1",
    "<script>alert(1)</script>",
    "${jndi:ldap://x}{{7*7}}%s%n",
    "../../../etc/passwd",
    "\U0001f9e8" * 50,
    "e\u0301\ufeff\uffff",
    "x" * 100_000,
    "",
    " ",
]
# As they stand in JSON.
VALUES = [
    b'"\\ud800"', b'"\\u0000"', b"9223372036854775808", b"-9223372036854775809", b"-0", b"-0.0", b"1e400", b"NaN",
    b"Infinity", b"-Infinity", b"1.5", b"null", b"true", b"[]", b"{}", b'"1"', b"1" * 5000, b"[" * 10_000,
    b"[" * 10_000 + b"]" * 10_000, b'{"a":' * 10_000, b'"\xff"', b"00", b"0x10", b"'x'",
]  # fmt: skip
BODIES = [
    b"", b"{", b"null", b"[]", b'"x"', b"\xef\xbb\xbf{}", "{}".encode("utf-16"), b"[" * 10_000 + b"]" * 10_000,
    b'{"a":' * 10_000 + b"1" + b"}" * 10_000, b" " * 1_000_000, b" " * 10_000_000, b"\x00", b"{}{}",
    b'{"__proto__":{}}',
]  # fmt: skip
HEADERS = [
    "\x01",
    "x" * 8000,
    "'; --",
    "\u00fc",
    '"v99999999999999999999"',
    "W/*",
    ",,,",
    "\t",
    "%0d%0aSet-Cookie: a=1",
]


on_each_engine = pytest.mark.parametrize("engine", ENGINES, indirect=True)


@pytest.fixture(params=["postgres"])
def engine(request: pytest.FixtureRequest) -> Engine:
    """PostgreSQL, except for tests `on_each_engine`: the others' values never get as far as that."""
    found: Engine = request.getfixturevalue(request.param)
    return found


@pytest.fixture(params=SERVICES)
async def shop(
    request: pytest.FixtureRequest, engine: Engine, verifier: Verifier, tokens: Tokens
) -> AsyncIterator[Shop]:
    async with engine.database() as database, opened(request.param, database, verifier, tokens) as shop:
        yield shop


def everybody(shop: Shop) -> dict[str, str]:
    return shop.tokens.bearer(*Role, oid=ADA)


def places(body: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Of every value in a good body."""
    items = body.items() if isinstance(body, dict) else enumerate(body) if isinstance(body, list) else ()
    for key, value in items:
        yield (*path, key)
        yield from places(value, (*path, key))


def with_value(body: dict[str, Any], path: tuple[Any, ...], value: bytes) -> bytes:
    spoiled = copy.deepcopy(body)
    place: Any = spoiled
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = "<here>"
    return json.dumps(spoiled).encode().replace(b'"<here>"', value)


def name_of(path: tuple[Any, ...]) -> str:
    return "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in path).lstrip(".")


def reading(shop: Shop) -> list[Route]:
    return [route for route in routes_of(shop.service) if body_for(shop.service, route)]


def fault(status: int, content: bytes, names: tuple[str, ...] = ()) -> str:
    """What is wrong with an answer; empty: nothing."""
    if status >= 500 and not (status == 503 and b"storage" in content.lower()):  # there is none here
        return f"{status}: {content!r}"
    if status >= 400:
        problem = json.loads(content)
        if not problem["detail"]:
            return "says nothing"
        if status == 422 and names and not any(str(problem.get("field", "")).startswith(name) for name in names):
            return f"names {problem.get('field')}"
    return ""


@on_each_engine
async def test_each_field_refuses_what_it_is_not_and_says_which_it_is(shop: Shop) -> None:
    found = []
    for route in reading(shop):
        good = body_for(shop.service, route)
        for path in places(good):
            for value in VALUES:
                body = with_value(good, path, value)
                status, content = await shop.call(route, everybody(shop), data=body, headers=JSON)
                if wrong := fault(status, content, (str(path[0]), "body")):
                    found.append((str(route), name_of(path), value[:30], wrong))

    assert found == []


@on_each_engine
async def test_each_text_is_refused_with_its_name_or_kept_to_the_letter(shop: Shop) -> None:
    found = []
    for route in reading(shop):
        good = body_for(shop.service, route)
        for path in places(good):
            for text in TEXTS:
                body = with_value(good, path, json.dumps(text).encode())
                status, content = await shop.call(route, everybody(shop), data=body, headers=JSON)
                wrong = fault(status, content, (str(path[0]),))
                writes = route.method == "PUT" or "{id}" not in route.path  # of what is done once the first word stays
                if writes and 200 <= status < 300 and content and path[-1] in (told := json.loads(content)):
                    wrong = wrong or ("" if told[path[-1]] == text else f"keeps {told[path[-1]]!r}")
                if wrong:
                    found.append((str(route), name_of(path), text[:30], wrong))

    assert found == []


async def test_a_body_that_is_none_is_a_clear_refusal(shop: Shop) -> None:
    found = []
    for route in reading(shop):
        for body in [body for body in BODIES if body or not is_optional(route)]:
            status, _ = await shop.call(route, everybody(shop), data=BytesIO(body), headers=JSON)
            if status not in (400, 413, 422):
                found.append((str(route), body[:20], status))

    assert found == []


def is_optional(route: Route) -> bool:
    """What needs no field may stay away as a whole."""
    kind: Any = route.operation.body
    return all(not field.required for field in msgspec.structs.fields(kind))


@on_each_engine
async def test_each_parameter_refuses_what_it_is_not_and_says_which_it_is(shop: Shop) -> None:
    found = []
    for route in routes_of(shop.service):
        for field in msgspec.structs.fields(route.operation.query) if route.operation.query else ():
            for text in [
                *(text for text in TEXTS if len(text) < 1000),
                "9223372036854775808",
                "-1",
                "NaN",
                "1e9",
                "null",
            ]:
                path = f"{route.with_id(shop.thing)}?{field.encode_name}={quote(text)}"
                one = Route(route.method, path, route.operation, route.policy)
                status, content = await shop.call(one, everybody(shop))
                if wrong := fault(status, content, (field.encode_name,)):
                    found.append((path[:80], wrong))

    assert found == []


@on_each_engine
async def test_no_id_and_no_header_is_a_defect(shop: Shop) -> None:
    found = []
    for route in routes_of(shop.service):
        for text in [text for text in TEXTS if text and len(text) < 1000]:
            one = Route(route.method, route.with_id(quote(text, safe="")), route.operation, route.policy)
            if "{id}" in route.path and (wrong := fault(*await shop.call(one, everybody(shop)))):
                found.append((str(route), text, wrong))

    assert found == []


async def raw(shop: Shop, request: bytes) -> bytes:
    """As no client would send it."""
    reader, writer = await asyncio.open_connection(shop.client.host, shop.client.port)
    writer.write(request)
    async with asyncio.timeout(20):
        line = await reader.readline()
    writer.close()
    return line


NAMES = (
    "If-Match If-None-Match Idempotency-Key traceparent X-Request-Id X-Forwarded-For Authorization Origin Prefer "
    "Content-Length Last-Event-ID Accept Range"
)


@pytest.mark.parametrize("name", NAMES.split())
async def test_no_header_is_a_defect(shop: Shop, name: str) -> None:
    """Past a client that would not send it."""
    first = {
        (route.method, bool(route.policy)): route
        for route in routes_of(shop.service)
        if "text/event" not in str(route.operation)
    }
    for value in HEADERS:
        for route in first.values():
            said = "".join(f"{key}: {text}\r\n" for key, text in everybody(shop).items() if key != name)
            head = f"{route.method} {route.with_id(shop.thing)} HTTP/1.1\r\nHost: x\r\n{said}{name}: {value}\r\n\r\n"
            status = int((await raw(shop, head.encode())).split()[1])

            assert status < 500, (route, name, value)


def test_no_body_is_deeper_than_its_type() -> None:
    """So a limit on the depth is the type's: whatever is deeper is refused where the type ends."""
    kinds = {
        r.operation.body for service in SERVICES for r in routes_of(service) if r.operation.body not in (None, bytes)
    }

    assert kinds
    for kind in kinds:
        assert depth(msgspec.inspect.type_info(kind)) <= 8, kind


def depth(kind: Any) -> int:
    """Raises where anything goes: unknown fields, or any type at all."""
    assert not isinstance(kind, msgspec.inspect.AnyType)
    match kind:
        case msgspec.inspect.StructType():
            assert kind.forbid_unknown_fields, kind
            return 1 + max((depth(field.type) for field in kind.fields), default=0)
        case msgspec.inspect.ListType():
            return 1 + depth(kind.item_type)
        case msgspec.inspect.DictType():
            return 1 + depth(kind.value_type)
        case msgspec.inspect.UnionType():
            return max(map(depth, kind.types))
    return 0
