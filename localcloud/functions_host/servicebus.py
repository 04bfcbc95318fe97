"""Service Bus of an app: listened to for its triggers, sent to for its outputs, by the unmodified SDK."""

import asyncio
import random
import ssl
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

from azure.core.credentials_async import AsyncTokenCredential
from azure.functions.meta import Datum
from azure.servicebus import TransportType
from azure.servicebus.aio import ServiceBusClient, ServiceBusSender
from azure.servicebus.exceptions import ServiceBusError

from localcloud.functions_host import host_json, servicebus_message
from localcloud.functions_host.bindings import Address, ServiceBusOutput, ServiceBusTrigger
from localcloud.functions_host.indexing import Function, Refused
from localcloud.functions_host.invocation import Invoker
from localcloud.functions_host.servicebus_listener import Listener
from localcloud.functions_host.servicebus_sessions import SessionListener

SEND_SECONDS = 10.0  # Event Grid waits 30 for the answer


@dataclass(frozen=True, slots=True)
class ServiceBus:
    clients: Mapping[str, ServiceBusClient]  # by connection
    senders: Mapping[Address, "Sender"]

    async def open(self) -> None:
        """Every link ahead of its first message, which would wait half a second for it."""
        async with asyncio.TaskGroup() as group:
            for sender in self.senders.values():
                group.create_task(sender.open())

    def listeners(
        self,
        function: Function,
        trigger: ServiceBusTrigger,
        options: host_json.ServiceBus,
        *,
        invoker: Invoker,
        stop: asyncio.Event,
        chance: random.Random,
    ) -> list[Listener]:
        """As many for a function as it may have calls at a time."""
        kind = SessionListener if trigger.is_sessions_enabled else Listener
        one = kind(self.clients[trigger.connection], function, trigger, options, invoker, stop, chance)
        return [one] * one.count


@asynccontextmanager
async def connect(
    queues: Iterable[ServiceBusTrigger | ServiceBusOutput],
    environ: Mapping[str, str],
    credential: AsyncTokenCredential,
) -> AsyncIterator[ServiceBus]:
    """A client for each connection that bindings name. Raises Refused where its setting is missing."""
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(credential)
        clients = {name: _client(name, environ, credential) for name in {queue.connection for queue in queues}}
        for client in clients.values():
            await stack.enter_async_context(client)
        addresses = {queue.address for queue in queues if isinstance(queue, ServiceBusOutput)}
        yield ServiceBus(clients, {each: Sender(clients[each[0]], each[1]) for each in addresses})


def _client(connection: str, environ: Mapping[str, str], credential: AsyncTokenCredential) -> ServiceBusClient:
    """By a connection string, or by the namespace and the host's identity."""
    setting = f"{connection}__fullyQualifiedNamespace"
    options: dict[str, Any] = {
        "ssl_context": ssl.create_default_context(),
        "transport_type": TransportType.Amqp,
        "custom_endpoint_address": environ.get("SERVICE_BUS_ENDPOINT"),
        "retry_total": 1,  # for a link that has gone stale; beyond that Event Grid and the listeners try again
        "retry_backoff_factor": 0.2,
    }
    if setting in environ:
        return ServiceBusClient(environ[setting], credential, **options)
    if connection not in environ:
        cure = f"set it, or {connection} to a connection string"
        raise Refused(f"a binding names the connection {connection}, but {setting} is not set; {cure}")
    try:
        return ServiceBusClient.from_connection_string(environ[connection], **options)
    except ValueError as error:
        raise Refused(f"the connection string {connection} is not understood: {error}") from error


class Sender:
    """One link, kept open. A topic is sent to as a queue is."""

    def __init__(self, client: ServiceBusClient, queue: str) -> None:
        self._client, self._queue = client, queue
        self._lock = asyncio.Lock()  # the SDK's senders are not made for several coroutines
        self._link: ServiceBusSender | None = None

    async def open(self) -> None:
        """One that can't be opened yet is opened by the first message."""
        with suppress(ServiceBusError, TimeoutError):
            async with self.opened():
                pass

    async def send(self, datum: Datum) -> None:
        """Raises ServiceBusError, TimeoutError."""
        async with self.opened() as link:
            for message in servicebus_message.outgoing(datum):
                await link.send_messages(message)

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[ServiceBusSender]:
        """For one at a time. A link that failed, or was left in the middle, is not used again."""
        async with self._lock, asyncio.timeout(SEND_SECONDS), AsyncExitStack() as unless_done:
            link, self._link = self._link or self._client.get_queue_sender(self._queue), None
            await unless_done.enter_async_context(link)
            yield link
            unless_done.pop_all()
            self._link = link
