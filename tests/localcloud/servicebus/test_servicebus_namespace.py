"""What is defined by whom, and what of it is there after a restart."""

from pathlib import Path
from typing import Any

import pytest

from localcloud.servicebus import Broker, ledger, message, tending
from localcloud.servicebus.errors import AlreadyExists, BadArgument, Disabled, NotAllowed, UnknownEntity
from localcloud.servicebus.performatives import Properties
from localcloud.topology import BusSubscription, BusTopic, Queue, Rule

TOPICS = {"News": BusTopic(subscriptions={"all": BusSubscription()})}


def opened(folder: Path, **given: Any) -> Any:
    return Broker.open(given.get("queues", {}), folder / "bus.sqlite", lambda *_: None, topics=given.get("topics", {}))


def step(session: str) -> message.Message:
    return message.split(message.write(Properties(group_id=session), {}, b"1"))


def letter(**application: Any) -> message.Message:
    return message.split(message.write(Properties(), application, b"1"))


async def test_what_was_made_is_there_after_a_restart_and_what_is_given_is_as_given(tmp_path: Path) -> None:
    async with opened(tmp_path, queues={"given": Queue()}, topics=TOPICS) as broker:
        await broker.namespace.create("Made", Queue(sessions=True))
        await broker.namespace.create(
            "News/subscriptions/red", BusSubscription(rules={"r": Rule(sql="colour = 'red'")})
        )
        await broker.namespace.change("given", Queue(max_delivery_count=1))

    async with opened(tmp_path, queues={"given": Queue()}, topics=TOPICS) as broker:
        await broker.namespace["news"].entity.send([letter(colour="blue"), letter(colour="red")])
        assert broker.namespace["made"].settings == Queue(sessions=True)
        assert broker.namespace["given"].settings == Queue()
        assert broker.counts("news/subscriptions/all").active == 2
        assert broker.counts("News/Subscriptions/Red").active == 1


async def test_a_subscription_whose_topic_is_given_no_more_keeps_nobody_from_starting(tmp_path: Path) -> None:
    async with opened(tmp_path, topics=TOPICS) as broker:
        await broker.namespace.create("News/subscriptions/red", BusSubscription())

    async with opened(tmp_path) as broker:
        assert broker.namespace.defined == {}


async def test_what_is_deleted_takes_its_messages_and_its_subscriptions_along(tmp_path: Path) -> None:
    async with opened(tmp_path, topics=TOPICS) as broker:
        entity = broker.namespace["news"].entity
        await entity.send([letter()])
        await broker.namespace.delete("news")

        with pytest.raises(UnknownEntity):
            entity.send([letter()])
        with pytest.raises(UnknownEntity):
            broker.counts("news/subscriptions/all")

    async with opened(tmp_path, topics=TOPICS) as broker:
        assert broker.counts("news/subscriptions/all").active == 0


async def test_what_cannot_be_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    async with opened(tmp_path, queues={"given": Queue(status="SendDisabled")}) as broker:
        with pytest.raises(AlreadyExists):
            broker.namespace.create("GIVEN", Queue())
        with pytest.raises(UnknownEntity):
            broker.namespace.create("nope/subscriptions/s", BusSubscription())
        with pytest.raises(Disabled):
            broker.namespace["given"].entity.send([letter()])
        await broker.namespace.create("told", BusTopic())
        with pytest.raises(BadArgument):
            broker.namespace.create("told/subscriptions/s", BusSubscription(rules={"r": Rule(sql="a = = 1")}))

        assert set(broker.namespace.defined) == {"given", "told"}


async def test_who_forwards_in_a_circle_has_it_among_what_could_not_be_forwarded(tmp_path: Path) -> None:
    queues = {"a": Queue(forward_to="b"), "b": Queue(forward_to="a")}
    async with opened(tmp_path, queues=queues) as broker:
        await broker.namespace["a"].entity.send([letter()])

        stuck = [broker.namespace[name].entity.stuck.queue.entries for name in queues]
        assert [len(each) for each in stuck] == [1, 0]


async def test_numbers_only_grow_whoever_forwards_or_restarts(tmp_path: Path) -> None:
    queues, numbers = {"a": Queue(forward_to="b"), "b": Queue()}, []
    for _ in range(2):
        async with opened(tmp_path, queues=queues) as broker:
            await broker.namespace["a"].entity.send([letter()])
            numbers.append(broker.namespace["b"].entity.queue.last_number)

    assert numbers == [1, 2]


async def test_what_is_scheduled_without_a_session_is_refused_where_sessions_are_required(tmp_path: Path) -> None:
    async with opened(tmp_path, queues={"steps": Queue(sessions=True)}) as broker:
        entity, due = broker.namespace["steps"].entity, broker.namespace.clock() + 3_600_000

        with pytest.raises(NotAllowed, match="session"):
            entity.send([letter()._replace(due=due)])
        await entity.send([step("a")._replace(due=due)])

        assert [entry.session for entry in entity.queue.entries.values()] == ["a"]


async def test_what_lies_in_a_queue_that_requires_sessions_all_at_once_is_dead_and_can_be_sent_again(
    tmp_path: Path,
) -> None:
    async with opened(tmp_path, queues={"steps": Queue(sessions=True)}) as broker:
        await broker.namespace["steps"].entity.send([step("b")])
    async with opened(tmp_path, queues={"steps": Queue()}) as broker:
        entity = broker.namespace["steps"].entity
        await entity.send([letter(), letter()._replace(due=broker.namespace.clock() + 3_600_000), step("a")])
        assert broker.counts("steps").active == 3

    for _ in range(2):
        async with opened(tmp_path, queues={"steps": Queue(sessions=True)}) as broker:
            entity = broker.namespace["steps"].entity
            assert [entry.session for entry in entity.queue.entries.values()] == ["b"]
            dead = entity.sub_queue(ledger.DEAD)
            reasons = {number: dead.content(entry).application for number, entry in dead.queue.entries.items()}
            assert [each["DeadLetterReason"] for each in reasons.values()] == ["Session ID is null."] * 3

    async with opened(tmp_path, queues={"steps": Queue(sessions=True)}) as broker:
        entity, last = broker.namespace["steps"].entity, max(reasons)
        await tending.resend(entity, last)
        assert [entry.session for entry in entity.queue.entries.values()] == ["b", "a"]
