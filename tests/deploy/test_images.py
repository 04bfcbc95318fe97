"""The Dockerfiles and docker-compose.yml: linters, rules of ours, and that Compose runs what `make run` runs."""

import json
import re
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from string import Template
from typing import Any

import pytest
import yaml

from deploy import settings
from deploy.gateway import template
from deploy.lint import environment
from localcloud import azurite, gateway
from localcloud.addresses import Addresses, Port
from localcloud.engines import USUAL
from localcloud.program import Program
from localcloud.store import Store
from localcloud.topology import Topology
from tests.deploy import compose_rules, image_rules
from tests.deploy.image_rules import DOCKERFILES, ROOT, SERVICES

pytestmark = pytest.mark.deploy

TOOLS = Path(sys.executable).parent
COMPOSE_FILE = ROOT / "docker-compose.yml"
SCHEMA = ROOT.parent / "shared/schemas/compose-spec.json"
LONGEST_SECONDS = 60
OPERATORS_DATABASE = "postgresql://store@127.0.0.1:8095/postgres?sslmode=disable"
PATHS = {
    "SSL_CERT_FILE",
    "REQUESTS_CA_BUNDLE",
    "IDENTITY_HEADER",
    "PAYMENTS_KEY",
}  # another file, another word, the same meaning


def tool(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    path = TOOLS / name
    if not path.exists():
        pytest.skip(f"{name} is not installed: `uv sync --group deploy`")
    return subprocess.run([path, *arguments], capture_output=True, text=True, timeout=LONGEST_SECONDS, check=False)


def resolved(file: Path, *options: str) -> Any:
    done = tool(
        "docker-compose", "-f", str(file), "--project-directory", str(ROOT), *options, "config", "--format", "json"
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def project() -> Any:
    return resolved(COMPOSE_FILE, "--profile", "*")


@pytest.fixture
def laptop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """As `make run` knows it on the usual ports; PostgreSQL is told, so that none is made."""
    monkeypatch.setenv("DATABASE_URL", OPERATORS_DATABASE)
    monkeypatch.delenv("LOG_LEVEL", raising=False)
    return Store.open(tmp_path, Addresses().base, datetime.now(UTC), USUAL)


@pytest.mark.parametrize("deployable", DOCKERFILES)
def test_hadolint_finds_nothing(deployable: str) -> None:
    done = tool("hadolint", str(ROOT / DOCKERFILES[deployable]))

    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("deployable", DOCKERFILES)
def test_a_dockerfile_keeps_our_rules(deployable: str) -> None:
    assert list(image_rules.check(deployable, (ROOT / DOCKERFILES[deployable]).read_text())) == []


def test_every_dockerfile_is_of_a_deployable() -> None:
    ours = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*Dockerfile"],
        cwd=ROOT, capture_output=True, text=True, timeout=LONGEST_SECONDS, check=True,
    ).stdout.split()  # fmt: skip

    assert {each for each in ours if not each.startswith("tests/")} == set(DOCKERFILES.values())


def test_a_build_is_sent_nothing_but_what_images_are_made_of() -> None:
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    let_in = {line.removeprefix("!").rstrip("/") for line in lines if line.startswith("!")}
    used = {each.rstrip("/") for sources in image_rules.OWN.values() for each in sources}

    assert lines[0] == "*"
    assert "deploy/*" in lines
    assert all(any(each == one or each.startswith(f"{one}/") for one in let_in) for each in used)
    assert let_in <= used | {"services", "deploy"}


def test_compose_reads_the_file_and_asks_for_nothing() -> None:
    done = tool("docker-compose", "-f", str(COMPOSE_FILE), "config", "-q")

    assert (done.returncode, done.stderr) == (0, "")


def test_the_file_keeps_to_the_specification() -> None:
    jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed: `uv sync --group deploy`")
    if not SCHEMA.exists():
        pytest.skip("the schema of Compose is not beside this repository (../shared/schemas)")

    errors = jsonschema.Draft7Validator(json.loads(SCHEMA.read_text())).iter_errors(
        yaml.safe_load(COMPOSE_FILE.read_text())
    )

    assert [error.message for error in errors] == []


def test_compose_keeps_our_rules(project: Any) -> None:
    assert list(compose_rules.check(project)) == []


def test_the_page_of_settings_says_what_the_topology_says(laptop: Store) -> None:
    assert settings.PAGE.read_text() == settings.page(laptop.topology), "run `python -m deploy.settings`"


def test_the_ports_outside_can_be_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "9080")
    monkeypatch.setenv("LETTERS_PORT", "9091")

    services = resolved(COMPOSE_FILE)["services"]

    assert {port["published"] for port in services["loopback"]["ports"]} == {"9080", "9091"}
    assert services["catalog"]["environment"]["MEDIA_URL"] == "http://127.0.0.1:9080/media"


