"""The AMQP side without a socket: frames in, frames out."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from localcloud.journal import Journal
from localcloud.servicebus import frames, message
from localcloud.servicebus.attachment import Peer
from localcloud.servicebus.connection import Connection, Phase
from localcloud.servicebus.encoding import Array, Symbol, Timestamp, uuid
from localcloud.servicebus.entity import SCHEMA, Entity
from localcloud.servicebus.frames import Frame, Parser, Protocol, Type
from localcloud.servicebus.performatives import (
    Accepted,
    Attach,
    Begin,
    Close,
    Detach,
    Disposition,
    End,
    Flow,
    Modified,
    Open,
    Outcome,
    Properties,
    Rejected,
    Released,
    SaslInit,
    Source,
    Target,
    Transfer,
)
from localcloud.servicebus.queue import Queue, Room

NOON = 1_780_315_200_000
LOCK_MS = 30_000
RECEIVES, SENDS, ASKS, HEARS = 1, 2, 3, 4  # handles
SESSION = Symbol("com.microsoft:session-filter")
CATALOG = "amqps://host:1/Catalog"


@dataclass(slots=True)
class Client:
    """A peer that says what it is told to."""

    entity: Entity
    journal: Journal
    now: list[int]
    connection: Connection = field(init=False)
    said: list[Frame] = field(default_factory=list)
    _parser: Parser = field(default_factory=Parser)

    def hear(self, data: bytes) -> None:
        self.said += [item for item in self._parser.feed(data) if isinstance(item, Frame)]

    def say(self, *bodies: Any, payload: bytes = b"") -> list[Any]:
        """What the broker answers at once."""
        before = len(self.said)
        self.connection.receive(b"".join(frames.encode(0, body, payload) for body in bodies))
        return [frame.body for frame in self.said[before:]]

    async def written(self) -> list[Any]:
        """What it says once all it has to write is on disk."""
        before = len(self.said)
        await self.journal.write()
        return [frame.body for frame in self.said[before:]]

    def open(self, *, window: int = 100, largest_frame: int = 65_536) -> None:
        self.connection.receive(Protocol.SASL.value + frames.encode(0, SaslInit("ANONYMOUS"), kind=Type.SASL))
        self.connection.receive(Protocol.AMQP.value)
        self.say(Open("test", max_frame_size=largest_frame), Begin(None, 0, window, window))

    def send(self, body: bytes, number: int = 0) -> list[Any]:
        return self.say(Transfer(SENDS, number, b"tag", 0), payload=message.write(Properties(), {}, body))

    def receives(self, credit: int = 1, address: str = CATALOG) -> list[Any]:
        return self.say(Attach("r", RECEIVES, role=True, source=Source(address), target=Target()), flow(credit))

    def ask(self, operation: str, body: Any) -> tuple[dict[Any, Any], Any]:
        """The application properties and the body of the answer."""
        node = f"{CATALOG}/$management"
        self.say(
            Attach("h", HEARS, role=True, source=Source(node), target=Target("here")),
            Attach("a", ASKS, role=False, source=Source("here"), target=Target(node)),
            flow(1, HEARS),
        )
        request = message.write(Properties(message_id=uuid4()), {"operation": f"com.microsoft:{operation}"}, value=body)
        self.say(Transfer(ASKS, 9, b"tag"), payload=request)
        _, application, value = message.read(self.said[-2].payload)
        self.say(Detach(HEARS), Detach(ASKS))
        return application, value


def flow(credit: int, handle: int = RECEIVES, *, window: int = 100, drain: bool = False) -> Flow:
    return Flow(0, window, 0, 100, handle=handle, delivery_count=0, link_credit=credit, drain=drain)


def settle(number: int, outcome: Outcome, *, settled: bool = False) -> Disposition:
    return Disposition(role=True, first=number, settled=settled, state=outcome)


@asynccontextmanager
async def connected(folder: Path) -> AsyncIterator[Client]:
    now, room = [NOON], Room(100, 1_000_000)
    async with Journal.open(folder / "bus.sqlite", SCHEMA) as journal:
        queue = Queue(LOCK_MS, room, most_deliveries=3, dead_letters=Queue(LOCK_MS, room))
        entity = Entity("catalog", queue, journal, clock=lambda: now[0], new_token=uuid4)
        peer = Peer({"catalog": entity}, lambda *_: None, {"catalog": frozenset({"Send", "Listen"})})
        client = Client(entity, journal, now)
        client.connection = Connection(peer, client.hear)
        yield client
        client.connection.lost()
        entity.close()


@pytest.fixture
async def stranger(tmp_path: Path) -> AsyncIterator[Client]:
    async with connected(tmp_path) as client:
        yield client


@pytest.fixture
async def client(stranger: Client) -> Client:
    stranger.open()
    stranger.say(Attach("s", SENDS, role=False, source=Source(), target=Target(CATALOG)))
    return stranger


async def test_a_send_is_accepted_only_when_it_is_on_disk(client: Client) -> None:
    assert client.send(b"1") == []

    assert await client.written() == [Disposition(role=True, first=0, last=0, settled=True, state=Accepted())]
    assert await client.journal.read("SELECT queue, number FROM messages") == [("catalog", 1)]


async def test_a_completion_is_answered_only_when_it_is_on_disk(client: Client) -> None:
    client.send(b"1")
    client.receives()
    await client.written()

    assert client.say(settle(0, Accepted())) == []

    assert await client.written() == [Disposition(role=False, first=0, last=0, settled=True, state=Accepted())]
    assert await client.journal.read("SELECT count(*) FROM messages") == [(0,)]


async def test_a_link_without_the_right_is_refused_with_the_reason(stranger: Client) -> None:
    stranger.open()

    refused, detached = stranger.say(Attach("x", 7, role=True, source=Source("amqps://host/orders"), target=Target()))

    assert (refused.name, refused.source, refused.target) == ("x", None, None)
    assert (detached.closed, detached.error.condition) == (True, "amqp:unauthorized-access")


@pytest.mark.parametrize(
    ("attach", "condition"),
    [
        (Attach("x", 7, role=True), "amqp:not-allowed"),
        (Attach("x", 7, role=True, source=Source("catalog", filter={SESSION: None})), "amqp:not-allowed"),
        (Attach("x", 7, role=False, target=Target("catalog/$DeadLetterQueue")), "amqp:not-allowed"),
        (Attach("x", 7, role=True, source=Source("topic/Subscriptions/$x")), "amqp:not-found"),
    ],
    ids=["no address", "session", "sending to dead letters", "strange address"],
)
async def test_what_cannot_be_attached_to_is_refused(client: Client, attach: Attach, condition: str) -> None:
    _, detached = client.say(attach)

    assert detached.error.condition == condition


async def test_a_lock_that_expired_meanwhile_is_lost(client: Client) -> None:
    client.send(b"1")
    client.receives()
    await client.written()
    client.now[0] += LOCK_MS

    (answer,) = client.say(settle(0, Accepted()))

    assert (answer.settled, answer.state.error.condition) == (True, "com.microsoft:message-lock-lost")


@pytest.mark.parametrize(
    ("outcome", "echo", "count"),
    [
        (Modified(delivery_failed=True), Modified(delivery_failed=True), 1),
        (Released(), Released(), 0),
    ],
)
async def test_what_is_given_back_comes_again(client: Client, outcome: Outcome, echo: Outcome, count: int) -> None:
    client.send(b"1")
    client.receives(credit=2)
    await client.written()

    again, *answered = client.say(settle(0, outcome)) + await client.written()

    assert isinstance(again, Transfer)
    assert answered == [Disposition(role=False, first=0, last=0, settled=True, state=echo)]
    assert delivery_count(client.said[-2]) == count


def delivery_count(delivery: Frame) -> Any:
    """From its header."""
    return next(message.parts(delivery.payload)).content()[4]


async def test_an_outcome_that_is_settled_already_is_not_answered(client: Client) -> None:
    client.send(b"1")
    client.receives()
    await client.written()

    assert client.say(settle(0, Accepted(), settled=True)) + await client.written() == []
    assert not client.entity.queue.entries


async def test_a_range_of_deliveries_is_settled_at_once(client: Client) -> None:
    for number in range(3):
        client.send(b"1", number)
    client.receives(credit=3)
    await client.written()

    client.say(Disposition(role=True, first=0, last=4_000_000_000, state=Accepted()))

    assert [answer.first for answer in await client.written()] == [0, 1, 2]


async def test_a_detached_link_keeps_its_locks_and_forgets_its_deliveries(client: Client) -> None:
    client.send(b"1")
    client.receives()
    await client.written()
    (token,) = client.entity.queue.locked
    client.say(Detach(RECEIVES, closed=True))

    assert client.say(settle(0, Accepted())) == []
    assert list(client.entity.queue.locked) == [token]


async def test_a_transfer_waits_for_the_peers_window(stranger: Client) -> None:
    stranger.open(window=1, largest_frame=512)
    stranger.say(Attach("s", SENDS, role=False, source=Source(), target=Target(CATALOG)))
    stranger.send(bytes(1_000), 0)
    stranger.send(b"next", 1)

    stranger.say(Attach("r", RECEIVES, role=True, source=Source(CATALOG), target=Target()), flow(2, window=1))
    first = [body for body in await stranger.written() if isinstance(body, Transfer)]
    rest = stranger.say(flow(2, window=100))

    assert [transfer.more for transfer in first] == [True]
    assert [transfer.more for transfer in rest] == [True, False, False]
    assert b"".join(frame.payload for frame in stranger.said if isinstance(frame.body, Transfer)).count(b"\x00") > 1_000


async def test_draining_uses_up_the_credit(client: Client) -> None:
    client.receives(credit=5)

    (answer,) = client.say(flow(5, drain=True))

    assert (answer.drain, answer.link_credit, answer.delivery_count) == (True, 0, 5)


async def test_a_peer_that_does_not_read_gets_no_messages_until_it_does(client: Client) -> None:
    client.receives()
    client.connection.pause()
    client.send(b"1")
    assert [type(body) for body in await client.written()] == [Disposition]

    client.connection.resume()

    assert isinstance(client.said[-1].body, Transfer)


async def test_a_renewal_tells_until_when(client: Client) -> None:
    client.send(b"1")
    client.receives()
    await client.written()
    client.now[0] += 1_000

    said, body = client.ask("renew-lock", {"lock-tokens": Array(uuid, client.entity.queue.locked)})

    assert (said["statusCode"], body) == (200, {"expirations": [NOON + 1_000 + LOCK_MS]})


@pytest.mark.parametrize(
    ("operation", "body", "status", "condition"),
    [
        ("renew-lock", {"lock-tokens": Array(uuid, [UUID(int=9)])}, 410, "com.microsoft:message-lock-lost"),
        ("renew-lock", {}, 400, "com.microsoft:argument-error"),
        ("peek-message", None, 400, "com.microsoft:argument-error"),
        ("peek-message", {"from-sequence-number": 1, "message-count": "x"}, 400, "com.microsoft:argument-error"),
        ("update-disposition", {"disposition-status": "defered"}, 501, "amqp:not-implemented"),
        ("schedule-message", {}, 501, "amqp:not-implemented"),
    ],
)
async def test_a_request_that_fails_says_why(
    client: Client, operation: str, body: Any, status: int, condition: str
) -> None:
    said, _ = client.ask(operation, body)

    assert (said["statusCode"], said["errorCondition"]) == (status, condition)


@pytest.mark.parametrize(
    "data",
    [b"GET / HTTP/1.1\r\n\r\n", b"AMQP\x02\x01\x00\x00", Protocol.AMQP.value, b"\x16\x03\x01\x02\x00\x01\x00\x01"],
    ids=["HTTP", "AMQP's own TLS", "AMQP without SASL", "TLS"],
)
async def test_another_protocol_is_answered_with_the_one_that_is_spoken(tmp_path: Path, data: bytes) -> None:
    said: list[bytes] = []
    connection = Connection(Peer({}, lambda *_: None), said.append)

    connection.receive(data)

    assert (said, connection.phase) == ([Protocol.SASL.value], Phase.CLOSED)


async def test_what_breaks_the_protocol_closes_the_connection_and_says_why(client: Client) -> None:
    (closed,) = client.say(Attach("again", SENDS, role=True))

    assert closed.error.condition == "amqp:not-allowed"
    assert client.say(Begin(None, 0, 1, 1)) == []


async def test_what_a_peer_adds_in_types_that_the_broker_does_not_write_is_not_said_back(client: Client) -> None:
    odd = {Symbol("cost"): Timestamp(1)}
    source = Source(CATALOG, dynamic_node_properties=odd, outcomes=["amqp:accepted:list"])
    attach = frames.encode(0, Attach("odd", RECEIVES, role=True, source=source))
    settled = frames.encode(0, settle(0, Modified(message_annotations=odd)))
    client.send(b"1")
    await client.written()

    for said in (attach, frames.encode(0, flow(1)), settled):
        client.connection.receive(said.replace(b"\x83" + bytes(7), b"\x82" + bytes(7)))  # a double, not a timestamp
    await client.written()

    attached, _, answer = [frame.body for frame in client.said[-3:]]
    assert attached.source == Source(CATALOG)
    assert answer.state == Modified()


async def test_an_end_and_a_close_are_answered(client: Client) -> None:
    assert client.say(End(), Detach(SENDS), Close()) == [End(), Close()]


def bodies(kind: Any, *fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.tuples(*fields).map(lambda values: kind(*values))


NUMBERS = st.integers(0, 5) | st.sampled_from([255, 2**32 - 1])
OPTIONAL = st.none() | NUMBERS
MODES = st.integers(0, 2)
NAMES = st.sampled_from(["catalog", "catalog/$DeadLetterQueue", "catalog/$management", "$cbs", "", "no"])
SOURCES, TARGETS = st.none() | bodies(Source, NAMES), st.none() | bodies(Target, NAMES)
OUTCOMES = st.sampled_from([None, Accepted(), Released(), Modified(), Modified(undeliverable_here=True), Rejected()])
BODIES = (
    bodies(Begin, st.none(), NUMBERS, NUMBERS, NUMBERS)
    | bodies(Attach, st.just("x"), NUMBERS, st.booleans(), MODES, MODES, SOURCES, TARGETS)
    | bodies(Flow, OPTIONAL, NUMBERS, NUMBERS, NUMBERS, *[OPTIONAL] * 4, st.booleans(), st.booleans())
    | bodies(Transfer, NUMBERS, OPTIONAL, st.none() | st.binary(max_size=5), OPTIONAL, st.booleans(), st.booleans())
    | bodies(Disposition, st.booleans(), NUMBERS, OPTIONAL, st.booleans(), OUTCOMES)
    | bodies(Detach, NUMBERS, st.booleans())
    | st.sampled_from([End(), Open("again"), SaslInit("ANONYMOUS")])
)
PAYLOADS = st.binary(max_size=20) | st.just(message.write(Properties(), {"operation": "put-token"}, b"body"))


@settings(max_examples=60)
@given(st.lists(st.tuples(BODIES, PAYLOADS), max_size=25))
async def test_no_sequence_of_frames_breaks_it(said: list[tuple[Any, bytes]]) -> None:
    with TemporaryDirectory() as folder:
        async with connected(Path(folder)) as client:
            client.open()
            client.say(Attach("s", SENDS, role=False, source=Source(), target=Target(CATALOG)))
            client.send(b"1")
            client.receives()

            for body, payload in said:
                client.say(body, payload=payload)
            await client.written()

            queue = client.entity.queue
            dead = queue.dead_letters.entries if queue.dead_letters else {}
            assert queue.active + len(queue.locked) == len(queue.entries)
            assert queue.room.messages == 100 - len(queue.entries) - len(dead)
