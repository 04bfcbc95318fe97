"""Every resource as it would reach Azure, against Azure's published type definitions."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deploy import schemas
from tests.deploy.azure_plans import Faults, Later, Thing, everything

REQUIRED, READ_ONLY = 1, 2
# All that there can be at once.
WIDEST = {
    "CATALOG_ENGINE": "postgres",
    "ORDERS_ENGINE": "azuresql",
    "CUSTOMERS_ENGINE": "cosmos",
    "ZONE_REDUNDANT": "true",
    "ALERT_EMAIL": "ada@example.com",
    "CORS_ORIGINS": "https://shop.example.com",
    "MAIL_PASSWORD_URL": "https://vault.example.com/secrets/mail",
    "AKS_HOST": "store.example.com",
}
PLAIN = {"StringType": str, "IntegerType": int, "BooleanType": bool}
# Not part of the body, or said by where the resource stands.
APART = ("parent", "scope", "dependsOn")

Types = list[Mapping[str, Any]]


def bodies(root: Path) -> Faults:
    for thing in everything(root, **WIDEST):
        if thing.type != "module":
            yield from _resource(thing)


def _resource(thing: Thing) -> Faults:
    types = schemas.read("azure").get(f"{thing.type}@{thing.version}")
    if types is None:
        yield f"{thing.type}@{thing.version}: no such type is in deploy/schemas"
    elif thing.made:
        said = {key: value for key, value in thing.body.items() if key not in APART}
        for fault in _value(types, types[0], said, ""):
            yield f"{thing.type} {thing.name}: {fault.removeprefix('.')}"


def _index(reference: Mapping[str, str]) -> int:
    return int(reference["$ref"].rpartition("/")[2])


def _value(types: Types, kind: Mapping[str, Any], value: Any, at: str) -> Faults:
    """What Azure says only later is left to Azure."""
    if isinstance(value, Later) or value is None or kind["$type"] == "AnyType":
        return
    match kind["$type"]:
        case "UnionType":
            yield from _one_of([types[_index(each)] for each in kind["elements"]], value, at)
        case "StringLiteralType":
            if value != kind["value"]:
                yield f"{at}: {value!r} is not {kind['value']!r}"
        case "ArrayType":
            if not isinstance(value, list):
                yield f"{at}: {value!r} is no array"
            else:
                for number, item in enumerate(value):
                    yield from _value(types, types[_index(kind["itemType"])], item, f"{at}[{number}]")
        case "ObjectType" | "DiscriminatedObjectType":
            yield from _object(types, kind, value, at)
        case plain:
            yield from _plain(kind, PLAIN[plain], value, at)


def _one_of(kinds: list[Mapping[str, Any]], value: Any, at: str) -> Faults:
    """Azure may learn new words; one of ours is one of those that are known."""
    words = [each["value"] for each in kinds if each["$type"] == "StringLiteralType"]
    if words and value not in words:
        yield f"{at}: {value!r} is none of {', '.join(words)}"


def _plain(kind: Mapping[str, Any], python: type, value: Any, at: str) -> Faults:
    whole = isinstance(value, int | float) and python is int and not isinstance(value, bool)  # cpu is a fraction
    if not (isinstance(value, python) or whole) or (python is int and isinstance(value, bool)):
        yield f"{at}: {value!r} is no {python.__name__}"
    elif python is str:
        if len(value) < kind.get("minLength", 0) or len(value) > kind.get("maxLength", len(value)):
            yield f"{at}: {value!r} is shorter than {kind.get('minLength')} or longer than {kind.get('maxLength')}"
        if "pattern" in kind and not re.search(kind["pattern"], value):
            yield f"{at}: {value!r} does not match {kind['pattern']}"
    elif not kind.get("minValue", value) <= value <= kind.get("maxValue", value):
        yield f"{at}: {value} is beyond the limits"


def _object(types: Types, kind: Mapping[str, Any], value: Any, at: str) -> Faults:
    if not isinstance(value, Mapping):
        yield f"{at}: {value!r} is no object"
        return
    properties = dict(kind.get("properties", kind.get("baseProperties", {})))
    if kind["$type"] == "DiscriminatedObjectType":
        word = value.get(kind["discriminator"])
        chosen = kind["elements"].get(word)
        if chosen is None:
            yield f"{at}.{kind['discriminator']}: {word!r} is none of {', '.join(kind['elements'])}"
            return
        properties |= types[_index(chosen)]["properties"]
    for key, item in value.items():
        if key in properties and properties[key].get("flags", 0) & READ_ONLY and key not in ("name", "id"):
            yield f"{at}.{key} is read-only"
        elif key in properties:
            yield from _value(types, types[_index(properties[key]["type"])], item, f"{at}.{key}")
        elif "additionalProperties" not in kind:
            yield f"{at}.{key} is unknown"
    needed = {key for key, each in properties.items() if each.get("flags", 0) & (REQUIRED | READ_ONLY) == REQUIRED}
    yield from (f"{at}.{key} is missing" for key in sorted(needed - set(value)))
