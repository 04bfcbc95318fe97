"""A service's queue, over the unmodified SDK against the local broker: what becomes of each message."""

import asyncio
import random
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from azure.servicebus import ServiceBusSubQueue, TransportType
from azure.servicebus.aio import ServiceBusClient
from azure.servicebus.amqp import AmqpAnnotatedMessage

from libs.common.bus import MOST_TRIES, connect, listen
from libs.common.errors import Unavailable
from libs.common.inbox import Cause, Reactions
from libs.common.measures import Measures
from libs.common.messages import encode_fact
from libs.common.messages.catalog import StockRefused, StockReserved
from libs.common.queue_watch import QueueWatch
from libs.common.settings import Incomplete
from localcloud import certificates
from localcloud.access import Issuer
from localcloud.addresses import HOST
from localcloud.servicebus.broker import Broker, Envelope
from localcloud.topology import Queue, Topology
from tests import emulator
from tests.localcloud.credential import Credential
from tests.localcloud.eventgrid.grid import listening
from tests.localcloud.programs import free_ports
from tests.waiting import so

pytestmark = pytest.mark.real

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


@dataclass(slots=True)
class Heard:
    """What a reaction was told; `fail` lets it fail first."""

    subjects: list[str] = field(default_factory=list)
    attempts: list[int] = field(default_factory=list)
    fail: Callable[[], Awaitable[None]] | None = None


async def hear(store: Heard, event: StockReserved, cause: Cause) -> None:
    store.attempts.append(cause.attempt)
    if store.fail:
        await store.fail()
    store.subjects.append(str(event.order_id))


REACTIONS: Reactions[Heard] = {StockReserved: hear}


@dataclass(frozen=True, slots=True)
class Bus:
    broker: Broker
    client: ServiceBusClient
    watch: QueueWatch = field(default_factory=lambda: QueueWatch("orders", Measures()))

    async def put(self, *bodies: bytes) -> None:
        for body in bodies:
            await self.broker.send("orders", body, Envelope(uuid4().hex, "application/json"))

    @asynccontextmanager
    async def listened(self, store: Heard) -> AsyncIterator[None]:
        """A listener in its loop; at the end it settles what it has in hand."""
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as loops:
            loops.create_task(listen(self.client, self.watch, REACTIONS, store, stop=stop, chance=random.Random(1)))
            try:
                yield
            finally:
                stop.set()

    def settled(self) -> bool:
        counts = self.broker.counts("orders")
        return counts.active == counts.locked == 0

    async def dead(self) -> list[tuple[str | None, str | None]]:
        async with self.client.get_queue_receiver("orders", sub_queue=ServiceBusSubQueue.DEAD_LETTER) as receiver:
            letters = await receiver.receive_messages(10, 1)
            return [(letter.dead_letter_reason, letter.dead_letter_error_description) for letter in letters]


def anyone(_: str, __: str, ___: str) -> None:
    """The broker's own tests are about rights."""


@pytest.fixture
def queue() -> Queue:
    return Queue()


@pytest.fixture
async def bus(tmp_path: Path, issuer: Issuer, store: Topology, queue: Queue) -> AsyncIterator[Bus]:
    files, port = certificates.ensure(tmp_path, datetime.now(UTC)), free_ports(1)
    client = ServiceBusClient(
        "store.servicebus.windows.net",
        Credential(issuer, store, "orders"),
        ssl_context=ssl.create_default_context(cafile=str(files.ca)),
        transport_type=TransportType.Amqp,
        custom_endpoint_address=f"sb://{HOST}:{port}",
    )
    async with (
        Broker.open({"orders": queue}, tmp_path / "bus.sqlite", anyone) as broker,
        asyncio.TaskGroup() as tasks,
    ):
        serving = tasks.create_task(broker.serve(HOST, port, files.server_context()))
        await listening(port)
        async with client:
            yield Bus(broker, client)
        serving.cancel()


def delivered(bus: Bus) -> dict[str, float]:
    return {outcome: count for (_, outcome), count in bus.watch.measures.deliveries.read().items()}


def reserved() -> StockReserved:
    return StockReserved(order_id=uuid4(), version=1, at=NOON)


async def test_messages_are_handled_and_completed(bus: Bus) -> None:
    facts, heard = [reserved() for _ in range(100)], Heard()

    await bus.put(*(encode_fact(fact, "") for fact in facts))
    async with bus.listened(heard):
        await so(lambda: len(heard.subjects) == 100 and bus.settled())

    assert sorted(heard.subjects) == sorted(str(fact.order_id) for fact in facts)


async def test_who_has_a_connection_string_needs_neither_an_identity_nor_tls(tmp_path: Path, queue: Queue) -> None:
    fact, heard = reserved(), Heard()

    async with (
        emulator.opened(tmp_path, {"orders": queue}) as there,
        connect(there.connection, "", emulator.NoIdentity()) as client,
    ):
        bus = Bus(there.broker, client)
        await bus.put(encode_fact(fact, ""))
        async with bus.listened(heard):
            await so(lambda: bus.settled() and bool(heard.subjects))

    assert heard.subjects == [str(fact.order_id)]


async def test_a_connection_string_that_is_none_is_refused_by_name() -> None:
    with pytest.raises(Incomplete, match="SERVICE_BUS is no connection string"):
        async with connect("Endpoint=sb://servicebus", "", emulator.NoIdentity()):
            pass


