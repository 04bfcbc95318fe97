"""Where the suite runs: Azure, where the environment says so; else the local cloud's broker in a process of its own."""

import os
import sys
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal
from uuid import uuid4

from azure.servicebus import ServiceBusClient, TransportType
from azure.servicebus.aio import ServiceBusClient as AsyncServiceBusClient
from azure.servicebus.aio.management import ServiceBusAdministrationClient

from localcloud.program import Program, listening
from tests.conformance.servicebus.threaded import Threaded
from tests.localcloud.programs import free_ports, running
from tests.localcloud.servicebus.victim import KEY

AZURE: Final = os.environ.get("SERVICEBUS_CONFORMANCE_CONNECTION_STRING")
WHERE: Final = "Azure" if AZURE else "the emulator (localcloud/servicebus)"
PATIENCE_SECONDS: Final = 15
SHORTEST_LOCK_SECONDS: Final = 5  # that Azure takes

Way = Literal["async", "sync"]


@dataclass(frozen=True, slots=True)
class Place:
    connection: str
    verify: str | None = None  # whose certificates are trusted beside the system's
    endpoint: str | None = None

    def client(self, way: Way = "async", **options: Any) -> Any:
        options = {"retry_total": 1, "retry_backoff_factor": 0.01} | options
        if way == "async":
            return AsyncServiceBusClient.from_connection_string(self.connection, **options)
        return Threaded(ServiceBusClient.from_connection_string(self.connection, **options))

    def over(self, transport: TransportType) -> Any:
        """By TLS."""
        options: dict[str, Any] = {"transport_type": transport}
        if self.endpoint:
            options |= {"custom_endpoint_address": self.endpoint, "connection_verify": self.verify}
        encrypted = self.connection.replace(";UseDevelopmentEmulator=true", "")
        return AsyncServiceBusClient.from_connection_string(encrypted, retry_total=1, **options)

    def administration(self) -> ServiceBusAdministrationClient:
        options = {"connection_verify": self.verify} if self.verify else {}
        return ServiceBusAdministrationClient.from_connection_string(self.connection, retry_total=0, **options)


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
    if AZURE:
        yield Place(AZURE)
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
