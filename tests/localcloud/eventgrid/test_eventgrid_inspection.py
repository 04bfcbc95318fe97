"""What one sees of Event Grid and does to it while it runs; only by PUT, which no page elsewhere can have done."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from localcloud.eventgrid import Inspection
from tests.localcloud.eventgrid.grid import PLACED, Functions, Running

pytestmark = pytest.mark.real

GOOD = {"specversion": "1.0", "id": "by-hand", "source": "/s", "type": PLACED}
CLOUD_EVENT = {"Content-Type": "application/cloudevents+json"}
Browser = TestClient[web.Request, web.Application]


@pytest.fixture
async def inspector(running: Running) -> AsyncIterator[Browser]:
    app = web.Application()
    Inspection(running.grid).add_to(app)
    async with TestClient(TestServer(app)) as client:
        yield client


async def states(inspector: Browser) -> dict[str, Any]:
    answer = await inspector.get("/event-grid/subscriptions")
    return {each["name"]: each for each in await answer.json()}


async def test_of_each_subscription_it_shows_what_became_of_its_events(
    inspector: Browser, functions: Functions, running: Running
) -> None:
    put = await inspector.put("/event-grid/topics/orders/events", data=json.dumps(GOOD), headers=CLOUD_EVENT)
    await running.until("process-order", lambda state: state.delivered == 1)

    shown = (await states(inspector))["process-order"]
    assert put.status == 204
    assert (await functions.next()).function == "process_order"
    assert (shown["delivered"], shown["pending"], shown["retried"], shown["dead"]) == (1, 0, 0, 0)
    assert (shown["status"], shown["last_answer"], shown["next_attempt"]) == ("active", "Delivered 202", None)
    assert shown["to"] == {"function": "process_order"}


async def test_a_subscription_is_paused_and_resumed(inspector: Browser, running: Running) -> None:
    paused = await inspector.put("/event-grid/subscriptions/process-order", json={"paused": True})
    await inspector.put(
        "/event-grid/topics/orders/events",
        data=json.dumps([GOOD]),
        headers={"Content-Type": "application/cloudevents-batch+json"},
    )
    waiting = (await states(inspector))["process-order"]

    resumed = await inspector.put("/event-grid/subscriptions/process-order", json={"paused": False})

    assert ((await paused.json())["status"], (await resumed.json())["status"]) == ("paused", "active")
    assert (waiting["pending"], waiting["delivered"]) == (1, 0)
    await running.until("process-order", lambda state: state.delivered == 1)


async def test_conditions_are_shown_and_changed(inspector: Browser) -> None:
    changed = await inspector.put("/event-grid", json={"time_scale": 0.5, "answer_seconds": 3})

    assert (await (await inspector.get("/event-grid")).json()) == await changed.json()
    assert (await changed.json())["answer_seconds"] == 3


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/event-grid", {"time_scale": 2}, 422),
        ("/event-grid/subscriptions/nobody", {"paused": True}, 404),
        ("/event-grid/subscriptions/process-order", {"stopped": True}, 422),
        ("/event-grid/topics/nothing/events", GOOD, 404),
        ("/event-grid/topics/orders/events", {"id": "1"}, 422),
    ],
)
async def test_what_makes_no_sense_is_refused(inspector: Browser, path: str, body: Any, status: int) -> None:
    answer = await inspector.put(path, data=json.dumps(body), headers=CLOUD_EVENT)

    assert answer.status == status


@pytest.mark.parametrize(
    "path", ["/event-grid", "/event-grid/subscriptions/process-order", "/event-grid/topics/orders/events"]
)
async def test_a_form_of_another_page_changes_nothing(inspector: Browser, path: str) -> None:
    answer = await inspector.post(path, data={"paused": "true"})

    assert answer.status in (404, 405)
