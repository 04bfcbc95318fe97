"""docker-compose.yml: what Compose says of it, rules of ours, and that it runs what `make run` runs."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy import schemas
from deploy.lint import environment
from localcloud import azurite, gateway
from localcloud.addresses import Addresses
from localcloud.engines import USUAL
from localcloud.program import Program
from localcloud.store import Store
from localcloud.topology import Topology
from tests.deploy import compose_rules
from tests.deploy.image_rules import DOCKERFILES, ROOT, SERVICES
from tests.deploy.tools import COMPOSE_FILE, resolved, tool

pytestmark = pytest.mark.deploy

OPERATORS_DATABASE = "postgresql://store@127.0.0.1:8095/postgres?sslmode=disable"
# Another file, another word, the same meaning.
PATHS = {"SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "IDENTITY_HEADER", "PAYMENTS_KEY", "CORS_ORIGINS"}


@pytest.fixture(scope="module")
def project() -> Any:
    return resolved("--profile", "*")


@pytest.fixture
def laptop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """As `make run` knows it on the usual ports; PostgreSQL is told, so that none is made."""
    monkeypatch.setenv("DATABASE_URL", OPERATORS_DATABASE)
    monkeypatch.delenv("LOG_LEVEL", raising=False)
    return Store.open(tmp_path, Addresses().base, datetime.now(UTC), USUAL)


def test_compose_reads_the_file_and_asks_for_nothing() -> None:
    done = tool("docker-compose", "config", "-q")

    assert (done.returncode, done.stderr) == (0, "")


def test_the_file_keeps_to_the_specification() -> None:
    jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed: `uv sync --group deploy`")

    errors = jsonschema.Draft7Validator(schemas.read("compose")).iter_errors(yaml.safe_load(COMPOSE_FILE.read_text()))

    assert [error.message for error in errors] == []


def test_compose_keeps_our_rules(project: Any) -> None:
    assert list(compose_rules.check(project)) == []


def test_the_ports_outside_can_be_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "9080")
    monkeypatch.setenv("LETTERS_PORT", "9091")

    services = resolved()["services"]

    assert {port["published"] for port in services["loopback"]["ports"]} == {"9080", "9091"}
    assert services["catalog"]["environment"]["MEDIA_URL"] == "http://127.0.0.1:9080/media"


def test_without_a_profile_the_store_is_all_there_is() -> None:
    assert set(resolved()["services"]) == {
        *("loopback", "postgres", "azurite", "cloud", "payments", "provision", "seed"), *DOCKERFILES
    } - {"localcloud"}  # fmt: skip


@pytest.mark.parametrize("name", [*SERVICES, "functions"])
def test_each_is_told_what_it_is_told_by_make_run(name: str, project: Any, laptop: Store) -> None:
    told = next(program for program in laptop.workers() if program.name == name).env

    in_a_container = project["services"][name]["environment"]

    names = environment.names_on_laptop(laptop.topology, name).known - PATHS
    assert {key: told[key] for key in told.keys() & names} == {
        key: in_a_container[key] for key in in_a_container.keys() & names
    }


def test_the_local_cloud_and_the_functions_host_are_started_as_by_make_run(project: Any, laptop: Store) -> None:
    by_make_run = {program.name: program for program in (*laptop.ground(), *laptop.workers())}

    assert arguments(project, "functions") == bare(by_make_run["functions"], laptop)
    assert arguments(project, "payments") == bare(by_make_run["payments"], laptop)
    assert arguments(project, "cloud") == bare(by_make_run["cloud"], laptop) | {
        "letters-host": "0.0.0.0",
        "base-port": "8080",
    }


def arguments(project: Any, name: str) -> dict[str, str]:
    module, *rest = project["services"][name]["command"]
    return {"module": module, "base-port": "8080"} | {key.removeprefix("--"): value for key, value in pairs(rest)}


def bare(program: Program, laptop: Store) -> dict[str, str]:
    """Paths from where the images have them."""
    _, _, module, *rest = program.argv
    texts = {key.removeprefix("--"): value for key, value in pairs(rest)}
    inside = {str(laptop.state.folder): ".state", f"{ROOT}/": ""}
    for before, after in inside.items():
        texts = {key: value.replace(before, after) for key, value in texts.items()}
    return {"module": module, "base-port": "8080"} | texts


def pairs(words: list[str]) -> list[tuple[str, str]]:
    return list(zip(words[::2], words[1::2], strict=True))


def test_azurite_is_the_one_of_make_run_and_started_alike(project: Any) -> None:
    part, package = project["services"]["azurite"], json.loads((ROOT / "localcloud/node/package.json").read_text())
    command = " ".join(part["command"])

    assert part["image"].endswith(f":{package['dependencies']['azurite']}")
    assert " ".join(azurite.FLAGS) in command
    for name, of in azurite.SERVED.items():
        assert f"--{name}Host 127.0.0.1 --{name}Port {Addresses().port(of)}" in command


def test_the_gateway_leads_where_that_of_make_run_leads(project: Any, store: Topology) -> None:
    told = project["services"]["gateway"]["environment"]
    upstreams = gateway.local_upstreams(store, Addresses())

    assert {name: told[f"{name.upper()}_URL"] for name in upstreams} == upstreams


def test_laid_over_it_is_the_store_on_microsofts_emulator(project: Any, laptop: Store) -> None:
    parts = resolved("-f", "docker-compose.yml", "-f", "deploy/compose/microsoft-servicebus.yaml")["services"]
    told = {name: parts[name]["environment"] for name in (*SERVICES, "functions")}
    usual = {name: project["services"][name]["environment"] for name in told}
    emulator = parts["cloud"]["command"][-1]

    assert set(parts) == set(project["services"]) - {"azure-functions"}
    assert emulator.startswith("Endpoint=sb://servicebus;")
    assert emulator.endswith(";UseDevelopmentEmulator=true")
    assert parts["cloud"]["command"][:-2] == project["services"]["cloud"]["command"]
    for name, said in told.items():
        names = environment.names_on_laptop(laptop.topology, name).known
        changed = {key: value for key, value in said.items() if usual[name].get(key) != value}
        assert changed == {"ServiceBus" if name == "functions" else "SERVICE_BUS": emulator}
        assert set(usual[name]) - set(said) <= {"SERVICE_BUS_ENDPOINT", "ServiceBus__fullyQualifiedNamespace"}
        assert "SERVICE_BUS_ENDPOINT" not in said
        assert set(said) <= names | PATHS


def test_microsofts_emulator_has_the_queues_of_the_topology(store: Topology) -> None:
    told = json.loads((ROOT / "deploy/compose/servicebus.json").read_text())
    queues = {each["Name"]: each["Properties"] for each in told["UserConfig"]["Namespaces"][0]["Queues"]}

    assert {name: (f"PT{queue.lock_seconds:g}S", queue.max_delivery_count) for name, queue in store.queues.items()} == {
        name: (queue["LockDuration"], queue["MaxDeliveryCount"]) for name, queue in queues.items()
    }
