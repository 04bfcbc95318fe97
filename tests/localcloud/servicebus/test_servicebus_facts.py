"""What a rule sees of a message beside what its sender wrote as properties."""

from collections.abc import Mapping
from typing import Any, Final

import pytest

from localcloud.servicebus import message
from localcloud.servicebus.encoding import Symbol, Timestamp, encode, string
from localcloud.servicebus.errors import BadArgument
from localcloud.servicebus.message import PARTITION_KEY, SCHEDULED, Message
from localcloud.servicebus.performatives import Properties
from localcloud.topology import BusSubscription, BusTopic, Rule
from tests.localcloud.servicebus.peer import NOON, Client

HOUR_MS = 3_600_000
NONE: Final[Mapping[Any, object]] = {}


def letter(annotations: Mapping[Symbol, object] = NONE, application: Mapping[str, object] = NONE) -> Message:
    own = [encode(key) + encode(value) for key, value in annotations.items()]
    return message.split(message.split(message.write(Properties(), dict(application), b"1")).encoded(own, 0))


async def matched(client: Client, sql: str, *sent: Message) -> int:
    """How many of them the rule wants."""
    subscriptions = {"sub": BusSubscription(rules={"rule": Rule(sql=sql)})}
    client.namespace.define("news", BusTopic(subscriptions=subscriptions))
    for each in sent:
        await client.namespace["news"].entity.send([each])
    return client.namespace["news/subscriptions/sub"].entity.queue.active


@pytest.mark.parametrize(
    "sql",
    [
        "sys.PartitionKey = 'red'",
        "sys.ScheduledEnqueueTimeUtc = '2026-06-01T11:00:00Z'",
        "sys.EnqueuedTimeUtc > '2026-06-01T11:59:59Z' AND sys.EnqueuedTimeUtc < '2026-06-01T12:00:01Z'",
        "sys.SequenceNumber = 1 AND sys.DeliveryCount = 0",
    ],
)
async def test_a_rule_sees_what_the_system_knows_when_the_message_comes(client: Client, sql: str) -> None:
    annotations = {PARTITION_KEY: "red", SCHEDULED: Timestamp(NOON - HOUR_MS)}

    assert await matched(client, sql, letter(annotations), letter()) == (2 if "Enqueued" in sql else 1)


async def test_every_message_that_a_subscription_gets_has_the_number_that_the_rule_saw(client: Client) -> None:
    assert await matched(client, "sys.SequenceNumber % 2 = 0", *[letter() for _ in range(6)]) == 3
    entity = client.namespace["news/subscriptions/sub"].entity
    contents = [entity.content(entry) for entry in entity.queue.entries.values()]

    assert [each.annotation(message.ENQUEUED_NUMBER) for each in contents] == [2, 4, 6]


async def test_a_key_that_is_no_symbol_and_a_time_before_all_times_are_read_too(client: Client) -> None:
    annotations = string("x-opt-partition-key") + string("red"), encode(SCHEDULED) + encode(Timestamp(-(1 << 62)))
    sent = message.split(message.split(message.write(Properties(), {}, b"1")).encoded(annotations, 0))

    sql = "sys.PartitionKey = 'red' AND sys.ScheduledEnqueueTimeUtc = '1970-01-01T00:00:00Z'"
    assert await matched(client, sql, sent) == 1


@pytest.mark.parametrize("name", ["größe", "Ärger", "цвет", "颜色", "_a"])
async def test_a_name_begins_with_any_letter(client: Client, name: str) -> None:
    letters = [letter(application={name: number}) for number in (1, 2)]

    assert await matched(client, f"{name} = 1 AND user.{name} > 0", *letters) == 1


@pytest.mark.parametrize("name", ["SequenceNumber", "TimeToLive", "PartitionKey", "nonsense"])
async def test_a_correlation_filter_compares_what_is_text_and_refuses_the_rest(client: Client, name: str) -> None:
    rules = {"rule": Rule(correlation={name: "1"})}

    with pytest.raises(BadArgument, match=name):
        client.namespace.define("news", BusTopic(subscriptions={"sub": BusSubscription(rules=rules)}))
