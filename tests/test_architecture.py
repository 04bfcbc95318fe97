"""The rules of the house that a machine can keep; the directions of imports are kept by import-linter."""

import ast
import importlib
import inspect
import re
from dataclasses import MISSING, fields
from fnmatch import fnmatch
from pathlib import Path

import pytest
from aiohttp import web

from libs.common.messages import Command, Fact, Message
from libs.common.pages import with_pages
from localcloud import topology
from localcloud.topology import Topology

ROOT = Path(__file__).parents[1]
SERVICES = ("catalog", "orders", "customers")
STORES = sorted(ROOT.glob("services/*/store/*sql*.py")) + sorted(ROOT.glob("services/*/store/postgres*.py"))
EVERY_COLUMN = re.compile(r"(?:SELECT|RETURNING)\s+(?:\w+\.)?\*|,\s*\w+\.\*")
SOURCES = [
    path for part in ("services", "functions", "libs", "localcloud", "deploy") for path in (ROOT / part).rglob("*.py")
]
DEPLOYABLES = (*SERVICES, "functions")
# Read by the Azure SDKs, by OpenTelemetry's, by the Functions host and by Python's TLS, not by our classes.
SDK = re.compile(
    r"(AZURE|IDENTITY|FUNCTIONS|SSL|REQUESTS|ASPNETCORE|OTEL(?!_EXPORTER_OTLP_ENDPOINT))_\w+|(AzureWebJobs|ServiceBus__)\w+"
    r"|ServiceBus|APPLICATIONINSIGHTS_AUTHENTICATION_STRING"
)
OWNERLESS = re.compile(r"\b(?:gather|ensure_future)\(")  # where one fails, the others go on, and nobody waits for them
MOST_MODULE_LINES = 300
MOST_FUNCTION_LINES = 25


@pytest.fixture(scope="module")
def store() -> Topology:
    return topology.load(ROOT / "deploy" / "topology.yaml")


def messages() -> dict[str, type[Message]]:
    modules = [importlib.import_module(f"libs.common.messages.{service}") for service in SERVICES]
    classes = [kind for module in modules for _, kind in inspect.getmembers(module, inspect.isclass)]
    return {
        kind.type: kind
        for kind in classes
        if issubclass(kind, Message) and isinstance(getattr(kind, "type", None), str)
    }


def heard_by_queue(store: Topology, queue: str) -> set[str]:
    return {name for sub in store.subscriptions if sub.to.queue == queue for name in sub.types}


def test_all_services_have_one_shape() -> None:
    shapes = {
        service: {
            str(path.relative_to(ROOT / "services" / service))
            for path in (ROOT / "services" / service).rglob("*.*")
            if path.suffix in (".py", ".sql")
        }
        for service in SERVICES
    }

    expected = {
        "__init__.py",
        "__main__.py",
        "app.py",
        "domain.py",
        "reactions.py",
        "settings.py",
        "store/__init__.py",
        "store/azuresql.py",
        "store/azuresql.sql",
        "store/postgres.py",
        "store/postgres.sql",
        "store/rows.py",
        "store/tables.py",
        "store/tables_rows.py",
    }
    for service, files in shapes.items():
        assert expected <= files, f"{service} lacks {expected - files}"
        assert files & {"routes.py", "routes/__init__.py"}, f"{service} serves nothing"


@pytest.mark.parametrize("service", SERVICES)
def test_every_service_has_its_card(service: str) -> None:
    card = importlib.import_module(f"services.{service}").__doc__ or ""

    assert [word for word in ("Owns", "Serves", "Hears", "Tells") if word not in card] == []


@pytest.mark.parametrize("service", SERVICES)
def test_a_queue_brings_what_its_service_hears_and_nothing_else(service: str, store: Topology) -> None:
    reactions = importlib.import_module(f"services.{service}.reactions").REACTIONS
    facts = {kind.type for kind in reactions if issubclass(kind, Fact)}
    commands = {kind.type for kind in reactions if issubclass(kind, Command)}

    assert facts == heard_by_queue(store, service)
    assert commands == {
        name for name, kind in messages().items() if issubclass(kind, Command) and kind.owner() == service
    }


def test_every_subscription_hears_facts_of_its_own_topic(store: Topology) -> None:
    known = messages()

    for subscription in (each for each in store.subscriptions if each.topic != "storage"):  # of Azure's own facts
        for name in subscription.types:
            assert issubclass(known[name], Fact)
            assert known[name].owner() == subscription.topic, f"{subscription.name} hears {name} on the wrong topic"


