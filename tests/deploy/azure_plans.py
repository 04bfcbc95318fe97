"""What the files in deploy/azure come to, for the rules that look at it. `root` is the project's, or a copy of it."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

pytest.importorskip("tree_sitter_bicep", reason="tree-sitter-bicep is not installed: `uv sync --group deploy`")
pytest.importorskip("jsonschema", reason="jsonschema is not installed: `uv sync --group deploy`")

import jsonschema

from deploy.azure.expressions import Later, Wrong
from deploy.azure.plan import Thing, parsed, plan
from deploy.lint.documents import Missing
from functions.settings import Settings as FunctionsSettings
from services.catalog.settings import Settings as CatalogSettings
from services.customers.settings import Settings as CustomersSettings
from services.orders.settings import Settings as OrdersSettings

# Whoever looks at a plan takes these from here, and is skipped where what reads Bicep is not installed.
__all__ = ("Later", "Thing", "Wrong", "parsed", "plan")
PROJECT = Path(__file__).parents[2]
TOPOLOGY = "deploy/topology.yaml"
UNSET = "set-by-the-environment"
SERVICES = ("catalog", "orders", "customers")
SETTINGS: Mapping[str, Any] = {
    "catalog": CatalogSettings,
    "orders": OrdersSettings,
    "customers": CustomersSettings,
    "functions": FunctionsSettings,
    "gateway": None,
}
LATER_FILES = ("secrets.bicep", "subscriptions.bicep", "routes.bicep", "aks.bicepparam")
OPERATOR = "33333333-3333-4333-8333-333333333333"
ENVIRONMENT = {
    "AZURE_ENV_NAME": "test",
    "AZURE_LOCATION": "westeurope",
    "AZURE_PRINCIPAL_ID": OPERATOR,
    "OPERATOR_NAME": "ada@example.com",
    "OPERATOR_ADDRESS": "203.0.113.7",
    "API_CLIENT_ID": "22222222-2222-4222-8222-222222222222",
    "MAIL_URL": "smtp://smtp.example.com",
    "MAIL_FROM": "store@example.com",
    "PAYMENTS_URL": "https://payments.example.com",
    "AKS_ISSUER": "https://oidc.example.com/cluster",
    **{f"SERVICE_{name.upper()}_IMAGE_NAME": f"example.azurecr.io/store/{name}:1" for name in SETTINGS},
}
KINDS = {
    "topics": "Microsoft.EventGrid/topics",
    "queues": "Microsoft.ServiceBus/namespaces/queues",
    "bus-topics": "Microsoft.ServiceBus/namespaces/topics",
    "secrets": "Microsoft.KeyVault/vaults/secrets",
    "tables": "Microsoft.Storage/storageAccounts/tableServices/tables",
    "containers": "Microsoft.Storage/storageAccounts/blobServices/containers",
}
SUBSCRIPTIONS = ("Microsoft.EventGrid/topics/eventSubscriptions", "Microsoft.EventGrid/systemTopics/eventSubscriptions")
Faults = Iterator[str]
Rule = Callable[[Path], Faults]


def told(rule: Rule, root: Path) -> str:
    """The rule's faults, one line each. Skips where it can't be asked."""
    try:
        return "\n".join(rule(root))
    except Missing as missing:
        pytest.skip(str(missing))


def refused(body: Any, schema: Mapping[str, Any]) -> Faults:
    """By a JSON schema, of whichever draft."""
    for error in jsonschema.validators.validator_for(schema)(schema).iter_errors(known(body)):
        yield f"{error.json_path}: {error.message[:200]}"


def known(value: Any) -> Any:
    """Without what only Azure knows."""
    if isinstance(value, Mapping):
        return {key: known(each) for key, each in value.items() if not isinstance(each, Later)}
    return [known(each) for each in value] if isinstance(value, list) else value


def planned(root: Path, file: str, **environment: str) -> tuple[list[Thing], Mapping[str, Any]]:
    """Raises Wrong."""
    return plan(root / "deploy/azure" / file, {**ENVIRONMENT, **environment})


def everything(root: Path, **environment: str) -> list[Thing]:
    files = ["main.bicepparam", *LATER_FILES, *(f"{name}.bicepparam" for name in SETTINGS)]
    return [thing for file in files for thing in planned(root, file, **environment)[0]]


def one(things: list[Thing], kind: str) -> Thing:
    return next(thing for thing in things if thing.made and thing.type == kind)


def made(things: list[Thing], kind: str) -> dict[str, Thing]:
    return {thing.name: thing for thing in things if thing.made and thing.type == kind}


def topology_of(root: Path) -> dict[str, Any]:
    return dict(yaml.safe_load((root / TOPOLOGY).read_text()))
