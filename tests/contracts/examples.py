"""A message of any kind, as its owner would tell it: every field said."""

from typing import Any, TypeVar

import msgspec

from deploy.contracts.conversation import schema

T = TypeVar("T")
TEXTS = {"uuid": "00000000-0000-4000-8000-000000000001", "date-time": "2026-06-01T12:00:00Z"}


def example(kind: type[T]) -> T:
    return msgspec.convert(value(schema(kind)), kind)


def value(of: dict[str, Any], whole: dict[str, Any] | None = None) -> Any:
    """Something that is valid by a schema as msgspec makes them."""
    whole = whole or of
    if "$ref" in of:
        return value(whole["$defs"][of["$ref"].rpartition("/")[2]], whole)
    match "enum" if "enum" in of else of.get("type", "anyOf"):
        case "enum":
            found = of["enum"][0]
        case "anyOf":
            found = value(of["anyOf"][0], whole)
        case "object":
            found = {name: value(each, whole) for name, each in of["properties"].items()}
        case "array":
            found = [value(of["items"], whole)]
        case kind:
            plain = {"integer": of.get("minimum", 1), "boolean": True}
            found = plain.get(kind, TEXTS.get(of.get("format", ""), "x" * of.get("minLength", 3)))
    return found
