"""What every service is made of: its connections, and the wish to stop."""

import argparse
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
import structlog
import uvloop
from azure.identity.aio import DefaultAzureCredential
from azure.servicebus.aio import ServiceBusClient

from libs.common import bus, database, logs, settings
from libs.common.auth import Verifier
from libs.common.clock import now
from libs.common.database import Database
from libs.common.errors import StoreError
from libs.common.outbox import Topic
from libs.common.settings import ServiceSettings
from libs.common.vault import Vault

log = structlog.get_logger()

S = TypeVar("S", bound=ServiceSettings)
Run = Callable[[S], Coroutine[Any, Any, None]]
Migrate = Callable[[Database], Coroutine[Any, Any, None]]


@dataclass(frozen=True, slots=True)
class Connections:
    credential: DefaultAzureCredential
    vault: Vault
    database: Database
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
        database.connect(name, told.store_url, told, vault, credential) as connected,
        Topic.connect(told.topic_endpoint, credential) as topic,
        bus.connect(told.service_bus, told.service_bus_endpoint, credential) as client,
    ):
        verifier = Verifier(told.issuer, told.audience, session, now)
        yield Connections(credential, vault, connected, topic, client, verifier)


def stop_on_signal() -> asyncio.Event:
    """Set by SIGTERM or SIGINT: finish what is in hand, take no more."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for wish in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(wish, stop.set)
    return stop


def main(name: str, kind: type[S], run: Run[S], migrate: Migrate) -> None:
    """The service, with what the environment tells it; where that is not enough, the process ends and says so."""
    asked = _parsed(name)
    try:
        told = settings.read(kind, os.environ)
        logs.configure(told.log_level)
        if asked.command == "migrate":
            uvloop.run(_migrate(name, told, migrate))
        if asked.command is None or asked.serve:
            uvloop.run(run(told))
    except (settings.Incomplete, StoreError) as reason:
        sys.exit(f"{name} can't start: {reason}")


def _parsed(name: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(f"python -m services.{name}", description="Without a command: serve.")
    commands = parser.add_subparsers(dest="command")
    migrating = commands.add_parser("migrate", help="bring the database up to date, before this version is started")
    migrating.add_argument("--serve", action="store_true", help="and then serve, where there is only one of it")
    return parser.parse_args()


async def _migrate(name: str, told: ServiceSettings, migrate: Migrate) -> None:
    async with (
        DefaultAzureCredential() as credential,
        Vault.connect(told.key_vault, credential, monotonic) as vault,
        database.connect(name, told.store_url, told, vault, credential) as connected,
    ):
        await migrate(connected)
    log.info("database.migrated", engine=connected.engine)
