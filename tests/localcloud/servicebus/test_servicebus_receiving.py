"""What the unmodified SDK receives, and how it settles."""

import asyncio
import copy
import time

import pytest
from azure.servicebus import ServiceBusMessage, ServiceBusReceivedMessage, ServiceBusSubQueue
from azure.servicebus.aio import ServiceBusClient
from azure.servicebus.exceptions import MessageLockLostError

from localcloud.servicebus.broker import Envelope
from tests.localcloud.servicebus.bus import Bus, Relay, client, one, received

pytestmark = pytest.mark.real

DEAD = ServiceBusSubQueue.DEAD_LETTER


async def send(sdk: ServiceBusClient, queue: str, *bodies: str) -> None:
    async with sdk.get_queue_sender(queue) as sender:
        await sender.send_messages([ServiceBusMessage(body) for body in bodies])


async def test_a_completed_message_is_gone(bus: Bus) -> None:
    async with bus.of() as sdk, sdk.get_queue_receiver("catalog") as receiver:
        await send(sdk, "catalog", "1")

        await receiver.complete_message(await one(receiver))

    assert bus.broker.counts("catalog") == (0, 0, 0, None)


async def test_an_abandoned_message_comes_again_with_a_higher_count(bus: Bus) -> None:
    async with bus.of() as sdk, sdk.get_queue_receiver("catalog") as receiver:
        await send(sdk, "catalog", "1", "2")

        counts = []
        for _ in range(3):
            message = await one(receiver)
            counts.append((str(message), message.delivery_count))
            await receiver.abandon_message(message)

    assert counts == [("1", 0), ("1", 1), ("1", 2)]


async def test_a_message_that_is_delivered_too_often_is_dead_with_its_reason(bus: Bus) -> None:
    async with bus.of() as sdk, sdk.get_queue_receiver("customers") as receiver:
        await send(sdk, "customers", "poison")
        for _ in range(2):
            await receiver.abandon_message(await one(receiver))

        async with sdk.get_queue_receiver("customers", sub_queue=DEAD) as dead_letters:
            message = await one(dead_letters)

    assert (str(message), message.dead_letter_reason) == ("poison", "MaxDeliveryCountExceeded")
    assert message.dead_letter_error_description == "Message could not be consumed after 2 delivery attempts."


async def test_a_dead_letter_tells_why_and_can_be_completed(bus: Bus) -> None:
    async with bus.of() as sdk, sdk.get_queue_receiver("catalog") as receiver:
        async with sdk.get_queue_sender("catalog") as sender:
            await sender.send_messages(ServiceBusMessage("1", application_properties={"kept": "yes"}, message_id="m"))
        await receiver.dead_letter_message(await one(receiver), reason="Malformed", error_description="no sku")
        assert bus.broker.counts("catalog").dead_lettered == 1

        async with sdk.get_queue_receiver("catalog", sub_queue=DEAD) as dead_letters:
            (peeked,) = await dead_letters.peek_messages(5)
            message = await one(dead_letters)
            await dead_letters.complete_message(message)

    assert (message.dead_letter_reason, message.dead_letter_error_description) == ("Malformed", "no sku")
    assert (peeked.dead_letter_reason, message.message_id, message.sequence_number) == ("Malformed", "m", 1)
    assert (message.application_properties or {})[b"kept"] == b"yes"
    assert bus.broker.counts("catalog") == (0, 0, 0, None)


async def test_a_message_whose_lock_expires_comes_again(bus: Bus) -> None:
    async with (
        bus.of() as sdk,
        sdk.get_queue_receiver("customers") as first,
        sdk.get_queue_receiver("customers") as second,
    ):
        await send(sdk, "customers", "1")
        held = await one(first)

        again = await one(second)

        with pytest.raises(MessageLockLostError):
            await first.complete_message(held)
        await second.complete_message(again)

    assert (again.delivery_count, again.message_id) == (1, held.message_id)


