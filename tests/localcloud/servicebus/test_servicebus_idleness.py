"""What lies idle for as long as it may is removed: whatever is done with it before puts that off."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import msgspec
import pytest

from localcloud import topology
from localcloud.servicebus import Broker, message
from localcloud.servicebus.encoding import Int, symbol, timestamp
from localcloud.servicebus.errors import UnknownEntity
from localcloud.servicebus.idleness import Idleness
from localcloud.servicebus.performatives import Attach, Detach, Properties, Source, Target
from localcloud.topology import BusSubscription, BusTopic, Queue
from tests.localcloud.servicebus.peer import CATALOG, RECEIVES, SENDS, Client, connected

MINUTE_MS = 60_000
FIVE_MINUTES = 300.0
MORTAL = Queue(auto_delete_seconds=FIVE_MINUTES)
NODE = f"{CATALOG}/$management"


@pytest.fixture
async def mortal(tmp_path: Path) -> AsyncIterator[Client]:
    """Its queue `catalog` may lie idle for five minutes."""
    async with connected(tmp_path) as client:
        client.namespace.define("catalog", MORTAL)
        client.open()
        client.say(Attach("s", SENDS, role=False, source=Source("here"), target=Target(CATALOG)))
        yield client


@pytest.fixture
def idleness(mortal: Client) -> Idleness:
    made = Idleness(mortal.namespace)
    made.remove()
    return made


def is_there(client: Client, name: str = "catalog") -> bool:
    return client.namespace.get(name) is not None


def later(client: Client, idleness: Idleness, minutes: float) -> None:
    client.now[0] += int(minutes * MINUTE_MS)
    idleness.remove()


async def test_what_was_idle_for_so_long_is_removed_with_what_lies_there(mortal: Client, idleness: Idleness) -> None:
    mortal.send(b"1")
    await mortal.written()
    idleness.remove()

    later(mortal, idleness, 4.9)
    assert is_there(mortal)

    later(mortal, idleness, 0.2)
    assert not is_there(mortal)
    with pytest.raises(UnknownEntity):
        mortal.namespace["catalog"]


async def test_what_says_nothing_of_it_stays(mortal: Client, idleness: Idleness) -> None:
    later(mortal, idleness, 1_000_000)

    assert is_there(mortal, "sessions")


def send(client: Client) -> None:
    client.send(b"1")


def receive(client: Client) -> None:
    """A link that comes and goes."""
    client.receives()
    client.say(Detach(RECEIVES, closed=True))


def peek(client: Client) -> None:
    client.ask("peek-message", {"from-sequence-number": 1, "message-count": Int(1)})


def change(client: Client) -> None:
    client.namespace.define("catalog", Queue(max_delivery_count=3, auto_delete_seconds=FIVE_MINUTES))


def forward(client: Client) -> None:
    client.namespace.define("mirror", Queue(forward_to="catalog"))
    client.namespace["mirror"].entity.send([message.split(message.write(Properties(), {}, b"1"))])


@pytest.mark.parametrize("use", [send, receive, peek, change, forward])
async def test_use_puts_it_off(mortal: Client, idleness: Idleness, use: Callable[[Client], None]) -> None:
    later(mortal, idleness, 4)
    use(mortal)
    await mortal.written()
    idleness.remove()

    later(mortal, idleness, 4)
    assert is_there(mortal)

    later(mortal, idleness, 2)
    assert not is_there(mortal)


async def test_while_somebody_is_attached_it_is_not_idle(mortal: Client, idleness: Idleness) -> None:
    mortal.receives()
    later(mortal, idleness, 100)
    assert is_there(mortal)

    mortal.say(Detach(RECEIVES, closed=True))
    later(mortal, idleness, 6)
    assert not is_there(mortal)


async def test_what_is_scheduled_keeps_it(mortal: Client, idleness: Idleness) -> None:
    due = [symbol("x-opt-scheduled-enqueue-time") + timestamp(mortal.now[0] + 60 * MINUTE_MS)]
    encoded = message.split(message.write(Properties(), {}, b"1")).encoded(due, 0)
    mortal.ask_later("schedule-message", {"messages": [{"message": encoded, "message-id": "m"}]})
    await mortal.written()
    assert mortal.namespace["catalog"].entity.queue.entries

    later(mortal, idleness, 50)

    assert is_there(mortal)


async def test_a_subscription_lives_by_its_receivers_and_a_topic_by_its_subscriptions(
    mortal: Client, idleness: Idleness
) -> None:
    subscriptions = dict.fromkeys(("heard", "unheard"), BusSubscription(auto_delete_seconds=FIVE_MINUTES))
    mortal.namespace.define("news", BusTopic(auto_delete_seconds=FIVE_MINUTES, subscriptions=subscriptions))
    mortal.peer.rights["news"] = frozenset({"Listen"})
    idleness.remove()
    mortal.receives(address="amqps://host:1/news/subscriptions/heard")

    mortal.namespace["news"].entity.send([message.split(message.write(Properties(), {}, b"1"))])
    await mortal.written()
    later(mortal, idleness, 6)

    assert (is_there(mortal, "news"), is_there(mortal, "news/subscriptions/heard")) == (True, True)
    assert not is_there(mortal, "news/subscriptions/unheard")

    mortal.say(Detach(RECEIVES, closed=True))
    later(mortal, idleness, 6)
    assert not is_there(mortal, "news")


async def test_what_forwards_is_never_idle_and_its_destination_may_be(mortal: Client, idleness: Idleness) -> None:
    forwards = BusSubscription(auto_delete_seconds=FIVE_MINUTES, forward_to="catalog")
    idle = BusSubscription(auto_delete_seconds=FIVE_MINUTES)
    mortal.namespace.define("news", BusTopic(subscriptions={"forwards": forwards, "idle": idle}))
    mortal.namespace.define("mirror", Queue(auto_delete_seconds=FIVE_MINUTES, forward_to="catalog"))
    idleness.remove()

    later(mortal, idleness, 6)

    names = ("catalog", "mirror", "news/subscriptions/forwards", "news/subscriptions/idle")
    assert [is_there(mortal, name) for name in names] == [False, True, True, False]


async def test_a_topic_is_used_by_what_none_of_its_subscriptions_wants(mortal: Client, idleness: Idleness) -> None:
    mortal.namespace.define("news", BusTopic(auto_delete_seconds=FIVE_MINUTES))
    idleness.remove()
    later(mortal, idleness, 4)

    await mortal.namespace["news"].entity.send([message.split(message.write(Properties(), {}, b"1"))])
    idleness.remove()

    later(mortal, idleness, 4)
    assert is_there(mortal, "news")


async def test_after_a_restart_the_time_begins_anew_and_what_was_removed_stays_away(tmp_path: Path) -> None:
    async with connected(tmp_path) as client:
        await client.namespace.create("kept", MORTAL)
        await client.namespace.create("removed", Queue(auto_delete_seconds=600))
        idleness = Idleness(client.namespace)
        idleness.remove()
        later(client, idleness, 4)
        client.namespace.define("kept", MORTAL)
        later(client, idleness, 4)
        client.namespace.define("kept", MORTAL)
        later(client, idleness, 4)
        await client.written()

    async with Broker.open({}, tmp_path / "bus.sqlite", lambda *_: None) as broker:
        assert broker.namespace["kept"].settings.auto_delete_seconds == 300
        assert broker.namespace.get("removed") is None


@pytest.mark.parametrize("kind", [Queue, BusTopic, BusSubscription])
def test_less_than_five_minutes_is_refused(kind: type[topology.Queue]) -> None:
    with pytest.raises(msgspec.ValidationError, match="auto_delete_seconds"):
        msgspec.yaml.decode("auto_delete_seconds: 299", type=kind)
