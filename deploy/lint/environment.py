"""What a deployable is told is what it asks for: nothing is missing, nothing is unknown, everything can be read."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import msgspec

from deploy.lint.documents import Document, containers, environment, of_kind, title
from functions.settings import Settings as FunctionsSettings
from localcloud.topology import Topology
from services.catalog.settings import Settings as CatalogSettings
from services.customers.settings import Settings as CustomersSettings
from services.orders.settings import Settings as OrdersSettings

PLACEHOLDER = "set-by-the-environment"

SETTINGS: Mapping[str, type] = {
    "catalog": CatalogSettings,
    "orders": OrdersSettings,
    "customers": CustomersSettings,
    "functions": FunctionsSettings,
}


@dataclass(frozen=True, slots=True)
class Names:
    required: frozenset[str]
    known: frozenset[str]


Asked = Callable[[Topology, str], Names]  # of a deployable, empty where nothing is known of it


def names_in_azure(topology: Topology, deployable: str) -> Names:
    asked = {name: each for name, each in topology.settings.items() if deployable in each.of and each.only != "local"}
    return Names(frozenset(name for name, each in asked.items() if not each.optional), frozenset(asked))


def names_on_laptop(topology: Topology, deployable: str) -> Names:
    """Against the local cloud, where Azure's own host of functions can be, too: what it asks for may be said."""
    asked = {name: each for name, each in topology.settings.items() if deployable in each.of}
    required = (name for name, each in asked.items() if not each.optional and each.only != "azure")
    return Names(frozenset(required), frozenset(asked))


def complaints(deployable: str, told: Mapping[str, str], where: str, names: Names) -> Iterator[str]:
    """Of one container's environment, wherever it is from: Kubernetes, Container Apps, Compose."""
    yield from (f"{where}: {name} is missing" for name in sorted(names.required - told.keys()))
    yield from (f"{where}: nobody asks for {name}" for name in sorted(told.keys() - names.known))
    for field in fields(SETTINGS[deployable]) if deployable in SETTINGS else ():
        yield from _readable(field.type, f"{where}: {field.name.upper()}", told.get(field.name.upper()))


def check_environments(documents: Sequence[Document], topology: Topology, asked: Asked) -> Iterator[str]:
    for deployment in of_kind(documents, "Deployment"):
        name = deployment["metadata"]["name"]
        for where, container in containers(deployment):
            told = environment(documents, container)
            yield from complaints(name, told, f"{where}.env", asked(topology, name))


def check_filled(documents: Sequence[Document]) -> Iterator[str]:
    """Of what is applied: no placeholder is left."""
    for document in documents:
        yield from (f"{title(document)}: {path} is {PLACEHOLDER}" for path in _placeholders(document))


def _placeholders(value: Any, path: str = "") -> Iterator[str]:
    if value == PLACEHOLDER:
        yield path
    inside = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else ()
    for key, each in inside:
        yield from _placeholders(each, f"{path}.{key}".lstrip("."))


def check_app_environments(name: str, app: Document, topology: Topology) -> Iterator[str]:
    template, names = app["properties"]["template"], names_in_azure(topology, name)
    for kind in ("initContainers", "containers"):
        for container in template.get(kind, []):
            told = {each["name"]: each.get("value", "") for each in container.get("env", [])}
            yield from complaints(name, told, f"{name}: {kind}.{container['name']}.env", names)


def _readable(kind: Any, where: str, value: str | None) -> Iterator[str]:
    if value is None or value == PLACEHOLDER:
        return
    try:
        msgspec.convert(value, kind, strict=False)
    except msgspec.ValidationError as error:
        yield f"{where}: {value!r}: {re.sub(r' - at .*', '', str(error))}"
