"""What the broker has answered survives its end, and `kill -9`."""

import asyncio
import itertools
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest
from azure.servicebus import ServiceBusMessage, ServiceBusReceivedMessage, ServiceBusSubQueue
from azure.servicebus.aio import ServiceBusClient
from azure.servicebus.exceptions import MessageAlreadySettled, ServiceBusError

from localcloud import certificates
from localcloud.access import Access
from localcloud.certificates import Certificates
from localcloud.program import Program, listening
from localcloud.servicebus.broker import Envelope
from tests.localcloud.programs import free_ports, running
from tests.localcloud.servicebus.bus import client, one, opened, received

pytestmark = pytest.mark.real

KILLS = 3
SENDERS = 4
RECEIVERS = 2
BETWEEN_KILLS = 60  # acknowledgements


async def test_a_queue_is_the_same_after_a_restart(tmp_path: Path, access: Access, files: Certificates) -> None:
    path = tmp_path / "servicebus.sqlite"
    async with opened(path, access, files) as bus, bus.of() as sdk, sdk.get_queue_receiver("catalog") as receiver:
        async with sdk.get_queue_sender("catalog") as sender:
            await sender.send_messages([ServiceBusMessage(body) for body in ("done", "poison", "tried", "held", "new")])
        done, poison, tried = await received(receiver, 3)
        await receiver.complete_message(done)
        await receiver.dead_letter_message(poison, reason="Malformed", error_description="no sku")
        await receiver.abandon_message(tried)
        before = [await one(receiver), await one(receiver)]
        assert [str(message) for message in before] == ["tried", "held"]

    async with opened(path, access, files) as bus, bus.of() as sdk, sdk.get_queue_receiver("catalog") as receiver:
        messages = [(str(m), m.sequence_number, m.delivery_count) for m in await received(receiver, 3)]
        async with sdk.get_queue_receiver("catalog", sub_queue=ServiceBusSubQueue.DEAD_LETTER) as dead_letters:
            dead = await one(dead_letters)
        async with sdk.get_queue_sender("catalog") as sender:
            await sender.send_messages(ServiceBusMessage("newer"))
        newer = await one(receiver)

    assert messages == [("tried", 3, 2), ("held", 4, 1), ("new", 5, 0)]
    assert (str(dead), dead.sequence_number, dead.dead_letter_reason) == ("poison", 2, "Malformed")
    assert newer.sequence_number == 6


async def test_numbers_go_on_though_the_queue_was_empty(tmp_path: Path, access: Access, files: Certificates) -> None:
    path = tmp_path / "servicebus.sqlite"
    numbers = []

    for _ in range(2):
        async with opened(path, access, files) as bus, bus.of() as sdk, sdk.get_queue_receiver("catalog") as receiver:
            await bus.broker.send("catalog", b"1", Envelope("1"))
            message = await one(receiver)
            numbers.append(message.sequence_number)
            await receiver.complete_message(message)

    assert numbers == [1, 2]


# A number and a name. The number tells messages apart: where no answer came, the SDK sends the same name again.
Known = tuple[int | None, str]


def known(message: ServiceBusReceivedMessage) -> Known:
    return message.sequence_number, str(message)


@dataclass(slots=True)
class Traffic:
    """What the broker has answered, seen from its clients."""

    sdk: ServiceBusClient
    sent: set[str] = field(default_factory=set)
    completed: list[Known] = field(default_factory=list)
    unsure: set[str] = field(default_factory=set)  # completed perhaps: no answer came
    news: asyncio.Queue[None] = field(default_factory=asyncio.Queue)
    over: bool = False

    async def keep_sending(self, names: Iterator[int]) -> None:
        while not self.over:
            with suppress(ServiceBusError):
                async with self.sdk.get_queue_sender("catalog") as sender:
                    for name in map(str, itertools.takewhile(lambda _: not self.over, names)):
                        await sender.send_messages(ServiceBusMessage(name))
                        self.sent.add(name)
                        self.news.put_nowait(None)

    async def keep_completing(self) -> None:
        while not self.over:
            with suppress(ServiceBusError, MessageAlreadySettled):
                async with self.sdk.get_queue_receiver("catalog") as receiver:
                    while not self.over:
                        for message in await receiver.receive_messages(5, 1):
                            self.unsure.add(str(message))
                            await receiver.complete_message(message)
                            self.completed.append(known(message))
                            self.unsure.discard(str(message))
                            self.news.put_nowait(None)

    async def answers(self, count: int) -> None:
        for _ in range(count):
            await self.news.get()


async def test_nothing_acknowledged_is_lost_and_nothing_completed_comes_back_though_it_is_killed_again_and_again(
    tmp_path: Path, access: Access
) -> None:
    port, files = free_ports(1), certificates.ensure(tmp_path, datetime.now(UTC))
    program = victim(tmp_path, port)
    async with client(access, files, port) as sdk, asyncio.TaskGroup() as tasks:
        traffic, names = Traffic(sdk), itertools.count()
        for _ in range(SENDERS):
            tasks.create_task(traffic.keep_sending(names))
        for _ in range(RECEIVERS):
            tasks.create_task(traffic.keep_completing())
        for _ in range(KILLS):
            async with running(program, tmp_path / "log") as process:
                await traffic.answers(BETWEEN_KILLS)
                process.kill()
        traffic.over = True  # cancelled, the SDK would go on

    async with running(program, tmp_path / "log"), client(access, files, port) as sdk:
        left = await drained(sdk)

    assert len(traffic.sent) + len(traffic.completed) >= KILLS * BETWEEN_KILLS
    assert traffic.sent - {name for _, name in traffic.completed} - traffic.unsure <= {name for _, name in left}
    assert not set(traffic.completed) & set(left)
    assert len(traffic.completed) == len(set(traffic.completed))
    assert len(left) == len(set(left))


async def test_the_delivery_that_a_kill_interrupted_is_counted(tmp_path: Path, access: Access) -> None:
    port, files = free_ports(1), certificates.ensure(tmp_path, datetime.now(UTC))
    program, counts = victim(tmp_path, port), []
    for life in range(3):
        async with (
            running(program, tmp_path / "log") as process,
            client(access, files, port) as sdk,
            sdk.get_queue_sender("orders") as sender,
            sdk.get_queue_receiver("orders") as receiver,
        ):
            await sender.send_messages(ServiceBusMessage(f"of life {life}"))
            counts.append((await one(receiver)).delivery_count)
            await sender.send_messages(ServiceBusMessage("what came before this is on disk"))
            process.kill()

    assert counts == [0, 1, 2]


async def drained(sdk: ServiceBusClient) -> list[Known]:
    left: list[Known] = []
    async with sdk.get_queue_receiver("catalog") as receiver:
        while messages := await receiver.receive_messages(100, 2):
            left += map(known, messages)
            await asyncio.gather(*map(receiver.complete_message, messages))
    return left


def victim(folder: Path, port: int) -> Program:
    root = Path(__file__).parents[3]
    return Program(
        "servicebus",
        [sys.executable, "-m", "tests.localcloud.servicebus.victim", str(folder), str(port)],
        ready=partial(listening, port),
        cwd=root,
    )
