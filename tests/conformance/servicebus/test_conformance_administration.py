"""Entities and rules are made, read, changed and removed; and what is refused is refused by the right exception."""

from datetime import timedelta

import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.servicebus import ServiceBusMessage, TransportType
from azure.servicebus.aio.management import ServiceBusAdministrationClient
from azure.servicebus.exceptions import (
    MessageSizeExceededError,
    MessagingEntityDisabledError,
    MessagingEntityNotFoundError,
    ServiceBusAuthenticationError,
)
from azure.servicebus.management import (
    CorrelationRuleFilter,
    EntityStatus,
    SqlRuleAction,
    SqlRuleFilter,
    TrueRuleFilter,
)

from tests.conformance.servicebus.messages import bodies, one, receive, send, tell
from tests.conformance.servicebus.place import Namespace

pytestmark = pytest.mark.real

MINUTE = timedelta(minutes=1)


@pytest.fixture
def way() -> str:
    return "async"  # both clients speak the same ATOM


@pytest.fixture
def admin(namespace: Namespace) -> ServiceBusAdministrationClient:
    return namespace.admin


async def test_a_queue_is_what_it_was_made_to_be(namespace: Namespace, admin: ServiceBusAdministrationClient) -> None:
    name = await namespace.queue(
        lock_duration=MINUTE,
        max_delivery_count=7,
        requires_session=True,
        dead_lettering_on_message_expiration=True,
        default_message_time_to_live=timedelta(days=2, seconds=1.5),
        requires_duplicate_detection=True,
        duplicate_detection_history_time_window=timedelta(minutes=3),
        max_size_in_megabytes=2048,
        user_metadata="ours",
    )

    queue = await admin.get_queue(name)

    assert (queue.name, queue.lock_duration, queue.max_delivery_count) == (name, MINUTE, 7)
    assert (queue.requires_session, queue.dead_lettering_on_message_expiration) == (True, True)
    assert queue.default_message_time_to_live == timedelta(days=2, seconds=1.5)
    assert queue.requires_duplicate_detection
    assert queue.duplicate_detection_history_time_window == timedelta(minutes=3)
    assert (queue.max_size_in_megabytes, queue.user_metadata, queue.status) == (2048, "ours", EntityStatus.ACTIVE)


async def test_how_long_an_entity_may_lie_idle_is_kept_and_is_five_minutes_at_least(
    namespace: Namespace, admin: ServiceBusAdministrationClient
) -> None:
    queue = await namespace.queue(auto_delete_on_idle=timedelta(minutes=5))
    topic = await namespace.topic(auto_delete_on_idle=timedelta(hours=1))
    await admin.create_subscription(topic, "sub", auto_delete_on_idle=timedelta(days=2))

    assert (await admin.get_queue(queue)).auto_delete_on_idle == timedelta(minutes=5)
    assert (await admin.get_topic(topic)).auto_delete_on_idle == timedelta(hours=1)
    assert (await admin.get_subscription(topic, "sub")).auto_delete_on_idle == timedelta(days=2)
    with pytest.raises(HttpResponseError):
        await admin.create_subscription(topic, "short", auto_delete_on_idle=timedelta(minutes=4))


async def test_a_queue_can_be_changed_and_listed(namespace: Namespace, admin: ServiceBusAdministrationClient) -> None:
    name = await namespace.queue()
    queue = await admin.get_queue(name)

    queue.max_delivery_count = 3
    queue.lock_duration = timedelta(seconds=10)
    await admin.update_queue(queue)

    again = await admin.get_queue(name)
    assert (again.max_delivery_count, again.lock_duration) == (3, timedelta(seconds=10))
    assert name in [each.name async for each in admin.list_queues()]


async def test_counts_tell_how_many_messages_are_in_which_state(
    namespace: Namespace, admin: ServiceBusAdministrationClient
) -> None:
    name, topic = await namespace.queue(), await namespace.topic()
    await admin.create_subscription(topic, "sub")
    async with namespace.client() as sdk:
        await send(sdk, name, *(ServiceBusMessage(str(number)) for number in range(3)))
        await tell(sdk, topic, ServiceBusMessage("1"))
        async with sdk.get_queue_receiver(name, max_wait_time=15) as receiver:
            (first,) = await receiver.receive_messages(1)
            await receiver.dead_letter_message(first)

    queue = await admin.get_queue_runtime_properties(name)
    subscription = await admin.get_subscription_runtime_properties(topic, "sub")
    told = await admin.get_topic_runtime_properties(topic)
    assert (queue.active_message_count, queue.dead_letter_message_count, queue.total_message_count) == (2, 1, 3)
    assert (queue.scheduled_message_count, queue.size_in_bytes and queue.size_in_bytes > 0) == (0, True)
    assert (subscription.active_message_count, told.subscription_count) == (1, 1)


async def test_topics_and_subscriptions_can_be_changed_listed_and_removed(
    namespace: Namespace, admin: ServiceBusAdministrationClient
) -> None:
    topic = await namespace.topic(default_message_time_to_live=timedelta(hours=1))
    await admin.create_subscription(topic, "first", max_delivery_count=4)
    await admin.create_subscription(topic, "second")

    subscription = await admin.get_subscription(topic, "first")
    subscription.max_delivery_count = 5
    await admin.update_subscription(topic, subscription)
    await admin.delete_subscription(topic, "second")

    assert (await admin.get_topic(topic)).default_message_time_to_live == timedelta(hours=1)
    assert (await admin.get_subscription(topic, "first")).max_delivery_count == 5
    assert [each.name async for each in admin.list_subscriptions(topic)] == ["first"]
    assert topic in [each.name async for each in admin.list_topics()]


