"""What the document is made of: routes, and what is said of them in JSON."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from inspect import cleandoc
from typing import Any

from aiohttp import web

from libs.common.auth import Role
from libs.common.operations import Operation

Document = dict[str, Any]
Schemas = Mapping[Any, Document]  # by the type that they are of

SCHEMAS = "#/components/schemas/{name}"
TEXT: Document = {"type": "string"}
ETAG: Document = TEXT | {"pattern": r'^"v[0-9]{1,18}(-[a-z-]+)?"$'}


@dataclass(frozen=True, slots=True)
class Route:
    name: str
    method: str
    path: str
    handler: Any
    operation: Operation
    policy: frozenset[Role]

    @property
    def headers(self) -> Mapping[str, bool]:
        """That it heeds, and whether they must be there. What has a version can be known already."""
        can_be_known = self.method == "GET" and any(map(has_version, self.operation.answers.values()))
        heeded = [*self.operation.optional_headers, *["If-None-Match"] * can_be_known]
        return dict.fromkeys(self.operation.headers, True) | dict.fromkeys(heeded, False)

    @property
    def has_pages(self) -> bool:
        return "cursor" in fields_of(self.operation.query)


def routes_of(declared: Iterable[web.AbstractRouteDef]) -> Iterator[Route]:
    for each in declared:
        if not isinstance(each, web.RouteDef):
            raise TypeError(f"{each} is no route")
        handler: Any = each.handler
        path = re.sub(r"{(\w+):[^{}]*(?:{[^{}]*}[^{}]*)*}", r"{\1}", each.path)
        yield Route(handler.__name__, each.method, path, handler, handler.operation, handler.policy)


def has_version(kind: Any) -> bool:
    """Then there is an ETag beside it."""
    return "version" in fields_of(kind)


def fields_of(kind: Any) -> Collection[str]:
    """Of a Struct or a dataclass."""
    fields: Collection[str] = getattr(kind, "__struct_fields__", ()) or getattr(kind, "__dataclass_fields__", ())
    return fields


def content(kind: Any, types: Iterable[str], schemas: Schemas) -> Document:
    """Of a body. What is no JSON has no schema."""
    return {each: {} if kind is bytes else {"schema": schemas[kind]} for each in types}


def cleaned(schema: Any) -> Any:
    """A schema whose descriptions are docstrings, without their indentation: Python keeps it until 3.13."""
    if isinstance(schema, str):
        return cleandoc(schema)
    if isinstance(schema, list | tuple):
        return [each if isinstance(each, str) else cleaned(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: cleaned(value) if key == "description" or not isinstance(value, str) else value
        for key, value in schema.items()
    }
