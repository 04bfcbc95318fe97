"""The workflows keep to the rules, and what their scripts do is tried with a stand-in for `az`, `docker` and `curl`."""

import subprocess
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path

import pytest

from deploy.affected import FOLDERS
from tests.deploy.pipeline import DEPLOYED, ROOT, Pipeline, Rule, run
from tests.deploy.workflow_rules import RULES

pytestmark = pytest.mark.deploy

PIPELINE = Pipeline(ROOT / ".github")
SCRIPTS = PIPELINE.folder / "scripts"
OLD = f"registry.example/store/orders@sha256:{'a' * 64}"
NEW = f"registry.example/store/orders@sha256:{'b' * 64}"


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_workflows_keep_to_the_rule(rule: Rule) -> None:
    assert list(rule(PIPELINE)) == []


@pytest.mark.parametrize(
    ("results", "passes"),
    [
        ("success success success success", True),
        ("success success success skipped", True),
        ("success failure success skipped", False),
        ("failure", False),
        ("success success success cancelled", False),
        ("cancelled failure success success", False),
    ],
)
def test_ci_ok_passes_where_nothing_failed_or_was_cut_off(results: str, passes: bool) -> None:
    (look,) = PIPELINE.workflow("ci.yml").jobs["ci-ok"]["steps"]

    done = run("bash", "-e", "-c", look["run"], env={"RESULTS": results})

    assert (done.returncode == 0) == passes


# --- releases --------------------------------------------------------------------------------------------------------


def test_a_tag_that_says_the_version_is_released_under_the_name_of_its_service() -> None:
    version = (ROOT / "services/orders/VERSION").read_text().strip()

    said = tag(f"orders-v{version}").stdout

    assert said == f"folder=services/orders\nversion={version}\nrepository=example/store/orders\n"


@pytest.mark.parametrize("name", ["orders-v99.0.0", "orders-v", "orders", "nobody-v0.1.0", "v0.1.0", "../x-v0.1.0"])
def test_a_tag_that_says_anything_else_is_refused(name: str) -> None:
    assert tag(name).returncode != 0


def tag(name: str) -> subprocess.CompletedProcess[str]:
    return run(SCRIPTS / "tag.sh", name, cwd=ROOT, env={"GITHUB_REPOSITORY": "Example/Store", "PATH": "/usr/bin:/bin"})


# --- a deployment, with a stand-in for Azure -------------------------------------------------------------------------

AZ = """#!/bin/bash
echo "az $* with $SERVICE_ORDERS_IMAGE_NAME" >> calls
case "$*" in
  *"properties.template.containers[0].image"*) [ -n "$BEFORE" ] && echo "$BEFORE" || exit 3 ;;
  *latestRevisionName*) echo orders--1 ;;
  "containerapp revision show"*) echo "$STATE" ;;
  "acr repository show"*) [ -e built ] && echo sha256:beef || exit 3 ;;
  "acr build"*) touch built; echo building ;;
  "acr show"*) echo registry.example ;;
  "deployment group create"*) [ -z "$REFUSED" ] || exit 1 ;;
esac
"""
DOCKER = """#!/bin/bash
echo "docker $*" >> calls
case "$*" in *Config.User*) echo "$RUNS_AS" ;; *Config.Labels*) echo "$LABELLED" ;; esac
"""
CURL = '#!/bin/bash\necho "curl $*" >> calls\nprintf "$SAID"\n'


@pytest.fixture
def world(tmp_path: Path) -> Path:
    """A folder to work in; its `bin` comes first on PATH."""
    (tmp_path / "bin").mkdir()
    for name, text in {"az": AZ, "curl": CURL, "docker": DOCKER}.items():
        (tmp_path / "bin" / name).write_text(text)
        (tmp_path / "bin" / name).chmod(0o755)
    for folder in FOLDERS.values():
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        (tmp_path / folder / "VERSION").write_text("1.2.3\n")
    return tmp_path


def play(world: Path, script: str, *words: str, **told: str) -> subprocess.CompletedProcess[str]:
    usual = {"RESOURCE_GROUP": "store", "STORE_ADDRESS": "https://store.example", "REGISTRY": "registry"}
    wait = {"PATIENCE_SECONDS": "1", "PAUSE_SECONDS": "0.2", "GITHUB_SHA": "c0ffee" * 7}
    state = {"STATE": "Running Healthy", "SAID": "401", "BEFORE": OLD, "REFUSED": ""}
    environment = {"PATH": f"{world}/bin:/usr/bin:/bin"} | usual | wait | state | told
    return run(SCRIPTS / script, *words, cwd=world, env=environment)


def calls(world: Path, what: str) -> list[str]:
    path = world / "calls"
    return [line for line in path.read_text().splitlines() if what in line] if path.exists() else []


def test_a_version_that_answers_stays(world: Path) -> None:
    done = play(world, "deploy.sh", "orders", NEW)

    assert done.returncode == 0, done.stderr
    (put,) = calls(world, "deployment group create")
    assert "--parameters deploy/azure/orders.bicepparam" in put
    assert put.endswith(f"with {NEW}")
    assert len(calls(world, "https://store.example/api/orders")) == 1


