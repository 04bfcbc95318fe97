"""What somebody does to an entity by hand is whole on disk, or not done."""

from pathlib import Path

import pytest
from azure.servicebus import ServiceBusMessage, ServiceBusSubQueue

from localcloud.access import Access
from localcloud.certificates import Certificates
from localcloud.servicebus import ledger, tending
from localcloud.servicebus.errors import Disabled, MessageNotFound, QueueFull
from localcloud.servicebus.namespace import Limits
from localcloud.topology import BusSubscription, BusTopic, Queue
from tests.localcloud.servicebus.bus import Bus, one, opened


async def dead(bus: Bus, text: str = "dead") -> int:
    """Its number."""
    async with bus.of() as client, client.get_queue_sender("orders") as sender:
        await sender.send_messages(ServiceBusMessage(text))
        async with client.get_queue_receiver("orders") as receiver:
            message = await one(receiver)
            await receiver.dead_letter_message(message, reason="poison")
            return message.sequence_number or 0


async def test_a_dead_letter_that_was_sent_again_is_there_after_a_restart_and_nowhere_else(
    tmp_path: Path, access: Access, files: Certificates
) -> None:
    async with opened(tmp_path / "bus", access, files) as before:
        await tending.resend(before.broker.namespace["orders"].entity, await dead(before))

    async with opened(tmp_path / "bus", access, files) as after:
        counts = after.broker.counts("orders")

    assert (counts.active, counts.dead_lettered) == (1, 0)


async def test_what_was_purged_is_gone_after_a_restart(tmp_path: Path, access: Access, files: Certificates) -> None:
    async with opened(tmp_path / "bus", access, files) as before:
        entity = before.broker.namespace["orders"].entity
        await dead(before)
        async with before.of() as client, client.get_queue_sender("orders") as sender:
            await sender.send_messages([ServiceBusMessage(str(number)) for number in range(1_001)])

        gone = await tending.purge(entity, ledger.MAIN), await tending.purge(entity, ledger.DEAD)

    async with opened(tmp_path / "bus", access, files) as after:
        counts = after.broker.counts("orders")
    assert (gone, counts.active, counts.dead_lettered) == ((1_001, 1), 0, 0)


async def test_a_dead_letter_of_a_subscription_goes_to_that_one_alone(bus: Bus) -> None:
    namespace, name = bus.broker.namespace, "news/subscriptions/a"
    await namespace.create("news", BusTopic(subscriptions={"a": BusSubscription(), "b": BusSubscription()}))
    async with bus.of() as client, client.get_topic_sender("news") as sender:
        await sender.send_messages(ServiceBusMessage("once"))
        async with client.get_subscription_receiver("news", "a") as receiver:
            await receiver.dead_letter_message(await one(receiver))
        async with client.get_subscription_receiver("news", "a", sub_queue=ServiceBusSubQueue.DEAD_LETTER) as receiver:
            (peeked,) = await receiver.peek_messages()

    await tending.resend(namespace[name].entity, peeked.sequence_number or 0)

    active = {sub: namespace[f"news/subscriptions/{sub}"].entity.queue.active for sub in "ab"}
    assert active == {"a": 1, "b": 1}


async def test_where_it_cannot_be_sent_again_it_stays_dead(tmp_path: Path, access: Access, files: Certificates) -> None:
    async with opened(tmp_path / "bus", access, files, limits=Limits(messages=1)) as bus:
        entity, number = bus.broker.namespace["orders"].entity, await dead(bus)

        with pytest.raises(QueueFull):
            await tending.resend(entity, number)
        await bus.broker.namespace.change("orders", Queue(status="SendDisabled"))
        with pytest.raises(Disabled):
            await tending.resend(entity, number)
        with pytest.raises(MessageNotFound):
            await tending.resend(entity, number + 1)

        assert (bus.broker.counts("orders").dead_lettered, entity.queue.room.messages) == (1, 0)
