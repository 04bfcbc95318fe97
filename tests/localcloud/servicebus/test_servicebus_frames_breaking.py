"""What a peer may say that makes no sense."""

import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from localcloud.servicebus import frames, message
from localcloud.servicebus.attachment import Peer
from localcloud.servicebus.claims import Claims
from localcloud.servicebus.connection import Connection, Phase
from localcloud.servicebus.encoding import Symbol, Timestamp
from localcloud.servicebus.entry import State
from localcloud.servicebus.frames import Protocol
from localcloud.servicebus.ledger import DEAD
from localcloud.servicebus.management import OPERATIONS
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
    Properties,
    Rejected,
    Released,
    SaslInit,
    Source,
    Target,
    Transfer,
)
from tests.localcloud.servicebus.peer import (
    ASKS,
    CATALOG,
    HEARS,
    NOON,
    RECEIVES,
    SENDS,
    Client,
    connected,
    flow,
    settle,
)


@pytest.mark.parametrize(
    "data",
    [b"GET / HTTP/1.1\r\n\r\n", b"AMQP\x02\x01\x00\x00", Protocol.AMQP.value, b"\x16\x03\x01\x02\x00\x01\x00\x01"],
    ids=["HTTP", "AMQP's own TLS", "AMQP without SASL", "TLS"],
)
async def test_another_protocol_is_answered_with_the_one_that_is_spoken(newcomer: Client, data: bytes) -> None:
    said: list[bytes] = []
    claims = Claims(lambda *_: None, lambda: NOON)
    connection = Connection(Peer(newcomer.namespace, claims), said.append, asyncio.get_running_loop().call_later)

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
NAMES = st.sampled_from(
    ["catalog", "catalog/$DeadLetterQueue", "catalog/$management", "$cbs", "", "no", "sessions", "told"]
)
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

            queue, dead = client.entity.queue, client.entity.sub_queue(DEAD).queue
            deferred = [e for e in queue.entries.values() if e.state == State.DEFERRED and not e.token]
            assert queue.active + len(queue.locked) + len(deferred) == len(queue.entries)
            assert queue.room.messages == 100 - len(queue.entries) - len(dead.entries)


ARGUMENTS = """
from-sequence-number message-count messages sequence-numbers receiver-settle-mode lock-tokens session-id
disposition-status session-state last-updated-time skip top properties-to-modify
"""
KEYS = st.sampled_from(ARGUMENTS.split())
TEXT = st.sampled_from(["a", "completed", "abandoned", "defered", "suspended", ""])
ATOMS = st.none() | st.booleans() | st.integers(-2, 300) | TEXT | st.binary(max_size=4) | st.uuids()
REQUESTS = st.tuples(
    st.sampled_from([*OPERATIONS, "fly"]),
    st.dictionaries(KEYS, ATOMS | st.lists(ATOMS | st.dictionaries(st.just("message"), ATOMS), max_size=3)),
)


@settings(max_examples=100)
@given(st.lists(REQUESTS, max_size=12), st.sampled_from(["catalog", "sessions", "told", "catalog/$DeadLetterQueue"]))
async def test_no_request_breaks_it(asked: list[tuple[str, dict[str, Any]]], entity: str) -> None:
    with TemporaryDirectory() as folder:
        async with connected(Path(folder)) as client:
            client.open()
            for operation, body in asked:
                client.ask_later(operation, body, f"{entity}/$management")
                await client.written()
                client.say(Detach(HEARS), Detach(ASKS))

            assert client.connection.phase is Phase.OPEN
            assert len([frame for frame in client.said if isinstance(frame.body, Transfer)]) == len(asked)
