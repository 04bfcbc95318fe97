"""Queues with sessions: each session in its order and for itself, through the SDK, against the local broker."""

import asyncio
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import ClientSession

from localcloud.functions_host import host_json
from localcloud.functions_host.host_json import HostJson
from localcloud.servicebus import Broker
from localcloud.servicebus.lanes import Lane
from localcloud.topology import Queue
from tests import waiting
from tests.localcloud.functions_host.queues import Cloud
from tests.localcloud.functions_host.queues import heard as told

pytestmark = pytest.mark.real

APP = Path(__file__).parent / "session_app"
LOCK_SECONDS = 4
STOP_SECONDS = 5


@pytest.fixture
def steps(cloud: Cloud) -> Cloud:
    queue = Queue(sessions=True, lock_seconds=LOCK_SECONDS, max_delivery_count=3)
    return replace(cloud, app=APP, queues={"steps": queue, "batches": queue})


def options(tmp_path: Path, **service_bus: Any) -> HostJson:
    """As read from a host.json that says this."""
    (tmp_path / "host.json").write_bytes(
        msgspec.json.encode({"version": "2.0", "extensions": {"serviceBus": service_bus}})
    )
    return host_json.read(tmp_path)


async def heard(client: ClientSession, count: int) -> list[dict[str, Any]]:
    return [await told(client) for _ in range(count)]


def lane(broker: Broker, session: str) -> Lane:
    return broker.namespace["steps"].entity.queue.lane(session)


def of_each(calls: list[dict[str, Any]]) -> dict[str, list[str]]:
    told = defaultdict[str, list[str]](list)
    for call in calls:
        told[call["session"]].append(call["body"])
    return told


async def test_each_session_comes_in_its_order(steps: Cloud) -> None:
    async with steps.broker(), steps.host() as client:
        for some in ("12", "345"):
            for session in "abc":
                await steps.put("steps", *some, session_id=session)

        assert of_each(await heard(client, 15)) == {session: list("12345") for session in "abc"}


async def test_as_many_sessions_are_served_at_a_time_as_host_json_says(steps: Cloud) -> None:
    """Each waits for one of another session: with two at a time both end, and the next pair's turn comes."""
    async with steps.broker() as broker, steps.host() as client:
        for session in "abcd":
            await steps.put("steps", "meet", session_id=session)

        calls = await heard(client, 4)
        await waiting.so(lambda: broker.counts("steps")[:2] == (0, 0))

    assert {call["session"] for call in calls} == set("abcd")
    assert {call["count"] for call in calls} == {1}


async def test_what_fails_comes_again_before_what_follows_it(steps: Cloud) -> None:
    async with steps.broker(), steps.host() as client:
        await steps.put("steps", "fail once", "second", session_id="a")

        calls = await heard(client, 3)

    assert [(call["body"], call["count"]) for call in calls] == [("fail once", 1), ("fail once", 2), ("second", 1)]


async def test_poison_is_a_dead_letter_after_its_last_delivery_and_the_session_goes_on(steps: Cloud) -> None:
    async with steps.broker() as broker, steps.host() as client:
        await steps.put("steps", "fail always", "second", session_id="a")

        calls = await heard(client, 4)
        await waiting.so(lambda: broker.counts("steps")[:3] == (0, 0, 1))

    assert [call["count"] for call in calls] == [1, 2, 3, 1]
    assert calls[-1]["body"] == "second"


async def test_the_lock_is_renewed_for_as_long_as_a_call_takes(steps: Cloud) -> None:
    async with steps.broker() as broker, steps.host() as client:
        await steps.put("steps", "wait", session_id="a")
        await heard(client, 1)
        until = lane(broker, "a").held_until

        await waiting.so(lambda: (lane(broker, "a").held_until or 0) > (until or 0), seconds=2 * LOCK_SECONDS)
        await client.get("/api/open")
        await waiting.so(lambda: broker.counts("steps")[:3] == (0, 0, 0))


async def test_where_the_lock_is_not_renewed_the_session_comes_again_from_what_was_in_hand(
    steps: Cloud, tmp_path: Path
) -> None:
    once = options(tmp_path, maxAutoLockRenewalDuration="00:00:00", maxConcurrentSessions=1)
    async with steps.broker() as broker, steps.host(options=once) as client:
        await steps.put("steps", "wait", "second", session_id="a")
        first = await heard(client, 1)
        await waiting.so(lambda: lane(broker, "a").held_until is None, seconds=3 * LOCK_SECONDS)

        await client.get("/api/open")

        calls = first + await heard(client, 2)
    assert [(call["body"], call["count"]) for call in calls] == [("wait", 1), ("wait", 2), ("second", 1)]


