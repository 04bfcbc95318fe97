"""What every service is made of: its connections, and the wish to stop."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from time import monotonic

import aiohttp
from azure.identity.aio import DefaultAzureCredential
from azure.servicebus.aio import ServiceBusClient

from libs.common import bus
from libs.common.auth import Verifier
from libs.common.clock import now
from libs.common.outbox import Topic
from libs.common.postgres import Postgres
from libs.common.settings import ServiceSettings
from libs.common.vault import Vault


@dataclass(frozen=True, slots=True)
class Connections:
    credential: DefaultAzureCredential
    vault: Vault
    database: Postgres
    topic: Topic
    bus: ServiceBusClient
    verifier: Verifier


@asynccontextmanager
async def connect(name: str, settings: ServiceSettings) -> AsyncIterator[Connections]:
    """Everything outside that the service `name` talks to. Closed in reverse order."""
    async with (
        DefaultAzureCredential() as credential,
        aiohttp.ClientSession() as session,
        Vault.connect(settings.key_vault, credential, monotonic) as vault,
        Postgres.connect(settings.store_url, lambda: vault.read(f"{name}-database-password")) as database,
        Topic.connect(settings.topic_endpoint, credential) as topic,
        bus.connect(settings.service_bus, settings.service_bus_endpoint, credential) as client,
    ):
        verifier = Verifier(settings.issuer, settings.audience, session, now)
        yield Connections(credential, vault, database, topic, client, verifier)


def stop_on_signal() -> asyncio.Event:
    """Set by SIGTERM or SIGINT: finish what is in hand, take no more."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for wish in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(wish, stop.set)
    return stop
