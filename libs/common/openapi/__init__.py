"""What a service serves, as an OpenAPI 3.1 document: routes in, document out. Nothing here is written twice."""

import inspect
from collections.abc import Iterable
from typing import Any

import msgspec
from aiohttp import web

from libs.common.openapi.answers import TOLD, answers, references, refusals
from libs.common.openapi.links import linked
from libs.common.openapi.parameters import parameters
from libs.common.openapi.parts import SCHEMAS, TEXT, Document, Route, Schemas, cleaned, content, routes_of

PROBLEM: Document = {
    "title": "Problem",
    "description": "What went wrong (RFC 9457). `field` says where, if it is about a value.",
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": TEXT,
        "title": TEXT,
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": TEXT,
        "field": TEXT,
    },
}
BEARER: Document = {
    "type": "http",
    "scheme": "bearer",
    "bearerFormat": "JWT",
    "description": "An access token of Entra ID (v2) for the store. An operation names the app role that it needs.",
}


def document(service: str, declared: Iterable[web.AbstractRouteDef]) -> Document:
    """Raises LookupError where a route asks for a header of which nothing is said in `parameters`."""
    routes = list(routes_of(declared))
    schemas, components = _schemas(routes)
    paths: dict[str, Document] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(service, route, schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": f"Store: {service}", "version": "1"},
        "servers": [{"url": "/"}],
        "paths": linked(dict(sorted(paths.items())), components),
        "components": {
            "schemas": {**components, "Problem": PROBLEM},
            "responses": refusals(routes),
            "headers": dict(TOLD),
            "securitySchemes": {"bearer": BEARER},
        },
    }


def _schemas(routes: Iterable[Route]) -> tuple[Schemas, dict[str, Document]]:
    """Of every type that a route takes or gives; and what those are made of, by name."""
    bodies = [each for route in routes for each in (route.operation.body, *route.operation.answers.values())]
    kinds = [each for each in dict.fromkeys(bodies) if each not in (None, bytes)]
    refs, components = cleaned(msgspec.json.schema_components(kinds, ref_template=SCHEMAS))
    queries = {route.operation.query for route in routes} - {None}
    schemas = dict(zip(kinds, refs, strict=True)) | {kind: _flat(kind) for kind in queries}
    return schemas, dict(sorted(components.items()))


def _flat(query: Any) -> Document:
    """It is told as parameters, and needs no name; nor do the enumerations in it."""
    (ref,), components = cleaned(msgspec.json.schema_components([query], ref_template=SCHEMAS))
    by_ref = {SCHEMAS.format(name=name): each for name, each in components.items()}
    flat = by_ref[ref["$ref"]]
    return {**flat, "properties": {name: _inlined(each, by_ref) for name, each in flat["properties"].items()}}


def _inlined(schema: Any, by_ref: dict[str, Document]) -> Any:
    if isinstance(schema, list):
        return [_inlined(each, by_ref) for each in schema]
    if not isinstance(schema, dict):
        return schema
    rest = {key: _inlined(each, by_ref) for key, each in schema.items() if key != "$ref"}
    return _inlined(by_ref[schema["$ref"]], by_ref) | rest if "$ref" in schema else rest


def _operation(service: str, route: Route, schemas: Schemas) -> Document:
    operation: Document = {
        "operationId": route.name,
        "summary": route.name.replace("_", " ").capitalize(),
        "tags": [_tag(route.path, service)],
        "parameters": list(parameters(route, schemas)),
        "responses": dict(sorted((answers(route, schemas) | references(route)).items())),
        "security": [{"bearer": [role.value]} for role in sorted(route.policy)],  # any of them is enough
    }
    if said := inspect.getdoc(route.handler):
        operation["description"] = said
    if (kind := route.operation.body) is not None:
        needed = _needs_something(kind)
        operation["requestBody"] = {"required": needed, "content": content(kind, route.operation.body_types, schemas)}
    return operation


def _tag(path: str, service: str) -> str:
    """What it is about: /api/<tag>/…"""
    parts = path.strip("/").split("/")
    return parts[1] if parts[0] == "api" and len(parts) > 1 else service


def _needs_something(body: type) -> bool:
    """Where nothing in a body is required, it may be left out."""
    is_struct = isinstance(body, type) and issubclass(body, msgspec.Struct)
    return not is_struct or any(field.required for field in msgspec.structs.fields(body))