def test_every_route_of_the_gateway_leads_to_something_that_exists(store: Topology) -> None:
    assert {route.to for route in store.routes} <= {*SERVICES, "functions", "storage"}


@pytest.mark.parametrize("service", SERVICES)
def test_the_gateway_lets_through_just_what_a_service_serves(service: str, store: Topology) -> None:
    module = importlib.import_module(f"services.{service}.routes")
    served = {route.path for route in with_pages(service, module.routes) if isinstance(route, web.RouteDef)}
    let_through = {route.as_ or route.path for route in store.routes if route.to == service}

    assert {path for path in served if not any(is_below(path, prefix) for prefix in let_through)} == set()
    assert {prefix for prefix in let_through if not any(is_below(path, prefix) for path in served)} == set()


def is_below(path: str, prefix: str) -> bool:
    return path == prefix or path.startswith(f"{prefix}/")


def test_every_secret_is_read_by_the_deployable_that_it_is_named_for(store: Topology) -> None:
    for secret in store.secrets:
        service, _, what = secret.partition("-")
        code = [*(ROOT / "services" / service).rglob("*.py"), *(ROOT / "libs").rglob("*.py")]
        if service == "functions":  # the platform reads it for them
            code = [ROOT / "deploy/azure/modules/functions.bicep"]
        assert any(f"-{what}" in path.read_text() for path in code), secret


def test_whatever_an_identity_may_do_it_may_do_to_something_that_is_there(store: Topology) -> None:
    there = {
        "topics": store.topics,
        "queues": store.queues,
        "secrets": store.secrets,
        "tables": store.tables,
        "containers": [*store.containers, *store.private_containers],
        "accounts": [store.storage_account],
    }
    for right in (right for identity in store.identities.values() for right in identity.rights):
        kind, _, name = right.on.partition("/")
        assert any(fnmatch(known, name) for known in there[kind]), right


@pytest.mark.parametrize("deployable", DEPLOYABLES)
def test_every_setting_has_its_entry(deployable: str, store: Topology) -> None:
    said = {name: each for name, each in store.settings.items() if deployable in each.of and not SDK.fullmatch(name)}
    asked = {field.name.upper(): field for field in fields(settings_of(deployable))}

    assert set(asked) == set(said) - ({"SERVICE_BUS_ENDPOINT"} if deployable == "functions" else set())  # the host's
    assert {name for name in asked if said[name].optional} == {
        name for name, field in asked.items() if field.default is not MISSING
    }


def test_every_setting_of_the_gateway_is_read_by_it(store: Topology) -> None:
    said = {name for name, each in store.settings.items() if "gateway" in each.of}
    code = "".join((ROOT / "deploy" / "gateway" / name).read_text() for name in ("15-upstreams.envsh", "template.py"))

    assert said == set(re.findall(r"\b(?:[A-Z]+_URL|CA_FILE|CORS_ORIGINS)\b", code))


def settings_of(deployable: str) -> type:
    package = deployable if deployable == "functions" else f"services.{deployable}"
    kind: type = importlib.import_module(f"{package}.settings").Settings
    return kind


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_modules_and_functions_stay_small_and_say_what_they_are_for(path: Path) -> None:
    text = path.read_text()
    tree = ast.parse(text)
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]

    assert len(text.splitlines()) <= MOST_MODULE_LINES
    assert not tree.body or ast.get_docstring(tree), "a module opens with one line on what it is for"
    assert [node.name for node in functions if length(node) > MOST_FUNCTION_LINES] == []


@pytest.mark.parametrize("path", STORES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_column_is_named_so_that_the_next_version_may_add_one(path: Path) -> None:
    """Else a statement that is prepared would no longer fit, and a row have more than its class."""
    assert EVERY_COLUMN.findall(path.read_text()) == []


def test_what_runs_beside_something_else_has_an_owner() -> None:
    deployed = [path for path in SOURCES if path.relative_to(ROOT).parts[0] in ("services", "functions", "libs")]

    assert [path for path in deployed if OWNERLESS.search(path.read_text())] == []


def length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of code: without the docstring and the comments."""
    body = function.body[1:] if ast.get_docstring(function) else function.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0
