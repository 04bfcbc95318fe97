"""Read, act, reply: bodies, problems, policies, ETags."""

from collections.abc import AsyncIterator, Callable
from datetime import datetime
from io import BytesIO
from typing import Annotated

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from msgspec import Meta, Struct

from libs.common import http
from libs.common.auth import Role, Verifier
from libs.common.errors import Conflict, Unavailable
from libs.common.http import if_match, no_content, path_id, read, reply
from libs.common.measures import Measures
from libs.common.operations import MOST_BODY_BYTES, Handler, Operation, allow
from libs.common.queries import query
from tests.tokens import Tokens

Client = TestClient[web.Request, web.Application]
routes = web.RouteTableDef()
JSON = {"Content-Type": "application/json"}
ANSWERS = Operation(answers={200: None})


class Line(Struct, forbid_unknown_fields=True):
    quantity: Annotated[int, Meta(ge=1, le=999)]
    name: Annotated[str, Meta(max_length=5, pattern=r"^[^\x00]*$")] = ""


class Body(Struct, forbid_unknown_fields=True):
    lines: list[Line]


class Asked(Struct, forbid_unknown_fields=True):
    limit: Annotated[int, Meta(ge=1, le=100)] = 20
    after: int | None = None
    since: datetime | None = None


class Occupied(Conflict):
    """It is taken."""


@routes.post("/things")
@allow()
@ANSWERS
async def post_thing(request: web.Request) -> web.Response:
    return reply(await read(request, Body), status=201, version=3)


@routes.get("/things")
@allow()
@ANSWERS
async def list_things(request: web.Request) -> web.Response:
    return reply(query(request, Asked))


@routes.put("/things/{id}")
@allow(Role.ADMIN)
@ANSWERS
async def put_thing(request: web.Request) -> web.Response:
    path_id(request)
    if_match(request)
    return no_content()


@routes.get("/raise/{what}")
@allow()
@ANSWERS
async def raise_it(request: web.Request) -> web.Response:
    raise {"conflict": Occupied(), "away": Unavailable("the bank sleeps")}.get(request.match_info["what"], KeyError())


@pytest.fixture
def measures() -> Measures:
    return Measures()


@pytest.fixture
async def client(verifier: Verifier, measures: Measures) -> AsyncIterator[Client]:
    async def ready() -> bool:
        return True

    async with TestClient(TestServer(http.application(routes, verifier, ready, measures=measures))) as connected:
        yield connected


async def test_a_body_is_read_and_answered_with_its_version(client: Client) -> None:
    answer = await client.post("/things", data=b'{"lines":[{"quantity":2}]}', headers=JSON)

    assert (answer.status, answer.headers["ETag"]) == (201, '"v3"')
    assert await answer.json() == {"lines": [{"quantity": 2, "name": ""}]}
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        (b"", 400, None),
        (b"{", 400, None),
        (b'"\xff"', 422, "body"),
        (b"[" * 10_000 + b"]" * 10_000, 422, "body"),
        (b'{"lines":' + b"[" * 10_000, 422, "lines[0]"),
        (b'{"lines":[{"quantity":NaN}]}', 400, None),
        (b'{"lines":[{"quantity":1,"name":"\\ud800"}]}', 400, None),
        (b"[]", 422, "body"),
        (b"{}", 422, "body"),
        (b'{"lines":[],"price":1}', 422, "body"),
        (b'{"lines":[{"quantity":0}]}', 422, "lines[0].quantity"),
        (b'{"lines":[{"quantity":-1}]}', 422, "lines[0].quantity"),
        (b'{"lines":[{"quantity":1.5}]}', 422, "lines[0].quantity"),
        (b'{"lines":[{"quantity":"1"}]}', 422, "lines[0].quantity"),
        (b'{"lines":[{"quantity":null}]}', 422, "lines[0].quantity"),
        (b'{"lines":[{"quantity":9223372036854775808}]}', 422, "lines[0].quantity"),
        (b'{"lines":[{"quantity":1e400}]}', 422, "lines[0].quantity"),
        (b'{"lines":[{"quantity":1,"name":"\\u0000"}]}', 422, "lines[0].name"),
        (b'{"lines":[{"quantity":1,"name":"too long"}]}', 422, "lines[0].name"),
    ],
)
async def test_a_bad_body_is_a_problem_that_names_the_field(
    client: Client, body: bytes, status: int, field: str | None
) -> None:
    answer = await client.post("/things", data=body, headers=JSON)

    problem = await answer.json()
    assert answer.content_type == "application/problem+json"
    assert (answer.status, problem["status"], problem.get("field")) == (status, status, field)
    assert problem["title"] and problem["detail"]


