"""What a request says beside its body: in the path, the query and the headers."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from libs.common.errors import Malformed, MatchRequired, Stale, StoreError
from libs.common.openapi.parts import ETAG, TEXT, Document, Route, Schemas
from libs.common.operations import Operation


@dataclass(frozen=True, slots=True)
class Header:
    """What is answered where it is `missing`, and where it does not fit."""

    says: str
    schema: Document
    missing: tuple[type[StoreError], ...] = ()
    unfit: tuple[type[StoreError], ...] = ()


HEADERS: Mapping[str, Header] = {
    "If-Match": Header(
        "The ETag that you read, so that nobody's change is overwritten.",
        ETAG,
        missing=(MatchRequired,),
        unfit=(Stale,),
    ),
    "If-None-Match": Header("The ETag of what you have: where it is still that, the answer is 304.", TEXT),
    "Idempotency-Key": Header(
        "New for each new thing; with the same key you get the same answer again.",
        TEXT | {"pattern": r"^[!#-\[\]-~]{1,255}$"},
        missing=(Malformed,),
        unfit=(Malformed,),
    ),
    "Prefer": Header("`wait=n`: the answer may take n seconds, if it then tells more (RFC 7240).", TEXT),
    "Last-Event-ID": Header("The last event that you have; those after it follow.", TEXT),
}


def parameters(route: Route, schemas: Schemas) -> Iterator[Document]:
    yield from _of_path(route.path)
    yield from _of_query(route.operation, schemas)
    for name, required in route.headers.items():
        said = {"required": required, "schema": HEADERS[name].schema, "description": HEADERS[name].says}
        yield {"name": name, "in": "header"} | said


def _of_path(path: str) -> Iterator[Document]:
    for name in re.findall(r"{(\w+)}", path):
        schema = TEXT | {"format": "uuid"} if name.endswith("id") else TEXT
        yield {"name": name, "in": "path", "required": True, "schema": schema}


def _of_query(told: Operation, schemas: Schemas) -> Iterator[Document]:
    if told.query is None:
        return
    schema = schemas[told.query]
    for name, each in schema["properties"].items():
        said = {"name": name, "in": "query", "required": name in schema.get("required", ())}
        if each.get("type") == "object":
            yield said | {"style": "form", "explode": True, "schema": _dotted(name, each)}
        else:
            yield said | {"schema": _never_null(each)}


def _never_null(schema: Document) -> Document:
    """What a query does not say is left out of it: there is no null in one."""
    some = [each for each in schema.get("anyOf", ()) if each != {"type": "null"}]
    if not some:
        return schema
    return some[0] if len(some) == 1 else {"anyOf": some}


def _dotted(group: str, schema: Document) -> Document:
    """`a.b=c` for the member `b` of `a`: exploded, the names of members are those of parameters."""
    pattern = str(schema["propertyNames"]["pattern"]).removeprefix("^")
    return {
        "type": "object",
        "patternProperties": {rf"^{group}\.{pattern}": schema["additionalProperties"]},
        "additionalProperties": False,
        "maxProperties": schema["maxProperties"],
    }
