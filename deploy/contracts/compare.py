"""Do two JSON Schemas go together? Pure; it knows what msgspec makes of our types."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Schema = Mapping[str, Any]
LEAST = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
MOST = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
SAME = ("pattern", "format", "multipleOf")  # one can't be said to be within another
DEEPEST = 20  # a schema that contains itself is the same all the way down


@dataclass(frozen=True, slots=True)
class Part:
    """A schema within a document, in which its references are looked up."""

    document: Schema
    schema: Any

    def __getitem__(self, keyword: str) -> "Part":
        return Part(self.document, self.schema[keyword])

    def get(self, keyword: str, default: Any = None) -> Any:
        return self.schema.get(keyword, default)

    @property
    def options(self) -> list["Part"]:
        """What it can be: the alternatives of a union, references followed."""
        if "$ref" in self.schema:
            return self._followed().options
        if "anyOf" not in self.schema:
            return [self]
        return [option for each in self.schema["anyOf"] for option in Part(self.document, each).options]

    def _followed(self) -> "Part":
        found: Any = self.document
        for step in self.schema["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        return Part(self.document, found)


def misfits(given: Part, taken: Part, at: str = "") -> Iterator[str]:
    """What is valid by `given` and would be refused, or not understood, by `taken`; empty where everything fits."""
    if given.schema is True or taken.schema in (True, {}) or at.count(".") > DEEPEST:
        return
    for option in given.options:
        fitting = [list(_misfits_of_one(option, other, at)) for other in taken.options if _are_alike(option, other)]
        if not fitting:
            yield f"{at or 'it'} may be {_kind(option)}"
        elif [] not in fitting:
            yield from min(fitting, key=len)


def as_written(schema: Any) -> Any:
    """Our encoder leaves out no field, also where a reader could do without it."""
    if isinstance(schema, list):
        return [as_written(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    whole = {keyword: as_written(each) for keyword, each in schema.items()}
    return whole | {"required": list(schema["properties"])} if "properties" in schema else whole


def _are_alike(one: Part, other: Part) -> bool:
    known, wanted = _types(one), _types(other)
    return not known or not wanted or known <= wanted


def _types(part: Part) -> set[str]:
    said = part.get("type")
    if said is None:
        values = part.get("enum", [part.get("const")] if "const" in part.schema else [])
        return {{str: "string", int: "integer", type(None): "null"}.get(type(each), "any") for each in values}
    types = {said} if isinstance(said, str) else set(said)
    return types | ({"integer"} if "number" in types else set())


def _kind(part: Part) -> str:
    return " or ".join(sorted(_types(part))) or "anything"


def _misfits_of_one(given: Part, taken: Part, at: str) -> Iterator[str]:
    yield from _values(given, taken, at)
    yield from _limits(given, taken, at)
    if "properties" in given.schema or "properties" in taken.schema:
        yield from _fields(given, taken, at)
    if "items" in given.schema and "items" in taken.schema:
        yield from misfits(given["items"], taken["items"], f"{at}[]")


def _values(given: Part, taken: Part, at: str) -> Iterator[str]:
    wanted, known = _listed(taken), _listed(given)
    if wanted is None:
        return
    if known is None:
        yield f"{at or 'it'} may be something else than {', '.join(map(str, wanted))}"
    else:
        yield from (f"{at or 'it'} may be {value!r}" for value in known if value not in wanted)


def _listed(part: Part) -> list[Any] | None:
    return [part.get("const")] if "const" in part.schema else part.get("enum")


def _limits(given: Part, taken: Part, at: str) -> Iterator[str]:
    for keyword in (*LEAST, *MOST, *SAME):
        wanted, known = taken.get(keyword), given.get(keyword)
        if wanted is None or wanted == known or _listed(given) is not None:
            continue
        if known is not None and ((keyword in LEAST and known > wanted) or (keyword in MOST and known < wanted)):
            continue
        yield f"{at or 'it'} may be beyond {keyword} {wanted}"


def _fields(given: Part, taken: Part, at: str) -> Iterator[str]:
    known, wanted = given.get("properties", {}), taken.get("properties", {})
    prefix = f"{at}." if at else ""
    for name in taken.get("required", ()):
        if name not in given.get("required", ()):
            yield f"{prefix}{name} may be missing"
    for name in known:
        if name in wanted:
            yield from misfits(given["properties"][name], taken["properties"][name], f"{prefix}{name}")
        elif taken.get("additionalProperties") is False:
            yield f"{prefix}{name} is not known"
