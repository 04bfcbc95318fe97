"""Sessions: in order, for one receiver at a time, with a state and a lock of their own."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from azure.servicebus import NEXT_AVAILABLE_SESSION, ServiceBusMessage, ServiceBusSubQueue
from azure.servicebus.exceptions import (
    OperationTimeoutError,
    ServiceBusError,
    SessionCannotBeLockedError,
    SessionLockLostError,
)

from tests.conformance.servicebus.messages import SHORT_LOCK, bodies, one, send
from tests.conformance.servicebus.place import PATIENCE_SECONDS, Namespace

pytestmark = pytest.mark.real


def of(session: str, *texts: str) -> list[ServiceBusMessage]:
    return [ServiceBusMessage(text, session_id=session) for text in texts]


def accept(sdk: Any, queue: str, session: Any, wait: float = PATIENCE_SECONDS) -> Any:
    return sdk.get_queue_receiver(queue, session_id=session, max_wait_time=wait)


async def test_a_session_comes_in_order_to_whoever_asks_for_it(namespace: Namespace) -> None:
    queue = await namespace.queue(requires_session=True)
    async with namespace.client() as sdk:
        await send(sdk, queue, *of("a", "1"), *of("b", "2"), *of("a", "3"))
        async with accept(sdk, queue, "a") as receiver:
            messages = await receiver.receive_messages(2, PATIENCE_SECONDS)
            more = [] if len(messages) == 2 else await receiver.receive_messages(1)
            for message in messages + more:
                await receiver.complete_message(message)

            assert bodies(messages + more) == ["1", "3"]
            assert {message.session_id for message in messages} == {"a"}
            assert receiver.session.session_id == "a"
            assert receiver.session.locked_until_utc > datetime.now(UTC)


async def test_a_session_has_one_receiver_at_a_time(namespace: Namespace) -> None:
    queue = await namespace.queue(requires_session=True)
    async with namespace.client(retry_total=0) as sdk:
        async with accept(sdk, queue, "a"):
            with pytest.raises(SessionCannotBeLockedError):
                async with accept(sdk, queue, "a"):
                    pass

        async with accept(sdk, queue, "a") as again:
            assert again.session.session_id == "a"


async def test_the_next_session_is_one_with_messages_and_without_a_receiver(namespace: Namespace) -> None:
    queue = await namespace.queue(requires_session=True)
    async with namespace.client() as sdk:
        await send(sdk, queue, *of("a", "1"), *of("b", "2"))

        async with (
            accept(sdk, queue, NEXT_AVAILABLE_SESSION) as first,
            accept(sdk, queue, NEXT_AVAILABLE_SESSION) as second,
        ):
            assert {first.session.session_id, second.session.session_id} == {"a", "b"}


async def test_who_waits_for_a_session_gets_the_one_that_comes(namespace: Namespace) -> None:
    queue = await namespace.queue(requires_session=True)

    async def next_session(sdk: Any) -> list[str]:
        async with accept(sdk, queue, NEXT_AVAILABLE_SESSION) as receiver:
            return bodies(await receiver.receive_messages(1))

    async with namespace.client() as sdk, namespace.client() as other, asyncio.TaskGroup() as group:
        waiting = group.create_task(next_session(other))
        done, _ = await asyncio.wait([waiting], timeout=1)
        assert not done
        await send(sdk, queue, *of("late", "1"))

    assert waiting.result() == ["1"]


async def test_where_no_session_comes_the_wait_ends(namespace: Namespace) -> None:
    queue = await namespace.queue(requires_session=True)
    async with namespace.client(retry_total=0) as sdk:
        with pytest.raises(OperationTimeoutError):
            async with accept(sdk, queue, NEXT_AVAILABLE_SESSION, 1):
                pass


async def test_what_was_not_settled_comes_to_the_next_receiver(namespace: Namespace) -> None:
    queue = await namespace.queue(requires_session=True)
    async with namespace.client() as sdk:
        await send(sdk, queue, *of("a", "1", "2"))
        async with accept(sdk, queue, "a") as receiver:
            (first,) = await receiver.receive_messages(1)

        async with accept(sdk, queue, "a") as receiver:
            (again,) = await receiver.receive_messages(1)
            await receiver.complete_message(again)
            (second,) = await receiver.receive_messages(1)
            await receiver.complete_message(second)

    assert bodies([first, again, second]) == ["1", "1", "2"]


async def test_a_session_keeps_its_state(namespace: Namespace) -> None:
    queue = await namespace.queue(requires_session=True)
    async with namespace.client() as sdk:
        async with accept(sdk, queue, "a") as receiver:
            assert await receiver.session.get_state() is None
            await receiver.session.set_state(b"half way")

        async with accept(sdk, queue, "a") as receiver:
            kept = await receiver.session.get_state()
            await receiver.session.set_state(None)
            gone = await receiver.session.get_state()

    assert (kept, gone) == (b"half way", None)


async def test_a_renewed_session_is_held_longer(namespace: Namespace) -> None:
    queue = await namespace.queue(requires_session=True, lock_duration=SHORT_LOCK)
    async with namespace.client() as sdk:
        await send(sdk, queue, *of("a", "1"))
        async with accept(sdk, queue, "a") as receiver:
            (message,) = await receiver.receive_messages(1)
            assert await receiver.receive_messages(1, 3) == []
            until = await receiver.session.renew_lock()
            assert await receiver.receive_messages(1, 3) == []

            await receiver.complete_message(message)

    assert until > datetime.now(UTC) - timedelta(seconds=5)


async def test_a_session_that_was_not_renewed_is_lost_and_its_messages_come_again(namespace: Namespace) -> None:
    queue = await namespace.queue(requires_session=True, lock_duration=SHORT_LOCK)
    async with namespace.client() as sdk:
        await send(sdk, queue, *of("a", "1"))
        async with accept(sdk, queue, "a") as receiver:
            (message,) = await receiver.receive_messages(1)
            async with accept(sdk, queue, NEXT_AVAILABLE_SESSION) as other:  # comes when the lock has ended
                (again,) = await other.receive_messages(1)

                with pytest.raises(SessionLockLostError):
                    await receiver.complete_message(message)
                await other.complete_message(again)

    assert (str(again), again.session_id) == ("1", "a")


async def test_deferred_and_peeked_messages_are_of_the_session(namespace: Namespace) -> None:
    queue = await namespace.queue(requires_session=True)
    async with namespace.client() as sdk:
        await send(sdk, queue, *of("a", "1"), *of("b", "2"))
        async with accept(sdk, queue, "a") as receiver:
            peeked = await receiver.peek_messages(5, sequence_number=1)
            (message,) = await receiver.receive_messages(1)
            await receiver.defer_message(message)
            (again,) = await receiver.receive_deferred_messages(message.sequence_number)
            await receiver.complete_message(again)

    assert (bodies(peeked), bodies([again])) == (["1"], ["1"])


async def test_a_sessions_dead_letters_have_no_sessions(namespace: Namespace) -> None:
    queue = await namespace.queue(requires_session=True)
    async with namespace.client() as sdk:
        await send(sdk, queue, *of("a", "1"))
        async with accept(sdk, queue, "a") as receiver:
            (message,) = await receiver.receive_messages(1)
            await receiver.dead_letter_message(message, reason="because")

        dead = await one(sdk, queue, sub_queue=ServiceBusSubQueue.DEAD_LETTER)

    assert (dead.dead_letter_reason, dead.session_id) == ("because", "a")


async def test_sessions_are_listed(namespace: Namespace) -> None:
    queue = await namespace.queue(requires_session=True)
    async with namespace.client() as sdk:
        before = datetime.now(UTC) - timedelta(minutes=1)
        await send(sdk, queue, *of("a", "1"), *of("b", "2"))
        async with accept(sdk, queue, "c") as receiver:
            await receiver.session.set_state(b"state")

        every = await listed(sdk, queue)
        changed = await listed(sdk, queue, state_updated_after=before)

    assert (every, changed) == (["a", "b", "c"], ["c"])


async def listed(sdk: Any, queue: str, **options: Any) -> list[str]:
    found = sdk.list_queue_sessions(queue, **options)
    if hasattr(found, "__aiter__"):
        return sorted([session async for session in found])
    return sorted(await found)


async def test_a_session_is_needed_where_there_are_some_and_refused_where_there_are_none(namespace: Namespace) -> None:
    with_sessions, without = await namespace.queue(requires_session=True), await namespace.queue()
    async with namespace.client(retry_total=0) as sdk:
        with pytest.raises(ServiceBusError):
            await send(sdk, with_sessions, ServiceBusMessage("no session"))
        with pytest.raises(ServiceBusError):
            async with sdk.get_queue_sender(with_sessions) as sender:
                await sender.schedule_messages(ServiceBusMessage("no session"), datetime.now(UTC) + timedelta(hours=1))
        with pytest.raises(ServiceBusError):
            async with sdk.get_queue_receiver(with_sessions) as receiver:
                await receiver.receive_messages(1, 1)
        with pytest.raises(ServiceBusError):
            async with accept(sdk, without, "a"):
                pass
