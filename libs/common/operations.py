"""What a route takes, gives and refuses, and to whom: declared beside it, checked at start, told in openapi.json."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from aiohttp import web

from libs.common.auth import Role
from libs.common.errors import StoreError

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

JSON = ("application/json",)


@dataclass(frozen=True, slots=True, kw_only=True)
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

    def __call__(self, handler: Handler) -> Handler:
        handler.operation = self  # type: ignore[attr-defined]
        return handler


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
