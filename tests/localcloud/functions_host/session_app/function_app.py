"""An app whose queues have sessions; what it hears is told at /api/heard, and /api/open lets go of what waits."""

import asyncio
import json
from typing import Any, List  # noqa: UP035

import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
heard: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
opened = asyncio.Event()
two = asyncio.Barrier(2)


def describe(message: func.ServiceBusMessage) -> dict[str, Any]:
    body, session, count = message.get_body().decode(), message.session_id, message.delivery_count
    return {"session": session, "body": body, "count": count}


@app.service_bus_queue_trigger(
    arg_name="message", connection="ServiceBus", queue_name="steps", is_sessions_enabled=True
)
async def take(message: func.ServiceBusMessage) -> None:
    said = describe(message)
    heard.put_nowait(said)
    match said["body"], said["count"]:
        case ("fail once", 1) | ("fail always", _):
            raise ValueError("asked to fail")
        case ("wait", _):
            await opened.wait()
        case ("meet", _):  # one of another session, or never
            await two.wait()


@app.service_bus_queue_trigger(
    arg_name="messages",
    connection="ServiceBus",
    queue_name="batches",
    is_sessions_enabled=True,
    cardinality="many",
)
async def take_many(messages: List[func.ServiceBusMessage]) -> None:  # noqa: UP006  the SDK knows no other batch
    said = [describe(message) for message in messages]
    heard.put_nowait({"batch": said})
    if said[0]["body"] == "wait":
        await opened.wait()
    if said[0]["body"] == "fail once" and said[0]["count"] == 1:
        raise ValueError("asked to fail")


@app.route("open")
async def let_go(req: func.HttpRequest) -> func.HttpResponse:
    opened.set()
    return func.HttpResponse()


@app.route("heard")
async def tell(req: func.HttpRequest) -> func.HttpResponse:
    async with asyncio.timeout(20):
        return func.HttpResponse(json.dumps(await heard.get()), mimetype="application/json")
