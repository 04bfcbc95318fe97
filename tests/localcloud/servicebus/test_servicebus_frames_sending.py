"""Attaching and sending, without a socket: frames in, frames out."""

import pytest

from localcloud.servicebus.performatives import Accepted, Attach, Disposition, Source, Target
from tests.localcloud.servicebus.peer import SESSION, Client


async def test_a_send_is_accepted_only_when_it_is_on_disk(client: Client) -> None:
    assert client.send(b"1") == []

    assert await client.written() == [Disposition(role=True, first=0, last=0, settled=True, state=Accepted())]
    assert await client.journal.read("SELECT entity, number FROM entries") == [("catalog", 1)]


async def test_a_link_without_the_right_is_refused_with_the_reason(newcomer: Client) -> None:
    newcomer.open()

    refused, detached = newcomer.say(Attach("x", 7, role=True, source=Source("amqps://host/orders"), target=Target()))

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
