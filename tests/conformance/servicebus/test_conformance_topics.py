"""Topics: what each subscription gets, and where messages are forwarded."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from azure.core.exceptions import HttpResponseError
from azure.servicebus import ServiceBusMessage, ServiceBusSubQueue
from azure.servicebus.exceptions import ServiceBusError
from azure.servicebus.management import CorrelationRuleFilter, FalseRuleFilter, SqlRuleAction, SqlRuleFilter

from tests.conformance.servicebus.messages import bodies, hear, one, send, tell
from tests.conformance.servicebus.place import Namespace

pytestmark = pytest.mark.real

Properties = dict[str | bytes, int | float | bytes | bool | str | UUID]
DEAD = ServiceBusSubQueue.DEAD_LETTER
END = ServiceBusMessage("end", subject="end", application_properties={"end": True})  # wanted by all: nothing else comes


async def subscribed(namespace: Namespace, topic: str, name: str, *filters: object, action: str | None = None) -> None:
    """With these filters, and one for the end."""
    await namespace.admin.create_subscription(topic, name)
    if not filters:
        return
    await namespace.admin.delete_rule(topic, name, "$Default")
    for number, each in enumerate(filters):
        made = SqlRuleAction(action) if action else None
        await namespace.admin.create_rule(topic, name, f"rule-{number}", filter=each, action=made)  # type: ignore[arg-type]
    await namespace.admin.create_rule(topic, name, "end", filter=SqlRuleFilter('"end" = true'))


async def test_every_subscription_gets_a_message_of_its_own(namespace: Namespace) -> None:
    topic = await namespace.topic()
    await subscribed(namespace, topic, "first")
    await subscribed(namespace, topic, "second")
    async with namespace.client() as sdk:
        await tell(sdk, topic, ServiceBusMessage("1", message_id="m"), ServiceBusMessage("2"))

        first, second = await hear(sdk, topic, "first", 2), await hear(sdk, topic, "second", 2)

    assert bodies(first) == bodies(second) == ["1", "2"]
    assert (first[0].message_id, first[0].enqueued_sequence_number is not None) == ("m", True)


@pytest.mark.parametrize(
    "condition",
    [
        "amount > 100",
        "amount >= 100 + 1 AND colour = 'red'",
        "sys.Label LIKE 'order.%'",
        "user.colour IN ('red', 'blue') AND NOT amount < 0",
        "EXISTS(amount) AND missing IS NULL AND p('colour') = 'red'",
        "[colour] <> 'green' AND colour IS NOT NULL",
        "colour NOT LIKE 'g%' OR urgent = TRUE",
        "größe = 3 AND sys.SequenceNumber > 0",
        "sys.PartitionKey = 'p'",
    ],
)
async def test_a_sql_filter_chooses(namespace: Namespace, condition: str) -> None:
    topic = await namespace.topic()
    await subscribed(namespace, topic, "chosen", SqlRuleFilter(condition))
    wanted: Properties = {"amount": 150, "colour": "red", "größe": 3}
    async with namespace.client() as sdk:
        await tell(
            sdk,
            topic,
            ServiceBusMessage("no", subject="letter", application_properties={"amount": -1, "colour": "green"}),
            ServiceBusMessage("yes", subject="order.placed", partition_key="p", application_properties=wanted),
            END,
        )

        assert bodies(await hear(sdk, topic, "chosen", 2)) == ["yes", "end"]


async def test_a_parameter_stands_for_its_value(namespace: Namespace) -> None:
    topic = await namespace.topic()
    await subscribed(namespace, topic, "chosen", SqlRuleFilter("amount = @most", {"@most": 5}))
    async with namespace.client() as sdk:
        other = ServiceBusMessage("4", application_properties={"amount": 4})
        await tell(sdk, topic, other, ServiceBusMessage("5", application_properties={"amount": 5}), END)

        assert bodies(await hear(sdk, topic, "chosen", 2)) == ["5", "end"]


async def test_a_correlation_filter_wants_all_of_it(namespace: Namespace) -> None:
    topic = await namespace.topic()
    wanted = CorrelationRuleFilter(label="order", correlation_id="c", properties={"colour": "red", "size": 3})
    await subscribed(namespace, topic, "chosen", wanted)
    same: Properties = {"colour": "red", "size": 3}
    other: Properties = {"colour": "red"}
    async with namespace.client() as sdk:
        await tell(
            sdk,
            topic,
            ServiceBusMessage("label", subject="letter", correlation_id="c", application_properties=same),
            ServiceBusMessage("size", subject="order", correlation_id="c", application_properties=other),
            ServiceBusMessage("yes", subject="order", correlation_id="c", application_properties=same),
            END,
        )

        assert bodies(await hear(sdk, topic, "chosen", 2)) == ["yes", "end"]


async def test_an_action_changes_the_copy_of_its_rule(namespace: Namespace) -> None:
    topic = await namespace.topic()
    action = "SET sys.Label = 'urgent'; SET total = amount + 1; REMOVE colour"
    await subscribed(namespace, topic, "changed", SqlRuleFilter("amount = 1"), action=action)
    await subscribed(namespace, topic, "plain")
    async with namespace.client() as sdk:
        await tell(sdk, topic, ServiceBusMessage("1", application_properties={"amount": 1, "colour": "red"}))

        (changed,) = await hear(sdk, topic, "changed", 1)
        (plain,) = await hear(sdk, topic, "plain", 1)

    assert (changed.subject, plain.subject) == ("urgent", None)
    assert {b"total": 2, b"amount": 1}.items() <= (changed.application_properties or {}).items()
    assert b"colour" not in (changed.application_properties or {})
    assert (plain.application_properties or {}) == {b"amount": 1, b"colour": b"red"}


async def test_rules_without_an_action_give_one_message_together(namespace: Namespace) -> None:
    topic = await namespace.topic()
    filters = SqlRuleFilter("a = 1"), SqlRuleFilter("b = 1"), FalseRuleFilter()
    await subscribed(namespace, topic, "chosen", *filters)
    async with namespace.client() as sdk:
        await tell(sdk, topic, ServiceBusMessage("1", application_properties={"a": 1, "b": 1}), END)

        assert bodies(await hear(sdk, topic, "chosen", 2)) == ["1", "end"]


async def test_a_subscription_has_dead_letters(namespace: Namespace) -> None:
    topic = await namespace.topic()
    await subscribed(namespace, topic, "sub")
    async with namespace.client() as sdk:
        await tell(sdk, topic, ServiceBusMessage("1"))
        async with sdk.get_subscription_receiver(topic, "sub", max_wait_time=15) as receiver:
            (message,) = await receiver.receive_messages(1)
            await receiver.dead_letter_message(message, reason="because")

        (dead,) = await hear(sdk, topic, "sub", 1, sub_queue=DEAD)

    assert dead.dead_letter_reason == "because"


async def test_a_topic_keeps_what_is_scheduled_and_looks_for_duplicates(namespace: Namespace) -> None:
    topic = await namespace.topic(requires_duplicate_detection=True)
    await subscribed(namespace, topic, "sub")
    at = datetime.now(UTC) + timedelta(seconds=2)
    async with namespace.client() as sdk:
        async with sdk.get_topic_sender(topic) as sender:
            await sender.schedule_messages(ServiceBusMessage("later", message_id="a"), at)
            cancelled = await sender.schedule_messages(ServiceBusMessage("never", message_id="b"), at)
            await sender.cancel_scheduled_messages(cancelled)
        await tell(sdk, topic, ServiceBusMessage("again", message_id="a"), ServiceBusMessage("now", message_id="c"))

        assert bodies(await hear(sdk, topic, "sub", 2)) == ["now", "later"]


async def test_a_topics_time_to_live_is_default_and_most_of_its_subscriptions(namespace: Namespace) -> None:
    topic = await namespace.topic(default_message_time_to_live=timedelta(hours=1))
    await subscribed(namespace, topic, "sub")
    async with namespace.client() as sdk:
        await tell(sdk, topic, ServiceBusMessage("1"), ServiceBusMessage("2", time_to_live=timedelta(days=1)))

        messages = await hear(sdk, topic, "sub", 2)

    assert [message.time_to_live for message in messages] == [timedelta(hours=1)] * 2


async def test_a_subscription_can_require_sessions(namespace: Namespace) -> None:
    topic = await namespace.topic()
    await namespace.admin.create_subscription(topic, "sub", requires_session=True)
    async with namespace.client() as sdk:
        await tell(sdk, topic, ServiceBusMessage("1", session_id="a"))

        assert bodies(await hear(sdk, topic, "sub", 1, session_id="a")) == ["1"]


async def test_a_queue_and_a_subscription_forward(namespace: Namespace) -> None:
    last = await namespace.queue()
    first, topic = await namespace.queue(forward_to=last), await namespace.topic()
    await namespace.admin.create_subscription(topic, "sub", forward_to=last)
    async with namespace.client(retry_total=0) as sdk:
        await send(sdk, first, ServiceBusMessage("1"))
        await tell(sdk, topic, ServiceBusMessage("2"))

        got = [await one(sdk, last), await one(sdk, last)]
        with pytest.raises(ServiceBusError):
            async with sdk.get_queue_receiver(first) as receiver:
                await receiver.receive_messages(1, 1)

    assert sorted(bodies(got)) == ["1", "2"]


async def test_what_was_on_its_way_to_a_queue_that_is_no_more_can_be_received(namespace: Namespace) -> None:
    await namespace.admin.create_queue(gone := f"gone-{uuid4().hex[:12]}")
    first = await namespace.queue(forward_to=gone)
    await namespace.admin.delete_queue(gone)
    async with namespace.client() as sdk:
        await send(sdk, first, ServiceBusMessage("1"))

        stuck = ServiceBusSubQueue.TRANSFER_DEAD_LETTER
        async with sdk.get_queue_receiver(first, sub_queue=stuck, max_wait_time=15) as receiver:
            assert bodies(await receiver.receive_messages(1)) == ["1"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"forward_to": "nowhere"},
        {"forward_dead_lettered_messages_to": "nowhere"},
        {"forward_to": "myself"},
        {"forward_to": "there", "requires_session": True},
    ],
)
async def test_nothing_forwards_to_itself_to_nowhere_or_from_sessions(
    namespace: Namespace, wrong: dict[str, Any]
) -> None:
    there, topic = await namespace.queue(), await namespace.topic()
    told: dict[str, Any] = {name: there if value == "there" else value for name, value in wrong.items()}

    with pytest.raises(HttpResponseError) as of_queue:
        await namespace.admin.create_queue("myself", **told)
    with pytest.raises(HttpResponseError) as of_subscription:
        await namespace.admin.create_subscription(topic, "sub", **told)

    assert (of_queue.value.status_code, of_subscription.value.status_code) == (400, 400)


async def test_dead_letters_are_forwarded_and_say_where_they_come_from(namespace: Namespace) -> None:
    letters = await namespace.queue()
    queue = await namespace.queue(forward_dead_lettered_messages_to=letters)
    async with namespace.client() as sdk:
        await send(sdk, queue, ServiceBusMessage("1"))
        async with sdk.get_queue_receiver(queue, max_wait_time=15) as receiver:
            (message,) = await receiver.receive_messages(1)
            await receiver.dead_letter_message(message, reason="because")

        dead = await one(sdk, letters)

    assert (str(dead), dead.dead_letter_reason, dead.dead_letter_source) == ("1", "because", queue)


async def test_nobody_receives_from_a_topic_nor_sends_to_a_subscription(namespace: Namespace) -> None:
    topic = await namespace.topic()
    await subscribed(namespace, topic, "sub")
    async with namespace.client(retry_total=0) as sdk:
        with pytest.raises(ServiceBusError):
            async with sdk.get_queue_receiver(topic) as receiver:
                await receiver.receive_messages(1, 1)
        with pytest.raises(ServiceBusError):
            await send(sdk, f"{topic}/Subscriptions/sub", ServiceBusMessage("1"))
