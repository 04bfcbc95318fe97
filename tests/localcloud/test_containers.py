"""What containers share; and that without containers nobody beyond this machine reaches the local cloud."""

import asyncio
import os
import signal
import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import pytest

from localcloud import certificates, containers, identity, runfile
from localcloud.addresses import HOST, Addresses, Port
from localcloud.azurite import Azurite
from localcloud.containers import Volumes
from localcloud.program import Program, listening
from localcloud.state import State
from localcloud.store import CLOUD
from tests.localcloud.programs import free_ports, running
from tests.waiting import so

NOW = datetime.now(UTC)
TOLD: Mapping[str, str] = {
    "IDENTITY_HEADER": "within-this-network",
    "STORAGE_KEY": "c3RvcmU=",
    "PAYMENTS_KEY": "within-this-network",
}
DATABASE = "postgresql://store@127.0.0.1:8095/postgres?sslmode=disable"


@pytest.fixture
def volumes(tmp_path: Path) -> Volumes:
    made = Volumes(*(tmp_path / name for name in ("state", "public", "storage", "superuser")))
    for folder in (made.state, made.public, made.storage, made.superuser):
        folder.mkdir()
    return made


def contents(*folders: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for folder in folders for path in folder.rglob("*") if path.is_file()}


def test_everybody_can_know_whom_to_trust_and_nothing_more(volumes: Volumes) -> None:
    containers.fill(volumes, TOLD, NOW)

    assert {path.name for path in volumes.public.iterdir()} == {"ca.pem", "bundle.pem"}
    assert not [path for path, content in contents(volumes.public).items() if b"PRIVATE" in content]
    assert all(path.stat().st_mode & 0o777 == 0o644 for path in volumes.public.iterdir())


def test_the_others_get_what_is_theirs(volumes: Volumes) -> None:
    containers.fill(volumes, TOLD, NOW)

    password = (volumes.superuser / "password").read_text()
    files = certificates.ensure(State(volumes.state).certificates, NOW)
    assert (volumes.storage / "server.key").read_bytes() == files.key.read_bytes()
    assert (volumes.storage / "server.key").stat().st_mode & 0o777 == 0o600
    assert identity.header(State(volumes.state)) == TOLD["IDENTITY_HEADER"]
    assert Azurite.open(volumes.state, "store", Addresses(), files).key == TOLD["STORAGE_KEY"]
    assert (volumes.state / "pgpass").read_text() == f"127.0.0.1:8095:*:store:{password}\n"
    assert (volumes.state / "pgpass").stat().st_mode & 0o777 == 0o600


def test_what_was_made_at_random_is_kept(volumes: Volumes) -> None:
    containers.fill(volumes, TOLD, NOW)
    before = contents(volumes.state, volumes.public, volumes.storage, volumes.superuser)

    containers.fill(volumes, TOLD, NOW)

    assert contents(volumes.state, volumes.public, volumes.storage, volumes.superuser) == before


def test_no_two_stores_have_one_password(volumes: Volumes, tmp_path: Path) -> None:
    other = Volumes(*(tmp_path / f"other-{name}" for name in ("state", "public", "storage", "superuser")))
    for folder in (other.state, other.public, other.storage, other.superuser):
        folder.mkdir()

    containers.fill(volumes, TOLD, NOW)
    containers.fill(other, TOLD, NOW)

    assert (volumes.superuser / "password").read_bytes() != (other.superuser / "password").read_bytes()


def test_a_renewed_certificate_reaches_the_others(volumes: Volumes) -> None:
    containers.fill(volumes, TOLD, NOW)
    before = contents(volumes.public, volumes.storage)

    containers.fill(volumes, TOLD, NOW + timedelta(days=350))

    assert not set(before.values()) & set(contents(volumes.public, volumes.storage).values())


async def test_the_store_counts_as_running_for_as_long_as_it_is_held(volumes: Volumes) -> None:
    folders = ", ".join(f"Path({str(each)!r})" for each in (volumes.state, volumes.public, volumes.storage))
    script = (
        "from pathlib import Path; from localcloud.containers import *;"
        f" hold(Volumes({folders}, Path({str(volumes.superuser)!r})))"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, env={**os.environ, **TOLD, "DATABASE_URL": DATABASE}
    )

    await so(lambda: process.returncode is not None or runfile.read(volumes.state) is not None)
    run = runfile.running(volumes.state)
    process.send_signal(signal.SIGTERM)

    assert (run.ready, run.addresses["gateway"]) == (True, "http://127.0.0.1:8080")
    assert await asyncio.wait_for(process.wait(), 10) == 0
    assert runfile.read(volumes.state) is None


@pytest.mark.real
@pytest.mark.parametrize(("options", "open_to_others"), [([], set()), (["--letters-host", "0.0.0.0"], {Port.LETTERS})])
async def test_only_letters_can_be_shown_beyond_loopback_and_only_if_asked(
    tmp_path: Path, topology_file: Path, options: list[str], open_to_others: set[Port]
) -> None:
    addresses = Addresses(free_ports(len(Port)))
    wanted = ["--topology", str(topology_file), "--state", str(tmp_path), "--base-port", str(addresses.base)]
    letters = addresses.port(Port.LETTERS)
    program = Program(
        "cloud", [sys.executable, "-m", "localcloud", *wanted, *options], lambda: listening(letters), cwd=Path.cwd()
    )

    async with running(program, tmp_path / "log") as process:
        heard = psutil.Process(process.pid).net_connections(kind="tcp")
        at = {(each.laddr.ip, each.laddr.port) for each in heard if each.status == psutil.CONN_LISTEN}

    assert len(at) == len(CLOUD)
    assert {Port(port - addresses.base) for ip, port in at if ip != HOST} == open_to_others
