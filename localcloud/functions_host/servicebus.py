"""Service Bus of an app: listened to for its triggers, sent to for its outputs, by the unmodified SDK."""

import asyncio
import random
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

import structlog
from azure.core.credentials_async import AsyncTokenCredential
from azure.functions.meta import Datum
from azure.servicebus import ServiceBusReceivedMessage, TransportType
from azure.servicebus.aio import AutoLockRenewer, ServiceBusClient, ServiceBusReceiver, ServiceBusSender
from azure.servicebus.exceptions import MessageLockLostError, ServiceBusError

from localcloud.functions_host import host_json, servicebus_message
from localcloud.functions_host.bindings import Address, ServiceBusOutput, ServiceBusTrigger
from localcloud.functions_host.indexing import Function, Refused
from localcloud.functions_host.invocation import FunctionFailed, Invoker
from localcloud.functions_host.timespan import seconds

log = structlog.get_logger()

Settle = Callable[[ServiceBusReceivedMessage], Awaitable[None]]

SEND_SECONDS = 10.0  # Event Grid waits 30 for the answer
IDLE_SECONDS = 1.0  # how long a listener that is asked to stop may still wait for a message
LONGEST_PAUSE_SECONDS = 10.0


def count(trigger: ServiceBusTrigger, options: host_json.ServiceBus) -> int:
    """How many listeners: a batch is one call, and the next is taken after it."""
    return 1 if trigger.cardinality == "MANY" else options.max_concurrent_calls


@dataclass(frozen=True, slots=True)
class ServiceBus:
    clients: Mapping[str, ServiceBusClient]  # by connection
    senders: Mapping[Address, Callable[[Datum], Awaitable[None]]]  # raise ServiceBusError, TimeoutError

    def listeners(
        self,
        function: Function,
        trigger: ServiceBusTrigger,
        options: host_json.ServiceBus,
        *,
        invoker: Invoker,
        stop: asyncio.Event,
        chance: random.Random,
    ) -> "list[Listener]":
        one = Listener(self.clients[trigger.connection], function, trigger, options, invoker, stop, chance)
        return [one] * count(trigger, options)


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
        yield ServiceBus(clients, {each: _Sender(clients[each[0]], each[1]).send for each in addresses})


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


class _Sender:
    """One link, opened at the first message and kept open. A topic is sent to as a queue is."""

    def __init__(self, client: ServiceBusClient, queue: str) -> None:
        self._client, self._queue = client, queue
        self._lock = asyncio.Lock()  # the SDK's senders are not made for several coroutines
        self._link: ServiceBusSender | None = None

    async def send(self, datum: Datum) -> None:
        async with self._lock, asyncio.timeout(SEND_SECONDS), AsyncExitStack() as unless_sent:
            link, self._link = self._link or self._client.get_queue_sender(self._queue), None
            await unless_sent.enter_async_context(link)
            for message in servicebus_message.outgoing(datum):
                await link.send_messages(message)
            unless_sent.pop_all()
            self._link = link  # a link that failed, or was left in the middle, is not used again


@dataclass(frozen=True, slots=True)
class Listener:
    """One call at a time, of a message or of a batch: several listeners make `maxConcurrentCalls`."""

    client: ServiceBusClient
    function: Function
    trigger: ServiceBusTrigger
    options: host_json.ServiceBus
    invoker: Invoker
    stop: asyncio.Event
    chance: random.Random

    async def run(self) -> None:
        """Until `stop`; what is in hand is settled before."""
        failures = 0
        while not self.stop.is_set():
            try:
                async with self._receiver() as receiver:
                    failures = 0
                    await self._listen(receiver)
            except ServiceBusError as error:
                failures += 1
                log.warning("queue.interrupted", queue=self.trigger.entity, reason=str(error))
                await self._pause(failures)

    def _receiver(self) -> ServiceBusReceiver:
        share = -(-self.options.prefetch_count // count(self.trigger, self.options))
        if self.trigger.queue_name:
            return self.client.get_queue_receiver(self.trigger.queue_name, prefetch_count=share)
        topic, subscription = self.trigger.topic_name, self.trigger.subscription_name
        return self.client.get_subscription_receiver(topic, subscription, prefetch_count=share)

    async def _listen(self, receiver: ServiceBusReceiver) -> None:
        longest = seconds(self.options.max_auto_lock_renewal_duration)
        most = self.options.max_message_batch_size if self.trigger.cardinality == "MANY" else 1
        async with AutoLockRenewer(max_lock_renewal_duration=longest) as renewer:
            while not self.stop.is_set():
                messages = await receiver.receive_messages(max_message_count=most, max_wait_time=IDLE_SECONDS)
                for message in messages if longest else ():
                    renewer.register(receiver, message)
                if messages:
                    await self._settle(receiver, messages)

    async def _settle(self, receiver: ServiceBusReceiver, messages: list[ServiceBusReceivedMessage]) -> None:
        """A function can complete or, by failing, abandon; the broker dead-letters after the last delivery."""
        own = self.trigger.auto_complete_messages
        completes = self.options.auto_complete_messages if own is None else own  # else the lock runs out
        settle: Settle = receiver.complete_message
        try:
            await self.invoker.run(self.function, servicebus_message.call(self.trigger, messages))
        except (FunctionFailed, servicebus_message.Unreadable):
            settle, completes = receiver.abandon_message, True
        for message in messages if completes else ():
            await self._settle_one(settle, message)

    async def _settle_one(self, settle: Settle, message: ServiceBusReceivedMessage) -> None:
        """A lock that is lost is the broker's affair: the message comes again, and its fellows are settled."""
        try:
            await settle(message)
        except MessageLockLostError as error:
            log.warning("message.lock_lost", queue=self.trigger.entity, reason=str(error))

    async def _pause(self, failures: int) -> None:
        longest = min(LONGEST_PAUSE_SECONDS, 0.5 * 2.0 ** min(failures, 8))
        with suppress(TimeoutError):
            async with asyncio.timeout(self.chance.uniform(longest / 2, longest)):
                await self.stop.wait()
