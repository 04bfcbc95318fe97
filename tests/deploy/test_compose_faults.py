"""Faults are put into docker-compose.yml, one at a time, to prove that each is seen."""

import copy
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.deploy import compose_rules
from tests.deploy.image_rules import ROOT
from tests.deploy.tools import COMPOSE_FILE, resolved, tool

pytestmark = pytest.mark.deploy

Change = Callable[[dict[str, Any]], None]


def setting(name: str, value: str) -> Change:
    return lambda part: part["environment"].update({name: value})


def having(key: str, value: Any) -> Change:
    return lambda part: part.update({key: value})


def lacking(key: str) -> Change:
    return lambda part: part.pop(key)


def waiting(other: str, condition: str) -> Change:
    return lambda part: part["depends_on"].update({other: {"condition": condition}})


IN_COMPOSE: Mapping[str, tuple[str, Change, str]] = {
    "an image that moves": (
        "postgres",
        having("image", "docker.io/library/postgres:latest"),
        "say registry, name and version",
    ),
    "an image by a moving name": (
        "sqlserver",
        having("image", "mcr.microsoft.com/mssql/server:2022-latest"),
        "say registry",
    ),
    "another's Dockerfile": (
        "orders",
        having("build", {"dockerfile": "services/catalog/Dockerfile"}),
        "store/orders:dev is built from",
    ),
    "an image that nobody builds": ("orders", lacking("build"), "store/orders:dev is built from []"),
    "a port for everybody": (
        "loopback",
        lambda part: part["ports"][0].update(host_ip="0.0.0.0"),
        "port 8080 is open to others",
    ),
    "a port for whoever comes": (
        "loopback",
        lambda part: part["ports"][0].pop("host_ip"),
        "port 8080 is open to others",
    ),
    "a port of the database": (
        "postgres",
        having("ports", [{"host_ip": "127.0.0.1", "published": "5432"}]),
        "nobody else can",
    ),
    "rights": ("orders", lacking("cap_drop"), "orders: has capabilities"),
    "a right too many": ("orders", having("cap_add", ["NET_ADMIN"]), "orders: has capabilities"),
    "code that can be changed": ("orders", having("read_only", False), "can write to its root file system"),
    "a way to privileges": ("orders", lacking("security_opt"), "can get privileges"),
    "all privileges": ("cloud", having("privileged", True), "cloud: can get privileges"),
    "another network": ("orders", having("network_mode", "host"), "on the network host"),
    "root in an image of others": ("azurite", lacking("user"), "runs as whoever its image says"),
    "a user by name": ("postgres", having("user", "postgres"), "runs as postgres"),
    "root in an image of ours": ("orders", having("user", "0:0"), "its image says whom it runs as"),
    "the engine's socket": (
        "cloud",
        having("volumes", [{"type": "bind", "source": "/var/run/docker.sock"}]),
        "mounts /var/run/docker.sock",
    ),
    "the vault for a service": (
        "orders",
        having("volumes", [{"type": "volume", "source": "state"}]),
        "can read the local cloud's state",
    ),
    "trust that can be forged": (
        "orders",
        having("volumes", [{"type": "volume", "source": "public"}]),
        "could change whom",
    ),
    "a password": ("postgres", setting("POSTGRES_PASSWORD", "store"), "POSTGRES_PASSWORD is a secret"),
    "a password in a URL": (
        "orders",
        setting("STORE_URL", "postgresql://orders:secret@127.0.0.1/orders"),
        "STORE_URL is a secret",
    ),
    "an account's real key": ("azurite", setting("AZURITE_ACCOUNTS", "store:aGVsbG8="), "AZURITE_ACCOUNTS is a secret"),
    "a setting that is missing": (
        "orders",
        lambda part: part["environment"].pop("TOPIC_ENDPOINT"),
        "TOPIC_ENDPOINT is missing",
    ),
    "a setting with a slip": ("orders", setting("TOPIC_ENDPIONT", "x"), "nobody asks for TOPIC_ENDPIONT"),
    "a port that is no number": ("orders", setting("PORT", "eighty"), "PORT"),
    "a gateway without orders": (
        "gateway",
        lambda part: part["environment"].pop("ORDERS_URL"),
        "ORDERS_URL is missing",
    ),
    "a check with a space": (
        "orders",
        having("healthcheck", {"test": ["CMD", "python", "-c", "import this"]}),
        "has a space in it",
    ),
    "no check": ("cloud", lacking("healthcheck"), "nobody can know whether it is well"),
    "too short a grace": ("orders", having("stop_grace_period", "10s"), "killed before it has drained"),
    "a start before its database": (
        "provision",
        waiting("postgres", "service_started"),
        "does not wait until postgres is ready",
    ),
    "waiting for the end of what runs": (
        "seed",
        waiting("gateway", "service_completed_successfully"),
        "which never does",
    ),
    "waiting for what says nothing": ("orders", waiting("provision", "service_healthy"), "nothing says when"),
}


@pytest.fixture(scope="module")
def project() -> Any:
    return resolved("--profile", "*")


@pytest.mark.parametrize(("part", "change", "said"), IN_COMPOSE.values(), ids=list(IN_COMPOSE))
def test_a_fault_in_the_compose_file_is_seen(part: str, change: Change, said: str, project: Any) -> None:
    faulty = copy.deepcopy(project)
    change(faulty["services"][part])

    assert [each for each in compose_rules.check(faulty) if each.startswith(f"{part}:") and said in each]


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("condition: service_healthy", "condition: service_well", "condition value must be one of"),
        ("  cap_drop: [ALL]", "  cap_dorp: [ALL]", "cap_dorp"),
        ("database:/var/lib/postgresql", "databse:/var/lib/postgresql", "undefined volume databse"),
        ("network_mode: service:loopback", "network_mode: service:lopback", "lopback"),
    ],
    ids=["an unknown condition", "an unknown key", "an unknown volume", "an unknown network"],
)
def test_a_fault_that_compose_knows_is_seen(before: str, after: str, said: str, tmp_path: Path) -> None:
    file = tmp_path / "docker-compose.yml"
    file.write_text(COMPOSE_FILE.read_text().replace(before, after, 1))

    done = tool("docker-compose", "-f", str(file), "--project-directory", str(ROOT), "config", "-q")

    assert done.returncode
    assert said in done.stderr