@pytest.mark.parametrize(
    "told",
    [
        {"STATE": "Running Unhealthy"},
        {"STATE": "Degraded None"},
        {"STATE": "Unknown Healthy"},
        {"STATE": ""},
        {"SAID": "503"},
        {"SAID": "200"},  # orders that anybody may read
        {"SAID": "000"},
    ],
    ids=str,
)
def test_one_that_does_not_gives_way_to_what_ran_before(world: Path, told: Mapping[str, str]) -> None:
    done = play(world, "deploy.sh", "orders", NEW, **told)

    assert done.returncode == 1
    puts = calls(world, "deployment group create")
    assert [put.partition(" with ")[2] for put in puts] == [NEW, OLD]


def test_a_first_version_has_nothing_to_go_back_to(world: Path) -> None:
    done = play(world, "deploy.sh", "orders", NEW, BEFORE="", STATE="")

    assert done.returncode == 1
    assert len(calls(world, "deployment group create")) == 1


def test_a_deployment_that_azure_refuses_is_undone(world: Path) -> None:
    done = play(world, "deploy.sh", "orders", NEW, REFUSED="yes")

    assert done.returncode == 1
    assert len(calls(world, "deployment group create")) == 2


@pytest.mark.parametrize(
    "image",
    ["", "registry.example/store/orders:latest", NEW.replace("orders", "catalog"), f"{NEW} --mode=Complete", NEW[:-1]],
)
def test_only_an_image_of_this_service_by_digest_is_deployed(world: Path, image: str) -> None:
    assert play(world, "deploy.sh", "orders", image).returncode == 1
    assert calls(world, "az") == []


def test_nothing_is_deployed_from_a_stranger_s_registry(world: Path) -> None:
    assert play(world, "deploy.sh", "orders", NEW.replace("registry.example", "elsewhere.example")).returncode == 1
    assert calls(world, "deployment group create") == []


def test_an_image_is_built_once_for_a_commit(world: Path) -> None:
    first, second = play(world, "build.sh", "orders"), play(world, "build.sh", "orders")

    assert first.stdout == second.stdout == "registry.example/store/orders@sha256:beef\n"
    (built,) = calls(world, "acr build")
    assert "--image store/orders:1.2.3-c0ffeec0ffee" in built
    assert "--file services/orders/Dockerfile" in built
    assert "AZURESQL" not in built


def test_an_image_for_azure_sql_has_its_driver_and_a_name_of_its_own(world: Path) -> None:
    play(world, "build.sh", "orders", ORDERS_ENGINE="azuresql", CATALOG_ENGINE="postgres")

    (built,) = calls(world, "acr build")
    assert "--image store/orders:1.2.3-c0ffeec0ffee-azuresql" in built
    assert "--build-arg AZURESQL=yes" in built


@pytest.mark.parametrize("service", DEPLOYED)
def test_each_service_is_asked_something_it_knows(world: Path, service: str) -> None:
    play(world, "deploy.sh", service, NEW.replace("orders", service))

    (asked,) = calls(world, "curl")
    assert f"https://store.example{expected_path(service)}" in asked


def expected_path(service: str) -> str:
    return {"functions": "/api/customer-data", "gateway": "/api/products"}.get(service, "/api/")


@pytest.mark.parametrize(
    ("service", "path", "open_to_all"),
    [("catalog", "/api/products", True), ("orders", "/api/orders", False), ("customers", "/api/customers/{id}", False)],
)
def test_what_deploy_asks_is_a_route_and_open_or_not_as_it_expects(service: str, path: str, open_to_all: bool) -> None:
    routes = import_module(f"services.{service}.routes").routes
    (handler,) = [route.handler for route in routes if (route.method, route.path) == ("GET", path)]

    said = (SCRIPTS / "deploy.sh").read_text()

    assert (not handler.policy) == open_to_all
    assert path.partition("{")[0] in said


# --- images, with a stand-in for Docker ------------------------------------------------------------------------------


def test_an_image_is_built_from_the_root_with_its_version(world: Path) -> None:
    done = play(world, "image.sh", "orders", RUNS_AS="10001:10001", LABELLED="1.2.3")

    assert done.returncode == 0, done.stderr
    (built,) = calls(world, "docker build")
    assert (
        built == "docker build --file services/orders/Dockerfile --build-arg VERSION=1.2.3 --tag store/orders:1.2.3 ."
    )


@pytest.mark.parametrize(
    ("runs_as", "labelled", "said"),
    [("", "1.2.3", "runs as ''"), ("0:0", "1.2.3", "runs as '0:0'"), ("10001:10001", "dev", "labelled 'dev'")],
)
def test_an_image_that_is_root_s_or_of_another_version_is_refused(
    world: Path, runs_as: str, labelled: str, said: str
) -> None:
    done = play(world, "image.sh", "orders", RUNS_AS=runs_as, LABELLED=labelled)

    assert done.returncode == 1
    assert said in done.stderr
