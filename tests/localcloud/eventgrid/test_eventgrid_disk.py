"""While the disk takes nothing, nothing ends or is lost: publishers are told, and deliveries are made again."""

import json
import sqlite3
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError
from structlog.testing import capture_logs

from localcloud.eventgrid import Conditions
from tests.localcloud.eventgrid.grid import PATIENCE, Cloud, Functions, Received, Running, event
from tests.localcloud.eventgrid.hooks import Hear, Hook, publish
from tests.localcloud.eventgrid.test_eventgrid_late import Slow
from tests.waiting import so

pytestmark = pytest.mark.real


@contextmanager
def no_room(cloud: Cloud, change: str) -> Iterator[None]:
    """For changes like `INSERT ON burials`."""
    changed(cloud, f"CREATE TRIGGER no_room BEFORE {change} BEGIN SELECT RAISE(ABORT, 'no room'); END")
    try:
        yield
    finally:
        changed(cloud, "DROP TRIGGER no_room")


def changed(cloud: Cloud, sql: str) -> None:
    database = sqlite3.connect(cloud.path, isolation_level=None)
    database.execute(sql)
    database.close()


async def rested(logs: list[Any], running: Running, event: str = "lane.rests") -> None:
    await so(lambda: any(each["event"] == event for each in logs), seconds=PATIENCE)
    assert running.state("process-order").pending == 1


def always(status: int) -> Callable[[Received], Awaitable[int]]:
    async def answer(_: Received) -> int:
        return status

    return answer


async def test_what_cannot_be_published_is_answered_503_in_azures_form(running: Running, cloud: Cloud) -> None:
    with no_room(cloud, "INSERT ON pending"):
        async with running.topic("orders") as topic:
            with pytest.raises(HttpResponseError) as raised:
                await topic.send(event(1))

    assert raised.value.response is not None
    assert raised.value.status_code == 503
    assert json.loads(raised.value.response.text())["error"]["code"] == "ServiceUnavailable"


async def test_a_delivery_that_cannot_be_noted_is_made_again_after_a_rest(
    running: Running, cloud: Cloud, functions: Functions
) -> None:
    with capture_logs() as logs:
        with no_room(cloud, "DELETE ON pending"):
            await publish(running, 1)
            await rested(logs, running)
        state = await running.until("process-order", lambda state: state.delivered == 1)

    assert functions.received.qsize() >= 2
    assert functions.received.qsize() < 10  # it did not spin
    assert state.pending == 0


@pytest.mark.parametrize("change", ["UPDATE ON pending", "INSERT ON failures"])
async def test_a_failure_that_cannot_be_noted_neither(
    running: Running, cloud: Cloud, functions: Functions, change: str
) -> None:
    fine, functions.answer = functions.answer, always(500)
    with capture_logs() as logs:
        with no_room(cloud, change):
            await publish(running, 1)
            await rested(logs, running)
        functions.answer = fine
        state = await running.until("process-order", lambda state: state.delivered == 1)

    assert state.pending == 0


async def test_a_dead_letter_that_cannot_be_kept_is_still_to_be_delivered(
    running: Running, cloud: Cloud, functions: Functions
) -> None:
    functions.answer = always(400)
    with capture_logs() as logs:
        with no_room(cloud, "INSERT ON burials"):
            await publish(running, 1)
            await rested(logs, running)
            assert running.state("process-order").unburied == 0
        state = await running.until("process-order", lambda state: (state.dead, state.unburied) == (1, 0))

    assert (state.pending, len(cloud.graves.written)) == (0, 1)


async def test_a_dead_letter_that_cannot_be_forgotten_is_written_again_as_the_same_blob(
    running: Running, cloud: Cloud, functions: Functions
) -> None:
    functions.answer = always(400)
    with capture_logs() as logs:
        with no_room(cloud, "DELETE ON burials"):
            await publish(running, 1)
            await so(lambda: any(each["event"] == "dead_letter.waits" for each in logs), seconds=PATIENCE)
        await running.until("process-order", lambda state: (state.dead, state.unburied) == (1, 0))

    assert len(cloud.graves.written) == 1


async def test_an_endpoint_that_agreed_gets_its_events_though_that_cannot_be_kept(
    cloud: Cloud, hear: Hear, hook: Hook
) -> None:
    async with hear():
        pass
    changed(cloud, "DELETE FROM validated")
    with no_room(cloud, "INSERT ON validated"):
        async with hear() as running:
            await publish(running, 1)
            await running.until("hook", lambda state: state.delivered == 1)


async def test_a_late_success_that_cannot_be_noted_calls_off_nothing(cloud: Cloud, hear: Hear, hook: Hook) -> None:
    hook.answer = slow = Slow.of(2)
    with capture_logs() as logs:
        async with hear(Conditions(answer_seconds=0.3), time_scale=0.1) as running:
            await publish(running, 1)
            await running.until("hook", lambda state: state.last_answer == "TimedOut")
            with no_room(cloud, "DELETE ON pending"):
                slow.answers[0].set_result(202)
                await so(lambda: any(each["event"] == "journal.not_written" for each in logs), seconds=PATIENCE)
            slow.answers[1].set_result(202)
            state = await running.until("hook", lambda state: state.delivered == 1)

    assert (slow.tries, state.pending) == (["0", "1"], 0)
