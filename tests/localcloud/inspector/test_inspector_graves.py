"""Event Grid's dead letters in the inspector: looked at, brought again to whom they were for, thrown away."""

import asyncio
import json
from typing import Any

import pytest

from tests.localcloud.eventgrid.grid import PLACED, Functions, Received, event
from tests.localcloud.inspector.cloud import Cloud
from tests.waiting import until

pytestmark = pytest.mark.real

MINE = {"subscription": "process-order"}


async def refused(_: Received) -> int:
    return 400


async def counted(cloud: Cloud, name: str = "process-order") -> Any:
    return next(each for each in (await cloud.overview())["subscriptions"] if each["name"] == name)["graves"]


async def test_what_event_grid_gives_up_is_shown_with_its_reason_and_sent_again_as_it_was_published(
    cloud: Cloud, functions: Functions
) -> None:
    functions.answer = refused
    async with cloud.grid.topic("orders") as topic:
        await topic.send(event(7))
    first = await functions.next()
    (grave,) = await until(cloud.graves, bool)

    functions.answer = Functions().answer
    answer = await cloud.act("bring", MINE | {"blob": grave["blob"]})

    assert (grave["reason"], grave["outcome"], grave["attempts"]) == (
        "UndeliverableDueToHttpBadRequest",
        "BadRequest",
        1,
    )
    assert (grave["event"]["id"], grave["event"]["type"]) == ("e-7", PLACED)
    assert json.loads(grave["event"]["body"]) == json.loads(first.body)
    again = await functions.next()
    assert (again.function, json.loads(again.body)) == ("process_order", json.loads(first.body))
    assert again.headers["aeg-subscription-name"] == "PROCESS-ORDER"
    assert (answer.body["said"], await cloud.graves()) == ("1 sent to process-order again.", [])
    assert (await cloud.subscription("process-order"))["last_answer"] == "Delivered 202"


async def test_looking_sends_nothing_and_removes_nothing(cloud: Cloud, functions: Functions) -> None:
    await cloud.bury("e-1")

    first, second = await cloud.graves(), await cloud.graves()

    assert (first == second, len(first), await counted(cloud)) == (True, 1, 1)
    assert functions.received.empty()


async def test_all_of_one_subscription_are_sent_and_nobody_elses(cloud: Cloud, functions: Functions) -> None:
    await cloud.bury("e-1")
    await cloud.bury("e-2", "e-3")
    await cloud.bury("e-4", subscription="notify-customer")

    answer = await cloud.act("bring", MINE)

    assert answer.body["said"] == "3 sent to process-order again."
    got = {json.loads((await functions.next()).body)["id"] for _ in range(3)}
    assert (got, functions.received.empty()) == ({"e-1", "e-2", "e-3"}, True)
    assert (await counted(cloud), await counted(cloud, "notify-customer")) == (0, 1)


async def test_a_queue_gets_it_under_the_events_own_id(cloud: Cloud) -> None:
    await cloud.bury("e-1", subscription="orders-to-catalog")

    await cloud.act("bring", {"subscription": "orders-to-catalog"})

    async with cloud.bus.get_queue_receiver("catalog") as receiver:
        (message,) = await receiver.receive_messages(1, 10)
        assert (message.message_id, json.loads(str(message))["id"]) == ("e-1", "e-1")


async def test_what_is_not_taken_stays_and_why_is_said(cloud: Cloud, functions: Functions) -> None:
    async def answer(received: Received) -> int:
        return 404 if b"e-2" in received.body else 202

    functions.answer = answer
    blob = await cloud.bury("e-1", "e-2")

    said = (await cloud.act("bring", MINE | {"blob": blob})).body["said"]

    assert said == "1 sent to process-order again; 1 not, and still there: NotFound 404."
    (left,) = await cloud.graves()
    assert (left["event"]["id"], left["reason"]) == ("e-2", "MaxDeliveryAttemptsExceeded")


async def test_whoever_presses_three_times_at_once_sends_it_once(cloud: Cloud, functions: Functions) -> None:
    blob = await cloud.bury("e-1")

    answers = await asyncio.gather(*(cloud.act("bring", MINE | {"blob": blob}) for _ in range(3)))

    gone = "0 sent to process-order again; 1 had gone meanwhile."
    assert sorted(answer.body["said"] for answer in answers) == [gone, gone, "1 sent to process-order again."]
    await functions.next()
    assert functions.received.empty()


async def test_a_blob_that_was_changed_while_it_was_sent_is_left_alone(cloud: Cloud, functions: Functions) -> None:
    blob = await cloud.bury("e-1", name="x")

    async def answer(_: Received) -> int:
        await cloud.bury("e-2", name="x")
        return 202

    functions.answer = answer

    await cloud.act("bring", MINE | {"blob": blob})

    assert [each["event"]["id"] for each in await cloud.graves()] == ["e-2"]


async def test_one_is_thrown_away_or_all(cloud: Cloud, functions: Functions) -> None:
    one = await cloud.bury("e-1")
    await cloud.bury("e-2")
    await cloud.bury("e-3")
    await cloud.bury("e-4", subscription="notify-customer")

    first = await cloud.act("discard", MINE | {"blob": one})
    left = [each["event"]["id"] for each in await cloud.graves()]
    rest = await cloud.act("discard", MINE)

    assert (first.body["said"], sorted(left)) == ("1 of process-order thrown away.", ["e-2", "e-3"])
    assert (rest.body["said"], await counted(cloud)) == ("2 of process-order thrown away.", 0)
    assert (await counted(cloud, "notify-customer"), functions.received.empty()) == (1, True)


@pytest.mark.parametrize(
    "blob", ["NOTIFY-CUSTOMER/2026/6/1/12/x.json", "PROCESS-ORDER/../../media/x.png", "", "nothing"]
)
@pytest.mark.parametrize("act", ["bring", "discard"])
async def test_only_what_lies_in_its_own_folder_is_touched(cloud: Cloud, act: str, blob: str) -> None:
    await cloud.bury("e-1", subscription="notify-customer", name="x")

    answer = await cloud.act(act, MINE | {"blob": blob})

    assert (answer.status, await counted(cloud, "notify-customer")) == (200, 1)
    assert answer.body["said"].startswith("0 ")


@pytest.mark.parametrize("content", [b"", b"\xff", b"1", b"[1]", b"[{}]", b"[" * 100_000, b'[{"id":5}]', b"{}"])
async def test_whatever_lies_there_is_shown_and_never_sent_or_lost(
    cloud: Cloud, functions: Functions, content: bytes
) -> None:
    await cloud.container.put("PROCESS-ORDER/x.json", content)

    shown = await cloud.graves()
    said = (await cloud.act("bring", MINE)).body["said"]

    assert (len(shown), said.startswith("0 sent to process-order again; 1 not, and still there: ")) == (1, True)
    assert (await counted(cloud), functions.received.empty()) == (1, True)


async def test_while_storage_is_away_that_is_said_and_nothing_is_counted(cloud: Cloud) -> None:
    async with cloud.without_storage():
        shown = await cloud.ask("/api/graves", params=MINE)
        brought = await cloud.act("bring", MINE)

        assert (shown.status, brought.status, await counted(cloud)) == (503, 503, None)


async def test_of_an_unknown_subscription_there_is_nothing(cloud: Cloud) -> None:
    asked = await cloud.ask("/api/graves", params={"subscription": "nobody"})

    assert (asked.status, (await cloud.act("bring", {"subscription": "nobody"})).status) == (404, 404)
