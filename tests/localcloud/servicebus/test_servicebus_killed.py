"""What the broker has acknowledged of all its kinds of state is there after `kill -9`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from azure.servicebus import ServiceBusMessage, ServiceBusMessageState, ServiceBusSubQueue
from azure.servicebus.aio import ServiceBusClient
from azure.servicebus.aio.management import ServiceBusAdministrationClient
from azure.servicebus.management import SqlRuleFilter

from tests.localcloud.programs import free_ports, running
from tests.localcloud.servicebus.test_servicebus_durability import victim
from tests.localcloud.servicebus.victim import KEY

pytestmark = pytest.mark.real

WAIT_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Life:
    sdk: ServiceBusClient
    admin: ServiceBusAdministrationClient
    kill: Any


@asynccontextmanager
async def life(folder: Path, port: int) -> AsyncIterator[Life]:
    connection = f"Endpoint=sb://127.0.0.1:{port};SharedAccessKeyName=RootManageSharedAccessKey;SharedAccessKey={KEY}"
    async with running(victim(folder, port), folder / "log") as process:
        admin = ServiceBusAdministrationClient.from_connection_string(
            connection, connection_verify=str(folder / "ca.pem"), retry_total=0
        )
        sdk = ServiceBusClient.from_connection_string(f"{connection};UseDevelopmentEmulator=true", retry_total=0)
        async with admin, sdk:
            yield Life(sdk, admin, process.kill)


async def test_all_that_was_acknowledged_is_there_after_a_kill(tmp_path: Path) -> None:
    port = free_ports(1)
    async with life(tmp_path, port) as first:
        deferred, later = await leave_everything(first)
        first.kill()

    async with life(tmp_path, port) as second:
        await find_everything(second, deferred, later)


async def leave_everything(now: Life) -> tuple[int, datetime]:
    await now.admin.create_queue("made", requires_duplicate_detection=True, max_delivery_count=5)
    await now.admin.create_queue("sessions", requires_session=True)
    await now.admin.create_topic("told")
    await now.admin.create_subscription("told", "red")
    await now.admin.delete_rule("told", "red", "$Default")
    await now.admin.create_rule("told", "red", "is-red", filter=SqlRuleFilter("colour = 'red'"))
    await now.admin.create_queue("gone")
    await now.admin.delete_queue("gone")
    later = datetime.now(UTC) + timedelta(hours=1)
    async with now.sdk.get_queue_sender("made") as sender:
        names = ("done", "deferred", "dead", "tried", "waits")
        await sender.send_messages([ServiceBusMessage(name, message_id=name) for name in names])
        await sender.schedule_messages(ServiceBusMessage("later", time_to_live=timedelta(hours=2)), later)
        cancelled = await sender.schedule_messages(ServiceBusMessage("cancelled"), later)
        await sender.cancel_scheduled_messages(cancelled)
    async with now.sdk.get_queue_receiver("made", max_wait_time=WAIT_SECONDS) as receiver:
        done, deferred, dead, tried = [(await receiver.receive_messages(1))[0] for _ in range(4)]
        await receiver.complete_message(done)
        await receiver.defer_message(deferred)
        await receiver.dead_letter_message(dead, reason="because")
        await receiver.abandon_message(tried)
    async with now.sdk.get_queue_receiver("sessions", session_id="s", max_wait_time=WAIT_SECONDS) as session:
        await session.session.set_state(b"half way")
    return deferred.sequence_number or 0, later


async def find_everything(now: Life, deferred: int, later: datetime) -> None:
    assert {queue.name async for queue in now.admin.list_queues()} >= {"made", "sessions"}
    assert "gone" not in {queue.name async for queue in now.admin.list_queues()}
    async with now.sdk.get_queue_sender("made") as sender:
        await sender.send_messages(ServiceBusMessage("again", message_id="done"))  # known, and so not kept
    async with now.sdk.get_queue_receiver("made", max_wait_time=WAIT_SECONDS) as receiver:
        peeked = await receiver.peek_messages(9, sequence_number=1)
        tried = (await receiver.receive_messages(1))[0]
        (again,) = await receiver.receive_deferred_messages(deferred)
    sub = ServiceBusSubQueue.DEAD_LETTER
    async with now.sdk.get_queue_receiver("made", sub_queue=sub, max_wait_time=WAIT_SECONDS) as dead_letters:
        (dead,) = await dead_letters.receive_messages(1)
    async with now.sdk.get_queue_receiver("sessions", session_id="s", max_wait_time=WAIT_SECONDS) as session:
        state = await session.session.get_state()
    async with now.sdk.get_topic_sender("told") as topic:
        told = [ServiceBusMessage(colour, application_properties={"colour": colour}) for colour in ("blue", "red")]
        await topic.send_messages(told)
    async with now.sdk.get_subscription_receiver("told", "red", max_wait_time=WAIT_SECONDS) as subscription:
        (red,) = await subscription.receive_messages(1)

    assert sorted(map(str, peeked)) == ["deferred", "later", "tried", "waits"]
    (scheduled,) = [message for message in peeked if message.state is ServiceBusMessageState.SCHEDULED]
    assert scheduled.scheduled_enqueue_time_utc
    assert abs(scheduled.scheduled_enqueue_time_utc - later) < timedelta(milliseconds=2)
    assert (str(tried), tried.delivery_count, str(again), str(red)) == ("tried", 1, "deferred", "red")
    assert (str(dead), dead.dead_letter_reason, state) == ("dead", "because", b"half way")
