"""What is published arrives: at a function's webhook or in a queue, again and again if need be."""

import asyncio
import json
import sqlite3
from collections.abc import Callable
from typing import Any

import pytest
from structlog.testing import capture_logs

from localcloud.eventgrid.lane import MOST_AT_ONCE
from localcloud.servicebus.errors import Busy, QueueFull, TooLarge
from tests.localcloud.eventgrid.grid import (
    CONFIRMED,
    KEY,
    NOWHERE,
    PLACED,
    Cloud,
    Functions,
    Queues,
    Received,
    Running,
    event,
)
from tests.waiting import so

pytestmark = pytest.mark.real

SLOWLY = 0.001  # 10 s become 10 ms
QUICKLY = 0.0001  # a day becomes nine seconds
AT_ONCE = 0.000001


def answering(*statuses: int) -> Callable[[Received], Any]:
    """These, then 202."""
    left = list(statuses)

    async def answer(_: Received) -> int:
        return left.pop(0) if left else 202

    return answer


async def publish(running: Running, *numbers: int, event_type: str = PLACED) -> None:
    async with running.topic("orders") as topic:
        await topic.send([event(number, event_type) for number in numbers])


def number_in(received: Received) -> int:
    number: int = json.loads(received.body)["data"]["number"]
    return number


async def test_a_function_gets_the_event_with_event_grids_headers(running: Running, functions: Functions) -> None:
    await publish(running, 1)

    received = await functions.next()

    assert received.function == "process_order"
    assert json.loads(received.body)["id"] == "e-1"
    assert {name.lower(): value for name, value in received.headers.items()}.items() >= {
        "content-type": "application/cloudevents+json; charset=utf-8",
        "origin": "eventgrid.azure.net",
        "aeg-event-type": "Notification",
        "aeg-subscription-name": "PROCESS-ORDER",
        "aeg-delivery-count": "0",
        "aeg-metadata-version": "1.0",
    }.items()


async def test_202_is_success_and_the_event_comes_once(running: Running) -> None:
    await publish(running, 1)

    state = await running.until("process-order", lambda state: state.delivered == 1)

    assert (state.pending, state.retried, state.dead, state.next_attempt) == (0, 0, 0, None)


async def test_after_a_failure_it_comes_again_later_and_counts(cloud: Cloud, functions: Functions) -> None:
    functions.answer = answering(500, 404, 302)
    async with cloud.running(functions.address, SLOWLY) as running:
        began = asyncio.get_running_loop().time()
        await publish(running, 1)

        counts = [(await functions.next()).headers["aeg-delivery-count"] for _ in range(4)]
        state = await running.until("process-order", lambda state: state.delivered == 1)

    assert counts == ["0", "1", "2", "3"]
    assert asyncio.get_running_loop().time() - began > 0.9 * (10 + 30 + 60) * SLOWLY
    assert (state.pending, state.retried, state.dead) == (0, 3, 0)


async def test_while_it_waits_its_next_attempt_is_shown(cloud: Cloud) -> None:
    async with cloud.running(NOWHERE, time_scale=1) as running:
        await publish(running, 1)

        state = await running.until("process-order", lambda state: state.next_attempt is not None)

    assert (state.pending, state.delivered) == (1, 0)


@pytest.mark.parametrize(
    ("status", "outcome"),
    [(400, "BadRequest"), (401, "Unauthorized"), (403, "Forbidden"), (413, "PayloadTooLarge")],
)
async def test_an_event_the_function_refuses_is_dead_at_once(
    running: Running, cloud: Cloud, functions: Functions, status: int, outcome: str
) -> None:
    functions.answer = answering(status)

    await publish(running, 1, 2)
    state = await running.until("process-order", lambda state: state.dead + state.delivered == 2)

    assert (state.pending, state.delivered, state.retried, state.dead) == (0, 1, 0, 1)
    await running.until("process-order", lambda state: state.unburied == 0)
    (buried,) = cloud.graves.events()
    assert (buried["deliveryattempts"], buried["deadletterreason"], buried["lastdeliveryoutcome"]) == (
        1,
        f"UndeliverableDueToHttp{outcome}",
        outcome,
    )


async def test_an_event_that_is_tried_to_the_end_of_its_time_is_dead(cloud: Cloud) -> None:
    async with cloud.running(NOWHERE, AT_ONCE) as running:
        await publish(running, 1)

        state = await running.until("process-order", lambda state: state.dead == 1 and state.unburied == 0)

    (buried,) = cloud.graves.events()
    assert state.pending == 0
    assert (buried["deadletterreason"], buried["lastdeliveryoutcome"]) == ("TimeToLiveExceeded", "SocketError")


async def test_a_queue_gets_the_event_under_one_message_id(running: Running, queues: Queues) -> None:
    queues.refusals = [Busy(), QueueFull()]
    await publish(running, 1, event_type=CONFIRMED)

    first, second, third = [await queues.next() for _ in range(3)]
    state = await running.until("orders-to-catalog", lambda state: state.delivered == 1)

    assert (first.queue, first.content_type) == ("catalog", "application/cloudevents+json; charset=utf-8")
    assert json.loads(first.body)["id"] == "e-1"
    assert first.message_id == second.message_id == third.message_id
    assert third.properties == {
        "aeg-event-type": "Notification",
        "aeg-subscription-name": "ORDERS-TO-CATALOG",
        "aeg-delivery-count": "2",
        "aeg-metadata-version": "1.0",
        "aeg-output-event-id": third.message_id,
    }
    assert (state.pending, state.retried) == (0, 2)


