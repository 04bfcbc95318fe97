"""Where the suite runs: in Azure, where the environment says so; else against the local cloud's vault."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal
from uuid import uuid4

from azure.core.exceptions import ResourceNotFoundError
from azure.identity import DefaultAzureCredential
from azure.identity.aio import DefaultAzureCredential as AsyncDefaultAzureCredential
from azure.keyvault.secrets import SecretClient
from azure.keyvault.secrets.aio import SecretClient as AsyncSecretClient

from localcloud.addresses import Port
from tests.localcloud.clouds import LocalCloud, local_cloud

AZURE: Final = os.environ.get("KEYVAULT_CONFORMANCE_URL")
WHERE: Final = "Azure" if AZURE else "the emulator (localcloud/keyvault)"

Way = Literal["async", "sync"]


@dataclass(frozen=True, slots=True)
class Place:
    """Whoever runs the suite is Key Vault Secrets Officer there."""

    url: str
    cloud: LocalCloud | None = None  # None: Azure

    @asynccontextmanager
    async def client(self, way: Way) -> AsyncIterator[Any]:
        verify = {"connection_verify": self.cloud.ca} if self.cloud else {}
        with self.cloud.acting_as("operator") if self.cloud else nullcontext():
            if way == "async":
                async with AsyncDefaultAzureCredential() as own, AsyncSecretClient(self.url, own, **verify) as client:
                    yield client
            else:
                with DefaultAzureCredential() as who, SecretClient(self.url, who, **verify) as threaded:
                    yield Threaded(threaded)


@dataclass(frozen=True, slots=True)
class Threaded:
    """The synchronous client behind the asynchronous one's interface, by threads."""

    client: SecretClient

    def __getattr__(self, name: str) -> Any:
        if name.startswith("list_"):
            return lambda *given, **options: self._listed(getattr(self.client, name)(*given, **options))
        if name in ("delete_secret", "recover_deleted_secret"):
            begin = getattr(self.client, f"begin_{name}")
            return lambda *given: asyncio.to_thread(lambda: begin(*given).result())
        return lambda *given, **options: asyncio.to_thread(getattr(self.client, name), *given, **options)

    async def _listed(self, pages: Any) -> AsyncIterator[Any]:
        for each in await asyncio.to_thread(list, pages):
            yield each


@dataclass(slots=True)
class Vault:
    """The SDK for one test, and names that nobody else has; what was made is purged."""

    sdk: Any
    _made: list[str] = field(default_factory=list)

    def name(self) -> str:
        self._made.append(f"conformance-{uuid4().hex[:12]}")
        return self._made[-1]

    async def remove_all(self) -> None:
        for name in self._made:
            for remove in (self.sdk.delete_secret, self.sdk.purge_deleted_secret):
                with suppress(ResourceNotFoundError):
                    await remove(name)


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[Place]:
    if AZURE:
        yield Place(AZURE)
        return
    async with local_cloud(folder) as cloud:
        yield Place(cloud.addresses.url(Port.KEYVAULT), cloud)
