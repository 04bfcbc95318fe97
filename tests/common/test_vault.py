"""A secret that changes in Key Vault is taken up by whoever runs: the unmodified SDK, before the emulator."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest
from azure.keyvault.secrets.aio import SecretClient

from libs.common import database
from libs.common.cursors import Cursors
from libs.common.errors import Invalid, Unavailable
from libs.common.settings import ServiceSettings
from libs.common.vault import Vault
from localcloud import certificates
from localcloud.access import Access, Issuer
from localcloud.topology import Topology
from tests.common.door import TOLD
from tests.common.test_postgres import BREAK, NO_TLS, as_told, service_with
from tests.engines.credential import NoCredential
from tests.engines.oldest import Oldest
from tests.localcloud.credential import Credential
from tests.localcloud.test_keyvault import opened
from tests.waiting import so, until

PASSWORD, KEY = "orders-database-password", "orders-cursor-key"


@dataclass(slots=True)
class Secrets:
    operator: SecretClient
    reader: SecretClient
    clock: list[float] = field(default_factory=lambda: [0.0])

    def read_by(self, fresh_seconds: float) -> Vault:
        return Vault(self.reader, lambda: self.clock[0], fresh_seconds)


@asynccontextmanager
async def kept(folder: Path, issuer: Issuer, store: Topology) -> AsyncIterator[Secrets]:
    files = certificates.ensure(folder / "certificates", datetime.now(UTC))
    async with (
        opened(folder, Access(issuer, store), files) as vault,
        vault.of("operator") as operator,
        vault.of("orders") as reader,
    ):
        yield Secrets(operator, reader)


async def test_a_new_key_seals_the_cursors_and_the_former_still_opens(
    tmp_path: Path, issuer: Issuer, store: Topology
) -> None:
    stop = asyncio.Event()
    async with kept(tmp_path, issuer, store) as secrets, asyncio.TaskGroup() as loops:
        await secrets.operator.set_secret(KEY, "first")
        vault = secrets.read_by(fresh_seconds=0.01)
        cursors = Cursors((await vault.read(KEY)).encode())
        old = cursors.seal(7)

        loops.create_task(vault.follow(KEY, cursors.rekey, stop=stop))
        await secrets.operator.set_secret(KEY, "second")
        secrets.clock[0] += 1
        await so(lambda: cursors.key == b"second")
        stop.set()

    assert (await cursors.open(old, int), await cursors.open(cursors.seal(8), int)) == (7, 8)
    cursors.rekey("third")
    with pytest.raises(Invalid):
        await cursors.open(old, int)


async def test_while_a_key_changes_each_replica_opens_what_the_other_has_sealed(
    tmp_path: Path, issuer: Issuer, store: Topology
) -> None:
    async with kept(tmp_path, issuer, store) as secrets:
        await secrets.operator.set_secret(KEY, "first")
        early, late = [await Cursors.of(secrets.read_by(fresh_seconds=600), KEY) for _ in range(2)]
        await secrets.operator.set_secret(KEY, "second")
        secrets.clock[0] += 601

        late.rekey(await secrets.read_by(fresh_seconds=600).read(KEY))

        assert await early.open(late.seal(7), int) == 7
        assert await late.open(early.seal(8), int) == 8


@pytest.mark.real
async def test_a_new_password_of_the_database_is_taken_up_within_half_a_minute(
    tmp_path: Path, issuer: Issuer, store: Topology, oldest_postgres: Oldest
) -> None:
    async with kept(tmp_path, issuer, store) as secrets, service_with(oldest_postgres.url, "first") as server:
        await secrets.operator.set_secret(PASSWORD, "first")
        told = ServiceSettings(**TOLD)
        vault, url = secrets.read_by(fresh_seconds=600), as_told(oldest_postgres.url, NO_TLS)
        async with database.connect("orders", url, told, vault, credential=NoCredential()) as connected:
            assert await connected.ping()
            await secrets.operator.set_secret(PASSWORD, "second")
            await server.execute("ALTER ROLE service PASSWORD 'second'")
            await server.fetch(BREAK)
            await until(connected.ping, lambda answered: not answered)

            secrets.clock[0] += 31
            assert await until(connected.ping, bool)


async def test_while_the_vault_is_away_the_last_value_serves(tmp_path: Path, issuer: Issuer, store: Topology) -> None:
    credential = Credential(issuer, store, "orders")
    async with kept(tmp_path, issuer, store) as secrets:
        await secrets.operator.set_secret(KEY, "first")
        vault = secrets.read_by(fresh_seconds=1)
        await vault.read(KEY)

    secrets.clock[0] += 2
    async with SecretClient("https://127.0.0.1:1", credential, retry_total=0) as nobody:
        vault.client = nobody

        assert await vault.read(KEY) == "first"
        with pytest.raises(Unavailable):
            await vault.read(PASSWORD)