def test_without_a_profile_the_store_is_all_there_is() -> None:
    assert set(resolved(COMPOSE_FILE)["services"]) == {
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
    for of in (Port.BLOB, Port.QUEUE, Port.TABLE):
        assert f"--{of.name.lower()}Host 127.0.0.1 --{of.name.lower()}Port {Addresses().port(of)}" in command


def test_the_gateway_leads_where_that_of_make_run_leads(project: Any, store: Topology) -> None:
    told = project["services"]["gateway"]["environment"]
    upstreams = gateway.local_upstreams(store, Addresses())

    assert {name: told[f"{name.upper()}_URL"] for name in upstreams} == upstreams


def test_microsofts_emulator_has_the_queues_of_the_topology(store: Topology) -> None:
    told = json.loads((ROOT / "deploy/compose/servicebus.json").read_text())
    queues = {each["Name"]: each["Properties"] for each in told["UserConfig"]["Namespaces"][0]["Queues"]}

    assert {name: (f"PT{queue.lock_seconds}S", queue.max_delivery_count) for name, queue in store.queues.items()} == {
        name: (queue["LockDuration"], queue["MaxDeliveryCount"]) for name, queue in queues.items()
    }


UPSTREAMS = {
    "in an environment": {name: f"http://{name}" for name in (*SERVICES, "functions")} | {"storage": "https://store.blob.example/"},
    "elsewhere": {name: f"https://{name}.example:8443/below" for name in (*SERVICES, "functions", "storage")},
    "on a laptop": {name: f"http://127.0.0.1:{port}" for port, name in enumerate((*SERVICES, "functions"), 8081)}
    | {"storage": "https://127.0.0.1:8092/store"},
}  # fmt: skip


@pytest.mark.parametrize("upstreams", UPSTREAMS.values(), ids=list(UPSTREAMS))
def test_the_image_of_the_gateway_comes_to_the_configuration_of_make_run(
    upstreams: Mapping[str, str], store: Topology
) -> None:
    urls = {f"{name.upper()}_URL": url for name, url in upstreams.items()}

    filled = Template(template.render(store)).safe_substitute(wanted(taken_apart(urls)) | {"CA_FILE": "/ca.pem"})

    assert filled == gateway.render(store, upstreams, listen=template.LISTEN, ca=Path("/ca.pem"))
    assert "${" not in filled


@pytest.mark.parametrize("name", [*SERVICES, "functions", "storage"])
def test_a_gateway_that_is_not_told_where_to_lead_does_not_start(name: str) -> None:
    urls = {f"{each.upper()}_URL": "http://somewhere" for each in (*SERVICES, "functions", "storage") if each != name}

    with pytest.raises(subprocess.CalledProcessError) as failed:
        taken_apart(urls)

    assert f"{name.upper()}_URL: says where" in failed.value.stderr


def taken_apart(urls: dict[str, str]) -> dict[str, str]:
    script = f". {ROOT}/deploy/gateway/15-upstreams.envsh; env"
    done = subprocess.run(
        ["/bin/sh", "-ec", script], env=urls, capture_output=True, text=True, timeout=LONGEST_SECONDS, check=True
    )
    return dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)


def wanted(environment: dict[str, str]) -> dict[str, str]:
    """What nginx's image lets in: the variables whose names match its filter."""
    said = (ROOT / DOCKERFILES["gateway"]).read_text()
    pattern = re.search(r"NGINX_ENVSUBST_FILTER=(\S+)", said)
    assert pattern
    return {name: value for name, value in environment.items() if re.search(pattern[1], name)}
