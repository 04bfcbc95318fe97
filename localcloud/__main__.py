"""The local cloud in one process: identity, Key Vault, Event Grid, Service Bus, mail, and the front of Azurite."""

import argparse
import asyncio
import errno
import gc
import logging
import os
import secrets
import signal
import ssl
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

import msgspec
import structlog
import uvloop
from aiohttp import web

from localcloud import certificates, functions_keys, http, identity, keyvault, mail, options
from localcloud.access import Access, Issuer
from localcloud.addresses import HOST, Addresses, Port
from localcloud.communication import MailService
from localcloud.eventgrid import Conditions, EventGrid
from localcloud.eventgrid.container import Container
from localcloud.forgetting import Forgetting
from localcloud.grid import Ground, queues
from localcloud.identity.entra import Entra
from localcloud.identity.managed import ManagedIdentity
from localcloud.identity.switches import Switches
from localcloud.inspector import Inspector
from localcloud.inspector.calls import FunctionsHost
from localcloud.inspector.door import Door
from localcloud.inspector.graveyard import Graveyard
from localcloud.inspector.sources import Sources
from localcloud.keyvault import KeyVault
from localcloud.mail import Letters
from localcloud.servicebus import Broker
from localcloud.servicebus.claims import Key, by_role
from localcloud.state import InUse, State, made_once
from localcloud.storage import StorageFront
from localcloud.topology import Topology

START_SECONDS = 30
KNOCK_SECONDS = 0.01
ROOT_KEY = "RootManageSharedAccessKey"  # of Service Bus, for who comes with a connection string

Server = Callable[[], Coroutine[Any, Any, None]]

log = structlog.get_logger()


class PortTaken(Exception):
    def __init__(self, base: int) -> None:
        super().__init__(
            f"Ports {base + min(Port)} to {base + max(Port)} are needed, and one is taken: --base-port 9080"
        )


@dataclass(frozen=True, slots=True)
class Settings:
    topology: Topology
    state: State
    addresses: Addresses
    functions_key: str
    conditions: Conditions
    letters_host: str = HOST
    service_bus: str = ""  # of another, whose queues facts go to; empty: ours


@dataclass(frozen=True, slots=True)
class Cloud:
    topology: Topology
    identity: ManagedIdentity
    entra: Entra
    broker: Broker
    grid: EventGrid
    vault: KeyVault
    letters: Letters
    front: StorageFront
    host: FunctionsHost
    dead_letters: Container

    @classmethod
    @asynccontextmanager
    async def open(cls, settings: Settings) -> AsyncIterator["Cloud"]:
        known, state, addresses = settings.topology, settings.state, settings.addresses
        issuer = Issuer.open(state.identity, identity.issuer_url(addresses, known.tenant), known.tenant)
        access, ground, tls = Access(issuer, known), Ground(known, state, addresses, issuer), _tls(settings)
        async with (
            ground.dead_letters(tls) as dead_letters,
            _broker(settings, access) as broker,
            queues(settings.service_bus, broker.send) as enqueue,
            Letters.open(state.journal("mail")) as letters,
            EventGrid.open(
                known,
                state.journal("eventgrid"),
                door=ground.door(),
                reach=ground.reach(Forgetting(enqueue, letters), settings.functions_key),
                bury=dead_letters.put,
                conditions=settings.conditions,
                tls=tls,
            ) as grid,
            KeyVault.open(state.journal("keyvault"), access, keyvault.resource(addresses)) as vault,
            _front(settings, grid) as front,
            FunctionsHost.open(addresses.url(Port.FUNCTIONS), state.function_keys) as host,
        ):
            switches = Switches(issuer, state.identity)
            named = ManagedIdentity(issuer, known, identity.header(state), switches)
            entra = Entra.open(issuer, known, state, switches)
            yield cls(known, named, entra, broker, grid, vault, letters, front, host, dead_letters)

    def state(self) -> dict[str, Any]:
        """How far everything is. Who can ask knows that everything listens."""
        there = filter(self.broker.namespace.get, self.topology.queues)  # one can delete them until the next start
        queues = {name: self.broker.counts(name)._asdict() for name in there}
        return {"ready": True, "subscriptions": self.grid.state(), "queues": queues}


def _broker(settings: Settings, access: Access) -> AbstractAsyncContextManager[Broker]:
    known, state = settings.topology, settings.state
    keys = {ROOT_KEY: Key(made_once(state.identity / ROOT_KEY, _new_key).decode())}
    return Broker.open(known.queues, state.journal("servicebus"), by_role(access), topics=known.bus_topics, keys=keys)


def _new_key() -> bytes:
    return secrets.token_urlsafe(32).encode()


def _tls(settings: Settings) -> ssl.SSLContext:
    return certificates.ensure(settings.state.certificates, datetime.now(UTC)).client_context()


