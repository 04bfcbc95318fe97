"""A time to live is looked at when an attempt would begin: whatever held that up, what is too late is a dead letter."""

import math
import sqlite3
from dataclasses import replace
from time import time
from typing import Any

import pytest
from aiohttp import web

from localcloud.eventgrid import Conditions
from localcloud.topology import Topology
from tests.localcloud.eventgrid.grid import NOWHERE, Cloud, Functions, Queues, Running
from tests.localcloud.eventgrid.hooks import Asked, Hear, Hook, agrees, hearing, publish
from tests.waiting import so

pytestmark = pytest.mark.real

MINUTE = {"retry": {"minutes": 1}}
A_MINUTE = 60 * 0.001  # seconds, scaled as the tests are


async def overdue(cloud: Cloud, running: Running) -> list[dict[str, Any]]:
    state = await running.until("hook", lambda state: (state.dead, state.unburied) == (1, 0))
    assert (state.pending, state.delivered) == (0, 0)
    return cloud.graves.events()


async def test_what_lay_too_long_while_it_was_paused_is_dead_and_was_not_tried(
    cloud: Cloud, hear: Hear, hook: Hook
) -> None:
    async with hear(**MINUTE) as running:
        await running.until("hook", lambda state: state.status == "active")
        paused = running.grid.subscriber("hook")
        assert paused
        paused.pause()
        await publish(running, 1)
        published = time()
        await so(lambda: time() > published + 2 * A_MINUTE, seconds=10)
        paused.resume()
        (buried,) = await overdue(cloud, running)

    assert (buried["deadletterreason"], buried["deliveryattempts"]) == ("TimeToLiveExceeded", 0)
    assert (buried["lastdeliveryoutcome"], "lastdeliveryattempttime" in buried) == ("Probation", False)
    assert hook.asked.qsize() == 1  # the handshake


async def test_the_same_where_the_endpoint_took_long_to_agree(cloud: Cloud, hear: Hear, hook: Hook) -> None:
    published = math.inf

    async def answer(asked: Asked) -> web.Response:
        late = time() > published + 2 * A_MINUTE
        return await agrees(asked) if late else web.Response(status=503)

    hook.answer = answer
    async with hear(**MINUTE) as running:
        await publish(running, 1)
        published = time()
        (buried,) = await overdue(cloud, running)

    assert (buried["deadletterreason"], buried["deliveryattempts"]) == ("TimeToLiveExceeded", 0)


async def test_the_same_after_a_time_in_which_we_were_down_and_the_last_failure_is_told(
    cloud: Cloud, store: Topology, queues: Queues
) -> None:
    here = replace(cloud, topology=hearing(store, {"to": {"function": "process_order"}}))
    async with here.running(NOWHERE, time_scale=1) as running:
        await publish(running, 1)
        await running.until("hook", lambda state: state.next_attempt is not None)
    changed(cloud, "UPDATE pending SET since = since - 86400, due = 0")
    changed(cloud, "UPDATE failures SET outcome = 'NotFound', status = 404, at = 1772600767.5")

    async with Functions().running() as functions, here.running(functions.address, time_scale=1) as running:
        (buried,) = await overdue(cloud, running)
        nothing = functions.received.empty()

    assert (buried["deadletterreason"], buried["deliveryattempts"], nothing) == ("TimeToLiveExceeded", 1, True)
    assert (buried["lastdeliveryoutcome"], buried["lasthttpstatuscode"]) == ("NotFound", 404)
    assert buried["lastdeliveryattempttime"] == "2026-03-04T05:06:07.5000000Z"
    assert changed(cloud, "SELECT count(*) FROM failures") == [(0,)]


async def test_what_is_delivered_in_the_end_leaves_no_failure_behind(cloud: Cloud, hear: Hear, hook: Hook) -> None:
    left = [503, 404]

    async def answer(asked: Asked) -> web.Response:
        return web.Response(status=left.pop()) if asked.verb == "POST" and left else await agrees(asked)

    hook.answer = answer
    async with hear() as running:
        await publish(running, 1)
        await running.until("hook", lambda state: state.delivered == 1)

    assert (left, changed(cloud, "SELECT count(*) FROM failures")) == ([], [(0,)])


async def test_of_a_batch_only_what_is_too_late_is_left_out(cloud: Cloud, hear: Hear, hook: Hook) -> None:
    async with hear(Conditions(), 1, batch={"events": 10}) as running:
        await running.until("hook", lambda state: state.status == "active")
        paused = running.grid.subscriber("hook")
        assert paused
        paused.pause()
        await publish(running, 1, 2, 3)
        changed(cloud, "UPDATE pending SET since = since - 86401 WHERE id = 2")
        paused.resume()
        await hook.next()
        batch = await hook.next()
        state = await running.until("hook", lambda state: (state.dead, state.delivered) == (1, 2))

    assert [each["id"] for each in batch.json()] == ["e-1", "e-3"]
    assert state.pending == 0


def changed(cloud: Cloud, sql: str) -> list[tuple[Any, ...]]:
    database = sqlite3.connect(cloud.path, isolation_level=None)
    try:
        return database.execute(sql).fetchall()
    finally:
        database.close()