async def test_a_renewed_lock_holds_longer(bus: Bus) -> None:
    async with bus.of() as sdk, sdk.get_queue_receiver("customers") as receiver:
        await send(sdk, "customers", "1")
        message = await one(receiver)
        first = message.locked_until_utc
        assert first

        for _ in range(3):
            assert await receiver.receive_messages(1, 0.6) == []
            await receiver.renew_message_lock(message)

        assert message.locked_until_utc and message.locked_until_utc > first
        await receiver.complete_message(message)
    assert bus.broker.counts("customers") == (0, 0, 0, None)


async def test_what_was_settled_cannot_be_settled_again_nor_renewed(bus: Bus) -> None:
    async with bus.of() as sdk, sdk.get_queue_receiver("catalog") as receiver:
        await send(sdk, "catalog", "1")
        message = await one(receiver)
        twin = copy.copy(message)
        await receiver.complete_message(message)

        with pytest.raises(MessageLockLostError):
            await receiver.complete_message(twin)
        with pytest.raises(MessageLockLostError):
            await receiver.renew_message_lock(twin)


async def test_peeking_neither_locks_nor_removes(bus: Bus) -> None:
    async with bus.of() as sdk, sdk.get_queue_receiver("catalog") as receiver:
        assert await receiver.peek_messages(5) == []
        await send(sdk, "catalog", "1", "2", "3")
        await one(receiver)

        pages = [await receiver.peek_messages(2, sequence_number=1), await receiver.peek_messages(2)]

    assert [[str(message) for message in page] for page in pages] == [["1", "2"], ["3"]]
    assert [message.sequence_number for message in pages[0]] == [1, 2]
    assert bus.broker.counts("catalog")[:2] == (2, 1)


async def test_a_waiting_receiver_gets_a_message_at_once(bus: Bus) -> None:
    async with bus.of() as sdk, sdk.get_queue_receiver("catalog") as receiver, asyncio.TaskGroup() as group:
        await receiver.peek_messages(1)  # its link is open
        waiting = group.create_task(one(receiver))
        assert await asyncio.wait([waiting], timeout=0.5) == (set(), {waiting})

        start = time.perf_counter()
        await bus.broker.send("catalog", b"1", Envelope("1"))
        await waiting
        took = time.perf_counter() - start

    assert took < 0.5


async def test_two_receivers_share_what_there_is(bus: Bus) -> None:
    async def drain(sdk: ServiceBusClient) -> list[int]:
        mine: list[int] = []
        async with sdk.get_queue_receiver("catalog") as receiver:
            while messages := await receiver.receive_messages(5, 1):
                mine += [message.sequence_number or 0 for message in messages]
                await asyncio.gather(*map(receiver.complete_message, messages))
        return mine

    async with bus.of() as sdk:
        await send(sdk, "catalog", *map(str, range(100)))

        first, second = await asyncio.gather(drain(sdk), drain(sdk))

    assert sorted(first + second) == list(range(1, 101))
    assert first
    assert second


async def test_a_closed_receiver_gives_back_what_it_did_not_hand_out(bus: Bus) -> None:
    async with bus.of() as sdk:
        await send(sdk, "catalog", *map(str, range(5)))
        async with sdk.get_queue_receiver("catalog", prefetch_count=4) as receiver:
            held = await one(receiver)

        async with sdk.get_queue_receiver("catalog") as receiver:
            rest = await received(receiver, 4)

    assert str(held) == "0"
    assert [(str(message), message.delivery_count) for message in rest] == [(str(n), 0) for n in range(1, 5)]


async def test_a_message_can_be_settled_after_the_connection_was_lost(bus: Bus) -> None:
    async with Relay.open(bus.port) as (relay, port), client(bus.access, bus.files, port) as sdk:
        await bus.broker.send("catalog", b"1", Envelope("1"))
        async with sdk.get_queue_receiver("catalog") as receiver:
            message: ServiceBusReceivedMessage = await one(receiver)

            relay.cut()
            await receiver.complete_message(message)

    assert bus.broker.counts("catalog") == (0, 0, 0, None)
