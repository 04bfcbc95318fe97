"""What a query string asks for, and where a value is not allowed."""

import re
from datetime import datetime
from typing import Any, TypeVar

import msgspec
from aiohttp import web

from libs.common.errors import Invalid

T = TypeVar("T")


def query(request: web.Request, kind: type[T]) -> T:
    """The query string as a Struct; of `a.b=c` the field `a` is a dict. Raises Invalid naming the parameter."""
    given: dict[str, Any] = {}
    for name, value in request.query.items():
        if len(request.query.getall(name)) > 1:
            raise Invalid(name, "say it once")
        group, dot, member = name.partition(".")
        if dot and isinstance(given.setdefault(group, {}), dict):
            given[group][member] = value
        else:
            given[name] = value
    try:
        asked = msgspec.convert(given, kind, strict=False)
    except msgspec.ValidationError as error:
        raise invalid(error, "query") from error
    for name, value in given.items():
        _check_meant(name, value, getattr(asked, name))
    return asked


def _check_meant(name: str, said: object, meant: object) -> None:
    """Text is read laxly, since all of a query is text; two readings go too far. Raises Invalid."""
    if meant is None:  # the word `null`
        raise Invalid(name, "leave it out, where you don't mean any")
    if isinstance(meant, datetime) and not re.match(r"\d{4}-", str(said)):  # seconds since 1970
        raise Invalid(name, "say when as in 2026-06-01T12:00:00Z")


def next_page(request: web.Request, cursor: str | None) -> dict[str, str]:
    """RFC 8288: where the list goes on, with the same filters; nothing where it does not."""
    if cursor is None:
        return {}
    if "cursor" in request.query:
        following = str(request.rel_url.update_query(cursor=cursor))
    else:  # a cursor is spelled as URLs are, and to take one apart costs as much as twenty products
        following = f"{request.path_qs}{'&' if request.query_string else '?'}cursor={cursor}"
    return {"Link": f'<{following}>; rel="next"'}


def invalid(error: msgspec.ValidationError, whole: str) -> Invalid:
    """msgspec says where after what: ` - at `$.lines[0].quantity``, of a name in a dict ` - at `key` in `$.a``."""
    said, _, place = re.sub(" - at `key` in ", " - at ", str(error)).partition(" - at `$")
    return Invalid(place.rstrip("`").lstrip(".") or whole, said)
