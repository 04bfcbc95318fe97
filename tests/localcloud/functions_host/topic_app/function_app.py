"""An app on a topic: what its subscriptions bring, the dead letters of one among them, is told at /api/heard."""

import asyncio
import json
from typing import Any, List  # noqa: UP035

import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
heard: asyncio.Queue[dict[str, Any]] = asyncio.Queue()


def describe(message: func.ServiceBusMessage) -> dict[str, Any]:
    return {
        "body": message.get_body().decode(),
        "count": message.delivery_count,
        "session": message.session_id,
        "reason": message.dead_letter_reason,
        "properties": message.application_properties,
    }


def hear(by: str, *messages: func.ServiceBusMessage) -> None:
    heard.put_nowait({"by": by, "messages": [describe(each) for each in messages]})


@app.service_bus_topic_trigger(
    arg_name="message", connection="ServiceBus", topic_name="news", subscription_name="urgent"
)
def read_urgent(message: func.ServiceBusMessage) -> None:
    hear("urgent", message)
    if message.get_body() == b"poison":
        raise ValueError("asked to fail")


@app.service_bus_topic_trigger(
    arg_name="message",
    connection="ServiceBus",
    topic_name="news",
    subscription_name="urgent/$DeadLetterQueue",
)
def read_dead(message: func.ServiceBusMessage) -> None:
    hear("dead letters", message)


@app.service_bus_topic_trigger(
    arg_name="messages",
    connection="ServiceBus",
    topic_name="news",
    subscription_name="all",
    cardinality="many",
)
def read_all(messages: List[func.ServiceBusMessage]) -> None:  # noqa: UP006  the SDK knows no other batch
    hear("all", *messages)


@app.service_bus_topic_trigger(
    arg_name="message",
    connection="ServiceBus",
    topic_name="ordered",
    subscription_name="mine",
    is_sessions_enabled=True,
)
def read_ordered(message: func.ServiceBusMessage) -> None:
    hear("ordered", message)


@app.event_grid_trigger(arg_name="event")
@app.service_bus_topic_output(arg_name="out", connection="ServiceBus", topic_name="news")
def publish(event: func.CloudEvent, out: func.Out[str]) -> None:
    out.set(event.get_json()["text"])


@app.route("heard")
async def tell(req: func.HttpRequest) -> func.HttpResponse:
    async with asyncio.timeout(20):
        return func.HttpResponse(json.dumps(await heard.get()), mimetype="application/json")
