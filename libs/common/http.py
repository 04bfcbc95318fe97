"""HTTP in: read, act, reply. Policies are declared beside the route; errors rise and are answered in one place."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, Set
from time import perf_counter
from typing import Any, Literal, TypeVar
from uuid import UUID

import msgspec
import structlog
from aiohttp import web

from libs.common import bodies, cors, problems, telemetry
from libs.common.auth import Caller, Role, Verifier
from libs.common.deadlines import Deadlines, Overdue
from libs.common.entrance import REMAINING, Entrance
from libs.common.errors import (
    Forbidden,
    Invalid,
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
from libs.common.operations import MOST_BODY_BYTES, Handler, Operation, allow, check_declared, operation_of

log = structlog.get_logger()

T = TypeVar("T")

SHUTDOWN_SECONDS = 25.0  # Container Apps sends SIGKILL 30 s after SIGTERM
ANYONE: frozenset[Role] = frozenset()

VERIFIER = web.AppKey("verifier", Verifier)
READY: web.AppKey[Callable[[], Awaitable[bool]]] = web.AppKey("ready")
ENTRANCE = web.AppKey("entrance", Entrance)
DEADLINES = web.AppKey("deadlines", Deadlines)
DRAINING = web.AppKey("draining", asyncio.Event)
CALLER = web.RequestKey("caller", Caller)

SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Strict-Transport-Security": "max-age=31536000",
    "X-Frame-Options": "DENY",
}
PUBLIC, PRIVATE = "no-cache", "no-store"  # for caches: ask first whether it is still so; keep nothing
_SANE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


class Health(msgspec.Struct, frozen=True):
    status: Literal["live", "ready"]


def application(
    routes: Iterable[web.AbstractRouteDef],
    verifier: Verifier,
    ready: Callable[[], Awaitable[bool]],
    *,
    entrance: Entrance | None = None,
    **options: Any,
) -> web.Application:
    """Raises TypeError where a route declares no policy or no operation: then the service does not start."""
    app = web.Application(middlewares=[_answer, _admit], client_max_size=MOST_BODY_BYTES, **options)
    app[VERIFIER], app[READY], app[DRAINING] = verifier, ready, asyncio.Event()
    app[ENTRANCE], app[DEADLINES] = entrance or Entrance(), Deadlines()
    app.add_routes([web.get("/health/live", _live), web.get("/health/ready", _ready)])
    app.add_routes(routes)
    check_declared(app)
    return app


async def serve(app: web.Application, host: str, port: int, *, stop: asyncio.Event, drain_seconds: float) -> None:
    """Answers until `stop`; then readiness says 503, requests in hand are finished, and it returns."""
    runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=SHUTDOWN_SECONDS)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port, backlog=1024).start()
        log.info("http.serving", host=host, port=port)
        await stop.wait()
        app[DRAINING].set()
        await asyncio.sleep(drain_seconds)
    finally:
        await runner.cleanup()


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


# --- middlewares: the outer answers and logs, the inner admits ---------------------------------------------------


@web.middleware
async def _answer(request: web.Request, handler: Handler) -> web.StreamResponse:
    started = perf_counter()
    with telemetry.trace(request.headers.get("traceparent")) as traceparent:
        name = _name_of(request, traceparent)
        structlog.contextvars.bind_contextvars(request_id=name)  # the next request on this connection binds its own
        allowed = request.app[ENTRANCE].origins
        response = cors.preflight(request, allowed) or _unless_known(request, await _try(request, handler))
        response.headers["X-Request-Id"] = name
        response.headers["traceparent"] = traceparent
        _dress(request, response)
        cors.expose(request, response, allowed)
        milliseconds = round((perf_counter() - started) * 1000, 1)
        if not request.path.startswith("/health/"):
            log.info(
                "request.answered",
                method=request.method,
                path=request.path,
                status=response.status,
                milliseconds=milliseconds,
            )
        return response


def _name_of(request: web.Request, traceparent: str) -> str:
    """As the caller calls it, where that is a sane name."""
    said = request.headers.get("X-Request-Id", "")
    return said if _SANE_ID.fullmatch(said) else traceparent.split("-")[1]


def _dress(request: web.Request, response: web.StreamResponse) -> None:
    for name, value in SECURITY_HEADERS.items():
        response.headers.setdefault(name, value)  # a page that needs more says so
    is_open = response.status < 400 and getattr(request.match_info.handler, "policy", None) == ANYONE
    response.headers.setdefault("Cache-Control", PUBLIC if is_open else PRIVATE)
    if REMAINING in request:
        response.headers["RateLimit-Policy"] = request.app[ENTRANCE].rates.policy
        response.headers["RateLimit"] = request[REMAINING].header
    if request.app[DRAINING].is_set():
        response.force_close()  # so that nobody sends the next request into a connection that is about to end


def _unless_known(request: web.Request, response: web.StreamResponse) -> web.StreamResponse:
    """304 where the caller has just this (RFC 9110, section 13.1.2)."""
    known = {tag.value for tag in request.if_none_match or ()}
    if request.method not in ("GET", "HEAD") or not response.etag or not known & {response.etag.value, "*"}:
        return response
    return web.Response(status=304, headers={"ETag": response.headers["ETag"]})


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
        said, _, path = str(error).partition(" - at `$")
        raise Invalid(path.rstrip("`").lstrip(".") or "body", said) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Malformed(f"the body is not JSON: {error}") from error


def query(request: web.Request, kind: type[T]) -> T:
    """The query string as a Struct. Raises Invalid naming the parameter."""
    try:
        return msgspec.convert(dict(request.query), kind, strict=False)
    except msgspec.ValidationError as error:
        said, _, path = str(error).partition(" - at `$")
        raise Invalid(path.rstrip("`").lstrip(".") or "query", said) from error


def path_id(request: web.Request, name: str = "id") -> UUID:
    """What is no UUID is the id of nothing. Raises NotFound."""
    try:
        return UUID(request.match_info[name])
    except ValueError as error:
        raise NotFound from error


def if_match(request: web.Request) -> int:
    """The version that the caller has read (RFC 9110, section 13.1.1). Raises MatchRequired or Stale."""
    given = request.headers.get("If-Match")
    if given is None:
        raise MatchRequired
    match = re.fullmatch(r'"v(\d{1,18})(?:-[a-z-]+)?"', given.strip())  # `-…` marks a form of that version
    if match is None:  # no ETag of ours
        raise Stale
    return int(match[1])
