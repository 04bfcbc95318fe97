"""What a deployable is told is what it asks for: nothing is missing, nothing is unknown, everything can be read."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from typing import Any

import msgspec

from deploy.lint.documents import Document, containers, environment, of_kind, title
from functions.settings import Settings as FunctionsSettings
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
SDK = frozenset({"AZURE_CLIENT_ID"})  # who one is, for DefaultAzureCredential
SDK_OPTIONS = frozenset({"AZURE_TOKEN_CREDENTIALS"})
HOST = frozenset({"FUNCTIONS_WORKER_RUNTIME", "AzureWebJobsSecretStorageType"}) | {
    *(f"AzureWebJobsStorage__{name}" for name in ("accountName", "credential", "clientId")),
    *(f"ServiceBus__{name}" for name in ("credential", "clientId")),
}
HOST_OPTIONS = frozenset({"ASPNETCORE_URLS"})
BINDINGS = frozenset({"ServiceBus__fullyQualifiedNamespace"})
GATEWAY = frozenset({"CATALOG_URL", "ORDERS_URL", "CUSTOMERS_URL", "FUNCTIONS_URL", "STORAGE_URL"})
GATEWAY_OPTIONS = frozenset({"CA_FILE"})
# What makes the SDK find the local cloud and trust it, and where it is.
LAPTOP = frozenset(
    {"IDENTITY_ENDPOINT", "IDENTITY_HEADER", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "SERVICE_BUS_ENDPOINT"}
)


@dataclass(frozen=True, slots=True)
class Names:
    required: frozenset[str]
    known: frozenset[str]


Asked = Callable[[str], Names]  # of a deployable; raises KeyError where nothing is known of it


def names_in_azure(deployable: str) -> Names:
    if deployable == "gateway":
        return Names(GATEWAY, GATEWAY | GATEWAY_OPTIONS)
    asked = fields(SETTINGS[deployable])
    required = frozenset(each.name.upper() for each in asked if each.default is MISSING) | SDK
    known = frozenset(each.name.upper() for each in asked) | SDK | SDK_OPTIONS
    if deployable == "functions":
        return Names(required | BINDINGS | HOST, known | BINDINGS | HOST | HOST_OPTIONS)
    return Names(required, known)


def names_on_laptop(deployable: str) -> Names:
    """Against the local cloud. Its own host of functions keeps nothing in storage and is told nothing of it."""
    asked = names_in_azure(deployable)
    return Names(asked.required - HOST, asked.known | LAPTOP)


def complaints(deployable: str, told: Mapping[str, str], where: str, asked: Asked = names_in_azure) -> Iterator[str]:
    """Of one container's environment, wherever it is from: Kubernetes, Container Apps, Compose."""
    names = asked(deployable)
    yield from (f"{where}: {name} is missing" for name in sorted(names.required - told.keys()))
    yield from (f"{where}: nobody asks for {name}" for name in sorted(told.keys() - names.known))
    for field in fields(SETTINGS[deployable]) if deployable in SETTINGS else ():
        yield from _readable(field.type, f"{where}: {field.name.upper()}", told.get(field.name.upper()))


def check_environments(documents: Sequence[Document], asked: Asked) -> Iterator[str]:
    for deployment in of_kind(documents, "Deployment"):
        for where, container in containers(deployment):
            yield from complaints(
                deployment["metadata"]["name"], environment(documents, container), f"{where}.env", asked
            )


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


def check_app_environments(name: str, app: Document) -> Iterator[str]:
    template = app["properties"]["template"]
    for kind in ("initContainers", "containers"):
        for container in template.get(kind, []):
            told = {each["name"]: each.get("value", "") for each in container.get("env", [])}
            yield from complaints(name, told, f"{name}: {kind}.{container['name']}.env")


def _readable(kind: Any, where: str, value: str | None) -> Iterator[str]:
    if value is None or value == PLACEHOLDER:
        return
    try:
        msgspec.convert(value, kind, strict=False)
    except msgspec.ValidationError as error:
        yield f"{where}: {value!r}: {re.sub(r' - at .*', '', str(error))}"