def _front(settings: Settings, grid: EventGrid) -> AbstractAsyncContextManager[StorageFront]:
    azurite = settings.addresses.url(Port.AZURITE)
    return StorageFront.open(azurite, _tls(settings), grid.publish, partial(datetime.now, UTC))


async def run(settings: Settings) -> None:
    """Until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(each, stop.set)
    async with Cloud.open(settings) as cloud, asyncio.TaskGroup() as group:
        tasks = []
        for port, server in _servers(cloud, settings).items():
            tasks.append(group.create_task(server(), name=port.name))
            async with asyncio.timeout(START_SECONDS):
                await _listening(settings.addresses.port(port))
        log.info("cloud.started", base_port=settings.addresses.base)
        await stop.wait()
        log.info("cloud.stopping")
        for task in tasks:
            task.cancel()


def _servers(cloud: Cloud, settings: Settings) -> dict[Port, Server]:
    """In the order of their start; the last is asked whether all are ready."""
    port = settings.addresses.port
    tls = certificates.ensure(settings.state.certificates, datetime.now(UTC)).server_context()
    return {
        Port.IDENTITY: partial(http.serve, cloud.identity.app(), HOST, port(Port.IDENTITY)),
        Port.ISSUER: partial(http.serve, cloud.entra.app(), HOST, port(Port.ISSUER), tls),
        Port.KEYVAULT: partial(http.serve, cloud.vault.app(), HOST, port(Port.KEYVAULT), tls),
        Port.SERVICEBUS: partial(cloud.broker.serve, HOST, port(Port.SERVICEBUS), tls),
        Port.EVENTGRID: partial(cloud.grid.serve, HOST, port(Port.EVENTGRID), tls),
        Port.BLOB: partial(http.serve, cloud.front.app(), HOST, port(Port.BLOB), tls),
        Port.SMTP: partial(mail.serve, cloud.letters, HOST, port(Port.SMTP)),
        Port.EMAIL: partial(
            http.serve, MailService(cloud.identity.issuer, cloud.letters).app(), HOST, port(Port.EMAIL), tls
        ),
        Port.INSPECTOR: partial(http.serve, _inspector(cloud, settings).app(), HOST, port(Port.INSPECTOR)),
        Port.LETTERS: partial(http.serve, _letters_and_state(cloud), settings.letters_host, port(Port.LETTERS)),
    }


def _inspector(cloud: Cloud, settings: Settings) -> Inspector:
    sources = Sources(
        cloud.topology,
        cloud.broker.namespace,
        cloud.grid,
        cloud.vault,
        cloud.letters,
        cloud.host,
        settings.state.logs,
        Graveyard(cloud.dead_letters),
    )
    return Inspector(sources, Door(settings.addresses.port(Port.INSPECTOR)))


def _letters_and_state(cloud: Cloud) -> web.Application:
    async def state(_: web.Request) -> web.Response:
        return web.Response(body=msgspec.json.encode(cloud.state()), content_type="application/json")

    app = mail.app(cloud.letters)
    app.router.add_get("/state", state)
    return app


async def _listening(port: int) -> None:
    """Knocks until somebody opens: a server does not say when it listens."""
    while True:
        try:
            _, writer = await asyncio.open_connection(HOST, port)
        except ConnectionRefusedError:
            await asyncio.sleep(KNOCK_SECONDS)
        else:
            return writer.close()


def _log_as_json() -> None:
    """On standard error, one object a line. Of libraries only warnings: below that they name peers and addresses."""
    known: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    renderer = structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[*known, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
    )
    handler = logging.StreamHandler()
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=known, processor=renderer))
    logging.basicConfig(handlers=[handler], level=logging.WARNING)


def _settings(chosen: argparse.Namespace) -> Settings:
    state = State(chosen.state)
    functions_keys.ensure(state.function_keys)
    key = functions_keys.read(chosen.functions_key_file or state.function_keys / functions_keys.EVENT_GRID)
    addresses = Addresses(chosen.base_port)
    return Settings(chosen.topology, state, addresses, key, chosen.event_grid, chosen.letters_host, chosen.service_bus)


def _run(settings: Settings) -> None:
    """Raises PortTaken."""
    gc.set_threshold(50_000, 20, 100)  # messages that wait are many, and no garbage
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(run(settings))
    except ExceptionGroup as group:
        taken, others = group.split(lambda error: getattr(error, "errno", None) == errno.EADDRINUSE)
        if taken is None or others is not None:
            raise
        raise PortTaken(settings.addresses.base) from group


def main() -> None:
    parser = options.parser(__doc__)
    chosen = parser.parse_args()
    _log_as_json()
    chosen.state.mkdir(parents=True, exist_ok=True)
    os.umask(0o077)  # what is kept from here on, secrets and letters too, is for the owner only
    try:
        with State(chosen.state).held():
            _run(_settings(chosen))
    except (InUse, PortTaken) as refusal:
        parser.error(str(refusal))


if __name__ == "__main__":
    main()
