"""Webhooks: they agree first, and then get events one by one or many at once, in the schema that they want."""

import asyncio
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from aiohttp import web

from localcloud.eventgrid import Conditions
from localcloud.eventgrid.probation import AFTER_FAILURES, Probation
from localcloud.eventgrid.retry import Outcome
from tests.localcloud.eventgrid.grid import Cloud, event
from tests.localcloud.eventgrid.hooks import OWN_TOPIC, Asked, Hear, Hook, agrees, publish, publish_own
from tests.waiting import so

pytestmark = pytest.mark.real


async def test_where_batches_are_wanted_what_is_there_comes_at_once(hear: Hear, hook: Hook) -> None:
    gate = asyncio.Event()

    async def answer(asked: Asked) -> web.Response:
        if asked.verb == "POST":
            await gate.wait()
        return await agrees(asked)

    hook.answer = answer
    async with hear(batch={"events": 4, "kilobytes": 1}) as running:
        await running.until("hook", lambda state: state.status == "active")
        await publish(running, 0)
        await hook.next(), await hook.next()
        await publish(running, *range(1, 7))
        gate.set()
        batches = [await hook.next() for _ in range(2)]
        state = await running.until("hook", lambda state: state.delivered == 7)

    assert [[each["id"] for each in batch.json()] for batch in batches] == [
        ["e-1", "e-2", "e-3", "e-4"],
        ["e-5", "e-6"],
    ]
    assert batches[0].headers["Content-Type"] == "application/cloudevents-batch+json; charset=utf-8"
    assert state.pending == 0


async def test_a_batch_is_no_larger_than_preferred_and_fails_as_a_whole(hear: Hear, hook: Hook) -> None:
    sizes = list[int]()

    async def answer(asked: Asked) -> web.Response:
        if asked.verb == "OPTIONS":
            return await agrees(asked)
        sizes.append(len(asked.body))
        return web.Response(status=500 if len(sizes) == 1 else 200)

    hook.answer = answer
    async with hear(batch={"events": 5000, "kilobytes": 2}) as running:
        async with running.topic("orders") as topic:
            await topic.send([event(0)] * 40)
        state = await running.until("hook", lambda state: state.delivered == 40)

    assert len(sizes) > 5
    assert max(sizes) < 2 * 1024 + 40
    assert state.retried > 1


async def test_a_webhook_sees_a_token_for_its_audience_and_what_it_wants_to_know(
    hear: Hear, hook: Hook, cloud: Cloud
) -> None:
    attributes = {"X-Shop": {"value": "tea"}, "X-Number": {"from": "data.number"}}
    async with hear(to={"audience": "api://hook"}, attributes=attributes) as running:
        await publish(running, 7)
        _, delivered = await hook.next(), await hook.next()

    token = delivered.headers["Authorization"].removeprefix("Bearer ")
    claims = cloud.access.issuer.verify(token, "api://hook", datetime.now(UTC))
    assert claims["roles"] == ["AzureEventGridSecureWebhookSubscriber"]
    assert (delivered.headers["X-Shop"], delivered.headers["X-Number"]) == ("tea", "7")


async def test_only_what_the_filters_let_pass_is_delivered(hear: Hear, hook: Hook) -> None:
    wanted = [{"operator": "NumberInRange", "key": "data.number", "values": [[2, 3], [7, 9]]}]
    async with hear(filters=wanted) as running:
        await publish(running, *range(10))
        await running.until("hook", lambda state: state.delivered == 5)

    assert running.state("hook").pending == 0


async def test_who_does_not_answer_in_time_is_tried_again(hear: Hear, hook: Hook) -> None:
    tries = list[str]()

    async def answer(asked: Asked) -> web.Response:
        if asked.verb == "POST":
            tries.append(asked.headers["aeg-delivery-count"])
            if len(tries) == 1:
                await asyncio.Event().wait()
        return await agrees(asked)

    hook.answer = answer
    async with hear(Conditions(answer_seconds=0.3)) as running:
        await publish(running, 1)
        await running.until("hook", lambda state: state.last_answer == "TimedOut" or state.delivered == 1)
        state = await running.until("hook", lambda state: state.delivered == 1)

    assert (tries, state.retried, state.last_answer) == (["0", "1"], 1, "Delivered 202")
    assert Conditions().answer_seconds == 30


async def test_attempts_and_time_to_live_are_the_subscriptions(hear: Hear, hook: Hook, cloud: Cloud) -> None:
    async def answer(asked: Asked) -> web.Response:
        return await agrees(asked) if asked.verb == "OPTIONS" else web.Response(status=500)

    hook.answer = answer
    async with hear(retry={"attempts": 2}) as running:
        await publish(running, 1)
        await running.until("hook", lambda state: (state.dead, state.unburied) == (1, 0))
        state = running.state("hook")

    (buried,) = cloud.graves.events()
    assert (buried["deadletterreason"], buried["deliveryattempts"]) == ("MaxDeliveryAttemptsExceeded", 2)
    assert (state.last_answer, state.to) == ("Aborted 500", {"webhook": hook.url})


