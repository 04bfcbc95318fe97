"""Where the suite runs: Azure, where the environment says so; else the local cloud's broker in a process of its own."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal
from uuid import uuid4

from azure.core.credentials import AccessToken
from azure.identity import DefaultAzureCredential
from azure.servicebus import ServiceBusClient, TransportType
from azure.servicebus.aio import ServiceBusClient as AsyncServiceBusClient
from azure.servicebus.aio.management import ServiceBusAdministrationClient

from localcloud.program import Program, listening
from tests.conformance.servicebus import threaded
from tests.localcloud.programs import free_ports, running
from tests.localcloud.servicebus.victim import KEY

PREFIX: Final = "SERVICEBUS_CONFORMANCE_"
CONNECTION: Final = os.environ.get(f"{PREFIX}CONNECTION_STRING")
NAMESPACE: Final = os.environ.get(f"{PREFIX}NAMESPACE")  # as whoever DefaultAzureCredential is
WHERE: Final = "Azure" if CONNECTION or NAMESPACE else "the emulator (localcloud/servicebus)"
PATIENCE_SECONDS: Final = 15
SHORTEST_LOCK_SECONDS: Final = 5  # that Azure takes

Way = Literal["async", "sync"]


@dataclass(frozen=True, slots=True)
class Threaded:
    """A synchronous credential for asynchronous clients: it belongs to no loop, as the run's own must not."""

    own: Any

    async def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        token: AccessToken = await asyncio.to_thread(self.own.get_token, *scopes, **options)
        return token

    async def close(self) -> None: ...

    async def __aenter__(self) -> "Threaded":
        return self

    async def __aexit__(self, *_: object) -> None: ...


@dataclass(frozen=True, slots=True)
class Place:
    connection: str
    verify: str | None = None  # whose certificates are trusted beside the system's
    endpoint: str | None = None
    credential: Any = None  # a synchronous one, by which clients come instead of by the connection's key

    @property
    def host(self) -> str:
        return self.connection.partition("://")[2].partition(";")[0].rstrip("/")

    def client(self, way: Way = "async", **options: Any) -> Any:
        options = {"retry_total": 1, "retry_backoff_factor": 0.01} | options
        if self.credential:
            options = self._by_tls(TransportType.Amqp) | options
        if way == "async":
            return self._asynchronous(self.connection, options)
        if self.credential:
            return threaded.Threaded(ServiceBusClient(self.host, self.credential, **options))
        return threaded.Threaded(ServiceBusClient.from_connection_string(self.connection, **options))

    def over(self, transport: TransportType) -> Any:
        """By TLS."""
        encrypted = self.connection.replace(";UseDevelopmentEmulator=true", "")
        return self._asynchronous(encrypted, self._by_tls(transport) | {"retry_total": 1})

    def administration(self) -> ServiceBusAdministrationClient:
        options: dict[str, Any] = {"retry_total": 0} | ({"connection_verify": self.verify} if self.verify else {})
        if self.credential:
            return ServiceBusAdministrationClient(self.host, Threaded(self.credential), **options)
        return ServiceBusAdministrationClient.from_connection_string(self.connection, **options)

    def _asynchronous(self, connection: str, options: dict[str, Any]) -> AsyncServiceBusClient:
        if self.credential:
            return AsyncServiceBusClient(self.host, Threaded(self.credential), **options)
        return AsyncServiceBusClient.from_connection_string(connection, **options)

    def _by_tls(self, transport: TransportType) -> dict[str, Any]:
        own = {"custom_endpoint_address": self.endpoint, "connection_verify": self.verify} if self.endpoint else {}
        return {"transport_type": transport} | own


@dataclass(slots=True)
class Namespace:
    """Makes entities for one test, and removes them."""

    place: Place
    admin: ServiceBusAdministrationClient
    way: Way
    _made: list[Awaitable[None]] = field(default_factory=list)

    def client(self, **options: Any) -> Any:
        return self.place.client(self.way, **options)

    async def queue(self, **settings: Any) -> str:
        name = f"queue-{uuid4().hex[:12]}"
        await self.admin.create_queue(name, **settings)
        self._made.append(self.admin.delete_queue(name))
        return name

    async def topic(self, **settings: Any) -> str:
        name = f"topic-{uuid4().hex[:12]}"
        await self.admin.create_topic(name, **settings)
        self._made.append(self.admin.delete_topic(name))
        return name

    async def remove_all(self) -> None:
        for removing in reversed(self._made):
            await removing


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[Place]:
    if NAMESPACE:
        nobody = f"Endpoint=sb://{NAMESPACE}/;SharedAccessKeyName=nobody;SharedAccessKey=none"
        with DefaultAzureCredential() as credential:
            yield Place(nobody, credential=credential)
        return
    if CONNECTION:
        yield Place(CONNECTION)
        return
    port = free_ports(1)
    argv = [sys.executable, "-m", "tests.localcloud.servicebus.victim", str(folder), str(port)]
    program = Program("servicebus", argv, ready=partial(listening, port), cwd=Path(__file__).parents[3])
    connection = (
        f"Endpoint=sb://127.0.0.1:{port};SharedAccessKeyName=RootManageSharedAccessKey;SharedAccessKey={KEY}"
        ";UseDevelopmentEmulator=true"
    )
    async with running(program, folder / "log"):
        yield Place(connection, str(folder / "ca.pem"), f"sb://127.0.0.1:{port}")
