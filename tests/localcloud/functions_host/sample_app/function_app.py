"""An app with every kind of trigger that needs no broker; what it hears can be asked for at /api/heard."""

import asyncio
import json
from http import HTTPStatus
from pathlib import Path
from typing import Any

import azure.functions as func

app = func.FunctionApp()
heard: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
table_for_two = asyncio.Barrier(2)


def answer(body: object, status: int = HTTPStatus.OK) -> func.HttpResponse:
    return func.HttpResponse(json.dumps(body), status_code=status, mimetype="application/json")


@app.event_grid_trigger(arg_name="event")
async def hear_fact(event: func.CloudEvent, context: func.Context) -> None:
    data = event.get_json()
    if data.get("fail"):
        raise ValueError(f"{event.id} was asked to fail")
    heard.put_nowait(
        {
            "id": event.id,
            "type": event.type,
            "source": event.source,
            "subject": event.subject,
            "time": event.time.isoformat() if event.time else None,
            "extensions": event.extension_attrs,
            "data": data,
            "function": context.function_name,
            "trace": context.trace_context.trace_parent,
        }
    )


@app.event_grid_trigger(arg_name="event")
def hear_event(event: func.EventGridEvent) -> None:
    heard.put_nowait({"id": event.id, "type": event.event_type, "data": event.get_json()})


@app.event_grid_trigger(arg_name="event")
async def meet(event: func.CloudEvent) -> None:
    async with asyncio.timeout(5):
        await table_for_two.wait()


@app.timer_trigger(schedule="0 30 3 * * *", arg_name="timer")
@app.retry(strategy="fixed_delay", max_retry_count="2", delay_interval="00:00:10")
async def sweep(timer: func.TimerRequest, context: func.Context) -> None:
    heard.put_nowait({"past_due": timer.past_due, "attempt": context.retry_context.retry_count})
    if context.retry_context.retry_count < context.retry_context.max_retry_count:
        raise ConnectionError("not yet")


@app.timer_trigger(schedule="0 0 0 1 1 *", arg_name="timer", run_on_startup=True)
async def greet(timer: func.TimerRequest) -> None:
    heard.put_nowait({"greeted": True})


@app.route("heard", auth_level=func.AuthLevel.ANONYMOUS)
async def tell(req: func.HttpRequest) -> func.HttpResponse:
    async with asyncio.timeout(5):
        return answer(await heard.get())


@app.route("products/{id:int}", methods=["GET", "POST"])
async def echo(req: func.HttpRequest) -> func.HttpResponse:
    shown = {
        "method": req.method,
        "id": req.route_params["id"],
        "query": dict(req.params),
        "wish": req.headers.get("X-Wish"),
        "body": req.get_body().decode(),
    }
    response = answer(shown, HTTPStatus.CREATED if req.method == "POST" else HTTPStatus.OK)
    response.headers.add("Set-Cookie", "seen=yes; Path=/")
    return response


@app.route("keys/admin", auth_level=func.AuthLevel.ADMIN)
def for_admins(req: func.HttpRequest) -> str:
    return "welcome"


@app.route("keys/plain")
def plain(req: func.HttpRequest) -> str:
    return "welcome"


@app.route("personal")
def personal(req: func.HttpRequest) -> str:
    raise LookupError("no letter for 'Ada Lovelace' of ada@example.org, +49 30 123456\nand more")


@app.route("broken")
async def broken(req: func.HttpRequest) -> func.HttpResponse:
    raise RuntimeError("the secret of this house")


@app.route("empty")
async def empty(req: func.HttpRequest) -> func.HttpResponse:
    return None  # type: ignore[return-value]


@app.route("endless")
async def endless(req: func.HttpRequest) -> str:
    await asyncio.Event().wait()
    return "never"


@app.route("patient", auth_level=func.AuthLevel.ANONYMOUS)
def patient(req: func.HttpRequest) -> str:
    """Answers what somebody writes into the pipe that the header names."""
    return Path(req.headers["x-pipe"]).read_text()
