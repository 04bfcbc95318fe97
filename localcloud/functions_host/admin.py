"""`/admin`: what is here, is it running, how did the last calls end, and run this one now; with the master key."""

import asyncio
import functools
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import msgspec
from aiohttp import web
from azure.functions.meta import Datum

from localcloud.functions_host.bindings import (
    BlobTrigger,
    EventGridTrigger,
    HttpTrigger,
    ServiceBusTrigger,
    TimerTrigger,
)
from localcloud.functions_host.blob_trigger import Blobs, subject
from localcloud.functions_host.http_trigger import request_datum
from localcloud.functions_host.indexing import Function
from localcloud.functions_host.invocation import Call, FunctionFailed, Invoker
from localcloud.functions_host.keys import Keys, Named
from localcloud.functions_host.timer_trigger import timer_datum

Route = Callable[[web.Request], Awaitable[web.Response]]
VERSION = "4.1000.0"  # of the host whose manners these are


class _Input(msgspec.Struct):
    input: str = ""


@dataclass(frozen=True, slots=True)
class Admin:
    functions: Mapping[str, Function]  # by name in lower case
    keys: Keys
    blobs: Blobs
    invoker: Invoker
    work: asyncio.TaskGroup
    route_prefix: str

    def routes(self) -> list[web.RouteDef]:
        shown: dict[str, Route] = {
            "/admin/host/status": self.show_status,
            "/admin/host/keys": self.show_host_keys,
            "/admin/host/systemkeys": self.show_system_keys,
            "/admin/host/systemkeys/{key}": self.show_system_key,
            "/admin/functions": self.list_functions,
            "/admin/functions/{name}": self.show_function,
            "/admin/functions/{name}/status": self.show_function_status,
            "/admin/functions/{name}/keys": self.show_function_keys,
            "/admin/calls": self.list_calls,
        }
        return [
            *(web.get(path, self._guarded(answer)) for path, answer in shown.items()),
            web.post("/admin/functions/{name}", self._guarded(self.start_function)),
        ]

    def _guarded(self, answer: Route) -> Route:
        @functools.wraps(answer)
        async def guarded(request: web.Request) -> web.Response:
            return await answer(request) if self.keys.open_admin(request) else web.Response(status=401)

        return guarded

    async def show_status(self, request: web.Request) -> web.Response:
        return web.json_response({"id": "local", "state": "Running", "version": VERSION, "errors": []})

    async def list_functions(self, request: web.Request) -> web.Response:
        return web.json_response([self._describe(function, request) for function in self.functions.values()])

    async def show_function(self, request: web.Request) -> web.Response:
        return web.json_response(self._describe(self._of(request), request))

    async def show_function_status(self, request: web.Request) -> web.Response:
        return web.json_response({"isDisabled": self._of(request).is_disabled, "errors": []})

    async def list_calls(self, request: web.Request) -> web.Response:
        """No part of Azure's host, which tells Application Insights instead."""
        calls = self.invoker.calls
        listed = [{"function": each.name, "calls": calls.of(each.name)} for each in self.functions.values()]
        return web.Response(body=msgspec.json.encode(listed), content_type="application/json")

    async def show_host_keys(self, request: web.Request) -> web.Response:
        return _keys(self.keys.host)

    async def show_system_keys(self, request: web.Request) -> web.Response:
        return _keys(self.keys.system)

    async def show_system_key(self, request: web.Request) -> web.Response:
        name = request.match_info["key"]
        if name not in self.keys.system:
            raise web.HTTPNotFound(text="")
        return web.json_response({"name": name, "value": self.keys.system[name]})

    async def show_function_keys(self, request: web.Request) -> web.Response:
        return _keys(self.keys.functions.get(self._of(request).name.lower(), {}))

    async def start_function(self, request: web.Request) -> web.Response:
        """Answers before the function has run, as Azure does."""
        function = self._of(request)
        try:
            given = msgspec.json.decode(await request.read() or b"{}", type=_Input).input
        except (msgspec.DecodeError, RecursionError):
            return web.Response(status=400)
        self.work.create_task(self._run(function, _call(function, given, request)))
        return web.Response(status=202)

    async def _run(self, function: Function, call: Call) -> None:
        with suppress(FunctionFailed):  # logged where it was called
            if isinstance(function.trigger, BlobTrigger):
                await self.blobs.call(function, function.trigger, call)
            else:
                await self.invoker.run(function, call)

    def _of(self, request: web.Request) -> Function:
        """Raises HTTPNotFound."""
        function = self.functions.get(request.match_info["name"].lower())
        if function is None:
            raise web.HTTPNotFound(text="")
        return function

    def _describe(self, function: Function, request: web.Request) -> dict[str, Any]:
        origin, route = str(request.url.origin()), getattr(function.trigger, "route", None)
        path = "/".join(part.strip("/") for part in (origin, self.route_prefix, route or "") if part)
        return {
            "name": function.name,
            "href": f"{origin}/admin/functions/{function.name}",
            "config": {"bindings": [msgspec.json.decode(raw) for raw in function.raw_bindings]},
            "isDisabled": function.is_disabled,
            "language": "python",
            "invoke_url_template": None if route is None else path,
        }


def _keys(named: Named) -> web.Response:
    return web.json_response({"keys": [{"name": name, "value": key} for name, key in named.items()], "links": []})


def _call(function: Function, given: str, request: web.Request) -> Call:
    match function.trigger:
        case BlobTrigger():
            return Call(Datum(msgspec.json.encode({"subject": subject(given)}).decode(), "json"))
        case EventGridTrigger():
            return Call(Datum(given, "json"))
        case ServiceBusTrigger(cardinality="MANY"):
            return Call(
                Datum(msgspec.json.encode([given]).decode(), "json"), {"UserPropertiesArray": Datum("[{}]", "json")}
            )
        case ServiceBusTrigger():
            return Call(Datum(given, "string"), {"UserProperties": Datum("{}", "json")})
        case TimerTrigger():
            return Call(timer_datum())
        case HttpTrigger():
            return Call(request_datum(request, given.encode(), {}))
