"""A service starts beside what it needs: it waits for that, and not for ever."""

import asyncio
import signal
import sys
from pathlib import Path

import pytest

from libs.common.errors import Unavailable
from libs.common.service import patiently
from localcloud.postgres import Cluster
from tests.common.test_settings import ENOUGH
from tests.localcloud.programs import free_ports, running, state_of
from tests.waiting import so

ROOT = Path(__file__).parents[2]


@pytest.mark.real
async def test_a_service_waits_for_a_database_that_comes_after_it(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    log = tmp_path / "log"
    with state_of(tmp_path_factory.mktemp("late")) as state, log.open("wb") as output:
        cluster = Cluster.open(state, free_ports(1))
        migrating = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "services.orders", "migrate"),
            cwd=ROOT,
            env=ENOUGH | {"STORE_URL": cluster.url},
            stdout=output,
            stderr=output,
        )
        await so(lambda: b"start.postponed" in log.read_bytes())

        async with running(cluster.program(), tmp_path / "postgres.log"):
            assert await migrating.wait() == 0

    assert b"database.migrated" in log.read_bytes()


@pytest.mark.real
async def test_a_service_that_waits_is_stopped_at_once(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with log.open("wb") as output:
        waiting = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "services.orders"),
            cwd=ROOT,
            env=ENOUGH | {"STORE_URL": f"postgresql://me:word@127.0.0.1:{free_ports(1)}/orders?sslmode=disable"},
            stdout=output,
            stderr=output,
        )
    await so(lambda: b"start.postponed" in log.read_bytes())

    waiting.send_signal(signal.SIGTERM)

    assert await waiting.wait() in (-signal.SIGTERM, 1)


class Away:
    """So often."""

    def __init__(self, times: int) -> None:
        self.times = times

    async def start(self) -> None:
        self.times -= 1
        if self.times >= 0:
            raise Unavailable("the database does not answer")


def test_what_stays_away_ends_the_wait_with_the_reason() -> None:
    away = Away(2)

    with pytest.raises(Unavailable, match="the database does not answer"):
        patiently(away.start, seconds=0)

    assert away.times == 1
