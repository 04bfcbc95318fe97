"""What is answered: what the route says, and each refusal that follows from what it asks."""

import inspect
from collections.abc import Iterable, Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from libs.common import problems
from libs.common.errors import (
    Forbidden,
    Invalid,
    Malformed,
    NotFound,
    StoreError,
    TooLarge,
    TooManyRequests,
    Unauthorized,
    Unavailable,
    UnsupportedType,
)
from libs.common.openapi.parameters import HEADERS
from libs.common.openapi.parts import SCHEMAS, TEXT, Document, Route, Schemas, content, has_version

TOLD: Mapping[str, Document] = {
    "traceparent": {"description": "The trace that this is a part of (W3C Trace Context).", "schema": TEXT},
    "X-Request-Id": {"description": "What you called the request, else the trace's id.", "schema": TEXT},
    "ETag": {"description": "The version, for If-Match and If-None-Match.", "schema": TEXT},
    "Location": {"description": "Where it can be read.", "schema": TEXT},
    "Link": {"description": 'Where the list goes on, with rel="next" (RFC 8288).', "schema": TEXT},
    "RateLimit": {"description": "How much more may be asked, and when again.", "schema": TEXT},
    "RateLimit-Policy": {"description": "How much may be asked.", "schema": TEXT},
    "Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer", "minimum": 0}},
    "WWW-Authenticate": {"description": "How to show who you are.", "schema": TEXT},
    "Accept": {"description": "The types of body that are taken.", "schema": TEXT},
}
ALWAYS = ("traceparent", "X-Request-Id")
WHERE_LIMITED = ("RateLimit", "RateLimit-Policy")
SAID_WITH: Mapping[type[StoreError], str] = {
    Unauthorized: "WWW-Authenticate",
    Unavailable: "Retry-After",
    TooManyRequests: "Retry-After",
    UnsupportedType: "Accept",
}


def answers(route: Route, schemas: Schemas) -> dict[str, Document]:
    told: dict[str, Document] = {}
    for status, kind in route.operation.answers.items():
        answer: Document = {"description": HTTPStatus(status).phrase, "headers": _headers(*_said(route, status, kind))}
        perhaps = [*WHERE_LIMITED, *["Link"] * route.has_pages, *["Location"] * _makes(route, status)]
        answer["headers"] |= {each: _ref(each) for each in perhaps if each not in answer["headers"]}
        if kind is not None:
            answer["content"] = content(kind, route.operation.answer_types, schemas)
        told[str(status)] = answer
    if "If-None-Match" in route.headers:
        headers = _headers(*ALWAYS, "ETag") | {each: _ref(each) for each in WHERE_LIMITED}
        told["304"] = {"description": "You have it.", "headers": headers}
    return told


def _said(route: Route, status: int, kind: Any) -> Iterator[str]:
    if kind is not bytes:  # a stream has begun before anybody could add to its headers
        yield from ALWAYS
    if has_version(kind) or "If-None-Match" in route.headers:
        yield "ETag"
    if _makes(route, status) and "{" not in route.path:
        yield "Location"


def _makes(route: Route, status: int) -> bool:
    return route.method == "POST" and status in (HTTPStatus.CREATED, HTTPStatus.ACCEPTED)


def _ref(header: str) -> Document:
    return {"$ref": f"#/components/headers/{header}"}


def _headers(*names: str) -> Document:
    """Those that are always there."""
    return {name: TOLD[name] | {"required": True} for name in names}


def refusals(routes: Iterable[Route]) -> dict[str, Document]:
    """All that any route can answer, by name: each is written out once, however many routes refer to it."""
    said = {_name(errors): errors for route in routes for errors in _refused(route).values()}
    return {name: _refusal(errors) for name, errors in sorted(said.items())}


def references(route: Route) -> dict[str, Document]:
    """To those that it can answer, by status."""
    return {
        str(status): {"$ref": f"#/components/responses/{_name(errors)}"} for status, errors in _refused(route).items()
    }


def _refused(route: Route) -> dict[int, list[type[StoreError]]]:
    by_status: dict[int, list[type[StoreError]]] = {}
    for error in dict.fromkeys([*_implied(route), *route.operation.refuses]):
        by_status.setdefault(int(error.status), []).append(error)
    return by_status


def _name(errors: Sequence[type[StoreError]]) -> str:
    return "-".join(error.__name__ for error in errors)


def _implied(route: Route) -> Iterator[type[StoreError]]:
    told = route.operation
    yield from (Unauthorized, Forbidden) if route.policy else ()
    yield from (Malformed, TooLarge, UnsupportedType, Invalid) if told.body is not None else ()
    yield from (Invalid,) if told.query is not None else ()
    yield from (NotFound,) if "{" in route.path else ()
    for name, required in route.headers.items():
        yield from HEADERS[name].unfit
        yield from HEADERS[name].missing if required else ()
    yield from (TooManyRequests, Unavailable)


def _refusal(errors: Sequence[type[StoreError]]) -> Document:
    said = [f"**{problems.title(each)}**: {inspect.getdoc(each)}" for each in errors]
    headers = {next((header for kind, header in SAID_WITH.items() if issubclass(each, kind)), None) for each in errors}
    sure = [each for each in headers if each and len(headers) == 1]  # whichever of them it is
    return {
        "description": "\n\n".join(said),
        "headers": _headers(*ALWAYS, *sure) | {each: _ref(each) for each in WHERE_LIMITED},
        "content": {problems.CONTENT_TYPE: {"schema": {"$ref": SCHEMAS.format(name="Problem")}}},
    }
