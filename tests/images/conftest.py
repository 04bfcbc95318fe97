"""The images, built once. Nothing here is collected but by `pytest -m images`: it takes minutes, and root."""

import random
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deploy.image_rules import DOCKERFILES
from tests.images import engine as engines
from tests.images.engine import ROOT, Engine

PACKAGES = ("buildah", "podman", "runc", "netavark", "aardvark-dns", "uidmap", "catatonit", "iptables", "mmdebstrap")
STANDINS = {
    "postgres": "docker.io/library/postgres:18",
    "azurite": "mcr.microsoft.com/azure-storage/azurite:3.37.0",
    "nginx": "docker.io/library/nginx:1.30-alpine",
}
INSTALL_SECONDS = 400


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    return None if config.option.markexpr == "images" else True


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if (reason := engines.why_not()) and terminalreporter.getreports("skipped"):
        terminalreporter.write_line(f"NO IMAGE WAS BUILT: {reason}", red=True, bold=True)


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    """Its images stay in .tools/images for the next time; containers, networks and volumes do not."""
    if reason := engines.why_not():
        pytest.skip(reason)
    install()
    made = Engine(ROOT / ".tools/images")
    made.set_up()
    try:
        yield made
    finally:
        for left in made.run("podman", "ps", "--all", "--quiet").split():
            made.run("podman", "rm", "--force", "--time", "1", left)
        made.run("buildah", "rm", "--all")  # what an interrupted build has left, which would keep its image in use
        made.run("podman", "volume", "prune", "--force")
        made.run("podman", "network", "prune", "--force")
        made.run("podman", "image", "prune", "--force", seconds=INSTALL_SECONDS)
        made.end_watchers()
        made.unmount()


def install() -> None:
    missing = [name for name in PACKAGES if not installed(name)]
    if not missing:
        return
    apt = ["apt-get", "-qq", "-o", "Dpkg::Use-Pty=0"]
    for words in (["update"], ["install", "--yes", "--no-install-recommends", *missing]):
        subprocess.run(
            [*apt, *words], check=True, timeout=INSTALL_SECONDS, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        )


def installed(package: str) -> bool:
    asked = ["dpkg-query", "--show", "--showformat=${db:Status-Status}", package]
    return subprocess.run(asked, capture_output=True, text=True, timeout=60, check=False).stdout == "installed"


@pytest.fixture(scope="session")
def base(engine: Engine) -> str:
    engine.make_base()
    return engines.PYTHON


@pytest.fixture(scope="session")
def standins(engine: Engine, base: str) -> None:
    for target, tag in STANDINS.items():
        engine.make_standin(target, tag)


@pytest.fixture(scope="session")
def images(engine: Engine, standins: None) -> dict[str, str]:
    """The tag of each deployable's image."""
    tags = {name: f"store/{name}:dev" for name in DOCKERFILES}
    for name, tag in tags.items():
        version = (ROOT / DOCKERFILES[name]).with_name("VERSION").read_text().strip()
        engine.build(ROOT / DOCKERFILES[name], tag, f"--build-arg=VERSION={version}")
    return tags


@pytest.fixture
def project_name(engine: Engine) -> str:
    return f"store-{random.randrange(10**6)}"


@pytest.fixture(scope="session")
def node_modules() -> Path:
    """Azurite, as the set-up has installed it."""
    folder = ROOT / ".tools/azurite"
    assert (folder / "node_modules/azurite").exists() and shutil.which("nice"), "run `make setup` first"
    return folder
