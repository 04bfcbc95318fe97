"""With no memory for what messages say, everything is read from disk, and all is the same."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from localcloud.servicebus import message
from localcloud.servicebus.encoding import Array, Symbol, wide_long
from localcloud.servicebus.entry import State
from localcloud.servicebus.ledger import DEAD
from localcloud.servicebus.performatives import Attach, Error, Modified, Properties, Rejected, Source, Target, Transfer
from tests.localcloud.servicebus.peer import CATALOG, SENDS, Client, connected, settle

COUNT = 70  # more than a page


@pytest.fixture(params=[0, 2_000, 1_000_000], ids=["none", "little", "enough"])
async def client(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Client]:
    async with connected(tmp_path, memory=request.param) as client:
        client.open(window=1_000)
        client.say(Attach("s", SENDS, role=False, source=Source(), target=Target(CATALOG)))
        yield client


def bodies(client: Client) -> list[bytes]:
    return [body_of(frame.payload) for frame in client.said if isinstance(frame.body, Transfer)]


def body_of(data: bytes) -> bytes:
    content: bytes = next(part for part in message.parts(data) if part.section is message.Section.DATA).content()
    return content


async def test_what_was_sent_is_what_comes_in_order(client: Client) -> None:
    for number in range(COUNT):
        client.send(b"%d" % number, number)
    await client.written()
    memory = client.entity.ground.memory.free

    client.receives(credit=COUNT)

    assert bodies(client) == [b"%d" % number for number in range(COUNT)]
    assert memory >= 0


async def test_what_is_changed_and_given_back_comes_changed(client: Client) -> None:
    client.send(b"1")
    client.receives(credit=2)
    await client.written()

    client.say(settle(0, Modified(delivery_failed=True, message_annotations={"tried": "once"})))
    before = message.split(client.said[-1].payload).application
    await client.written()

    assert before == {"tried": "once"}
    assert client.entity.content(client.entity.queue.entries[1]).application == {"tried": "once"}


async def test_a_dead_letter_keeps_its_body_and_its_reason(client: Client) -> None:
    client.send(b"1")
    client.receives()
    await client.written()

    info = {Symbol("DeadLetterReason"): "because", "extra": 7}
    client.say(settle(0, Rejected(Error("com.microsoft:dead-letter", info=info))))
    dead = client.entity.sub_queue(DEAD)
    for _ in range(2):  # before it is on disk, and after that
        said = dead.content(dead.queue.entries[1])
        assert (body_of(said.bare), said.application) == (b"1", {"extra": 7, "DeadLetterReason": "because"})
        await client.written()


async def test_a_deferred_and_a_scheduled_message_keep_their_bodies(client: Client) -> None:
    client.send(b"deferred")
    client.receives()
    await client.written()
    client.say(settle(0, Modified(delivery_failed=True, undeliverable_here=True)))
    await client.written()
    due = client.now[0] + 1_000
    client.entity.send([message.split(message.write(Properties(), {}, b"scheduled"))._replace(due=due)])
    await client.written()
    assert [entry.state for entry in client.entity.queue.entries.values()] == [State.DEFERRED, State.SCHEDULED]

    client.now[0] = due
    client.entity._ring()
    await client.written()
    _, answer = client.ask("peek-message", {"from-sequence-number": 1, "message-count": 9})
    assert [body_of(each["message"]) for each in answer["messages"]] == [b"deferred", b"scheduled"]

    numbers = {"sequence-numbers": Array(wide_long, [1]), "receiver-settle-mode": 1}
    before = len(client.said)
    client.ask_later("receive-by-sequence-number", numbers)
    await client.written()

    assert any(b"deferred" in frame.payload for frame in client.said[before:])


async def test_memory_is_given_back_when_messages_leave(client: Client) -> None:
    before = client.entity.ground.memory.free
    for number in range(3):
        client.send(b"1", number)
    await client.written()

    client.receives(credit=3)
    for number in range(3):
        client.say(settle(number, Modified(delivery_failed=True) if number == 1 else Rejected()))
    await client.written()
    for entry in [*client.entity.queue.entries.values()]:
        client.entity.remove(entry)
    dead = client.entity.sub_queue(DEAD)
    for entry in [*dead.queue.entries.values()]:
        dead.remove(entry)
    await client.written()

    assert client.entity.ground.memory.free == before
    assert await client.journal.read("SELECT count(*) FROM entries") == [(0,)]
