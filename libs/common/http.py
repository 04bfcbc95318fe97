"""HTTP in: read, act, reply. Policies are declared beside the route; errors rise and are answered in one place."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from hashlib import blake2b, sha256
from typing import Any, Literal, TypeVar
from uuid import UUID

import msgspec
from aiohttp import web

from libs.common import bodies, manners, openmetrics, telemetry
from libs.common.auth import Role, Verifier
from libs.common.door import Door
from libs.common.entrance import ENTRANCE, Entrance
from libs.common.errors import Malformed, MatchRequired, NotFound, Stale, Unauthorized, Unavailable
from libs.common.measures import Measures
from libs.common.operations import MOST_BODY_BYTES, Operation, allow, check_declared
from libs.common.queries import invalid
from libs.common.together import Alike

T = TypeVar("T")
Shown = tuple[object, Mapping[str, str]]
NOTHING: Mapping[str, str] = {}

ETAG_BYTES = 12

VERIFIER = web.AppKey("verifier", Verifier)
READY: web.AppKey[Callable[[], Awaitable[bool]]] = web.AppKey("ready")
MEASURES = web.AppKey("measures", Measures)
DRAINING = web.AppKey("draining", asyncio.Event)
ALIKE: web.AppKey[Alike[tuple[bytes, Mapping[str, str]]]] = web.AppKey("alike")


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
    door = Door(verifier, measures or Measures(), entrance or Entrance())
    app = web.Application(middlewares=[door.pass_through], client_max_size=MOST_BODY_BYTES, **options)
    app[VERIFIER], app[READY], app[DRAINING] = verifier, ready, door.draining
    app[MEASURES], app[ENTRANCE], app[ALIKE] = door.measures, door.entrance, Alike()
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


async def reply_alike(request: web.Request, show: Callable[[], Awaitable[Shown]]) -> web.Response:
    """For what is the same to whoever may ask: those who ask for the same at the same time share one look at it.

    `show` gives the body, and headers. It has no version of its own: the ETag is of the content, so that it is not sent
    again while it is the same.
    """

    async def told() -> tuple[bytes, Mapping[str, str]]:
        body, headers = await show()
        content = msgspec.json.encode(body)
        etag = f'W/"{blake2b(content, digest_size=ETAG_BYTES).hexdigest()}"'
        return content, {"ETag": etag, **headers}

    content, headers = await request.app[ALIKE].answer(request.path_qs, told)
    return reply(content, headers=headers)


async def begin(request: web.Request, content_type: str, **headers: str) -> web.StreamResponse:
    """An answer that goes out piece by piece: what the door says of it has to go before the first."""
    response = web.StreamResponse(headers={"Content-Type": content_type, **headers})
    traceparent = telemetry.traceparent()
    name = manners.name_of(request, traceparent)
    manners.dress(request, response, request.app[ENTRANCE], name=name, traceparent=traceparent)
    await response.prepare(request)
    return response


def no_content() -> web.Response:
    return web.Response(status=204)


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


def fingerprint(body: msgspec.Struct) -> bytes:
    """Of what a body says: it tells a repeat of an Idempotency-Key from its reuse."""
    return sha256(msgspec.json.encode(body)).digest()
