"""An app on Service Bus: an event makes messages, and messages are heard; ask for them at /api/heard."""

import asyncio
import json
from typing import Any, List  # noqa: UP035

import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
heard: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

CONNECTION = "ServiceBus"


@app.event_grid_trigger(arg_name="event")
@app.service_bus_queue_output(arg_name="first", connection=CONNECTION, queue_name="first")
@app.service_bus_queue_output(arg_name="second", connection=CONNECTION, queue_name="second")
def command(event: func.CloudEvent, first: func.Out[str], second: func.Out[str]) -> None:
    data = event.get_json()
    if "first" in data:
        first.set(json.dumps(data["first"]))
    if "second" in data:
        second.set(data["second"])
    if data.get("fail"):
        raise ValueError("nothing of this goes out")


@app.event_grid_trigger(arg_name="event")
@app.service_bus_queue_output(arg_name="$return", connection=CONNECTION, queue_name="first")
async def reply(event: func.CloudEvent) -> bytes:
    return json.dumps(event.get_json()).encode()


@app.event_grid_trigger(arg_name="event")
@app.service_bus_queue_output(arg_name="out", connection=CONNECTION, queue_name="nowhere")
async def lose(event: func.CloudEvent, out: func.Out[str]) -> None:
    out.set("lost")


def describe(message: func.ServiceBusMessage) -> dict[str, Any]:
    return {
        "body": message.get_body().decode(),
        "message_id": message.message_id,
        "delivery_count": message.delivery_count,
        "properties": message.application_properties,
        "content_type": message.content_type,
        "subject": message.subject,
        "enqueued": message.enqueued_time_utc is not None and message.enqueued_time_utc.tzinfo is not None,
    }


@app.service_bus_queue_trigger(
    arg_name="message", connection=CONNECTION, queue_name="binary", data_type=func.DataType.BINARY
)
async def take(message: func.ServiceBusMessage) -> None:
    heard.put_nowait(describe(message))
    if message.get_body() == b"fail once" and message.delivery_count == 1:
        raise ValueError("asked to fail")


@app.service_bus_queue_trigger(arg_name="message", connection=CONNECTION, queue_name="text")
async def take_text(message: func.ServiceBusMessage) -> None:
    heard.put_nowait(describe(message))


@app.service_bus_queue_trigger(arg_name="message", connection=CONNECTION, queue_name="slow")
async def hold(message: func.ServiceBusMessage) -> None:
    heard.put_nowait(describe(message))
    if message.delivery_count == 1:
        await asyncio.Event().wait()


@app.service_bus_queue_trigger(arg_name="messages", connection=CONNECTION, queue_name="batch", cardinality="many")
async def take_batch(messages: List[func.ServiceBusMessage]) -> None:  # noqa: UP006  the SDK knows no other batch
    heard.put_nowait({"batch": [describe(message) for message in messages]})
    if messages[0].get_body() == b"fail once" and messages[0].delivery_count == 1:
        raise ValueError("asked to fail")


@app.route("heard")
async def tell(req: func.HttpRequest) -> func.HttpResponse:
    async with asyncio.timeout(10):
        return func.HttpResponse(json.dumps(await heard.get()), mimetype="application/json")
