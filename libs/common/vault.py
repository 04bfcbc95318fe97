"""Secrets from Key Vault, kept for a while: read at start and again when they are old, never per request."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import structlog
from azure.core.credentials_async import AsyncTokenCredential
from azure.core.exceptions import AzureError
from azure.keyvault.secrets.aio import SecretClient

from libs.common.errors import Unavailable
from libs.common.retry import stopped_within

log = structlog.get_logger()

FRESH_SECONDS = 600.0
PASSWORD_FRESH_SECONDS = 30.0  # while an old one is kept, no new connection gets in
TIMEOUT_SECONDS = 10.0


@dataclass(slots=True)
class Vault:
    client: SecretClient
    clock: Callable[[], float]
    fresh_seconds: float = FRESH_SECONDS
    _kept: dict[str, tuple[float, str]] = field(default_factory=dict)

    @classmethod
    @asynccontextmanager
    async def connect(
        cls, url: str, credential: AsyncTokenCredential, clock: Callable[[], float]
    ) -> AsyncIterator["Vault"]:
        client = SecretClient(url, credential, connection_timeout=TIMEOUT_SECONDS, read_timeout=TIMEOUT_SECONDS)
        async with client:
            yield cls(client, clock)

    async def read(self, name: str, fresh_seconds: float | None = None) -> str:
        """The last good value serves while Key Vault is away. Raises Unavailable where there is none."""
        at, value = self._kept.get(name, (0.0, ""))
        if value and self.clock() - at < (fresh_seconds or self.fresh_seconds):
            return value
        try:
            value = (await self.client.get_secret(name)).value or ""
        except AzureError as error:
            if not value:
                raise Unavailable(f"the secret {name} can't be read: {error}") from error
        self._kept[name] = (self.clock(), value)
        return value

    async def follow(self, name: str, take: Callable[[str], None], *, stop: asyncio.Event) -> None:
        """Hands on each new value of a secret, until `stop`."""
        while not await stopped_within(self.fresh_seconds, stop):
            try:
                take(await self.read(name))
            except Unavailable:  # there is another look soon
                log.warning("secret.unread", secret=name)
