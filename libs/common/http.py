"""HTTP in: read, act, reply. Policies are declared beside the route; errors rise and are answered in one place."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, Set
from hashlib import blake2b
from time import perf_counter
from typing import Any, Literal, TypeVar
from uuid import UUID

import msgspec
import structlog
from aiohttp import web

from libs.common import bodies, cors, manners, openmetrics, problems, telemetry
from libs.common.auth import Caller, Role, Verifier
from libs.common.deadlines import Deadlines, Overdue
from libs.common.entrance import ENTRANCE, Entrance
from libs.common.errors import (
    Forbidden,
    Malformed,
    MatchRequired,
    NotFound,
    Stale,
    StoreError,
    TookTooLong,
    TooLarge,
    Unauthorized,
    Unavailable,
)
from libs.common.measures import Measures
from libs.common.operations import (
    MOST_BODY_BYTES,
    Handler,
    Operation,
    allow,
    check_declared,
    method_of,
    operation_of,
    route_of,
)
from libs.common.queries import invalid
from libs.common.telemetry import Kind

log = structlog.get_logger()

T = TypeVar("T")

ETAG_BYTES = 12
ANYONE: frozenset[Role] = frozenset()

VERIFIER = web.AppKey("verifier", Verifier)
READY: web.AppKey[Callable[[], Awaitable[bool]]] = web.AppKey("ready")
MEASURES = web.AppKey("measures", Measures)
DEADLINES = web.AppKey("deadlines", Deadlines)
DRAINING = web.AppKey("draining", asyncio.Event)
CALLER = web.RequestKey("caller", Caller)

UNTRACED = ("/health/", "/metrics")


class Health(msgspec.Struct, frozen=True):
    status: Literal["live", "ready"]


def application(
    routes: Iterable[web.AbstractRouteDef],
    verifier: Verifier,
    ready: Callable[[], Awaitable[bool]],
    *,
    measures: Measures | None = None,
    entrance: Entrance | None = None,
    **options: Any,
) -> web.Application:
    """Raises TypeError where a route declares no policy or no operation: then the service does not start."""
    app = web.Application(middlewares=[_answer, _admit], client_max_size=MOST_BODY_BYTES, **options)
    app[VERIFIER], app[READY], app[DRAINING] = verifier, ready, asyncio.Event()
    app[MEASURES], app[ENTRANCE], app[DEADLINES] = measures or Measures(), entrance or Entrance(), Deadlines()
    app.add_routes([web.get("/health/live", _live), web.get("/health/ready", _ready), web.get("/metrics", _metrics)])
    app.add_routes(routes)
    check_declared(app)
    return app


@allow()
@Operation(answers={200: Health})
async def _live(_: web.Request) -> web.Response:
    return reply(Health("live"))


@allow()
@Operation(answers={200: Health}, refuses=[Unavailable])
async def _ready(request: web.Request) -> web.Response:
    if request.app[DRAINING].is_set():
        raise Unavailable("draining")
    if not await request.app[READY]():
        raise Unavailable("the database does not answer")
    return reply(Health("ready"))


@allow()
@Operation(answers={200: bytes}, answer_types=["application/openmetrics-text"])
async def _metrics(request: web.Request) -> web.Response:
    """For Prometheus: figures, and nothing of anybody. The gateway lets nobody through to here."""
    body = openmetrics.text(request.app[MEASURES].metrics).encode()
    return web.Response(body=body, headers={"Content-Type": openmetrics.CONTENT_TYPE})


# --- middlewares: the outer answers and logs, the inner admits ---------------------------------------------------


@web.middleware
async def _answer(request: web.Request, handler: Handler) -> web.StreamResponse:
    started, method, route = perf_counter(), method_of(request), route_of(request)
    named = "" if route.startswith(UNTRACED) else f"{method} {route}"
    about = {"http.request.method": method, "http.route": route}
    with telemetry.trace(request.headers.get("traceparent"), named, Kind.SERVER, about) as traceparent:
        name, allowed = manners.name_of(request, traceparent), request.app[ENTRANCE].origins
        structlog.contextvars.bind_contextvars(request_id=name)  # the next request on this connection binds its own
        response = cors.preflight(request, allowed) or manners.unless_known(request, await _try(request, handler))
        manners.dress(request, response, name=name, traceparent=traceparent)
        if request.app[DRAINING].is_set():
            response.force_close()  # so that nobody sends the next request into a connection that is about to end
        seconds = perf_counter() - started
        request.app[MEASURES].requests.record(seconds, method, route, str(response.status))
        telemetry.note("http.response.status_code", response.status)
        if response.status >= 500:
            telemetry.fail(str(response.status))
        if named:
            log.info(
                "request.answered",
                method=request.method,
                path=request.path,
                status=response.status,
                milliseconds=round(seconds * 1000, 1),
            )
        return response


async def _try(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await _in_time(request, handler)
    except StoreError as error:
        return problem(error)
    except web.HTTPRequestEntityTooLarge:
        return problem(TooLarge())
    except (web.RequestPayloadError, ConnectionResetError):  # badly encoded, or the caller hung up
        return problem(Malformed("the body can't be read to its end"))
    except web.HTTPException as error:  # aiohttp's own: no such route, method not allowed
        kept = {name: value for name, value in error.headers.items() if not name.lower().startswith("content-")}
        return _problem(error.status, problems.body(error.status, error.reason, error.reason), kept)
    except Exception:  # the last door: whatever else rises is a defect, and the caller learns no more than that
        log.exception("request.failed", method=request.method, path=request.path)
        return problem(StoreError())


async def _in_time(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await request.app[DEADLINES].within(operation_of(request).limit, handler, request)
    except Overdue as error:
        raise TookTooLong from error


@web.middleware
async def _admit(request: web.Request, handler: Handler) -> web.StreamResponse:
    # Where no route matches, aiohttp's own handler declares nothing and answers 404 or 405.
    entrance = request.app[ENTRANCE]
    entrance.enter(request)
    try:
        if policy := getattr(request.match_info.handler, "policy", ANYONE):
            request[CALLER] = await _caller(request, entrance, policy)
        else:
            entrance.count(request, None)
        bodies.check_type(request)
        return await handler(request)
    finally:
        entrance.leave(request)


async def _caller(request: web.Request, entrance: Entrance, policy: Set[str]) -> Caller:
    """Raises Unauthorized, Forbidden or TooManyRequests: who may not come in is counted too."""
    try:
        caller = await request.app[VERIFIER].caller(request.headers.get("Authorization", ""))
    except Unauthorized:
        entrance.count(request, None)
        raise
    entrance.count(request, caller)
    if not policy & caller.roles:
        raise Forbidden
    return caller


# --- answers -----------------------------------------------------------------------------------------------------


def reply(
    body: object, *, status: int = 200, version: int | None = None, headers: Mapping[str, str] | None = None
) -> web.Response:
    """`body` is a msgspec Struct, or bytes that are JSON already; `version` becomes the ETag."""
    etag = {"ETag": f'"v{version}"'} if version is not None else {}
    content = body if isinstance(body, bytes) else msgspec.json.encode(body)
    return web.Response(
        body=content, status=status, content_type="application/json", headers={**etag, **(headers or {})}
    )


def reply_weakly(body: object, *, headers: Mapping[str, str] | None = None) -> web.Response:
    """What has no version of its own: the ETag is of the content, so that it is not sent again while it is the same."""
    content = msgspec.json.encode(body)
    etag = f'W/"{blake2b(content, digest_size=ETAG_BYTES).hexdigest()}"'
    return reply(content, headers={"ETag": etag, **(headers or {})})


def no_content() -> web.Response:
    return web.Response(status=204)


def problem(error: StoreError) -> web.Response:
    return _problem(error.status, problems.content(error), problems.headers(error))


def _problem(status: int, content: bytes, headers: Mapping[str, str]) -> web.Response:
    return web.Response(body=content, status=status, content_type=problems.CONTENT_TYPE, headers=headers)


# --- requests ----------------------------------------------------------------------------------------------------


async def read(request: web.Request, kind: type[T]) -> T:
    """The JSON body. Raises Malformed (400) where it is no JSON, Invalid (422) naming the field, TooLarge (413)."""
    return decode(await bodies.whole(request), kind)


def decode(body: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        raise invalid(error, "body") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Malformed(f"the body is not JSON: {error}") from error


def path_id(request: web.Request, name: str = "id") -> UUID:
    """What is no UUID is the id of nothing. Raises NotFound."""
    try:
        return UUID(request.match_info[name])
    except ValueError as error:
        raise NotFound from error


async def bears(request: web.Request, role: Role) -> bool:
    """Whether a valid token of that role came along, on a route that is open to anyone: a bad one is like none."""
    given = request.headers.get("Authorization", "")
    try:
        return bool(given) and (await request.app[VERIFIER].caller(given)).is_(role)
    except Unauthorized:
        return False


def if_match(request: web.Request) -> int:
    """The version that the caller has read (RFC 9110, section 13.1.1). Raises MatchRequired or Stale."""
    given = request.headers.get("If-Match")
    if given is None:
        raise MatchRequired
    match = re.fullmatch(r'"v(\d{1,18})(?:-[a-z0-9-]+)?"', given.strip())  # `-…` marks a form of that version
    if match is None:  # no ETag of ours
        raise Stale
    return int(match[1])


def idempotency_key(request: web.Request) -> str:
    """draft-ietf-httpapi-idempotency-key-header-07: a quoted string; bare ones are taken too. Raises Malformed."""
    match = re.fullmatch(r'"?([!#-\[\]-~]{1,255})"?', request.headers.get("Idempotency-Key", ""))
    if match is None:
        raise Malformed("send an Idempotency-Key header: 1 to 255 visible ASCII characters, new for each new request")
    return match[1]
