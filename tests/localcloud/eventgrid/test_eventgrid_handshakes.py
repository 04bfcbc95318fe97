"""Before a webhook gets events it says that it wants them."""

import asyncio
from time import monotonic
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from structlog.testing import capture_logs

from localcloud.eventgrid.handshake import Handshake, allows, proves
from localcloud.topology import Topology
from tests.localcloud.eventgrid.grid import Running
from tests.localcloud.eventgrid.hooks import OWN_TOPIC, Asked, Hear, Hook, agrees, hearing, publish, publish_own
from tests.waiting import so

pytestmark = pytest.mark.real


async def test_before_cloudevents_come_the_webhook_is_asked_and_agrees(hear: Hear, hook: Hook) -> None:
    async with hear() as running:
        await publish(running, 1)
        asked, delivered = await hook.next(), await hook.next()

    assert (asked.verb, asked.headers["WebHook-Request-Origin"]) == ("OPTIONS", "eventgrid.azure.net")
    assert (asked.headers["WebHook-Request-Rate"], asked.body) == ("120", b"")
    assert (delivered.verb, delivered.json()["id"]) == ("POST", "e-1")
    assert delivered.headers["Content-Type"] == "application/cloudevents+json; charset=utf-8"


async def test_in_its_own_schema_event_grid_sends_a_code_which_comes_back(hear: Hear, hook: Hook) -> None:
    async with hear(topic=OWN_TOPIC, schema="eventgrid") as running:
        await publish_own(running, "1")
        asked, delivered = await hook.next(), await hook.next()

    (challenge,) = asked.json()
    assert asked.headers["aeg-event-type"] == "SubscriptionValidation"
    assert challenge["eventType"] == "Microsoft.EventGrid.SubscriptionValidationEvent"
    assert challenge["data"]["validationUrl"].startswith(running.url)
    (said,) = delivered.json()
    assert (said["id"], said["metadataVersion"], said["data"]) == ("1", "1", {"n": 1})
    assert said["topic"].endswith(f"/topics/{OWN_TOPIC}")
    assert delivered.headers["Content-Type"] == "application/json; charset=utf-8"
    assert (delivered.headers["aeg-data-version"], delivered.headers["aeg-metadata-version"]) == ("2", "1")


async def test_event_grids_own_schema_can_be_delivered_as_cloudevents(hear: Hear, hook: Hook) -> None:
    async with hear(topic=OWN_TOPIC) as running:
        await publish_own(running, "1")
        _, delivered = await hook.next(), await hook.next()

    assert (delivered.json()["specversion"], delivered.json()["dataschema"]) == ("1.0", "#2")


async def test_an_answer_that_comes_in_pieces_is_read_to_its_end(hear: Hear, hook: Hook) -> None:
    async def answer(asked: Asked) -> web.Response:
        return InPieces(await agrees(asked))

    hook.answer = answer
    async with hear(topic=OWN_TOPIC, schema="eventgrid") as running:
        await running.until("hook", lambda state: state.status == "active")

    assert hook.asked.qsize() == 1


class InPieces(web.Response):
    """Its last byte comes later than the others."""

    def __init__(self, whole: web.Response) -> None:
        assert isinstance(whole.body, bytes)
        super().__init__(status=whole.status)
        self.said = whole.body

    async def prepare(self, request: web.BaseRequest) -> Any:
        answer, began = web.StreamResponse(status=self.status), monotonic()
        await answer.prepare(request)
        await answer.write(self.said[:-1])
        await so(lambda: monotonic() > began + 0.1, seconds=10)
        await answer.write_eof(self.said[-1:])


class Broken:
    def options(self, *_: object, **__: object) -> None:
        raise KeyError


async def test_whatever_breaks_while_an_endpoint_is_asked_it_is_asked_again(store: Topology) -> None:
    async def remember(*_: str) -> None: ...

    (wanted,) = hearing(store, {"to": {"webhook": "https://h/"}}).subscriptions
    handshake = Handshake(Broken(), wanted, "https://x", lambda: 1.0, remember)  # type: ignore[arg-type]

    with capture_logs() as logs:
        async with asyncio.TaskGroup() as tasks:
            asking = tasks.create_task(handshake.done())
            await so(lambda: any(each["event"] == "handshake.broke" for each in logs), seconds=10)
            handshake.accept(handshake.code)
            await asking

    assert handshake.agreed.is_set()


async def takes_without_agreeing(asked: Asked) -> web.Response:
    return web.Response(status=200)


@pytest.mark.parametrize("schema", ["cloudevents", "eventgrid"])
async def test_until_it_agrees_nothing_is_delivered_and_that_can_be_done_by_hand_once_for_all(
    hear: Hear, hook: Hook, schema: str
) -> None:
    hook.answer = takes_without_agreeing
    told: dict[str, Any] = {"topic": OWN_TOPIC, "schema": schema}
    async with hear(**told) as running:
        await publish_own(running, "1")
        asked = await hook.next()
        before = running.state("hook")
        url = asked.headers.get("WebHook-Request-Callback") or asked.json()[0]["data"]["validationUrl"]
        wrong, right = await got(running, url + "0"), await got(running, url)

        await running.until("hook", lambda state: state.delivered == 1)
    async with hear(**told) as running:
        await publish_own(running, "2")
        await running.until("hook", lambda state: state.delivered == 1)

    assert (before.status, before.pending, before.delivered) == ("not validated", 1, 0)
    assert (wrong, right) == (404, 200)
    assert verbs(hook) == ["POST", "POST"] or schema == "eventgrid"


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        ("cloudevents", "OPTIONS: 200, and no WebHook-Allowed-Origin: eventgrid.azure.net"),
        ("eventgrid", "POST: 200, and not the code as its validationResponse"),
    ],
)
async def test_the_log_says_why_an_endpoint_is_not_validated(hear: Hear, hook: Hook, schema: str, reason: str) -> None:
    hook.answer = takes_without_agreeing
    with capture_logs() as logs:
        async with hear(topic=OWN_TOPIC, schema=schema):
            await so(lambda: bool(logs))

    first = {"event": "endpoint.not_validated", "log_level": "warning", "subscription": "hook", "reason": reason}
    assert logs[0] == first


async def got(running: Running, url: str) -> int:
    async with aiohttp.ClientSession() as anyone, anyone.get(url, ssl=running.files.client_context()) as answer:
        return answer.status


def verbs(hook: Hook) -> list[str]:
    """Of what was asked since the last `next`, without repeated offers."""
    rest = [hook.asked.get_nowait() for _ in range(hook.asked.qsize())]
    return [each.verb for each in rest if each.verb != "OPTIONS"]


@pytest.mark.parametrize(
    ("status", "origin", "good"),
    [
        (200, "eventgrid.azure.net", True),
        (200, "*", True),
        (200, "example.com", False),
        (200, None, False),
        (202, "*", False),
    ],
)
def test_an_offer_is_taken_by_name(status: int, origin: str | None, good: bool) -> None:
    assert allows(status, {} if origin is None else {"WebHook-Allowed-Origin": origin}) is good


@pytest.mark.parametrize(
    ("status", "body", "good"),
    [
        (200, b'{"validationResponse": "c"}', True),
        (202, b'{"validationResponse": "c"}', False),
        (200, b'{"validationResponse": "d"}', False),
        (200, b'{"validationResponse": 1}', False),
        (200, b"\xff", False),
        (200, b"[" * 100_000, False),
    ],
)
def test_a_code_is_given_back_as_it_is(status: int, body: bytes, good: bool) -> None:
    assert proves(status, body, "c") is good
