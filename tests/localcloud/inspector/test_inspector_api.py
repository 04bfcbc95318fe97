"""What the inspector tells as JSON, and what it does; the emulators and the SDK are real."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from azure.servicebus import ServiceBusMessage

from localcloud.servicebus.broker import Envelope
from localcloud.topology import Queue
from tests.localcloud.eventgrid.grid import Functions, Received, accepted, event
from tests.localcloud.inspector.cloud import NOON, SECRET_VALUE, TRACE, Cloud
from tests.waiting import until

EVENT = {"specversion": "1.0", "id": "e-1", "source": "/me", "type": "store.catalog.stock-reserved.v1"}


async def messages(cloud: Cloud, place: str = "main", entity: str = "orders", **more: Any) -> list[dict[str, Any]]:
    answer = await cloud.ask("/api/messages", params={"entity": entity, "place": place, **more})
    assert answer.status == 200, answer
    found: list[dict[str, Any]] = answer.body
    return found


async def events(cloud: Cloud, subscription: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await cloud.ask("/api/events", params={"subscription": subscription})).body
    return found


async def test_a_queue_is_counted_by_what_its_messages_wait_for(cloud: Cloud) -> None:
    later = datetime.now(UTC) + timedelta(hours=1)
    await cloud.dead_letter(ServiceBusMessage("dead"))
    await cloud.send(ServiceBusMessage("deferred"), ServiceBusMessage("locked"), ServiceBusMessage("active"))
    async with cloud.bus.get_queue_receiver("orders") as receiver, cloud.bus.get_queue_sender("orders") as sender:
        await sender.schedule_messages([ServiceBusMessage("scheduled")], later)
        deferred, _ = await receiver.receive_messages(2, 10)
        await receiver.defer_message(deferred)

        orders = await cloud.entity("orders")

    counted = {name: orders[name] for name in ("kind", "active", "locked", "scheduled", "deferred", "dead", "stuck")}
    assert counted == {
        "kind": "queue",
        "active": 1,
        "locked": 1,
        "scheduled": 1,
        "deferred": 1,
        "dead": 1,
        "stuck": 0,
    }
    assert datetime.fromisoformat(orders["oldest"]) <= datetime.now(UTC)


async def test_looking_at_a_message_settles_nothing(cloud: Cloud) -> None:
    body = json.dumps({"type": "a.b.c.v1", "traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"})
    sent = ServiceBusMessage(body, message_id="m-1", content_type="application/json", subject="s")
    sent.application_properties = {"who": "me", "count": 3}
    await cloud.send(sent)

    (seen,) = await messages(cloud)
    (again,) = await messages(cloud)

    assert seen == again
    assert (seen["id"], seen["subject"], seen["body"], seen["trace"]) == ("m-1", "s", body, TRACE)
    assert (seen["properties"], seen["state"], seen["deliveries"]) == ({"who": "me", "count": "3"}, "active", 0)
    async with cloud.bus.get_queue_receiver("orders") as receiver:
        (received,) = await receiver.receive_messages(1, 10)
        assert received.delivery_count == 0


async def test_a_long_body_is_cut_and_a_long_queue_comes_in_pages(cloud: Cloud) -> None:
    await cloud.send(ServiceBusMessage("x" * 100_000), *(ServiceBusMessage(str(number)) for number in range(60)))

    page = await messages(cloud)
    (second,) = await messages(cloud, **{"from": page[-1]["number"] + 1, "limit": 1})

    assert (len(page), len(page[0]["body"]), page[0]["cut"], page[1]["cut"]) == (50, 16_384, True, False)
    assert second["body"] == "49"


async def test_a_body_of_any_bytes_is_shown_as_text(cloud: Cloud) -> None:
    await cloud.send(ServiceBusMessage(b"\xff\x00\xfe"))

    assert [each["body"] for each in await messages(cloud)] == ["\ufffd\x00\ufffd"]


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({}, 422),
        ({"entity": "nowhere"}, 404),
        ({"entity": "orders", "place": "x"}, 422),
        ({"entity": "orders", "limit": "51"}, 422),
        ({"entity": "orders", "from": "-1"}, 422),
        ({"entity": "orders", "from": "٣"}, 422),
    ],
)
async def test_what_is_not_there_or_makes_no_sense_is_said_so(cloud: Cloud, query: dict[str, str], status: int) -> None:
    answer = await cloud.ask("/api/messages", params=query)

    assert (answer.status, answer.body["status"], bool(answer.body["detail"])) == (status, status, True)


async def test_a_dead_letter_is_sent_again_once_and_without_its_reason(cloud: Cloud) -> None:
    await cloud.dead_letter(ServiceBusMessage("once more", message_id="m-1"))
    (dead,) = await messages(cloud, "dead")
    assert (dead["reason"], dead["description"], dead["properties"]) == ("poison", "it is broken", {})

    asked = {"entity": "orders", "number": dead["number"]}
    answers = await asyncio.gather(*(cloud.act("resend", asked) for _ in range(3)))

    assert sorted(answer.status for answer in answers) == [200, 404, 404]
    assert await messages(cloud, "dead") == []
    async with cloud.bus.get_queue_receiver("orders") as receiver:
        (received,) = await receiver.receive_messages(1, 10)
        assert (str(received), received.message_id, received.dead_letter_reason) == ("once more", "m-1", None)
        await receiver.complete_message(received)
    assert (await cloud.entity("orders"))["active"] == 0


async def test_what_could_not_be_forwarded_is_shown_sent_again_and_thrown_away(cloud: Cloud) -> None:
    namespace = cloud.broker.namespace
    await namespace.create("there", Queue(forward_to="back"))
    await namespace.create("back", Queue(forward_to="there"))
    for text in ("once more", "never"):
        await cloud.broker.send("there", text.encode(), Envelope(text))
    again = (await messages(cloud, "stuck", "there"))[0]
    assert (again["body"], again["reason"]) == ("once more", "MaxTransferHopCountExceeded")
    await namespace.change("back", Queue())

    sent = await cloud.act("resend", {"entity": "there", "number": again["number"]})
    purged = await cloud.act("purge", {"entity": "there", "place": "stuck"})

    assert (sent.status, purged.body["said"]) == (200, "1 dead letter of there thrown away.")
    (arrived,) = await messages(cloud, "main", "back")
    assert (arrived["body"], arrived["reason"], (await cloud.entity("there"))["stuck"]) == ("once more", "", 0)


@pytest.mark.parametrize(("place", "left"), [("main", (0, 1, 1)), ("dead", (2, 1, 0))])
async def test_a_queue_is_purged_but_for_what_somebody_holds(cloud: Cloud, place: str, left: tuple[int, ...]) -> None:
    await cloud.dead_letter(ServiceBusMessage("dead"))
    await cloud.send(*(ServiceBusMessage(str(number)) for number in range(3)))
    async with cloud.bus.get_queue_receiver("orders") as receiver:
        await receiver.receive_messages(1, 10)

        answer = await cloud.act("purge", {"entity": "orders", "place": place})

        orders = await cloud.entity("orders")
    assert answer.body["said"].startswith("2 messages" if place == "main" else "1 dead letter of")
    assert (orders["active"], orders["locked"], orders["dead"]) == left


async def test_a_paused_subscription_keeps_what_comes_until_it_is_resumed(cloud: Cloud, functions: Functions) -> None:
    await cloud.act("pause", {"subscription": "process-order"})
    async with cloud.grid.topic("orders") as topic:
        await topic.send(event(7))

    paused = await until(lambda: cloud.subscription("process-order"), lambda state: state["pending"] == 1)
    assert (paused["last_answer"], paused["last_attempt"]) == ("", None)
    (waiting,) = await events(cloud, "process-order")
    assert (paused["status"], paused["delivered"], functions.received.empty()) == ("paused", 0, True)
    assert (waiting["event"]["type"], waiting["attempts"]) == ("store.orders.order-placed.v1", 0)

    await cloud.act("resume", {"subscription": "process-order"})
    assert (await functions.next()).function == "process_order"
    resumed = await until(lambda: cloud.subscription("process-order"), lambda state: state["delivered"] == 1)
    assert (resumed["status"], resumed["pending"], resumed["last_answer"]) == ("active", 0, "Delivered 202")
    assert datetime.fromisoformat(resumed["last_attempt"]) <= datetime.now(UTC)


async def test_what_failed_waits_too_where_it_is_paused(cloud: Cloud, functions: Functions) -> None:
    async def pausing(_: Received) -> int:
        await cloud.act("pause", {"subscription": "process-order"})
        return 503

    functions.answer = pausing
    async with cloud.grid.topic("orders") as topic:
        await topic.send(event())
    await functions.next()
    await until(lambda: events(cloud, "process-order"), lambda found: found[0]["attempts"] == 1)
    state = await cloud.subscription("process-order")
    assert (state["pending"], state["retried"], state["status"]) == (1, 0, "paused")

    functions.answer = accepted
    await cloud.act("resume", {"subscription": "process-order"})

    await until(lambda: cloud.subscription("process-order"), lambda state: state["delivered"] == 1)


async def test_an_event_is_published_as_if_a_service_had_told_it(cloud: Cloud) -> None:
    answer = await cloud.act("publish", {"topic": "catalog", "event": EVENT})

    assert (answer.status, answer.body["said"]) == (200, f"Published on catalog: {EVENT['type']}.")
    (message,) = await until(lambda: messages(cloud), bool)
    assert '"id": "e-1"' in message["body"]


@pytest.mark.parametrize(
    ("topic", "told", "status"),
    [("nowhere", EVENT, 404), ("catalog", {}, 422), ("catalog", [EVENT], 422), ("catalog", EVENT | {"id": ""}, 422)],
)
async def test_what_is_no_event_is_refused(cloud: Cloud, topic: str, told: object, status: int) -> None:
    answer = await cloud.act("publish", {"topic": topic, "event": told})

    assert answer.status == status
    assert (await cloud.overview())["subscriptions"][0]["state"]["pending"] == 0


async def test_faults_are_switched_on_and_off(cloud: Cloud) -> None:
    on = await cloud.act("conditions", {"fail": 1, "seed": 3})
    assert ((await cloud.overview())["conditions"]["fail"], on.status) == (1.0, 200)

    refused = await cloud.act("conditions", {"fail": 2})
    off = await cloud.act("conditions", {})

    assert (refused.status, off.status) == (422, 200)
    assert (await cloud.overview())["conditions"]["fail"] == 0


@pytest.mark.parametrize("name", ["resend", "purge", "publish", "pause", "resume", "conditions", "bring", "discard"])
async def test_a_body_that_nobody_understands_is_refused(cloud: Cloud, name: str) -> None:
    assert (await cloud.act(name, {"what": 1})).status == 422
    assert (await cloud.act(name, "\ud800")).status == 422


async def test_nothing_is_sent_anew_while_nothing_has_changed(cloud: Cloud) -> None:
    first = await cloud.ask("/api/overview")
    same = await cloud.ask("/api/overview", headers={"If-None-Match": first.headers["ETag"]})
    await cloud.send(ServiceBusMessage("new"))

    changed = await cloud.ask("/api/overview", headers={"If-None-Match": first.headers["ETag"]})

    assert (first.status, same.status, same.body, changed.status) == (200, 304, "", 200)


async def test_secrets_are_named_and_never_told(cloud: Cloud) -> None:
    secrets = (await cloud.overview())["secrets"]

    assert secrets == [{"name": "orders-key", "changed": "2026-06-01T12:00:00Z"}]
    assert SECRET_VALUE not in str(await cloud.overview())


async def test_a_letter_is_read(cloud: Cloud) -> None:
    await cloud.letters.keep(b"Subject: Hello\r\n\r\n<b>text</b>", "store@x.example", ["ada@x.example"], NOON)

    listed = (await cloud.overview())["letters"]
    letter = (await cloud.ask("/api/letters/1")).body

    assert ([each["subject"] for each in listed], letter["text"].strip()) == (["Hello"], "<b>text</b>")
    assert (await cloud.ask("/api/letters/2")).status == 404
