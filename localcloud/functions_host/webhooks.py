"""`/runtime/webhooks/EventGrid` and `…/blobs`: the handshake, and one invocation for each event.

Source: HttpRequestProcessor of Microsoft.Azure.WebJobs.Extensions.EventGrid 3.4. Any failure answers 500, and Event
Grid then sends the whole request again; 400 and 401 it never repeats.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec
from aiohttp import web
from azure.functions.meta import Datum
from msgspec import Raw, Struct

from localcloud.functions_host.bindings import BlobTrigger, EventGridTrigger
from localcloud.functions_host.blob_trigger import Blobs
from localcloud.functions_host.indexing import Function
from localcloud.functions_host.invocation import Call, FunctionFailed, Invoker
from localcloud.functions_host.keys import Keys

TRIGGERS: Mapping[str, type[EventGridTrigger | BlobTrigger]] = {"eventgrid": EventGridTrigger, "blobs": BlobTrigger}
EVENT_GRIDS = ("eventgrid.azure.net", "eventgrid.azure.us", "eventgrid.azure.cn")


class _Event(Struct):
    traceparent: object = None


class _Code(Struct, rename="camel"):
    validation_code: str


class _Handshake(Struct):
    """`data` is JSON in a string when the body is an object (CloudEvents), and plain when it is an array."""

    data: _Code | str


@dataclass(frozen=True, slots=True)
class Webhooks:
    functions: Mapping[str, Function]  # by name in lower case
    blobs: Blobs
    keys: Keys
    invoker: Invoker

    async def answer(self, request: web.Request) -> web.Response:
        extension = request.match_info["extension"].lower()
        if extension not in TRIGGERS:
            return web.Response(status=404)
        if not self.keys.open_webhook(request, extension):
            return web.Response(status=401)
        name = request.query.get("functionName", "")
        function = self.functions.get(name.lower().removeprefix("host.functions."))
        if function is None or function.is_disabled or not isinstance(function.trigger, TRIGGERS[extension]):
            return web.Response(status=404, text=f"cannot find function: '{name}'")
        if request.method == "OPTIONS":
            return _allow(request)
        try:
            return await self._dispatch(function, request)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return web.Response(status=400)

    async def _dispatch(self, function: Function, request: web.Request) -> web.Response:
        match request.headers.get("aeg-event-type", "").lower():
            case "subscriptionvalidation":
                return web.json_response({"validationResponse": _validation_code(await request.read())})
            case "notification":
                return await self._notify(function, _calls(await request.read(), request))
            case "unsubscribe":
                return web.Response(status=202)
            case _:
                return web.Response(status=400)

    async def _notify(self, function: Function, calls: list[Call]) -> web.Response:
        ended = await asyncio.gather(*(self._call(function, call) for call in calls), return_exceptions=True)
        failed = [each for each in ended if isinstance(each, BaseException)]
        for each in failed:
            if not isinstance(each, FunctionFailed):
                raise each
        return web.Response(status=500, text=str(failed[0])) if failed else web.Response(status=202)

    async def _call(self, function: Function, call: Call) -> None:
        """Raises FunctionFailed."""
        if isinstance(function.trigger, BlobTrigger):
            await self.blobs.call(function, function.trigger, call)
        else:
            await self.invoker.run(function, call)


def _allow(request: web.Request) -> web.Response:
    origin = request.headers.get("WebHook-Request-Origin", "")
    return web.Response(headers={"WebHook-Allowed-Origin": origin if origin in EVENT_GRIDS else EVENT_GRIDS[0]})


def _events(body: bytes) -> list[Raw]:
    """An object or an array of them, each in the very bytes that came."""
    return msgspec.json.decode(body, type=list[Raw]) if body.lstrip().startswith(b"[") else [Raw(body)]


def _validation_code(body: bytes) -> str:
    data = msgspec.json.decode((_events(body) or [Raw(b"")])[0], type=_Handshake).data
    return (msgspec.json.decode(data, type=_Code) if isinstance(data, str) else data).validation_code


def _calls(body: bytes, request: web.Request) -> list[Call]:
    return [_call(event, request.headers.get("traceparent", "")) for event in _events(body)]


def _call(event: Raw, of_request: str) -> Call:
    """The event's own trace, if it carries one: the request's begins at Event Grid."""
    traceparent = msgspec.json.decode(event, type=_Event).traceparent
    trace = traceparent if isinstance(traceparent, str) else of_request
    return Call(Datum(bytes(event).decode(), "json"), traceparent=trace)
