"""Which deployables a change concerns: too many costs minutes, too few lets a broken image through."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from deploy import affected
from deploy.affected import FOLDERS, own_paths
from tests.deploy.deployment_rules import copied
from tests.deploy.pipeline import ROOT

pytestmark = pytest.mark.deploy

ALL = list(FOLDERS)


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ([], []),
        (["services/catalog/domain.py"], ["catalog"]),
        (["services/catalog/store/postgres.sql"], ["catalog"]),
        (["services/orders/VERSION"], ["orders"]),
        (["services/customers/Dockerfile"], ["customers"]),
        (["functions/host.json"], ["functions", "localcloud"]),
        (["deploy/gateway/nginx.conf"], ["gateway", "localcloud"]),
        (["deploy/gateway/template.py"], ["gateway", "localcloud"]),
        (["localcloud/keyvault/shelf.py"], ["gateway", "localcloud"]),
        (["deploy/k8s/base/orders/settings.env"], ["orders"]),
        (["deploy/k8s/aca/functions.yaml"], ["functions"]),
        (["deploy/azure/catalog.bicep"], ["catalog"]),
        (["deploy/azure/catalog.bicepparam"], ["catalog"]),
        ([".github/workflows/deploy-orders.yml"], ["orders"]),
        (["services/orders/domain.py", "services/catalog/domain.py"], ["catalog", "orders"]),
        (["services/orders/domain.py", "docs/deploy.md"], ["orders"]),
        (["libs/common/bus.py"], ALL),
        (["uv.lock"], ALL),
        (["pyproject.toml"], ALL),
        (["deploy/topology.yaml"], ALL),
        ([".dockerignore"], ALL),
        (["services/__init__.py"], ALL),
        (["deploy/k8s/base/kustomization.yaml"], ALL),
        (["deploy/azure/main.bicep"], ALL),
        ([".github/workflows/ci.yml"], ALL),
        (["a-file-nobody-has-thought-of"], ALL),
        (["services/catalogue/domain.py"], ALL),
        (["README.md"], []),
        (["docs/engines.svg"], []),
        (["services/orders/README.md"], ["orders"]),
        (
            [
                "deploy/simulate.py",
                "deploy/lint/documents.py",
                "deploy/azure/functions.py",
                "deploy/schemas/azure.json",
            ],
            [],
        ),
        (["tests/orders/test_domain.py", "bench/engines.py"], []),
        ([".github/CODEOWNERS"], []),
        (["docs/deploy.md", "libs/common/bus.py"], ALL),
    ],
)
def test_a_change_concerns_these(changed: list[str], expected: list[str]) -> None:
    assert affected.affected(changed) == expected


@pytest.mark.parametrize("name", FOLDERS)
def test_each_deployable_has_a_version_of_its_own(name: str) -> None:
    said = (ROOT / FOLDERS[name] / "VERSION").read_text()

    assert re.fullmatch(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z.-]+)?\n", said)


@pytest.mark.parametrize("name", FOLDERS)
def test_whatever_an_image_takes_in_concerns_it(name: str) -> None:
    taken = copied(ROOT / FOLDERS[name] / "Dockerfile")

    assert taken, "an image takes in something"
    assert [path for path in taken if name not in affected.affected([path])] == []


def test_paths_of_one_deployable_are_never_those_of_another() -> None:
    assert len({path for name in FOLDERS for path in own_paths(name)}) == sum(len(own_paths(name)) for name in FOLDERS)


def test_git_says_what_changed_even_where_a_file_moved(tmp_path: Path) -> None:
    start = commit(tmp_path, "services/orders/rules.py", "x = 1\n" * 20)
    git(tmp_path, "mv", "services/orders/rules.py", "services/catalog-rules.py")
    (tmp_path / "services/catalog").mkdir()
    git(tmp_path, "mv", "services/catalog-rules.py", "services/catalog/rules.py")
    git(tmp_path, "commit", "--quiet", "-m", "move")

    assert asked(tmp_path, "--since", start) == ["catalog", "orders"]


@pytest.mark.parametrize("unknown", ["0" * 40, "no-such-branch", "", "--output=written"])
def test_where_git_can_t_say_all_are_affected(tmp_path: Path, unknown: str) -> None:
    commit(tmp_path, "docs/a.md", "a\n")

    assert asked(tmp_path, f"--since={unknown}") == ALL
    assert not (tmp_path / "written...HEAD").exists()


def test_it_runs_on_nothing_but_a_bare_python(tmp_path: Path) -> None:
    assert asked(tmp_path, "docs/deploy.md", "functions/api.py") == ["functions", "localcloud"]


def asked(folder: Path, *words: str) -> object:
    command = [sys.executable, "-I", str(ROOT / "deploy" / "affected.py"), *words]
    return json.loads(subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=30).stdout)


def commit(folder: Path, path: str, text: str) -> str:
    git(folder, "init", "--quiet")
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    (folder / path).write_text(text)
    git(folder, "add", path)
    git(folder, "commit", "--quiet", "-m", "start")
    return git(folder, "rev-parse", "HEAD").strip()


def git(folder: Path, *words: str) -> str:
    who = ["-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True, text=True, timeout=30)
    return done.stdout