async def test_rules_keep_their_filters_and_actions(
    namespace: Namespace, admin: ServiceBusAdministrationClient
) -> None:
    topic = await namespace.topic()
    await admin.create_subscription(topic, "sub")
    sql = SqlRuleFilter("a = @one AND b = 'x'", {"@one": 1})
    correlation = CorrelationRuleFilter(label="order", properties={"n": 1, "s": "t", "f": 0.5, "b": True})
    await admin.create_rule(topic, "sub", "sql", filter=sql, action=SqlRuleAction("SET c = 2"))
    await admin.create_rule(topic, "sub", "correlation", filter=correlation)

    rules = {rule.name: rule async for rule in admin.list_rules(topic, "sub")}
    await admin.delete_rule(topic, "sub", "sql")
    left = [rule.name async for rule in admin.list_rules(topic, "sub")]

    assert isinstance(rules["$Default"].filter, TrueRuleFilter)
    assert isinstance(rules["sql"].filter, SqlRuleFilter)
    assert isinstance(rules["sql"].action, SqlRuleAction)
    assert (rules["sql"].filter.sql_expression, rules["sql"].filter.parameters) == ("a = @one AND b = 'x'", {"@one": 1})
    assert rules["sql"].action.sql_expression == "SET c = 2"
    assert isinstance(rules["correlation"].filter, CorrelationRuleFilter)
    assert rules["correlation"].filter.properties == {"n": 1, "s": "t", "f": 0.5, "b": True}
    assert sorted(left) == ["$Default", "correlation"]


async def test_what_is_there_already_or_not_at_all_is_said(
    namespace: Namespace, admin: ServiceBusAdministrationClient
) -> None:
    name, topic = await namespace.queue(), await namespace.topic()
    await admin.create_subscription(topic, "sub")

    with pytest.raises(ResourceExistsError):
        await admin.create_queue(name)
    with pytest.raises(ResourceExistsError):
        await admin.create_subscription(topic, "sub")
    for asked in (admin.get_queue("nope"), admin.get_subscription(topic, "nope"), admin.delete_queue("nope")):
        with pytest.raises(ResourceNotFoundError):
            await asked
    with pytest.raises(ResourceNotFoundError):
        await admin.get_rule(topic, "sub", "nope")


async def test_what_cannot_be_is_refused(namespace: Namespace, admin: ServiceBusAdministrationClient) -> None:
    topic = await namespace.topic()
    await admin.create_subscription(topic, "sub")

    for wrong in (
        admin.create_queue("too-long-a-lock", lock_duration=timedelta(minutes=6)),
        admin.create_queue("never-delivered", max_delivery_count=0),
        admin.create_rule(topic, "sub", "bad", filter=SqlRuleFilter("a = = 1")),
        admin.create_rule(topic, "sub", "bad", action=SqlRuleAction("SET nothing")),
    ):
        with pytest.raises(HttpResponseError) as refused:
            await wrong
        assert refused.value.status_code == 400


async def test_a_disabled_queue_refuses_and_a_removed_one_is_not_found(
    namespace: Namespace, admin: ServiceBusAdministrationClient
) -> None:
    name = await namespace.queue()
    queue = await admin.get_queue(name)
    queue.status = EntityStatus.SEND_DISABLED
    await admin.update_queue(queue)
    async with namespace.client(retry_total=0) as sdk:
        with pytest.raises(MessagingEntityDisabledError):
            await send(sdk, name, ServiceBusMessage("1"))
        with pytest.raises(MessagingEntityNotFoundError):
            await send(sdk, "nope", ServiceBusMessage("1"))


async def test_what_is_too_large_is_refused_and_the_sender_lives_on(namespace: Namespace) -> None:
    name = await namespace.queue()
    async with namespace.client() as sdk, sdk.get_queue_sender(name) as sender:
        with pytest.raises(MessageSizeExceededError):
            await sender.send_messages(ServiceBusMessage(bytes(300_000)))
        await sender.send_messages(ServiceBusMessage(bytes(200_000)))

        assert len(b"".join((await one(sdk, name)).body)) == 200_000


async def test_a_wrong_key_is_refused(namespace: Namespace) -> None:
    name = await namespace.queue()
    place = type(namespace.place)(namespace.place.connection.replace("SharedAccessKey=", "SharedAccessKey=no"))
    async with place.client(retry_total=0) as sdk:
        with pytest.raises(ServiceBusAuthenticationError):
            await send(sdk, name, ServiceBusMessage("1"))


@pytest.mark.parametrize("transport", [TransportType.Amqp, TransportType.AmqpOverWebsocket])
async def test_messages_travel_by_tls_and_by_websocket(namespace: Namespace, transport: TransportType) -> None:
    name = await namespace.queue()
    async with namespace.place.over(transport) as sdk:
        await send(sdk, name, ServiceBusMessage("small"), ServiceBusMessage(bytes(150_000)))

        assert bodies(await receive(sdk, name, 2))[0] == "small"
