"""Pages of other origins that may call us from a browser (Fetch, section 3.2): those that are named, and no others.

Tokens travel in a header that the page sets itself: no page needs what the browser knows, and none may send it.
"""

import re
from collections.abc import Iterable, Set

from aiohttp import web

from libs.common.settings import Incomplete

# As a browser says it: no path, no default port, no wildcard.
ORIGIN = re.compile(r"https?://[a-z0-9.-]+(?::[0-9]{1,5})?")
SENT = (
    "Accept, Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, Last-Event-ID, Prefer, "
    "traceparent, X-Request-Id"
)
EXPOSED = "ETag, Link, Location, RateLimit, RateLimit-Policy, Retry-After, traceparent, X-Request-Id"
REMEMBERED_SECONDS = "600"


def origins(told: str) -> frozenset[str]:
    """Of a list with spaces between. Raises Incomplete."""
    named = told.split()
    for each in named:
        if not ORIGIN.fullmatch(each):
            raise Incomplete(f"CORS_ORIGINS names origins such as https://shop.example, and {each} is none")
    return frozenset(named)


def preflight(request: web.Request, allowed: Set[str]) -> web.Response | None:
    """The answer to a browser that asks before it lets a page ask; None where it is another kind of request."""
    if request.method != "OPTIONS" or "Access-Control-Request-Method" not in request.headers:
        return None
    if request.headers.get("Origin") not in allowed:
        return None
    refused = request.match_info.http_exception
    if not isinstance(refused, web.HTTPMethodNotAllowed):  # there is no such path
        return None
    return web.Response(status=204, headers=permission(refused.allowed_methods))


def permission(methods: Iterable[str]) -> dict[str, str]:
    """To ask in this way: what a preflight is answered beside `exposure`."""
    return {
        "Access-Control-Allow-Methods": ", ".join(sorted(methods)),
        "Access-Control-Allow-Headers": SENT,
        "Access-Control-Max-Age": REMEMBERED_SECONDS,
    }


def expose(request: web.Request, response: web.StreamResponse, allowed: Set[str]) -> None:
    if allowed:
        response.headers.add("Vary", "Origin")
        response.headers.update(exposure(request.headers.get("Origin"), allowed))


def exposure(origin: str | None, allowed: Set[str]) -> dict[str, str]:
    """Lets a page of that origin read the answer, where it is one of those."""
    if origin is None or origin not in allowed:
        return {}
    return {"Access-Control-Allow-Origin": origin, "Access-Control-Expose-Headers": EXPOSED}
