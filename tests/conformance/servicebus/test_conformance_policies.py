"""Shared access policies of one entity: kept with it, and good there, for what they say, and nowhere else."""

import re
from base64 import b64encode
from collections.abc import Awaitable, Callable
from dataclasses import replace
from secrets import token_bytes
from typing import Any

import pytest
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError
from azure.servicebus import ServiceBusMessage
from azure.servicebus.exceptions import ServiceBusAuthenticationError, ServiceBusAuthorizationError
from azure.servicebus.management import AccessRights, AuthorizationRule

from tests.conformance.servicebus.messages import bodies, hear, receive, send, tell
from tests.conformance.servicebus.place import Namespace, Place

pytestmark = pytest.mark.real

REFUSED = (ServiceBusAuthenticationError, ServiceBusAuthorizationError)
EVERYTHING = [AccessRights.MANAGE, AccessRights.SEND, AccessRights.LISTEN]


def policy(name: str, *rights: AccessRights) -> AuthorizationRule:
    primary, secondary = (b64encode(token_bytes(32)).decode() for _ in range(2))
    return AuthorizationRule(
        type="SharedAccessAuthorizationRule",
        claim_type="SharedAccessKey",
        claim_value="None",
        rights=list(rights),
        key_name=name,
        primary_key=primary,
        secondary_key=secondary,
    )


def by(namespace: Namespace, name: str, key: str | None) -> Place:
    """Who has nothing but this policy."""
    connection = re.sub(r"SharedAccessKeyName=[^;]*", f"SharedAccessKeyName={name}", namespace.place.connection)
    connection = re.sub(r"SharedAccessKey=[^;]*", f"SharedAccessKey={key}", connection)
    return replace(namespace.place, connection=connection, credential=None)


def client(namespace: Namespace, made: AuthorizationRule, key: str | None = None) -> Any:
    assert made.key_name
    return by(namespace, made.key_name, key or made.primary_key).client(namespace.way, retry_total=0)


async def refused(acting: Callable[[], Awaitable[Any]]) -> None:
    with pytest.raises(REFUSED):
        await acting()


async def test_policies_are_kept_and_changed_with_their_entity(
    namespace: Namespace,
) -> None:
    admin = namespace.admin
    sends, listens = policy("sends", AccessRights.SEND), policy("listens", AccessRights.LISTEN)
    queue = await namespace.queue(authorization_rules=[sends])
    topic = await namespace.topic(authorization_rules=[listens])

    found = await admin.get_queue(queue)
    (of_queue,) = found.authorization_rules or []
    (of_topic,) = (await admin.get_topic(topic)).authorization_rules or []
    found.authorization_rules = [of_queue, listens]
    await admin.update_queue(found)

    assert (of_queue.key_name, of_queue.rights) == ("sends", [AccessRights.SEND])
    assert (of_queue.primary_key, of_queue.secondary_key) == (sends.primary_key, sends.secondary_key)
    assert of_topic.key_name == "listens"
    again = (await admin.get_queue(queue)).authorization_rules or []
    assert [each.key_name for each in again] == ["sends", "listens"]


async def test_who_signs_with_a_policys_key_may_do_what_it_says_and_nothing_elsewhere(namespace: Namespace) -> None:
    sends, listens = policy("sends", AccessRights.SEND), policy("listens", AccessRights.LISTEN)
    queue, other = await namespace.queue(authorization_rules=[sends, listens]), await namespace.queue()

    async with client(namespace, sends) as sdk:
        await send(sdk, queue, ServiceBusMessage("1"))
        await refused(lambda: receive(sdk, queue, 1))
        await refused(lambda: send(sdk, other, ServiceBusMessage("2")))
    async with client(namespace, listens, listens.secondary_key) as sdk:
        await refused(lambda: send(sdk, queue, ServiceBusMessage("2")))
        assert bodies(await receive(sdk, queue, 1)) == ["1"]
    async with client(namespace, sends, listens.primary_key) as sdk:
        await refused(lambda: send(sdk, queue, ServiceBusMessage("2")))


async def test_a_topics_policy_is_good_for_its_subscriptions(
    namespace: Namespace,
) -> None:
    both = policy("both", AccessRights.SEND, AccessRights.LISTEN)
    topic = await namespace.topic(authorization_rules=[both])
    await namespace.admin.create_subscription(topic, "all")

    async with client(namespace, both) as sdk:
        await tell(sdk, topic, ServiceBusMessage("1"))

        assert bodies(await hear(sdk, topic, "all", 1)) == ["1"]


async def test_a_key_that_was_replaced_is_good_no_more(
    namespace: Namespace,
) -> None:
    before, after = policy("sends", AccessRights.SEND), policy("sends", AccessRights.SEND)
    name = await namespace.queue(authorization_rules=[before])
    queue = await namespace.admin.get_queue(name)
    queue.authorization_rules = [after]
    await namespace.admin.update_queue(queue)

    async with client(namespace, before) as sdk:
        await refused(lambda: send(sdk, name, ServiceBusMessage("1")))
    async with client(namespace, after) as sdk:
        await send(sdk, name, ServiceBusMessage("1"))


async def test_who_may_manage_an_entity_may_not_manage_the_namespace(namespace: Namespace) -> None:
    manages = policy("manages", *EVERYTHING)
    await namespace.queue(authorization_rules=[manages])

    async with by(namespace, "manages", manages.primary_key).administration() as stranger:
        with pytest.raises((ClientAuthenticationError, HttpResponseError)) as caught:
            await stranger.create_queue("stolen")

    assert caught.value.status_code == 401


@pytest.mark.parametrize(
    "wrong",
    [
        [policy("manages", AccessRights.MANAGE)],
        [policy("same", AccessRights.SEND), policy("same", AccessRights.LISTEN)],
        [policy(f"p-{number}", AccessRights.SEND) for number in range(13)],
    ],
    ids=["manage alone", "twice the same name", "too many"],
)
async def test_policies_that_can_not_be_are_refused(namespace: Namespace, wrong: list[AuthorizationRule]) -> None:
    with pytest.raises(HttpResponseError) as caught:
        await namespace.admin.create_queue("never", authorization_rules=wrong)

    assert caught.value.status_code == 400
