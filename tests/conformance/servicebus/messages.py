"""How the suite sends and receives."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any, Final

from azure.servicebus import ServiceBusMessage, ServiceBusReceivedMessage, ServiceBusReceiveMode

from tests.conformance.servicebus.place import PATIENCE_SECONDS, SHORTEST_LOCK_SECONDS

SHORT_LOCK: Final = timedelta(seconds=SHORTEST_LOCK_SECONDS)


async def send(sdk: Any, queue: str, *messages: ServiceBusMessage) -> None:
    async with sdk.get_queue_sender(queue) as sender:
        await sender.send_messages(list(messages))


async def tell(sdk: Any, topic: str, *messages: ServiceBusMessage) -> None:
    async with sdk.get_topic_sender(topic) as sender:
        await sender.send_messages(list(messages))


async def receive(sdk: Any, queue: str, count: int, **options: Any) -> list[ServiceBusReceivedMessage]:
    """So many, completed."""
    return await _drain(sdk.get_queue_receiver(queue, **options), count)


async def one(sdk: Any, queue: str, **options: Any) -> ServiceBusReceivedMessage:
    return (await receive(sdk, queue, 1, **options))[0]


async def hear(sdk: Any, topic: str, name: str, count: int, **options: Any) -> list[ServiceBusReceivedMessage]:
    """The same from a subscription."""
    return await _drain(sdk.get_subscription_receiver(topic, name, **options), count)


def bodies(messages: Iterable[ServiceBusReceivedMessage]) -> list[str]:
    return [str(message) for message in messages]


async def _drain(receiving: Any, count: int) -> list[ServiceBusReceivedMessage]:
    messages: list[ServiceBusReceivedMessage] = []
    async with receiving as receiver:
        while len(messages) < count:
            some = await receiver.receive_messages(count - len(messages), PATIENCE_SECONDS)
            assert some, f"nothing came after {bodies(messages)}"
            for message in some:
                if receiver._receive_mode == ServiceBusReceiveMode.PEEK_LOCK:
                    await receiver.complete_message(message)
            messages += some
    return messages
