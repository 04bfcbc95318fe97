"""Service Bus in: a service's own queue, peek-locked; a message is settled only after its effect is committed."""

import asyncio
import random
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import structlog
from azure.core.credentials_async import AsyncTokenCredential
from azure.servicebus import ServiceBusReceivedMessage, TransportType
from azure.servicebus.aio import AutoLockRenewer, ServiceBusClient, ServiceBusReceiver
from azure.servicebus.amqp import AmqpMessageBodyType
from azure.servicebus.exceptions import MessageAlreadySettled, ServiceBusError

from libs.common.errors import Malformed, StoreError, Unavailable
from libs.common.inbox import Reactions, UnknownType, react
from libs.common.queue_watch import QueueWatch
from libs.common.retry import pause
from libs.common.settings import Incomplete

log = structlog.get_logger()

S = TypeVar("S")

BATCH = 32  # handled at once; also what one process holds locked
WAIT_SECONDS = 1.0
MOMENT_SECONDS = 0.02  # between looks at the socket; the SDK's default makes settling wait 200 ms
MOST_TRIES = 5  # of a message whose reaction fails for a reason of its own
LONGEST_PAUSE_SECONDS = 5.0
PATIENCE_SECONDS = 600.0  # how long a message waits here, its lock renewed, for a database that is away


@asynccontextmanager
async def connect(namespace: str, endpoint: str, credential: AsyncTokenCredential) -> AsyncIterator[ServiceBusClient]:
    """`endpoint` (sb://host:port) is where the namespace is reached by another address; empty otherwise.

    Instead of a namespace, whom an identity opens, it may be a connection string with a key: Microsoft's emulator knows
    nothing else. Raises Incomplete where that can't be read.
    """
    options: dict[str, Any] = {
        "ssl_context": ssl.create_default_context(),
        "transport_type": TransportType.Amqp,
        "custom_endpoint_address": endpoint or None,
    }
    async with _client(namespace, credential, options) as client:
        yield client


def _client(namespace: str, credential: AsyncTokenCredential, options: dict[str, Any]) -> ServiceBusClient:
    if not namespace.startswith("Endpoint="):
        return ServiceBusClient(namespace, credential, **options)
    try:
        return ServiceBusClient.from_connection_string(namespace, **options)
    except ValueError as error:
        raise Incomplete(f"SERVICE_BUS is no connection string: {error}") from error


async def listen(
    client: ServiceBusClient,
    watch: QueueWatch,
    reactions: Reactions[S],
    store: S,
    *,
    stop: asyncio.Event,
    chance: random.Random,
) -> None:
    """Until `stop`; then what is in hand is settled, and it returns."""
    failures = 0
    while not stop.is_set():
        try:
            async with (
                client.get_queue_receiver(watch.queue, prefetch_count=0, socket_timeout=MOMENT_SECONDS) as receiver,
                AutoLockRenewer(max_lock_renewal_duration=PATIENCE_SECONDS) as renewer,
            ):
                desk = _Desk(receiver, renewer, watch, stop=stop, chance=chance)
                most, wait = 1, WAIT_SECONDS
                while not stop.is_set():
                    await watch.look(receiver)
                    messages = await receiver.receive_messages(most, wait)
                    failures = 0
                    # At rest for one: the SDK hands over a single message at once, but sits 200 ms beside the first of
                    # a larger batch. Where one has come, more are likely, and those wait only for a moment.
                    most, wait = (BATCH, MOMENT_SECONDS) if messages else (1, WAIT_SECONDS)
                    async with asyncio.TaskGroup() as group:
                        for message in messages:
                            group.create_task(desk.settle(message, reactions, store))
        except ServiceBusError as error:
            failures += 1
            log.warning("listen.interrupted", queue=watch.queue, reason=str(error), failures=failures)
            await pause(failures, longest=LONGEST_PAUSE_SECONDS, stop=stop, chance=chance)


class _Desk:
    """Where each message of a batch gets what it deserves: completed, tried again, or dead-lettered with a reason."""

    def __init__(
        self,
        receiver: ServiceBusReceiver,
        renewer: AutoLockRenewer,
        watch: QueueWatch,
        *,
        stop: asyncio.Event,
        chance: random.Random,
    ) -> None:
        self._receiver, self._renewer, self._watch, self._stop, self._chance = receiver, renewer, watch, stop, chance

    async def settle(self, message: ServiceBusReceivedMessage, reactions: Reactions[S], store: S) -> None:
        self._watch.came(message)
        try:
            error = await self._try(message, reactions, store)
            await self._answer(message, error)
        except (ServiceBusError, MessageAlreadySettled) as lost:  # it comes again, and the inbox knows it
            self._watch.ended("unsettled")
            log.warning("message.unsettled", id=message.message_id, reason=str(lost))

    async def _answer(self, message: ServiceBusReceivedMessage, error: Exception | None) -> None:
        if error is None:
            await self._receiver.complete_message(message)
            self._watch.ended("completed")
        elif isinstance(error, (Malformed, UnknownType)) or _has_failed_enough(message, error):
            reason, description = type(error).__name__, error.detail if isinstance(error, StoreError) else str(error)
            await self._receiver.dead_letter_message(message, reason=reason, error_description=description[:4000])
            self._watch.ended("dead_lettered")
            log.error("message.dead_lettered", id=message.message_id, reason=reason)
        else:
            await self._receiver.abandon_message(message)
            self._watch.ended("abandoned")

    async def _try(self, message: ServiceBusReceivedMessage, reactions: Reactions[S], store: S) -> Exception | None:
        """None, or why it failed. While the database is away the message waits here, and that costs it no try."""
        attempt, failures = (message.delivery_count or 0) + 1, 0
        until = asyncio.get_running_loop().time() + PATIENCE_SECONDS
        while True:
            try:
                await react(_bytes_of(message), reactions, store, attempt=attempt, measures=self._watch.measures)
                return None
            except Unavailable as error:
                failures += 1
                if self._stop.is_set() or asyncio.get_running_loop().time() > until:
                    return error
                if failures == 1:
                    self._renewer.register(self._receiver, message)
                await pause(failures, longest=LONGEST_PAUSE_SECONDS, stop=self._stop, chance=self._chance)
            except Exception as error:  # a defect in a reaction is that message's fate, not the loop's
                log.exception("message.failed", id=message.message_id)
                return error


def _bytes_of(message: ServiceBusReceivedMessage) -> bytes:
    """Raises Malformed: to AMQP a body may be anything, which nobody of ours sends."""
    if message.body_type is not AmqpMessageBodyType.DATA:
        raise Malformed("a message's body is bytes, no value and no sequence of AMQP")
    return b"".join(message.body)


def _has_failed_enough(message: ServiceBusReceivedMessage, error: Exception) -> bool:
    """What something else was away for is no fault of the message, however often it has come."""
    return not isinstance(error, Unavailable) and (message.delivery_count or 0) + 1 >= MOST_TRIES
