"""What listens for a Service Bus trigger: takes a message or a batch, calls the function, settles."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from typing import Any

import structlog
from azure.servicebus import ServiceBusReceivedMessage
from azure.servicebus.aio import AutoLockRenewer, ServiceBusClient, ServiceBusReceiver
from azure.servicebus.exceptions import MessageLockLostError, ServiceBusError

from localcloud.functions_host import host_json, servicebus_message
from localcloud.functions_host.bindings import ServiceBusTrigger
from localcloud.functions_host.indexing import Function
from localcloud.functions_host.invocation import FunctionFailed, Invoker
from localcloud.functions_host.timespan import seconds

log = structlog.get_logger()

Settle = Callable[[ServiceBusReceivedMessage], Awaitable[None]]

IDLE_SECONDS = 1.0  # how long a listener that is asked to stop may still wait for a message
LONGEST_PAUSE_SECONDS = 10.0


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

    @property
    def count(self) -> int:
        """How many there are of it: a batch is one call, and the next is taken after it."""
        return 1 if self.takes_many else self.options.max_concurrent_calls

    @property
    def takes_many(self) -> bool:
        return self.trigger.cardinality == "MANY"

    @property
    def renews(self) -> float:
        """For how many seconds a lock is renewed. Azure does not renew the locks of a batch."""
        return 0 if self.takes_many else seconds(self.options.max_auto_lock_renewal_duration)

    async def run(self) -> None:
        """Until `stop`; what is in hand is settled before."""
        failures = 0
        async with AutoLockRenewer(max_lock_renewal_duration=self.renews) as renewer:
            while not self.stop.is_set():
                try:
                    async with AsyncExitStack() as stack:
                        if receiver := await self.open(stack):
                            failures = 0
                            await self.listen(receiver, renewer)
                except ServiceBusError as error:
                    failures += 1
                    log.warning("queue.interrupted", queue=self.trigger.entity, reason=str(error))
                    await self._pause(failures)

    async def open(self, stack: AsyncExitStack) -> ServiceBusReceiver | None:
        share = -(-self.options.prefetch_count // self.count)
        return await stack.enter_async_context(self.receiver({"prefetch_count": share}))

    def receiver(self, options: dict[str, Any]) -> ServiceBusReceiver:
        if self.trigger.queue_name:
            return self.client.get_queue_receiver(self.trigger.queue_name, **options)
        topic, subscription = self.trigger.topic_name, self.trigger.subscription_name
        return self.client.get_subscription_receiver(topic, subscription, **options)

    async def listen(self, receiver: ServiceBusReceiver, renewer: AutoLockRenewer) -> None:
        while not self.stop.is_set():
            messages = await self.take(receiver)
            for message in messages if self.renews else ():
                renewer.register(receiver, message)
            await self.give(receiver, messages)

    async def take(self, receiver: ServiceBusReceiver) -> list[ServiceBusReceivedMessage]:
        most = self.options.max_message_batch_size if self.takes_many else 1
        return await receiver.receive_messages(max_message_count=most, max_wait_time=IDLE_SECONDS)

    async def give(self, receiver: ServiceBusReceiver, messages: list[ServiceBusReceivedMessage]) -> None:
        """A function can complete or, by failing, abandon; the broker dead-letters after the last delivery."""
        if not messages:
            return
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
