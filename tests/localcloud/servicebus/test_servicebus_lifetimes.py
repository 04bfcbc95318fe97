"""How long a message lives: as it says, as its entity says, and no longer than either."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from localcloud.servicebus import Broker, ledger, message
from localcloud.servicebus.encoding import Timestamp
from localcloud.servicebus.entity import Entity
from localcloud.servicebus.message import LATEST, MOST_TTL, Message
from localcloud.servicebus.performatives import (
    Accepted,
    Attach,
    Detach,
    Header,
    Modified,
    Outcome,
    Properties,
    Released,
    Source,
    Target,
    Transfer,
)
from localcloud.topology import BusSubscription, BusTopic, Queue
from tests.localcloud.servicebus.peer import CATALOG, NOON, RECEIVES, SESSION, Client, flow, settle
from tests.waiting import so

DAY_MS = 86_400_000
LONG = Queue(ttl_seconds=60 * 86_400)


def letter(ttl: int | None = None, said: Properties | None = None) -> Message:
    return message.split(message.write(said or Properties(), {}, b"1"))._replace(header=Header(ttl=ttl))


def expiries(entity: Entity) -> list[int | None]:
    return [entry.expires for entry in entity.queue.entries.values()]


def told(entity: Entity) -> int | None:
    """What a receiver reads in the header."""
    (entry,) = entity.queue.entries.values()
    return message.split(entity.encoded(entry)).header.ttl


@pytest.fixture
async def sender(client: Client) -> AsyncIterator[Client]:
    """Its queue `catalog` keeps messages for longer than a header can say."""
    client.namespace.define("catalog", LONG)
    yield client


async def test_what_lives_longer_than_a_header_can_say_is_taken_and_expires_at_its_time(sender: Client) -> None:
    sender.send(b"1")
    (answer,) = await sender.written()

    assert answer.state == Accepted()
    assert expiries(sender.entity) == [NOON + 60 * DAY_MS]
    assert told(sender.entity) == MOST_TTL
    assert sender.entity.queue.room.messages == 99


async def test_its_time_is_the_same_after_a_restart(tmp_path: Path) -> None:
    for _ in range(2):
        async with Broker.open({"long": LONG}, tmp_path / "bus.sqlite", lambda *_: None) as broker:
            entity = broker.namespace["long"].entity
            if not entity.queue.entries:
                await entity.send([letter()])
            (entry,) = entity.queue.entries.values()
            assert entry.expires == entry.enqueued + 60 * DAY_MS


@pytest.mark.parametrize(("days", "most", "lives"), [(90, None, 90), (90, 60, 60), (90, 100, 90), (None, 60, 60)])
async def test_a_sender_says_a_long_life_by_two_times(
    client: Client, days: int | None, most: int | None, lives: int
) -> None:
    client.namespace.define("catalog", Queue(ttl_seconds=most and most * 86_400))
    until = None if days is None else Timestamp(NOON + days * DAY_MS)

    said = Properties(creation_time=Timestamp(NOON), absolute_expiry_time=until)
    await client.entity.send([letter(MOST_TTL if days else None, said)])

    assert expiries(client.entity) == [NOON + lives * DAY_MS]


async def test_for_ever_ends_with_the_calendar(client: Client) -> None:
    client.namespace.define("catalog", Queue(ttl_seconds=1e12))

    await client.entity.send([letter()])

    assert expiries(client.entity) == [LATEST]


@pytest.mark.parametrize(
    ("said", "topic", "subscription", "lives"),
    [
        (None, 5, None, 5),
        (9, 5, None, 5),
        (3, 5, None, 3),
        (None, 5, 2, 2),
        (None, 2, 5, 2),
        (None, None, 5, 5),
        (None, 60 * 86_400, None, 60 * 86_400),
    ],
)
async def test_a_topics_time_to_live_is_default_and_most_of_its_subscriptions(
    client: Client, said: int | None, topic: float | None, subscription: float | None, lives: int
) -> None:
    settings = BusTopic(ttl_seconds=topic, subscriptions={"sub": BusSubscription(ttl_seconds=subscription)})
    client.namespace.define("news", settings)

    await client.namespace["news"].entity.send([letter(said and said * 1_000)])

    assert expiries(client.namespace["news/subscriptions/sub"].entity) == [NOON + lives * 1_000]


async def test_what_is_forwarded_lives_no_longer_than_where_it_came_by(client: Client) -> None:
    client.namespace.define("first", Queue(ttl_seconds=5, forward_to="catalog"))

    await client.namespace["first"].entity.send([letter()])

    assert expiries(client.entity) == [NOON + 5_000]


BRIEF = Queue(ttl_seconds=5, dead_letter_expired=True, lock_seconds=30)


@pytest.fixture
async def brief(client: Client) -> Client:
    """The messages of its queue `catalog` live for five seconds."""
    client.namespace.define("catalog", BRIEF)
    return client


def dead(entity: Entity) -> int:
    return len(entity.sub_queue(ledger.DEAD).queue.entries)


@pytest.mark.parametrize("outcome", [Modified(delivery_failed=True), Released()])
async def test_what_expired_while_it_was_locked_is_dead_when_it_is_given_back(brief: Client, outcome: Outcome) -> None:
    brief.send(b"1")
    brief.receives(credit=2)
    await brief.written()
    brief.now[0] += 6_000

    answers = brief.say(settle(0, outcome)) + await brief.written()

    assert not [answer for answer in answers if isinstance(answer, Transfer)]
    await so(lambda: dead(brief.entity) == 1)


async def test_what_expired_while_it_was_locked_is_completed_all_the_same(brief: Client) -> None:
    brief.send(b"1")
    brief.receives()
    await brief.written()
    brief.now[0] += 6_000

    (answer,) = brief.say(settle(0, Accepted())) + await brief.written()

    assert (answer.state, dead(brief.entity)) == (Accepted(), 0)


async def test_what_expired_in_a_session_is_dead_when_its_receiver_leaves(client: Client) -> None:
    client.namespace.define("brief", Queue(ttl_seconds=5, dead_letter_expired=True, sessions=True))
    client.peer.rights["brief"] = frozenset({"Listen"})
    entity = client.namespace["brief"].entity
    await entity.send([letter(said=Properties(group_id="a"))])
    source = Source("amqps://host:1/brief", filter={SESSION: "a"})
    client.say(Attach("r", RECEIVES, role=True, source=source, target=Target()), flow(1))
    assert entity.queue.locked
    client.now[0] += 6_000

    client.say(Detach(RECEIVES, closed=True))

    await so(lambda: dead(entity) == 1)


@pytest.mark.parametrize("mode", [0, 1], ids=["locks", "deletes"])
async def test_who_comes_after_its_time_does_not_get_it_though_no_alarm_has_rung(brief: Client, mode: int) -> None:
    brief.send(b"late")
    await brief.written()
    brief.now[0] += 5_000
    brief.send(b"in time")
    await brief.written()

    source, before = Source(CATALOG), len(brief.said)
    brief.say(Attach("r", RECEIVES, role=True, snd_settle_mode=mode, source=source, target=Target()), flow(9))
    await so(lambda: dead(brief.entity) == 1)
    await brief.written()

    payloads = [frame.payload for frame in brief.said[before:] if isinstance(frame.body, Transfer)]
    assert [b"in time" in each for each in payloads] == [True]


async def test_dead_letters_do_not_expire_whoever_restarts(tmp_path: Path) -> None:
    queues = {"brief": BRIEF}
    async with Broker.open(queues, tmp_path / "bus.sqlite", lambda *_: None) as broker:
        entity = broker.namespace["brief"].entity
        await entity.send([letter(ttl=1)])
        await so(lambda: dead(entity) == 1)

    async with Broker.open(queues, tmp_path / "bus.sqlite", lambda *_: None) as broker:
        entity = broker.namespace["brief"].entity
        assert expiries(entity.sub_queue(ledger.DEAD)) == [None]
