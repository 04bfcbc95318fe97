"""A queue's dead letters, over the unmodified SDK: looked at without a trace, and sent again once each."""

import pytest
from azure.servicebus import ServiceBusMessage, ServiceBusReceivedMessage, ServiceBusSubQueue
from azure.servicebus.amqp import AmqpAnnotatedMessage
from azure.servicebus.exceptions import ServiceBusError

from deploy.dead_letters.letters import DeadLetter, Tally, Wanted
from deploy.dead_letters.queues import PEEKED, DeadQueue, copy
from tests.localcloud.servicebus.bus import Bus, received

pytestmark = pytest.mark.real

ALL = Wanted(1000)


def event(id_: str) -> bytes:
    return b'{"specversion":"1.0","id":"%s","source":"/s","type":"t","time":"","data":{}}' % id_.encode()


async def bury(bus: Bus, *ids: str, reason: str = "KeyError") -> None:
    """Each handled in vain until it is dead."""
    async with bus.of() as client, client.get_queue_sender("orders") as sender:
        await sender.send_messages(
            [
                ServiceBusMessage(
                    event(id_), message_id=f"m-{id_}", content_type="a/b", application_properties={"trace": id_}
                )
                for id_ in ids
            ]
        )
        async with client.get_queue_receiver("orders") as receiver:
            for _ in ids:
                (message,) = await received(receiver)
                await receiver.dead_letter_message(message, reason=reason, error_description=f"why {reason}")


async def live(bus: Bus, count: int) -> list[ServiceBusReceivedMessage]:
    """What is in the queue again; it is taken out."""
    found: list[ServiceBusReceivedMessage] = []
    async with bus.of() as client, client.get_queue_receiver("orders") as receiver:
        while len(found) < count:
            for message in await received(receiver, count):
                found.append(message)
                await receiver.complete_message(message)
    return found


async def look(bus: Bus, wanted: Wanted = ALL) -> list[DeadLetter]:
    async with bus.of() as client:
        return await DeadQueue(client, "orders").look(wanted, wanted.limit)


async def replay(bus: Bus, chosen: list[DeadLetter]) -> Tally:
    tally = Tally()
    async with bus.of() as client:
        await DeadQueue(client, "orders").replay(chosen, tally)
    return tally


def ids(letters: list[DeadLetter]) -> list[str]:
    return [letter.content.id for letter in letters]


async def test_they_are_listed_with_all_that_is_known_and_stay_as_they_are(bus: Bus) -> None:
    await bury(bus, "e-1")

    for _ in range(2):
        (letter,) = await look(bus)

        assert (letter.place, letter.reason, letter.description) == ("queue orders", "KeyError", "why KeyError")
        assert (letter.content.id, letter.content.type, letter.deliveries) == ("e-1", "t", 1)
        assert letter.at is not None
    assert bus.broker.counts("orders").dead_lettered == 1


async def test_more_than_one_answer_holds_are_found_and_no_more_than_there_is_room_for(bus: Bus) -> None:
    numbers = [str(number) for number in range(PEEKED + 5)]
    await bury(bus, *numbers)

    assert ids(await look(bus)) == numbers
    assert ids(await look(bus, Wanted(3))) == numbers[:3]
    assert ids(await look(bus, Wanted(5, ids=frozenset({"104"})))) == ["104"]


async def test_one_of_many_is_sent_again_as_it_was_and_the_others_stay(bus: Bus) -> None:
    await bury(bus, *(f"e-{number}" for number in range(30)))

    tally = await replay(bus, await look(bus, Wanted(9, ids=frozenset({"e-27"}))))

    (message,) = await live(bus, 1)
    assert (tally.sent, tally.good) == (1, True)
    assert (b"".join(message.body), message.content_type) == (event("e-27"), "a/b")
    assert message.application_properties == {b"trace": b"e-27"}
    assert message.delivery_count == 0
    assert sorted(ids(await look(bus))) == sorted(f"e-{number}" for number in range(30) if number != 27)


async def test_those_that_were_passed_over_can_be_replayed_at_once(bus: Bus) -> None:
    await bury(bus, "e-1", "e-2")
    await replay(bus, await look(bus, Wanted(1, ids=frozenset({"e-2"}))))

    tally = await replay(bus, await look(bus))

    assert (tally.sent, len(await live(bus, 2)), await look(bus)) == (1, 2, [])


async def test_what_is_gone_meanwhile_is_said_to_be_and_not_sent(bus: Bus) -> None:
    await bury(bus, "e-1", "e-2")
    chosen = await look(bus)
    await replay(bus, chosen[:1])

    tally = await replay(bus, chosen)

    assert (tally.sent, tally.gone, tally.good) == (1, 1, False)
    assert len(await live(bus, 2)) == 2


async def test_poison_comes_back_and_is_not_sent_a_second_time(bus: Bus) -> None:
    await bury(bus, "e-1")
    (first,) = await look(bus)
    await replay(bus, [first])
    async with bus.of() as client, client.get_queue_receiver("orders") as receiver:
        (message,) = await received(receiver)
        await receiver.dead_letter_message(message, reason="KeyError")

    tally = await replay(bus, [first])

    (again,) = await look(bus)
    assert (tally.sent, tally.gone) == (0, 1)
    assert (again.content, again.key != first.key) == (first.content, True)


async def test_it_goes_under_a_new_message_id_that_is_the_same_for_the_same_dead_letter(bus: Bus) -> None:
    """Else a queue that knows repeats would drop it, and the dead one would be removed: the message would be lost."""
    await bury(bus, "e-1")
    await replay(bus, await look(bus))
    (first,) = await live(bus, 1)
    await bury(bus, "e-1")
    await replay(bus, await look(bus))
    (second,) = await live(bus, 1)

    assert len({"m-e-1", first.message_id, second.message_id}) == 3
    assert first.message_id and len(first.message_id) == 36


async def test_who_died_before_it_was_settled_sends_the_same_message_again(bus: Bus) -> None:
    await bury(bus, "e-1")
    async with (
        bus.of() as client,
        client.get_queue_receiver("orders", sub_queue=ServiceBusSubQueue.DEAD_LETTER) as receiver,
    ):
        (first,) = await received(receiver)
        await receiver.abandon_message(first)
        (second,) = await received(receiver)

        assert copy(first, "orders").message_id == copy(second, "orders").message_id
        assert copy(first, "orders").message_id != copy(first, "catalog").message_id


async def test_a_body_that_is_no_bytes_is_listed_and_stays(bus: Bus) -> None:
    async with bus.of() as client, client.get_queue_sender("orders") as sender:
        await sender.send_messages(AmqpAnnotatedMessage(value_body={"a": 1}))
        async with client.get_queue_receiver("orders") as receiver:
            (message,) = await received(receiver)
            await receiver.dead_letter_message(message, reason="Malformed")
    await bury(bus, "e-1")

    tally = await replay(bus, await look(bus))

    assert (tally.sent, len(tally.refused), tally.good) == (1, 1, False)
    assert [letter.content.gist for letter in await look(bus)] == ["no CloudEvent, 0 bytes"]


async def test_who_has_no_right_is_told_so(bus: Bus) -> None:
    async with bus.of("functions") as client:
        with pytest.raises(ServiceBusError, match="Listen"):
            await DeadQueue(client, "orders").look(ALL, 1)