async def test_a_body_that_is_too_large_is_refused(client: Client) -> None:
    answer = await client.post("/things", data=BytesIO(b" " * (MOST_BODY_BYTES + 1)), headers=JSON)

    assert (answer.status, (await answer.json())["title"]) == (413, "Too large")


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ("limit=0", "limit"),
        ("limit=x", "limit"),
        ("limits=1", "query"),
        ("limit=1&limit=1", "limit"),
        ("after=null", "after"),
        ("since=0.5", "since"),
    ],
)
async def test_a_bad_query_names_the_parameter(client: Client, asked: str, field: str) -> None:
    answer = await client.get(f"/things?{asked}")

    assert (answer.status, (await answer.json())["field"]) == (422, field)


async def test_an_error_is_answered_with_its_docstring_and_status(client: Client) -> None:
    answer = await client.get("/raise/conflict")

    assert answer.status == 409
    assert await answer.json() == {"type": "about:blank", "title": "Occupied", "status": 409, "detail": "It is taken."}


async def test_what_is_away_says_when_to_come_back(client: Client) -> None:
    answer = await client.get("/raise/away")

    assert (answer.status, answer.headers["Retry-After"]) == (503, "2")


async def test_a_defect_tells_nothing_of_itself(client: Client) -> None:
    answer = await client.get("/raise/defect")

    assert (answer.status, (await answer.json())["detail"]) == (500, "Something went wrong on our side.")


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/nowhere", 404), ("DELETE", "/things", 405)])
async def test_what_does_not_exist_is_a_problem_too(client: Client, method: str, path: str, status: int) -> None:
    answer = await client.request(method, path)

    assert (answer.status, answer.content_type) == (status, "application/problem+json")


async def test_a_role_is_needed_where_the_route_says_so(client: Client, tokens: Tokens) -> None:
    path = "/things/00000000-0000-0000-0000-000000000001"

    nobody = await client.put(path)
    customer = await client.put(path, headers=tokens.bearer(Role.CUSTOMER))
    admin = await client.put(path, headers=tokens.bearer(Role.ADMIN) | {"If-Match": '"v1"'})

    assert [nobody.status, customer.status, admin.status] == [401, 403, 204]
    assert nobody.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize(("etag", "status"), [(None, 428), ('"v1"', 204), ("v1", 412), ('"x"', 412), ('W/"v1"', 412)])
async def test_an_edit_needs_the_etag_that_was_read(
    client: Client, tokens: Tokens, etag: str | None, status: int
) -> None:
    headers = tokens.bearer(Role.ADMIN) | ({"If-Match": etag} if etag else {})

    answer = await client.put("/things/00000000-0000-0000-0000-000000000001", headers=headers)

    assert answer.status == status


async def test_what_is_no_id_is_the_id_of_nothing(client: Client, tokens: Tokens) -> None:
    answer = await client.put("/things/1", headers=tokens.bearer(Role.ADMIN))

    assert answer.status == 404


async def test_the_trace_goes_on(client: Client) -> None:
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

    answer = await client.get("/things", headers={"traceparent": parent})

    assert answer.headers["traceparent"].split("-")[1] == parent.split("-")[1]


async def test_while_it_drains_it_is_not_ready_but_alive(client: Client) -> None:
    assert (await client.get("/health/ready")).status == 200

    client.app[http.DRAINING].set()

    assert (await client.get("/health/ready")).status == 503
    assert (await client.get("/health/live")).status == 200


@pytest.mark.parametrize(("declared", "missing"), [(ANSWERS, "policy"), (allow(), "operation")])
async def test_a_route_that_does_not_say_who_may_call_it_or_what_it_does_does_not_start(
    declared: Callable[[Handler], Handler], missing: str, verifier: Verifier
) -> None:
    careless = web.RouteTableDef()

    @careless.get("/open")
    @declared
    async def anyone(_: web.Request) -> web.Response:
        return web.Response()

    async def ready() -> bool:
        return True

    with pytest.raises(TypeError, match=rf"open.*{missing}"):
        http.application(careless, verifier, ready)


async def test_requests_are_counted_by_declared_route_whatever_the_caller_makes_up(
    client: Client, measures: Measures
) -> None:
    for number in range(3):
        await client.put(f"/things/{number}")
        await client.get(f"/nowhere/{number}")
        await client.request(("PROPFIND", "LINK", "MKCOL")[number], "/things")
    await client.get("/raise/away")

    counted = {labels: each.count for labels, each in measures.requests.read().items()}
    assert counted == {
        ("PUT", "/things/{id}", "401"): 3,
        ("GET", "other", "404"): 3,
        ("other", "other", "405"): 3,
        ("GET", "/raise/{what}", "503"): 1,
    }


async def test_prometheus_reads_the_figures_without_a_token(client: Client) -> None:
    await client.get("/things")

    answer = await client.get("/metrics")

    assert answer.status == 200
    assert answer.headers["Content-Type"] == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    text = await answer.text()
    assert 'http_server_request_duration_seconds_count{http_request_method="GET",http_route="/things",' in text
    assert text.endswith("# EOF\n")
