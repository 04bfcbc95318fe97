"""What every answer carries: whose it is, what a browser may do with it, and how much more may be asked."""

import re

from aiohttp import web

from libs.common import cors
from libs.common.entrance import ENTRANCE, REMAINING

# OWASP's REST cheat sheet.
SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Strict-Transport-Security": "max-age=31536000",
    "X-Frame-Options": "DENY",
}
PUBLIC, PRIVATE = "no-cache", "no-store"  # for caches: ask first whether it is still so; keep nothing
_SANE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


def name_of(request: web.Request, traceparent: str) -> str:
    """As the caller calls the request, where that is a sane name."""
    said = request.headers.get("X-Request-Id", "")
    return said if _SANE_ID.fullmatch(said) else traceparent.split("-")[1]


def dress(request: web.Request, response: web.StreamResponse, *, name: str, traceparent: str) -> None:
    response.headers["X-Request-Id"] = name
    response.headers["traceparent"] = traceparent
    for header, value in SECURITY_HEADERS.items():
        response.headers.setdefault(header, value)  # a page that needs more says so
    is_open = response.status < 400 and getattr(request.match_info.handler, "policy", None) == frozenset()
    response.headers.setdefault("Cache-Control", PUBLIC if is_open else PRIVATE)
    entrance = request.app[ENTRANCE]
    if REMAINING in request:
        response.headers["RateLimit-Policy"] = entrance.rates.policy
        response.headers["RateLimit"] = request[REMAINING].header
    cors.expose(request, response, entrance.origins)


def unless_known(request: web.Request, response: web.StreamResponse) -> web.StreamResponse:
    """304 where the caller has just this (RFC 9110, section 13.1.2)."""
    known = {tag.value for tag in request.if_none_match or ()}
    if request.method not in ("GET", "HEAD") or not response.etag or not known & {response.etag.value, "*"}:
        return response
    return web.Response(status=304, headers={"ETag": response.headers["ETag"]})