async def test_what_cannot_be_understood_is_dead_lettered_at_once_with_the_reason(bus: Bus) -> None:
    wrong = encode_fact(reserved(), "").replace(b'"version":1', b'"version":"x"')
    unknown = encode_fact(StockRefused(order_id=uuid4(), reason="", version=1, at=NOON), "")
    good, heard = reserved(), Heard()

    await bus.put(b"rubbish", wrong, unknown, encode_fact(good, ""))
    async with bus.listened(heard):
        await so(lambda: bus.broker.counts("orders").dead_lettered == 3 and bus.settled())

    assert heard.subjects == [str(good.order_id)]
    assert sorted(reason or "" for reason, _ in await bus.dead()) == ["Malformed", "Malformed", "UnknownType"]


@pytest.mark.parametrize("body", [{"value_body": "text"}, {"value_body": {"a": 1}}, {"sequence_body": [[1, "a"]]}])
async def test_a_body_that_is_no_bytes_is_dead_lettered_and_the_others_go_on(bus: Bus, body: dict[str, Any]) -> None:
    heard = Heard()
    async with bus.client.get_queue_sender("orders") as sender:
        await sender.send_messages(AmqpAnnotatedMessage(**body))
    await bus.put(encode_fact(reserved(), ""))

    async with bus.listened(heard):
        await so(lambda: bus.broker.counts("orders").dead_lettered == 1 and bus.settled())

    ((reason, description),) = await bus.dead()
    assert (reason, len(heard.subjects)) == ("Malformed", 1)
    assert description and "bytes" in description


async def test_a_reaction_with_a_defect_is_tried_again_then_dead_lettered_with_its_error(bus: Bus) -> None:
    tries: list[int] = []

    async def fail() -> None:
        tries.append(1)
        raise KeyError("a defect")

    await bus.put(encode_fact(reserved(), ""))
    async with bus.listened(Heard(fail=fail)):
        await so(lambda: bus.broker.counts("orders").dead_lettered == 1)

    assert len(tries) == MOST_TRIES
    assert await bus.dead() == [("KeyError", "'a defect'")]


async def test_while_the_database_is_away_a_message_waits_and_that_costs_it_no_try(bus: Bus) -> None:
    tries: list[int] = []

    async def fail() -> None:
        tries.append(1)
        if len(tries) <= MOST_TRIES + 1:
            raise Unavailable

    fact, heard = reserved(), Heard(fail=fail)
    await bus.put(encode_fact(fact, ""))
    async with bus.listened(heard):
        await so(lambda: bool(heard.subjects) and bus.settled())

    assert heard.subjects == [str(fact.order_id)]
    assert bus.broker.counts("orders").dead_lettered == 0


@pytest.mark.parametrize("queue", [Queue(lock_seconds=1)])
async def test_a_reaction_that_outlives_its_lock_is_heard_again_and_its_message_is_settled_once(bus: Bus) -> None:
    came_again = asyncio.Event()

    async def outlive() -> None:
        if len(heard.attempts) > 1:
            came_again.set()
        await came_again.wait()

    fact, heard = reserved(), Heard(fail=outlive)
    await bus.put(encode_fact(fact, ""))
    async with bus.listened(heard), bus.listened(heard):
        await so(lambda: len(heard.subjects) == 2 and bus.settled())

    assert heard.attempts == [1, 2]  # the inbox of a real store knows the second
    assert delivered(bus) == {"completed": 1, "abandoned": 0, "dead_lettered": 0, "unsettled": 1}
    assert bus.broker.counts("orders").dead_lettered == 0


async def test_a_listener_that_stops_gives_back_what_it_could_not_do(bus: Bus) -> None:
    async def fail() -> None:
        raise Unavailable

    await bus.put(encode_fact(reserved(), ""))
    async with bus.listened(Heard(fail=fail)):
        await so(lambda: bus.broker.counts("orders").locked == 1)

    counts = bus.broker.counts("orders")
    assert (counts.active, counts.locked, counts.dead_lettered) == (1, 0, 0)


async def test_a_message_that_waits_through_many_restarts_is_no_poison(bus: Bus) -> None:
    async def fail() -> None:
        raise Unavailable

    await bus.put(encode_fact(reserved(), ""))
    for _ in range(MOST_TRIES + 1):
        async with bus.listened(Heard(fail=fail)):
            await so(lambda: bus.broker.counts("orders").locked == 1)

    counts = bus.broker.counts("orders")
    assert (counts.active, counts.dead_lettered) == (1, 0)


async def test_what_became_of_each_message_and_what_waits_is_counted(bus: Bus) -> None:
    measures, heard = bus.watch.measures, Heard()
    await bus.put(*(encode_fact(reserved(), "") for _ in range(3)), b"{")
    before = bus.broker.counts("orders").active

    async with bus.listened(heard):
        await so(lambda: bus.settled() and len(heard.subjects) == 3)

    assert (before, measures.queued.read()) == (4, {("orders",): 4})  # it looks before it takes
    assert 0 <= measures.queue_age.read()[("orders",)] < 60
    assert delivered(bus) == {"completed": 3, "abandoned": 0, "dead_lettered": 1, "unsettled": 0}
    assert measures.waits.read()[("orders",)].count == 4
    assert measures.reactions.read()[StockReserved.type, ""].count == 3
