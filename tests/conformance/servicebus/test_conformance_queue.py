"""What a queue does with a message, from the first send to the last settlement."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from azure.servicebus import (
    ServiceBusMessage,
    ServiceBusMessageState,
    ServiceBusReceivedMessage,
    ServiceBusReceiveMode,
    ServiceBusSubQueue,
)
from azure.servicebus.exceptions import MessageLockLostError, MessageNotFoundError, ServiceBusError

from tests.conformance.servicebus.messages import SHORT_LOCK, bodies, one, receive, send
from tests.conformance.servicebus.place import PATIENCE_SECONDS, Namespace

pytestmark = pytest.mark.real

DEAD = ServiceBusSubQueue.DEAD_LETTER
SOON = timedelta(seconds=1)


async def test_all_of_a_message_arrives(namespace: Namespace) -> None:
    queue = await namespace.queue()
    sent = ServiceBusMessage(
        b"\x00\xff",
        message_id="m-1",
        content_type="application/json",
        correlation_id="c-1",
        subject="reserve",
        to="somewhere",
        reply_to="back",
        reply_to_session_id="s-2",
        partition_key="p-1",
        time_to_live=timedelta(hours=1),
        application_properties={"text": "grün", "number": 7, "exact": 0.5, "yes": True},
    )
    async with namespace.client() as sdk:
        await send(sdk, queue, sent)

        got = await one(sdk, queue)

    assert b"".join(got.body) == b"\x00\xff"
    assert (got.message_id, got.correlation_id, got.subject, got.to) == ("m-1", "c-1", "reserve", "somewhere")
    assert (got.reply_to, got.reply_to_session_id, got.content_type) == ("back", "s-2", "application/json")
    assert (got.partition_key, got.time_to_live, got.delivery_count) == ("p-1", timedelta(hours=1), 0)
    assert got.application_properties == {b"text": "grün".encode(), b"number": 7, b"exact": 0.5, b"yes": True}
    assert got.enqueued_time_utc and got.expires_at_utc == got.enqueued_time_utc + timedelta(hours=1)
    assert got.state is ServiceBusMessageState.ACTIVE


async def test_lists_and_batches_arrive_in_order(namespace: Namespace) -> None:
    queue = await namespace.queue()
    async with namespace.client() as sdk, sdk.get_queue_sender(queue) as sender:
        batch = await sender.create_message_batch()
        batch.add_message(ServiceBusMessage("0"))
        batch.add_message(ServiceBusMessage("1"))
        await sender.send_messages(batch)
        await sender.send_messages([ServiceBusMessage("2"), ServiceBusMessage("3")])

        messages = await receive(sdk, queue, 4)

    assert bodies(messages) == ["0", "1", "2", "3"]
    numbers = [message.sequence_number or 0 for message in messages]
    assert numbers == sorted(numbers)


async def test_what_is_abandoned_too_often_is_a_dead_letter(namespace: Namespace) -> None:
    queue = await namespace.queue(max_delivery_count=2)
    async with namespace.client() as sdk:
        await send(sdk, queue, ServiceBusMessage("poison"))
        counts = []
        async with sdk.get_queue_receiver(queue, max_wait_time=PATIENCE_SECONDS) as receiver:
            for _ in range(2):
                (message,) = await receiver.receive_messages(1)
                counts.append(message.delivery_count)
                await receiver.abandon_message(message)

        dead = await one(sdk, queue, sub_queue=DEAD)

    assert counts == [0, 1]
    assert (str(dead), dead.dead_letter_reason) == ("poison", "MaxDeliveryCountExceeded")


async def test_a_dead_letter_tells_why_can_be_peeked_and_is_completed(namespace: Namespace) -> None:
    queue = await namespace.queue()
    async with namespace.client() as sdk:
        await send(sdk, queue, ServiceBusMessage("1", application_properties={"kept": 1}))
        async with sdk.get_queue_receiver(queue, max_wait_time=PATIENCE_SECONDS) as receiver:
            (message,) = await receiver.receive_messages(1)
            await receiver.dead_letter_message(message, reason="Malformed", error_description="no sku")

        async with sdk.get_queue_receiver(queue, sub_queue=DEAD, max_wait_time=PATIENCE_SECONDS) as dead_letters:
            (peeked,) = await dead_letters.peek_messages(5)
            (dead,) = await dead_letters.receive_messages(1)
            await dead_letters.complete_message(dead)
            left = await dead_letters.peek_messages(5, sequence_number=1)

    assert (dead.dead_letter_reason, dead.dead_letter_error_description) == ("Malformed", "no sku")
    assert (peeked.dead_letter_reason, dead.application_properties[b"kept"]) == ("Malformed", 1)
    assert left == []


async def test_what_is_deferred_is_received_by_its_number_alone(namespace: Namespace) -> None:
    queue = await namespace.queue()
    async with namespace.client() as sdk, sdk.get_queue_receiver(queue, max_wait_time=PATIENCE_SECONDS) as receiver:
        await send(sdk, queue, ServiceBusMessage("1"), ServiceBusMessage("2"))
        first, second = await take(receiver, 2)
        await receiver.defer_message(first)
        await receiver.defer_message(second)
        assert await receiver.receive_messages(1, 1) == []
        peeked, _ = await receiver.peek_messages(5, sequence_number=1)

        (again,) = await receiver.receive_deferred_messages(first.sequence_number)
        await receiver.complete_message(again)
        (other,) = await receiver.receive_deferred_messages([second.sequence_number])
        await receiver.dead_letter_message(other, reason="late")
        dead = await one(sdk, queue, sub_queue=DEAD)
        with pytest.raises((MessageNotFoundError, ServiceBusError)):
            await receiver.receive_deferred_messages(first.sequence_number)

    assert peeked.state is ServiceBusMessageState.DEFERRED
    assert (str(again), again.sequence_number) == ("1", first.sequence_number)
    assert (str(dead), dead.dead_letter_reason) == ("2", "late")


async def test_a_lock_ends_when_its_time_is_over_and_the_message_comes_again(namespace: Namespace) -> None:
    queue = await namespace.queue(lock_duration=SHORT_LOCK)
    async with namespace.client() as sdk, sdk.get_queue_receiver(queue, max_wait_time=PATIENCE_SECONDS) as first:
        await send(sdk, queue, ServiceBusMessage("1"))
        (held,) = await first.receive_messages(1)
        async with sdk.get_queue_receiver(queue, max_wait_time=PATIENCE_SECONDS) as second:
            (again,) = await second.receive_messages(1)

            with pytest.raises(MessageLockLostError):
                await first.complete_message(held)
            await second.complete_message(again)

    assert (str(again), again.delivery_count) == ("1", 1)


async def test_a_renewed_lock_holds_longer(namespace: Namespace) -> None:
    queue = await namespace.queue(lock_duration=SHORT_LOCK)
    async with namespace.client() as sdk, sdk.get_queue_receiver(queue, max_wait_time=PATIENCE_SECONDS) as receiver:
        await send(sdk, queue, ServiceBusMessage("1"))
        (held,) = await receiver.receive_messages(1)
        first = held.locked_until_utc

        assert await receiver.receive_messages(1, 3) == []
        await receiver.renew_message_lock(held)
        assert await receiver.receive_messages(1, 3) == []
        then = held.locked_until_utc
        await receiver.complete_message(held)

    assert then > first


async def test_what_has_expired_is_a_dead_letter_where_that_is_wanted_and_else_gone(namespace: Namespace) -> None:
    kept = await namespace.queue(dead_lettering_on_message_expiration=True)
    lost = await namespace.queue(default_message_time_to_live=SOON)
    async with namespace.client() as sdk:
        await send(sdk, kept, ServiceBusMessage("1", time_to_live=SOON))
        await send(sdk, lost, ServiceBusMessage("2", time_to_live=timedelta(hours=1)))

        dead = await one(sdk, kept, sub_queue=DEAD)
        async with sdk.get_queue_receiver(lost, sub_queue=DEAD) as receiver:
            none = await receiver.receive_messages(1, 2)
        async with sdk.get_queue_receiver(lost) as receiver:
            gone = await receiver.receive_messages(1, 1)

    assert (str(dead), dead.dead_letter_reason) == ("1", "TTLExpiredException")
    assert (none, gone) == ([], [])


async def test_a_queue_may_keep_messages_for_longer_than_a_header_can_say(namespace: Namespace) -> None:
    queue = await namespace.queue(default_message_time_to_live=timedelta(days=60))
    async with namespace.client() as sdk:
        await send(sdk, queue, ServiceBusMessage("1"))

        assert str(await one(sdk, queue)) == "1"


async def test_what_is_sent_twice_within_the_window_is_kept_once(namespace: Namespace) -> None:
    queue = await namespace.queue(requires_duplicate_detection=True)
    async with namespace.client() as sdk:
        await send(sdk, queue, ServiceBusMessage("1", message_id="a"), ServiceBusMessage("2", message_id="b"))
        await send(sdk, queue, ServiceBusMessage("3", message_id="a"))
        await send(sdk, queue, ServiceBusMessage("4", message_id="c"))

        messages = await receive(sdk, queue, 3)

    assert bodies(messages) == ["1", "2", "4"]


async def test_a_scheduled_message_is_peeked_before_its_time_and_received_after_it(namespace: Namespace) -> None:
    queue, at = await namespace.queue(), datetime.now(UTC) + timedelta(seconds=3)
    async with namespace.client() as sdk, sdk.get_queue_receiver(queue) as receiver:
        async with sdk.get_queue_sender(queue) as sender:
            first, second = await sender.schedule_messages([ServiceBusMessage("1"), ServiceBusMessage("2")], at)
            await sender.send_messages(ServiceBusMessage("3", scheduled_enqueue_time_utc=at))
            await sender.cancel_scheduled_messages(second)
            with pytest.raises(ServiceBusError):
                await sender.cancel_scheduled_messages(second)

        peeked = await receiver.peek_messages(5)
        early = await receiver.receive_messages(1, 1)
        late = await receive(sdk, queue, 2)

    assert first != second
    assert {message.state for message in peeked} == {ServiceBusMessageState.SCHEDULED}
    assert sorted(bodies(peeked)) == ["1", "3"]
    assert early == []
    assert sorted(bodies(late)) == ["1", "3"]
    assert all(
        message.enqueued_time_utc and message.enqueued_time_utc >= at - timedelta(milliseconds=500) for message in late
    )


async def test_what_is_received_and_deleted_is_gone(namespace: Namespace) -> None:
    queue, mode = await namespace.queue(), ServiceBusReceiveMode.RECEIVE_AND_DELETE
    async with namespace.client() as sdk:
        await send(sdk, queue, *(ServiceBusMessage(str(number)) for number in range(3)))
        messages = await receive(sdk, queue, 3, receive_mode=mode)

        async with sdk.get_queue_receiver(queue) as receiver:
            left = await receiver.peek_messages(5)

    assert (bodies(messages), left) == (["0", "1", "2"], [])


async def test_a_deferred_message_can_be_received_and_deleted(namespace: Namespace) -> None:
    queue, mode = await namespace.queue(), ServiceBusReceiveMode.RECEIVE_AND_DELETE
    async with namespace.client() as sdk, sdk.get_queue_receiver(queue, max_wait_time=PATIENCE_SECONDS) as receiver:
        await send(sdk, queue, ServiceBusMessage("1"))
        (message,) = await receiver.receive_messages(1)
        await receiver.defer_message(message)
        async with sdk.get_queue_receiver(queue, receive_mode=mode) as deleting:
            (got,) = await deleting.receive_deferred_messages(message.sequence_number)

        left = await receiver.peek_messages(5)

    assert (str(got), left) == ("1", [])


async def test_prefetched_messages_that_are_not_handed_out_come_again_uncounted(namespace: Namespace) -> None:
    queue = await namespace.queue()
    async with namespace.client() as sdk:
        await send(sdk, queue, *(ServiceBusMessage(str(number)) for number in range(5)))
        async with sdk.get_queue_receiver(queue, prefetch_count=4, max_wait_time=PATIENCE_SECONDS) as receiver:
            (first,) = await receiver.receive_messages(1)
            await receiver.complete_message(first)

        rest = await receive(sdk, queue, 4)

    assert [(str(message), message.delivery_count) for message in rest] == [(str(n), 0) for n in range(1, 5)]


async def test_peeking_pages_through_everything_and_locks_nothing(namespace: Namespace) -> None:
    queue = await namespace.queue()
    async with namespace.client() as sdk, sdk.get_queue_receiver(queue) as receiver:
        assert await receiver.peek_messages(5) == []
        await send(sdk, queue, *(ServiceBusMessage(str(number)) for number in range(3)))

        pages = [await receiver.peek_messages(2, sequence_number=1), await receiver.peek_messages(2)]

    assert [bodies(page) for page in pages] == [["0", "1"], ["2"]]
    assert pages[0][0].locked_until_utc is None


async def take(receiver: Any, count: int) -> list[ServiceBusReceivedMessage]:
    messages: list[ServiceBusReceivedMessage] = []
    while len(messages) < count:
        some = await receiver.receive_messages(count - len(messages), PATIENCE_SECONDS)
        assert some, "nothing came"
        messages += some
    return messages
