"""OpenAPI links: from an answer to what can be done with what it tells of: read it, change it, delete it."""

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from libs.common.openapi.parts import Document


class Place(NamedTuple):
    path: str
    method: str
    operation: Document

    @property
    def thing(self) -> str:
        """The path of what this is about: up to its id."""
        return re.sub(r"(}).*", r"\1", self.path)

    @property
    def asks(self) -> dict[str, bool]:
        """And whether it must be said."""
        return {each["name"]: each["required"] for each in self.operation["parameters"]}


def linked(paths: dict[str, Document], components: Mapping[str, Document]) -> dict[str, Document]:
    """The same paths; each answer that tells ids says where those lead."""
    places = [Place(path, method, each) for path, item in paths.items() for method, each in item.items()]
    for source in places:
        for status, answer in source.operation["responses"].items():
            links = dict(_links(source, answer, places, components)) if status.startswith("2") else {}
            if links:
                answer["links"] = links
    return paths


def _links(
    source: Place, answer: Document, places: list[Place], components: Mapping[str, Document]
) -> Iterator[tuple[str, Document]]:
    fields = _fields(answer, components)
    for target in places:
        of = _id_of(source, target, fields)
        if of is None or target is source:
            continue
        parameters = {"path.id": of} | _match(source, target, answer) | _inner(target, fields)
        needed = set(re.findall(r"{(\w+)}", target.path)) | ({"If-Match"} if target.asks.get("If-Match") else set())
        if needed <= {name.partition(".")[2] for name in parameters}:
            yield (
                target.operation["operationId"],
                {"operationId": target.operation["operationId"], "parameters": parameters},
            )


def _fields(answer: Document, components: Mapping[str, Document]) -> Document:
    """Of the body of the answer."""
    for content in answer.get("content", {}).values():
        name = str(content.get("schema", {}).get("$ref", "")).rpartition("/")[2]
        fields: Document = components.get(name, {}).get("properties", {})
        return fields
    return {}


def _id_of(source: Place, target: Place, fields: Document) -> str | None:
    """Where the answer says the id of the target."""
    if not target.thing.endswith("/{id}"):
        return None
    if source.thing == target.thing:
        return "$request.path.id"
    if source.path != target.thing.removesuffix("/{id}"):
        return None
    if "id" in fields:
        return "$response.body#/id"
    return "$response.body#/items/0/id" if "items" in fields else None


def _match(source: Place, target: Place, answer: Document) -> Document:
    """The ETag, where the answer has that of just this: of what was made, or of what the path names."""
    about = target.thing if source.path == target.thing.removesuffix("/{id}") else source.path
    known = about == target.path and "ETag" in answer.get("headers", {}) and "If-Match" in target.asks
    return {"header.If-Match": "$response.header.ETag"} if known else {}


def _inner(target: Place, fields: Document) -> Document:
    """What lies within: `media_id` is the id of one of the `media`."""
    names = re.findall(r"{(\w+)_id}", target.path)
    return {
        f"path.{name}_id": f"$response.body#/{name}/0/id"
        for name in names
        if fields.get(name, {}).get("type") == "array"
    }
