"""Topics in and out: what a subscription's rule lets through, its dead letters, its sessions."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from localcloud.topology import BusSubscription, BusTopic, Rule
from tests import waiting
from tests.localcloud.functions_host.queues import Cloud, deliver, heard

pytestmark = pytest.mark.real

APP = Path(__file__).parent / "topic_app"
LOCK_SECONDS = 3
TOPICS = {
    "news": BusTopic(
        subscriptions={
            "urgent": BusSubscription(
                lock_seconds=LOCK_SECONDS, max_delivery_count=2, rules={"is-urgent": Rule(sql="urgent = TRUE")}
            ),
            "all": BusSubscription(lock_seconds=LOCK_SECONDS),
        }
    ),
    "ordered": BusTopic(subscriptions={"mine": BusSubscription(lock_seconds=LOCK_SECONDS, sessions=True)}),
}


@pytest.fixture
def news(cloud: Cloud) -> Cloud:
    return replace(cloud, app=APP, queues={}, topics=TOPICS)


async def by(client: Any, subscription: str, count: int) -> list[dict[str, Any]]:
    """So many messages that came by this subscription; others are passed over."""
    found: list[dict[str, Any]] = []
    while len(found) < count:
        said = await heard(client)
        found += said["messages"] if said["by"] == subscription else []
    return found


async def test_a_function_hears_what_its_subscriptions_rule_lets_through(news: Cloud) -> None:
    async with news.broker() as broker, news.host() as client:
        await news.put("news", "calm", application_properties={"urgent": False})
        await news.put("news", "fire", application_properties={"urgent": True})

        (message,) = await by(client, "urgent", 1)
        await waiting.so(lambda: broker.counts("news/subscriptions/urgent")[:3] == (0, 0, 0))

    assert (message["body"], message["count"], message["properties"]) == ("fire", 1, {"urgent": True})


async def test_a_batch_comes_from_a_subscription(news: Cloud) -> None:
    async with news.broker() as broker:
        await news.put("news", "one", "two", "three")
        async with news.host() as client:
            batch = (await heard(client))["messages"]
            await waiting.so(lambda: broker.counts("news/subscriptions/all")[:3] == (0, 0, 0))

    assert [each["body"] for each in batch] == ["one", "two", "three"]


async def test_poison_goes_to_the_subscriptions_dead_letters_and_these_can_be_heard_too(news: Cloud) -> None:
    async with news.broker() as broker, news.host() as client:
        await news.put("news", "poison", application_properties={"urgent": True})

        calls = [await heard(client) for _ in range(4)]
        await waiting.so(lambda: broker.counts("news/subscriptions/urgent")[:3] == (0, 0, 0))

    alive = [call["messages"][0]["count"] for call in calls if call["by"] == "urgent"]
    (dead,) = [call["messages"][0] for call in calls if call["by"] == "dead letters"]
    assert alive == [1, 2]
    assert (dead["body"], dead["reason"]) == ("poison", "MaxDeliveryCountExceeded")


async def test_a_subscription_with_sessions_brings_them_in_order(news: Cloud) -> None:
    async with news.broker(), news.host() as client:
        await news.put("ordered", *"123", session_id="a")

        assert [(each["session"], each["body"]) for each in await by(client, "ordered", 3)] == [
            ("a", "1"),
            ("a", "2"),
            ("a", "3"),
        ]


async def test_what_a_function_sends_to_a_topic_reaches_its_subscriptions(news: Cloud) -> None:
    async with news.broker(), news.host() as client:
        status, _ = await deliver(client, "publish", {"text": json.dumps("extra")})

        assert status == 202
        assert [each["body"] for each in await by(client, "all", 1)] == ['"extra"']
