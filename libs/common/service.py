"""What every service is made of: its connections, and the wish to stop."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from time import monotonic
from typing import Any, TypeVar

import aiohttp
import uvloop
from azure.identity.aio import DefaultAzureCredential
from azure.servicebus.aio import ServiceBusClient

from libs.common import bus, logs, settings
from libs.common.auth import Verifier
from libs.common.clock import now
from libs.common.outbox import Topic
from libs.common.postgres import Postgres
from libs.common.settings import ServiceSettings
from libs.common.vault import Vault

S = TypeVar("S", bound=ServiceSettings)


@dataclass(frozen=True, slots=True)
class Connections:
    credential: DefaultAzureCredential
    vault: Vault
    database: Postgres
    topic: Topic
    bus: ServiceBusClient
    verifier: Verifier


@asynccontextmanager
async def connect(name: str, told: ServiceSettings) -> AsyncIterator[Connections]:
    """Everything outside that the service `name` talks to. Closed in reverse order."""
    async with (
        DefaultAzureCredential() as credential,
        aiohttp.ClientSession() as session,
        Vault.connect(told.key_vault, credential, monotonic) as vault,
        Postgres.connect(told.store_url, lambda: vault.read(f"{name}-database-password")) as database,
        Topic.connect(told.topic_endpoint, credential) as topic,
        bus.connect(told.service_bus, told.service_bus_endpoint, credential) as client,
    ):
        verifier = Verifier(told.issuer, told.audience, session, now)
        yield Connections(credential, vault, database, topic, client, verifier)


def stop_on_signal() -> asyncio.Event:
    """Set by SIGTERM or SIGINT: finish what is in hand, take no more."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for wish in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(wish, stop.set)
    return stop


def main(name: str, kind: type[S], run: Callable[[S], Coroutine[Any, Any, None]]) -> None:
    """The service, with what the environment tells it; where that is not enough, the process ends and says so."""
    try:
        told = settings.read(kind, os.environ)
    except settings.Incomplete as incomplete:
        sys.exit(f"{name} can't start: {incomplete}")
    logs.configure(told.log_level)
    uvloop.run(run(told))
