"""A broker on loopback with the store's identities, and the unmodified SDK to reach it."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from azure.servicebus import ServiceBusReceivedMessage, TransportType
from azure.servicebus.aio import ServiceBusClient, ServiceBusReceiver

from localcloud.access import Access
from localcloud.addresses import HOST
from localcloud.certificates import Certificates
from localcloud.servicebus import Broker
from localcloud.servicebus.claims import by_role
from localcloud.servicebus.namespace import Limits
from localcloud.topology import Queue
from tests.localcloud.credential import Credential

QUEUES = {"catalog": Queue(), "orders": Queue(), "customers": Queue(lock_seconds=1, max_delivery_count=2)}
PATIENCE_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Bus:
    broker: Broker
    access: Access
    files: Certificates
    port: int

    def of(self, identity: str = "operator") -> ServiceBusClient:
        return client(self.access, self.files, self.port, identity)


def client(access: Access, files: Certificates, port: int, identity: str = "operator") -> ServiceBusClient:
    return ServiceBusClient(
        "store.servicebus.windows.net",
        Credential(access.issuer, access.topology, identity),
        ssl_context=files.client_context(),
        transport_type=TransportType.Amqp,
        custom_endpoint_address=f"sb://{HOST}:{port}",
        retry_total=1,
        retry_backoff_factor=0.01,
    )


@asynccontextmanager
async def opened(
    path: Path,
    access: Access,
    files: Certificates,
    *,
    queues: Mapping[str, Queue] = QUEUES,
    limits: Limits | None = None,
) -> AsyncIterator[Bus]:
    async with (
        Broker.open(queues, path, by_role(access), limits=limits or Limits()) as broker,
        broker.listen(HOST, 0, files.server_context()) as port,
    ):
        yield Bus(broker, access, files, port)


async def received(receiver: ServiceBusReceiver, count: int = 1) -> list[ServiceBusReceivedMessage]:
    """At least one, and no more than `count` messages."""
    messages = await receiver.receive_messages(count, PATIENCE_SECONDS)
    assert messages, "nothing came"
    return messages


async def one(receiver: ServiceBusReceiver) -> ServiceBusReceivedMessage:
    return (await received(receiver))[0]


@dataclass(slots=True)
class Relay:
    """Stands between a client and the broker, and can cut the line."""

    to: int
    lines: set[asyncio.WriteTransport]

    @classmethod
    @asynccontextmanager
    async def open(cls, to: int) -> AsyncIterator[tuple["Relay", int]]:
        relay = cls(to, set())
        server = await asyncio.start_server(relay._connected, HOST, 0)
        try:
            yield relay, server.sockets[0].getsockname()[1]
        finally:
            server.close()
            relay.cut()

    def cut(self) -> None:
        for line in self.lines:
            line.abort()
        self.lines.clear()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        to, back = await asyncio.open_connection(HOST, self.to)
        self.lines |= {writer.transport, back.transport}
        async with asyncio.TaskGroup() as group:
            group.create_task(_pass_on(reader, back))
            group.create_task(_pass_on(to, writer))


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass
    finally:
        writer.close()
