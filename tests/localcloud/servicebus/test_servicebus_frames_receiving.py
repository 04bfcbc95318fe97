"""Receiving and settling, without a socket: frames in, frames out."""

from typing import Any

import pytest

from localcloud.servicebus import message
from localcloud.servicebus.frames import Frame
from localcloud.servicebus.performatives import (
    Accepted,
    Attach,
    Detach,
    Disposition,
    Modified,
    Outcome,
    Released,
    Source,
    Target,
    Transfer,
)
from tests.localcloud.servicebus.peer import CATALOG, LOCK_MS, RECEIVES, SENDS, Client, flow, settle


async def test_a_completion_is_answered_only_when_it_is_on_disk(client: Client) -> None:
    client.send(b"1")
    client.receives()
    await client.written()

    assert client.say(settle(0, Accepted())) == []

    assert await client.written() == [Disposition(role=False, first=0, last=0, settled=True, state=Accepted())]
    assert await client.journal.read("SELECT count(*) FROM entries") == [(0,)]


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


async def test_a_transfer_waits_for_the_peers_window(newcomer: Client) -> None:
    newcomer.open(window=1, largest_frame=512)
    newcomer.say(Attach("s", SENDS, role=False, source=Source(), target=Target(CATALOG)))
    newcomer.send(bytes(1_000), 0)
    newcomer.send(b"next", 1)

    newcomer.say(Attach("r", RECEIVES, role=True, source=Source(CATALOG), target=Target()), flow(2, window=1))
    first = [body for body in await newcomer.written() if isinstance(body, Transfer)]
    rest = newcomer.say(flow(2, window=100))

    assert [transfer.more for transfer in first] == [True]
    assert [transfer.more for transfer in rest] == [True, False, False]
    assert b"".join(frame.payload for frame in newcomer.said if isinstance(frame.body, Transfer)).count(b"\x00") > 1_000


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