async def test_the_same_event_published_twice_is_two_messages(running: Running, queues: Queues) -> None:
    await publish(running, 1, 1, event_type=CONFIRMED)

    assert (await queues.next()).message_id != (await queues.next()).message_id


async def test_a_message_that_a_queue_never_takes_is_dead_at_once(running: Running, queues: Queues) -> None:
    queues.refusals = [TooLarge()]

    await publish(running, 1, event_type=CONFIRMED)

    assert (await running.until("orders-to-catalog", lambda state: state.dead == 1)).pending == 0


async def test_a_function_that_hangs_delays_nobody_else(running: Running, functions: Functions, queues: Queues) -> None:
    hangs = asyncio.Event()

    async def answer(received: Received) -> int:
        if received.function == "process_order":
            await hangs.wait()
        return 200

    functions.answer = answer
    await publish(running, *range(100))
    await publish(running, 100, event_type=CONFIRMED)

    state = await running.until("notify-customer", lambda state: state.delivered == 1)
    enqueued = await queues.next()

    assert (state.pending, json.loads(enqueued.body)["id"]) == (0, "e-100")
    assert running.state("process-order").pending == 100
    hangs.set()
    await running.until("process-order", lambda state: state.delivered == 100)


async def test_no_more_than_a_few_are_under_way_at_once(running: Running, functions: Functions) -> None:
    under_way = most = 0

    async def answer(_: Received) -> int:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await so(lambda: most >= MOST_AT_ONCE, seconds=10)  # none is answered before all that may be are there
        under_way -= 1
        return 200

    functions.answer = answer
    await publish(running, *range(200))

    await running.until("process-order", lambda state: state.delivered == 200)
    assert most == MOST_AT_ONCE


async def test_events_that_fail_do_not_hold_up_fresh_ones(cloud: Cloud, functions: Functions) -> None:
    stuck = asyncio.Event()

    async def answer(received: Received) -> int:
        if number_in(received) == 1000:
            return 200
        if received.headers["aeg-delivery-count"] != "0":
            await stuck.wait()
        return 503

    functions.answer = answer
    async with cloud.running(functions.address, QUICKLY) as running:
        await publish(running, *range(50))
        await running.until("process-order", lambda state: state.retried == 8)

        await publish(running, 1000)

        state = await running.until("process-order", lambda state: state.delivered == 1)
        assert state.pending == 50
        stuck.set()


async def test_a_publisher_is_answered_only_when_the_event_is_on_disk(running: Running, cloud: Cloud) -> None:
    await publish(running, 1)
    disk = sqlite3.connect(cloud.path, isolation_level=None)
    disk.execute("BEGIN IMMEDIATE")  # nobody else can commit

    publishing = asyncio.create_task(publish(running, 2))
    answered, _ = await asyncio.wait({publishing}, timeout=0.3)
    disk.execute("ROLLBACK")
    disk.close()
    await publishing

    assert not answered


async def test_what_is_undelivered_at_a_restart_is_delivered_after_it(cloud: Cloud, functions: Functions) -> None:
    async with cloud.running(NOWHERE, time_scale=1) as running:
        await publish(running, *range(30))
        before = await running.until("process-order", lambda state: state.next_attempt is not None)
    written(cloud, "UPDATE pending SET due = 0 WHERE retry")

    async with cloud.running(functions.address) as running:
        received = {number_in(await functions.next()) for _ in range(30)}
        after = await running.until("process-order", lambda state: state.delivered == 30)

    assert received == set(range(30))
    assert (before.pending, after.pending) == (30, 0)
    assert written(cloud, "SELECT count(*) FROM pending") == [(0,)]


async def test_events_for_a_subscription_that_is_gone_are_kept_and_reported(cloud: Cloud) -> None:
    async with cloud.running(NOWHERE) as running:
        await publish(running, 1)
    written(cloud, "UPDATE pending SET subscription = 'gone'")

    with capture_logs() as logs:
        async with cloud.running(NOWHERE):
            pass

    assert {"event": "subscription.missing", "log_level": "warning", "subscription": "gone", "pending": 1} in logs
    assert written(cloud, "SELECT count(*) FROM pending") == [(1,)]


async def test_the_functions_key_is_never_logged_or_shown(
    cloud: Cloud, functions: Functions, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    functions.answer = answering(500, 400)
    async with cloud.running(functions.address) as running:
        await publish(running, 1)
        await running.until("process-order", lambda state: state.dead == 1)

    assert "event.dead" in (shown := capsys.readouterr().out)
    assert KEY not in shown + caplog.text + repr(functions.address)


def written(cloud: Cloud, sql: str) -> list[tuple[Any, ...]]:
    database = sqlite3.connect(cloud.path, isolation_level=None)
    try:
        return database.execute(sql).fetchall()
    finally:
        database.close()
