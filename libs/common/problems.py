"""How an error is told over HTTP: RFC 9457."""

import re

import msgspec
from aiohttp import web

from libs.common.errors import Invalid, StoreError, TooLarge, Unauthorized, UnsupportedType

CONTENT_TYPE = "application/problem+json"


def response(error: StoreError) -> web.Response:
    return web.Response(body=content(error), status=error.status, content_type=CONTENT_TYPE, headers=headers(error))


def response_of(error: web.HTTPException) -> web.Response:
    """Of aiohttp's own: no such route, method not allowed."""
    if isinstance(error, web.HTTPRequestEntityTooLarge):
        return response(TooLarge())
    kept = {name: value for name, value in error.headers.items() if not name.lower().startswith("content-")}
    told = body(error.status, error.reason, error.reason)
    return web.Response(body=told, status=error.status, content_type=CONTENT_TYPE, headers=kept)


def content(error: StoreError) -> bytes:
    """`field` names what is wrong, where something is."""
    field = {"field": error.field} if isinstance(error, Invalid) else {}
    return body(error.status, title(type(error)), error.detail, **field)


def body(status: int, title: str, detail: str, **more: str) -> bytes:
    return msgspec.json.encode({"type": "about:blank", "title": title, "status": int(status), "detail": detail, **more})


def headers(error: StoreError) -> dict[str, str]:
    if isinstance(error, Unauthorized):
        return {"WWW-Authenticate": "Bearer"}
    if isinstance(error, UnsupportedType):
        return {"Accept": ", ".join(error.taken)}
    return {"Retry-After": str(error.retry_after_seconds)} if error.retry_after_seconds else {}


def title(error: type[StoreError]) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", " ", error.__name__).capitalize()
