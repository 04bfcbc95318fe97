"""What the vault has answered is there after `kill -9`, with all that became of it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from azure.core.exceptions import ResourceNotFoundError
from azure.identity.aio import DefaultAzureCredential
from azure.keyvault.secrets.aio import SecretClient

from localcloud.addresses import Port
from tests.localcloud.clouds import LocalCloud, local_cloud
from tests.localcloud.programs import free_ports

pytestmark = pytest.mark.real


@asynccontextmanager
async def life(folder: Path, base: int) -> AsyncIterator[tuple[LocalCloud, SecretClient]]:
    async with local_cloud(folder, base) as cloud:
        with cloud.acting_as("operator"):
            url = cloud.addresses.url(Port.KEYVAULT)
            async with DefaultAzureCredential() as own, SecretClient(url, own, connection_verify=cloud.ca) as client:
                yield cloud, client


async def test_all_that_was_answered_is_there_after_a_kill(tmp_path: Path) -> None:
    base = free_ports(len(Port))
    async with life(tmp_path, base) as (cloud, vault):
        first = await vault.set_secret("kept", "one")
        await vault.set_secret("kept", "two")
        await vault.update_secret_properties("kept", enabled=False, tags={"a": "1"})
        for name in ("recovered", "purged", "deleted"):
            await vault.set_secret(name, name)
            await vault.delete_secret(name)
        await vault.recover_deleted_secret("recovered")
        await vault.purge_deleted_secret("purged")
        backup = await vault.backup_secret("recovered")
        cloud.kill()

    async with life(tmp_path, base) as (_, vault):
        versions = [each async for each in vault.list_properties_of_secret_versions("kept")]
        assert [(each.enabled, each.tags or {}) for each in versions] == [(True, {}), (False, {"a": "1"})]
        assert (await vault.get_secret("kept", first.properties.version)).value == "one"
        assert (await vault.get_secret("recovered")).value == "recovered"
        assert [each.name async for each in vault.list_deleted_secrets()] == ["deleted"]
        with pytest.raises(ResourceNotFoundError):
            await vault.get_deleted_secret("purged")
        await vault.delete_secret("recovered")
        await vault.purge_deleted_secret("recovered")
        assert (await vault.restore_secret_backup(backup)).name == "recovered"
