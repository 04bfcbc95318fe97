"""What a route takes, gives and refuses, and to whom: declared beside it, checked at start, told in openapi.json."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from aiohttp import web

from libs.common.auth import Role
from libs.common.errors import StoreError
from libs.common.metrics import OTHER

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

JSON = ("application/json",)
MOST_BODY_BYTES = 1024 * 1024
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
USUAL_SECONDS = 30.0
STREAM_SECONDS = 3600.0


@dataclass(frozen=True, kw_only=True)
class Operation:
    """Types are what msgspec decodes and encodes; `bytes` is a body that is no JSON. The handler's docstring tells
    the rest.

    What follows from these is not said: 401 and 403 from a policy, 400, 413 and 422 from a body, 404 from an id in the
    path, 412 and 428 from If-Match. `refuses` are the errors that are this route's own.
    """

    body: type | None = None
    body_types: Sequence[str] = JSON
    query: type | None = None
    headers: Sequence[str] = ()  # of the request: If-Match, Idempotency-Key
    optional_headers: Sequence[str] = ()  # heeded, and not missed: Prefer, or If-Match on a deletion
    answers: Mapping[int, type | None]  # by status; None: without a body
    answer_types: Sequence[str] = JSON
    refuses: Sequence[type[StoreError]] = ()
    most_bytes: int = MOST_BODY_BYTES  # of a JSON body; who takes another streams it, and counts for itself
    seconds: float = 0.0  # until it is given up; 0: as usual, and longer where it streams

    @cached_property
    def streams(self) -> bool:
        """What comes or goes piece by piece takes as long as it is, and has bounds of its own on how many there are."""
        return self.body is bytes or bytes in self.answers.values()

    @cached_property
    def limit(self) -> float:
        return self.seconds or (STREAM_SECONDS if self.streams else USUAL_SECONDS)

    def __call__(self, handler: Handler) -> Handler:
        handler.operation = self  # type: ignore[attr-defined]
        return handler


ANYONE: frozenset[Role] = frozenset()
UNDECLARED = Operation(answers={})  # aiohttp's own, where no route matches: it answers 404 or 405


def operation_of(request: web.Request) -> Operation:
    declared: Operation = getattr(request.match_info.handler, "operation", UNDECLARED)
    return declared


def policy_of(request: web.Request) -> frozenset[Role]:
    """Who may come in; nothing: anyone. Where no route matches, aiohttp's own handler answers 404 or 405 to anyone."""
    policy: frozenset[Role] = getattr(request.match_info.handler, "policy", ANYONE)
    return policy


def method_of(request: web.Request) -> str:
    """Anybody can make one up."""
    return request.method if request.method in METHODS else OTHER


def route_of(request: web.Request) -> str:
    """As it is declared, so that there are as many as routes."""
    resource = request.match_info.route.resource
    return resource.canonical if resource else OTHER


def allow(*roles: Role) -> Callable[[Handler], Handler]:
    """Who may call the route. `allow()` with nothing is open to anyone."""

    def declare(handler: Handler) -> Handler:
        handler.policy = frozenset(roles)  # type: ignore[attr-defined]
        return handler

    return declare


def check_declared(app: web.Application) -> None:
    """Raises TypeError where a route declares no policy or no operation: then the service does not start."""
    for route in app.router.routes():
        for name, cure in (("policy", "@allow(…)"), ("operation", "@Operation(…)")):
            if not hasattr(route.handler, name):
                raise TypeError(f"{route.method} {route.resource} declares no {name}: put {cure} on its handler")
