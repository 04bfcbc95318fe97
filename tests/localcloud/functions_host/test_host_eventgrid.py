"""What Event Grid sends, in the very form it sends it, and what the host answers."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import ClientSession
from structlog.testing import capture_logs

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
KEY = {"x-functions-key": "grid-key"}
HOOK = "/runtime/webhooks/EventGrid"


@pytest.fixture
async def grid(serve: Any) -> AsyncIterator[ClientSession]:
    async with serve() as client:
        await client.get("/api/heard")  # the greeting of the timer that runs at start
        yield client


def to(function: str, code: str = "grid-key") -> dict[str, str]:
    return {"functionName": function, "code": code}


def cloud_event(**changes: Any) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": "e-1",
        "source": "/services/orders",
        "type": "store.orders.order-placed.v1",
        "subject": "o-1",
        "time": "2026-06-01T12:00:00Z",
        "datacontenttype": "application/json",
        "traceparent": TRACEPARENT,
        "data": {"order_id": "o-1"},
    } | changes


def event_grid_event(**changes: Any) -> dict[str, Any]:
    return {
        "id": "e-2",
        "topic": "/topics/orders",
        "subject": "o-2",
        "eventType": "store.orders.order-placed.v1",
        "eventTime": "2026-06-01T12:00:00.1234567Z",
        "dataVersion": "1",
        "metadataVersion": "1",
        "data": {"order_id": "o-2"},
    } | changes


async def deliver(grid: ClientSession, function: str, body: object, **headers: str) -> tuple[int, str]:
    headers = {"aeg-event-type": "Notification", "Content-Type": "application/cloudevents+json"} | headers
    async with grid.post(HOOK, params=to(function), data=json.dumps(body), headers=headers) as response:
        return response.status, await response.text()


async def heard(grid: ClientSession) -> dict[str, Any]:
    async with grid.get("/api/heard") as response:
        answer: dict[str, Any] = await response.json()
        return answer


@pytest.mark.parametrize("code", ["", "wrong", "function-key"])
async def test_a_request_without_the_key_of_event_grid_is_refused(grid: ClientSession, code: str) -> None:
    headers = {"aeg-event-type": "Notification", "x-functions-key": ""}

    async with grid.post(HOOK, params=to("hear_fact", code), json=cloud_event(), headers=headers) as response:
        assert response.status == 401


async def test_the_master_key_opens_the_webhook_too(grid: ClientSession) -> None:
    headers = {"aeg-event-type": "Notification", "x-functions-key": "master-key"}

    async with grid.post(HOOK, params=to("hear_fact", ""), json=cloud_event(), headers=headers) as response:
        assert response.status == 202


async def test_an_unknown_function_is_named_in_a_404(grid: ClientSession) -> None:
    assert await deliver(grid, "nope", cloud_event(), **KEY) == (404, "cannot find function: 'nope'")


async def test_a_function_that_hears_no_events_is_unknown_to_event_grid(grid: ClientSession) -> None:
    assert await deliver(grid, "echo", cloud_event(), **KEY) == (404, "cannot find function: 'echo'")


async def test_a_cloud_event_reaches_the_function_with_its_extensions(grid: ClientSession) -> None:
    status, _ = await deliver(grid, "Hear_Fact", cloud_event(tenant="blue"), **KEY)

    assert status == 202
    assert await heard(grid) == {
        "id": "e-1",
        "type": "store.orders.order-placed.v1",
        "source": "/services/orders",
        "subject": "o-1",
        "time": "2026-06-01T12:00:00+00:00",
        "extensions": {"traceparent": TRACEPARENT, "tenant": "blue"},
        "data": {"order_id": "o-1"},
        "function": "hear_fact",
        "trace": TRACEPARENT,
    }


async def test_an_event_of_the_event_grid_schema_reaches_a_function_in_its_thread(grid: ClientSession) -> None:
    status, _ = await deliver(grid, "hear_event", [event_grid_event()], **KEY)

    assert status == 202
    assert await heard(grid) == {"id": "e-2", "type": "store.orders.order-placed.v1", "data": {"order_id": "o-2"}}


async def test_every_event_of_a_batch_is_a_call_of_its_own(grid: ClientSession) -> None:
    status, _ = await deliver(grid, "hear_fact", [cloud_event(id=f"e-{n}") for n in range(20)], **KEY)

    assert status == 202
    assert {(await heard(grid))["id"] for _ in range(20)} == {f"e-{n}" for n in range(20)}


async def test_one_failure_in_a_batch_fails_the_request_and_tells_why(grid: ClientSession) -> None:
    events = [cloud_event(id="good"), cloud_event(id="bad", data={"fail": True})]

    assert await deliver(grid, "hear_fact", events, **KEY) == (
        500,
        "Exception while executing function: Functions.hear_fact",
    )
    assert (await heard(grid))["id"] == "good"


@pytest.mark.parametrize("time", ["2026-06-01T14:00:00+02:00", "2026-06-01T12:00:00-05:00"])
async def test_a_time_with_an_offset_fails_as_it_fails_in_azure(grid: ClientSession, time: str) -> None:
    status, text = await deliver(grid, "hear_fact", cloud_event(time=time), **KEY)

    assert (status, text) == (500, "Exception while executing function: Functions.hear_fact")


@pytest.mark.parametrize(
    "body",
    [
        [{"id": "1", "eventType": "Microsoft.EventGrid.SubscriptionValidationEvent", "data": {"validationCode": "c"}}],
        {"id": "1", "type": "Microsoft.EventGrid.SubscriptionValidationEvent", "data": '{"validationCode": "c"}'},
    ],
)
async def test_the_handshake_gives_the_code_back(grid: ClientSession, body: object) -> None:
    status, text = await deliver(grid, "hear_fact", body, **KEY, **{"aeg-event-type": "SubscriptionValidation"})

    assert (status, json.loads(text)) == (200, {"validationResponse": "c"})


@pytest.mark.parametrize(
    ("asked", "allowed"),
    [
        ("eventgrid.azure.net", "eventgrid.azure.net"),
        ("eventgrid.azure.us", "eventgrid.azure.us"),
        ("evil.example", "eventgrid.azure.net"),
    ],
)
async def test_the_handshake_of_cloud_events_allows_event_grid_only(
    grid: ClientSession, asked: str, allowed: str
) -> None:
    headers = {"WebHook-Request-Origin": asked, **KEY}

    async with grid.options(HOOK, params=to("hear_fact"), headers=headers) as response:
        assert (response.status, response.headers["WebHook-Allowed-Origin"]) == (200, allowed)


async def test_unsubscribe_is_taken_note_of(grid: ClientSession) -> None:
    assert (await deliver(grid, "hear_fact", {}, **KEY, **{"aeg-event-type": "unsubscribe"}))[0] == 202


async def test_another_kind_of_request_is_a_400(grid: ClientSession) -> None:
    assert (await deliver(grid, "hear_fact", cloud_event(), **KEY, **{"aeg-event-type": ""}))[0] == 400


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[{]", b"null", b"7", b"[7]", b'{"a": "\xff"}', b"[" * 100_000, b'{"a":' * 100_000],
    ids=["empty", "cut", "crooked", "null", "number", "numbers", "no utf-8", "deep array", "deep object"],
)
@pytest.mark.parametrize("kind", ["Notification", "SubscriptionValidation"])
async def test_what_is_no_event_is_a_400(grid: ClientSession, kind: str, body: bytes) -> None:
    headers = {"aeg-event-type": kind, **KEY}

    async with grid.post(HOOK, params=to("hear_fact"), data=body, headers=headers) as response:
        assert response.status == 400


async def test_the_log_names_function_call_and_trace_and_nothing_of_the_event(grid: ClientSession) -> None:
    with capture_logs() as lines:
        await deliver(grid, "hear_fact", cloud_event(data={"name": "canary"}), **KEY)
        await deliver(grid, "hear_event", event_grid_event(), **KEY, traceparent=TRACEPARENT.replace("0af7", "1af7"))

    called = [line for line in lines if line["event"] == "function.called"]
    assert [line["function"] for line in called] == ["hear_fact", "hear_event"]
    assert [line["trace_id"][:4] for line in called] == ["0af7", "1af7"]
    assert all(line["invocation_id"] and line["duration_ms"] >= 0 for line in called)
    assert not any(secret in str(lines) for secret in ("canary", "grid-key", "code="))


async def test_the_events_of_a_request_run_at_the_same_time(grid: ClientSession) -> None:
    status, _ = await deliver(grid, "meet", [cloud_event(id="e-1"), cloud_event(id="e-2")], **KEY)

    assert status == 202
