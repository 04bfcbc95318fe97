"""What every answer carries: whose it is, what a browser may do with it, and how much more may be asked."""

import re

from aiohttp import hdrs, web

from libs.common import cors
from libs.common.entrance import REMAINING, Entrance
from libs.common.operations import policy_of

# OWASP's REST cheat sheet.
CONTENT_POLICY = "Content-Security-Policy"
SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    CONTENT_POLICY: "default-src 'none'; frame-ancestors 'none'",
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


def dress(
    request: web.Request, response: web.StreamResponse, entrance: Entrance, *, name: str, traceparent: str
) -> None:
    if response.prepared:  # it was dressed when it began to go out
        return
    headers = response.headers
    headers["X-Request-Id"] = name
    headers["traceparent"] = traceparent
    if hdrs.CACHE_CONTROL not in headers:
        headers[hdrs.CACHE_CONTROL] = PRIVATE if response.status >= 400 or policy_of(request) else PUBLIC
    if remaining := request.get(REMAINING):
        headers["RateLimit-Policy"] = entrance.rates.policy
        headers["RateLimit"] = remaining.header
    if CONTENT_POLICY in headers:  # a page that needs more says so
        for header, value in SECURITY_HEADERS.items():
            headers.setdefault(header, value)
    else:
        headers.extend(SECURITY_HEADERS)
    cors.expose(request, response, entrance.origins)


def unless_known(request: web.Request, response: web.StreamResponse) -> web.StreamResponse:
    """304 where the caller has just this (RFC 9110, section 13.1.2)."""
    known, etag = request.headers.get(hdrs.IF_NONE_MATCH), response.headers.get(hdrs.ETAG)
    if known is None or etag is None or request.method not in ("GET", "HEAD"):
        return response
    if known != etag and not _is_among(request, response):
        return response
    return web.Response(status=304, headers={hdrs.ETAG: etag})


def _is_among(request: web.Request, response: web.StreamResponse) -> bool:
    """Read as the RFC has it, which takes longer than to see that it is the very same."""
    known = {tag.value for tag in request.if_none_match or ()}
    return bool(response.etag and known & {response.etag.value, "*"})
