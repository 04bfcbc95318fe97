"""Odd events, and destinations that break in a way that nobody foresaw: an attempt fails, and all else goes on."""

import json
import sqlite3
import struct
from dataclasses import replace

import pytest
from azure.core.credentials import AzureKeyCredential
from azure.eventgrid import EventGridEvent
from azure.eventgrid.aio import EventGridPublisherClient
from structlog.testing import capture_logs

from localcloud.topology import Topology
from tests.localcloud.eventgrid.grid import KEYS, NOWHERE, PLACED, Cloud, Queues
from tests.localcloud.eventgrid.hooks import OWN_TOPIC, Hear, Hook, hearing, publish
from tests.localcloud.eventgrid.test_eventgrid_publishing import posted

pytestmark = pytest.mark.real

ENDLESS = b'{"specversion":"1.0","id":"odd","source":"/s","type":"%s","data":{"number":1e999}}' % PLACED.encode()
TO_A_QUEUE = {"to": {"queue": "orders"}, "attributes": {"number": {"from": "data.number"}}}


async def test_what_cannot_be_read_wholly_is_refused_in_azures_form_and_the_next_one_comes(
    cloud: Cloud, store: Topology, queues: Queues
) -> None:
    filtered = TO_A_QUEUE | {"filters": [{"operator": "IsNotNull", "key": "data.number"}]}
    async with replace(cloud, topology=hearing(store, filtered)).running(NOWHERE) as running:
        status, body = await posted(running, ENDLESS)
        await publish(running, 1)
        message = await queues.next()

    assert (status, json.loads(body)["error"]["code"]) == (400, "BadRequest")
    assert json.loads(body)["error"]["message"].startswith("Event 0: ")
    assert json.loads(message.body)["id"] == "e-1"


async def test_an_event_from_before_that_no_delivery_can_be_built_of_is_dead_and_the_others_come(
    cloud: Cloud, store: Topology, queues: Queues
) -> None:
    here = replace(cloud, topology=hearing(store, TO_A_QUEUE | {"retry": {"attempts": 2}}))
    async with here.running(NOWHERE):
        pass
    laid_down(cloud, ENDLESS)

    async with here.running(NOWHERE) as running:
        await publish(running, 1)
        await running.until("hook", lambda state: (state.dead, state.unburied, state.delivered) == (1, 0, 1))

    ((name, buried),) = cloud.graves.written.items()
    assert (name.split("/")[0], b"1e999" in buried) == ("HOOK", True)
    assert b'"deadletterreason":"MaxDeliveryAttemptsExceeded"' in buried
    assert b'"lastdeliveryoutcome":"Aborted"' in buried


async def test_the_same_at_a_webhook(cloud: Cloud, hear: Hear, hook: Hook) -> None:
    attributes = {"X-Number": {"from": "data.number"}}
    async with hear() as running:
        await running.until("hook", lambda state: state.status == "active")
    laid_down(cloud, ENDLESS)

    async with hear(attributes=attributes, retry={"attempts": 1}) as running:
        await publish(running, 1)
        state = await running.until("hook", lambda state: (state.dead, state.delivered) == (1, 1))

    assert state.pending == 0


async def test_an_error_that_a_queue_should_not_raise_fails_the_attempt_and_is_logged(
    cloud: Cloud, store: Topology, queues: Queues
) -> None:
    queues.refusals = [struct.error("argument out of range")]
    here = replace(cloud, topology=hearing(store, {"to": {"queue": "orders"}}))
    with capture_logs() as logs:
        async with here.running(NOWHERE) as running:
            await publish(running, 1)
            state = await running.until("hook", lambda state: state.delivered == 1)

    (broke,) = [each for each in logs if each["event"] == "attempt.broke"]
    assert (broke["exc_info"], len(broke["message_ids"])) == (True, 1)
    assert (state.retried, state.pending) == (1, 0)


async def test_one_that_is_sent_by_hand_says_what_broke(cloud: Cloud, store: Topology, queues: Queues) -> None:
    queues.refusals = [struct.error("argument out of range")]
    async with replace(cloud, topology=hearing(store, {"to": {"queue": "orders"}})).running(NOWHERE) as running:
        subscriber = running.grid.subscriber("hook")
        assert subscriber

        answer = await subscriber.bring(b'{"specversion":"1.0"}', "1", 5)

    assert answer.text == "Aborted error"


async def test_a_line_break_in_what_becomes_a_header_is_left_out_and_fails_nothing(hear: Hear, hook: Hook) -> None:
    attributes = {"X-Fixed": {"value": "a\r\nX-Evil: 1"}}
    async with hear(topic=OWN_TOPIC, schema="eventgrid", attributes=attributes) as running:
        url = f"{running.url}/{OWN_TOPIC}/api/events"
        key = AzureKeyCredential(KEYS[OWN_TOPIC][0])
        async with EventGridPublisherClient(url, key, connection_verify=str(running.files.ca)) as topic:
            await topic.send([EventGridEvent("/s", "t", {}, version) for version in ("1\r\nX-Evil: 1", "2" * 9_000)])
        await hook.next()
        asked = [await hook.next() for _ in range(2)]
        state = await running.until("hook", lambda state: state.delivered == 2)

    assert {each.headers["aeg-data-version"] for each in asked} == {"1X-Evil: 1", "2" * 4_096}
    assert {(each.headers["X-Fixed"], "X-Evil" in each.headers) for each in asked} == {("aX-Evil: 1", False)}
    assert state.retried == 0


async def test_events_whose_mapped_message_id_is_empty_are_not_one_message(
    cloud: Cloud, store: Topology, queues: Queues
) -> None:
    mapped = {"to": {"queue": "orders"}, "attributes": {"MessageId": {"from": "data.key"}}}
    empty = json.dumps({"specversion": "1.0", "id": "1", "source": "/s", "type": PLACED, "data": {"key": ""}}).encode()
    async with replace(cloud, topology=hearing(store, mapped)).running(NOWHERE) as running:
        await posted(running, empty)
        await posted(running, empty)
        ids = {(await queues.next()).message_id, (await queues.next()).message_id}

    assert len(ids - {""}) == 2


def laid_down(cloud: Cloud, event: bytes) -> None:
    database = sqlite3.connect(cloud.path, isolation_level=None)
    sql = "INSERT INTO pending (subscription, message_id, event, since, due) SELECT 'hook', 'm', ?, t, t FROM"
    database.execute(f"{sql} (SELECT unixepoch('now') AS t)", (event,))
    database.close()
