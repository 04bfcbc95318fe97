"""What every service is made of: its connections, and the wish to stop."""

import argparse
import asyncio
import os
import random
import signal
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from time import monotonic, sleep
from typing import Any, Protocol, TypeVar

import aiohttp
import structlog
import uvloop
from aiohttp import web
from azure.identity.aio import DefaultAzureCredential
from azure.servicebus.aio import ServiceBusClient

from libs.common import bus, copying, database, exports, http, logs, settings
from libs.common.archive import Archive, Row
from libs.common.auth import Verifier
from libs.common.clock import now
from libs.common.database import Database, place_of
from libs.common.entrance import Entrance
from libs.common.errors import StoreError, Unavailable
from libs.common.measures import Measures
from libs.common.outbox import Topic
from libs.common.pages import with_pages
from libs.common.settings import ServiceSettings
from libs.common.vault import Vault

log = structlog.get_logger()

START_SECONDS = 30.0  # so long what a service needs may be away when it starts
PAUSE_SECONDS = (0.5, 1.5)

S = TypeVar("S", bound=ServiceSettings)
Run = Callable[[S], Coroutine[Any, Any, None]]


class Store(Protocol):
    """A service's package `store`, as far as its operator needs it."""

    @property
    def ROWS(self) -> Sequence[type[Row]]: ...

    async def migrate(self, database: Database) -> None: ...

    def open_archive(self, database: Database) -> Archive: ...


@dataclass(frozen=True, slots=True)
class Connections:
    credential: DefaultAzureCredential
    vault: Vault
    database: Database
    topic: Topic
    bus: ServiceBusClient
    verifier: Verifier
    measures: Measures


@asynccontextmanager
async def connect(name: str, told: ServiceSettings) -> AsyncIterator[Connections]:
    """Everything outside that the service `name` talks to. Closed in reverse order."""
    measures = Measures()
    async with (
        exports.running(name, told, measures.metrics),
        DefaultAzureCredential() as credential,
        aiohttp.ClientSession() as session,
        Vault.connect(told.key_vault, credential, monotonic) as vault,
        database.connect(name, told.store_url, told, vault, credential=credential, measures=measures) as connected,
        Topic.connect(told.topic_endpoint, credential) as topic,
        bus.connect(told.service_bus, told.service_bus_endpoint, credential) as client,
    ):
        verifier = Verifier(told.issuer, told.audience, session, now)
        yield Connections(credential, vault, connected, topic, client, verifier, measures)


def application(
    name: str, routes: Iterable[web.AbstractRouteDef], told: ServiceSettings, to: Connections
) -> web.Application:
    """The service's HTTP side, with the pages that tell of it."""
    entrance = Entrance.told(told)
    return http.application(
        with_pages(name, routes), to.verifier, to.database.ping, measures=to.measures, entrance=entrance
    )


def stop_on_signal() -> asyncio.Event:
    """Set by SIGTERM or SIGINT: finish what is in hand, take no more."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for wish in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(wish, stop.set)
    return stop


def main(name: str, kind: type[S], run: Run[S], store: Store) -> None:
    """The service, with what the environment tells it; where that is not enough, the process ends and says so."""
    asked = _parsed(name)
    try:
        told = settings.read(kind, os.environ)
        logs.configure(told.log_level)
        match asked.command:
            case "migrate":
                patiently(lambda: _migrate(name, told, store))
            case "copy":
                patiently(lambda: _copy(name, told, store, asked.to))
        if asked.command is None or asked.serve:
            patiently(lambda: run(told))
    except settings.Incomplete as reason:
        sys.exit(f"{name} can't {asked.command or 'start'}: {reason}")
    except StoreError as reason:
        sys.exit(f"{name} can't {asked.command or 'start'}: {reason.detail}")


def patiently(act: Callable[[], Coroutine[Any, Any, None]], seconds: float = START_SECONDS) -> None:
    """Again while something that it needs to start is away: what serves already never rises as Unavailable by itself.

    Raises Unavailable where that takes too long.
    """
    until = monotonic() + seconds
    while True:
        try:
            return uvloop.run(act())
        except Unavailable as error:
            if monotonic() > until:
                raise
            log.warning("start.postponed", reason=error.detail)
        sleep(random.SystemRandom().uniform(*PAUSE_SECONDS))


def _parsed(name: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(f"python -m services.{name}", description="Without a command: serve.")
    commands = parser.add_subparsers(dest="command")
    migrating = commands.add_parser("migrate", help="bring the database up to date, before this version is started")
    migrating.add_argument("--serve", action="store_true", help="and then serve, where there is only one of it")
    copying = commands.add_parser("copy", help="copy all data from STORE_URL to another database, of any engine")
    copying.add_argument("--to", required=True, metavar="URL", help="of an empty database, as STORE_URL says it")
    parser.set_defaults(serve=False)
    return parser.parse_args()


@asynccontextmanager
async def _opened(name: str, told: ServiceSettings, *urls: str) -> AsyncIterator[list[Database]]:
    async with (
        DefaultAzureCredential() as credential,
        Vault.connect(told.key_vault, credential, monotonic) as vault,
        AsyncExitStack() as stack,
    ):
        connecting = (database.connect(name, url, told, vault, credential=credential) for url in urls)
        yield [await stack.enter_async_context(each) for each in connecting]


async def _migrate(name: str, told: ServiceSettings, store: Store) -> None:
    async with _opened(name, told, told.store_url) as (connected,):
        await store.migrate(connected)
    log.info("database.migrated", engine=connected.engine)


async def _copy(name: str, told: ServiceSettings, store: Store, to: str) -> None:
    """The copy serves from then on, once STORE_URL says so; what was copied is left as it is."""
    async with _opened(name, told, told.store_url, to) as (source, target):
        await store.migrate(source)
        await store.migrate(target)
        await copying.refuse_served(source)
        ends = store.open_archive(source), store.open_archive(target)
        await copying.copy(*ends, store.ROWS, origin=place_of(told.store_url), say=_say)
    _say(f"all of {name} is there: STORE_URL may say so from now on")


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