async def test_a_session_is_given_up_once_it_was_quiet_for_as_long_as_host_json_says(
    steps: Cloud, tmp_path: Path
) -> None:
    one = options(tmp_path, maxConcurrentSessions=1, sessionIdleTimeout="00:00:01")
    async with steps.broker() as broker, steps.host(options=one) as client:
        await steps.put("steps", "1", session_id="a")
        await heard(client, 1)
        held = lane(broker, "a").held_until

        await steps.put("steps", "1", session_id="b")

        assert held
        assert (await heard(client, 1))[0]["session"] == "b"


async def test_a_batch_is_of_one_session_and_comes_again_whole(steps: Cloud) -> None:
    async with steps.broker() as broker:
        for session in "ab":
            await steps.put("batches", "fail once", "second", "third", session_id=session)
        async with steps.host() as client:
            batches = [call["batch"] for call in await heard(client, 4)]
            await waiting.so(lambda: broker.counts("batches")[:3] == (0, 0, 0))

    assert [[each["body"] for each in batch] for batch in batches] == [["fail once", "second", "third"]] * 4
    assert [{each["count"] for each in batch} for batch in batches] == [{1}, {2}] * 2
    assert [{each["session"] for each in batch} for batch in batches] == [{"a"}, {"a"}, {"b"}, {"b"}]


async def test_the_lock_of_a_batch_is_not_renewed_just_as_in_azure(steps: Cloud) -> None:
    async with steps.broker() as broker, steps.host() as client:
        await steps.put("batches", "wait", session_id="a")
        first = await heard(client, 1)
        held = broker.namespace["batches"].entity.queue.held
        await waiting.so(lambda: not held, seconds=3 * LOCK_SECONDS)

        await client.get("/api/open")

        calls = first + await heard(client, 1)
    assert [call["batch"][0]["count"] for call in calls] == [1, 2]


async def test_a_host_that_waits_for_sessions_or_holds_one_stops_at_once(steps: Cloud, tmp_path: Path) -> None:
    async with steps.broker() as broker:
        serving = steps.host(options=options(tmp_path, maxConcurrentSessions=2))
        client = await serving.__aenter__()
        await steps.put("steps", "1", session_id="a")
        await heard(client, 1)
        await waiting.so(lambda: broker.counts("steps")[:2] == (0, 0))

        async with asyncio.timeout(STOP_SECONDS):
            await serving.__aexit__(None, None, None)

        assert lane(broker, "a").held_until is None


async def test_a_session_of_a_host_that_dies_comes_to_the_next_from_what_was_in_hand(steps: Cloud) -> None:
    """As in Azure, a session that is closed without its message being settled does not count as a delivery."""
    async with steps.broker():
        await steps.put("steps", "wait", "second", session_id="a")
        in_hand = asyncio.get_running_loop().create_future()

        async def hold() -> None:
            async with steps.host() as client:
                in_hand.set_result(await told(client))
                await asyncio.Event().wait()

        dying = asyncio.create_task(hold())
        async with asyncio.timeout(15):
            assert (await in_hand)["count"] == 1
            dying.cancel()
            await asyncio.wait([dying])

        async with steps.host() as client:
            await client.get("/api/open")

            assert [(call["body"], call["count"]) for call in await heard(client, 2)] == [("wait", 1), ("second", 1)]


async def test_sessions_are_served_again_once_the_broker_is_back(steps: Cloud) -> None:
    async with steps.broker():
        serving = steps.host()
        client = await serving.__aenter__()
        await steps.put("steps", "1", session_id="a")
        await heard(client, 1)

    async with steps.broker():
        await steps.put("steps", "2", session_id="a")

        assert (await heard(client, 1))[0]["body"] == "2"
        await serving.__aexit__(None, None, None)


def test_what_host_json_does_not_say_is_as_azure_has_it(tmp_path: Path) -> None:
    read = options(tmp_path).extensions.service_bus

    assert (read.max_concurrent_sessions, read.session_idle_timeout) == (8, "00:01:00")
    assert (read.max_concurrent_calls_per_session, read.max_auto_lock_renewal_duration) == (1, "00:05:00")


@pytest.mark.parametrize(
    "said", [{"maxConcurrentCallsPerSession": 2}, {"sessionIdleTimeout": "00:00:00"}, {"maxConcurrentSessions": 0}]
)
def test_what_would_break_a_sessions_order_or_never_hold_one_is_refused(said: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(msgspec.ValidationError, match=next(iter(said))):
        options(tmp_path, **said)