async def test_a_dead_letter_in_event_grids_own_schema_has_its_words(hear: Hear, hook: Hook, cloud: Cloud) -> None:
    async def answer(asked: Asked) -> web.Response:
        refused = asked.headers.get("aeg-event-type") == "Notification"
        return web.Response(status=400) if refused else await agrees(asked)

    hook.answer = answer
    async with hear(topic=OWN_TOPIC, schema="eventgrid") as running:
        await publish_own(running, "1")
        await running.until("hook", lambda state: (state.dead, state.unburied) == (1, 0))

    (buried,) = cloud.graves.events()
    assert (buried["deadLetterReason"], buried["lastDeliveryOutcome"]) == (
        "UndeliverableDueToHttpBadRequest",
        "BadRequest",
    )
    assert (buried["id"], buried["deliveryAttempts"]) == ("1", 1)


@pytest.mark.parametrize(
    ("outcome", "seconds"),
    [
        ("Busy", 10),
        ("TimedOut", 10),
        ("SocketError", 30),
        *(
            (outcome, 300)
            for outcome in ("NotFound", "Unauthorized", "Forbidden", "ResolutionError", "Disabled", "Full")
        ),
    ],
)
def test_who_fails_again_and_again_is_left_alone_until_it_answers(outcome: str, seconds: int) -> None:
    probation = Probation()

    for _ in range(AFTER_FAILURES - 1):
        probation.failed(Outcome(outcome), 100.0, 0.5)
    assert probation.until == 0
    probation.failed(Outcome(outcome), 100.0, 0.5)
    assert probation.until == 100 + seconds / 2

    probation.succeeded()
    assert (probation.failures, probation.until) == (0, 0)


@pytest.mark.parametrize("outcome", ["BadRequest", "PayloadTooLarge", "SessionQueueNotSupported"])
def test_an_event_that_is_refused_says_nothing_of_who_refuses_it(outcome: str) -> None:
    probation = Probation()

    for _ in range(AFTER_FAILURES - 1):
        probation.failed(Outcome.BUSY, 100.0, 1)
    for _ in range(2 * AFTER_FAILURES):
        probation.failed(Outcome(outcome), 100.0, 1)

    assert (probation.failures, probation.until) == (AFTER_FAILURES - 1, 0)


async def test_after_bad_events_good_ones_come_at_once(hear: Hear, hook: Hook, cloud: Cloud) -> None:
    async def answer(asked: Asked) -> web.Response:
        if asked.verb == "OPTIONS" or asked.json()["data"]["number"] == 0:
            return await agrees(asked)
        return web.Response(status=413 if asked.json()["data"]["number"] % 2 else 400)

    hook.answer = answer
    async with hear(time_scale=1) as running:
        await publish(running, *range(1, 2 * AFTER_FAILURES))
        await running.until("hook", lambda state: (state.dead, state.unburied) == (2 * AFTER_FAILURES - 1, 0))
        await publish(running, 0)
        state = await running.until("hook", lambda state: state.delivered == 1)

    assert (state.status, state.pending) == ("active", 0)
    assert {(each["lastdeliveryoutcome"], each["lasthttpstatuscode"]) for each in cloud.graves.events()} == {
        ("BadRequest", 400),
        ("PayloadTooLarge", 413),
    }


async def test_on_probation_fresh_events_wait_too_and_then_all_comes(hear: Hear, hook: Hook) -> None:
    failing = True

    async def answer(asked: Asked) -> web.Response:
        refused = failing and asked.verb == "POST"
        return web.Response(status=503) if refused else await agrees(asked)

    hook.answer = answer
    async with hear(time_scale=0.1) as running:  # a probation is a second, and a second attempt three away
        await publish(running, *range(AFTER_FAILURES + 5))
        state = await running.until("hook", lambda state: state.status == "probation")
        failing = False
        after = await running.until("hook", lambda state: state.delivered == AFTER_FAILURES + 5)

    assert state.next_attempt is not None
    assert (after.status, after.pending) == ("active", 0)


async def test_a_paused_subscription_waits_and_goes_on_when_it_is_resumed(hear: Hear, hook: Hook) -> None:
    async with hear() as running:
        await running.until("hook", lambda state: state.status == "active")
        paused = running.grid.subscriber("HOOK")
        assert paused
        paused.pause()
        await publish(running, 1)
        state = running.state("hook")
        await hook.next()  # the handshake
        nothing = hook.asked.empty()

        paused.resume()
        delivered = await hook.next()

    assert (state.status, state.pending, nothing) == ("paused", 1, True)
    assert json.loads(delivered.body)["id"] == "e-1"


async def test_what_a_webhooks_address_hides_is_not_shown(hear: Hear, hook: Hook, caplog: Any, capsys: Any) -> None:
    secret = "a-code-in-the-query"
    async with hear(to={"webhook": f"{hook.url}?code={secret}"}) as running:
        await publish(running, 1)
        await running.until("hook", lambda state: state.delivered == 1)
        shown = repr(running.state("hook"))

    await so(lambda: True)
    assert secret not in shown + caplog.text + capsys.readouterr().out
