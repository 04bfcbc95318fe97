"""`/admin`: what is here, is it running, and run this one now; with the master key."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import msgspec
from aiohttp import web
from azure.functions.meta import Datum

from localcloud.functions_host.bindings import EventGridTrigger, HttpTrigger, ServiceBusTrigger, TimerTrigger
from localcloud.functions_host.http_trigger import request_datum
from localcloud.functions_host.indexing import Function
from localcloud.functions_host.invocation import Call, FunctionFailed, Invoker
from localcloud.functions_host.keys import Keys
from localcloud.functions_host.timer_trigger import timer_datum


class _Input(msgspec.Struct):
    input: str = ""


@dataclass(frozen=True, slots=True)
class Admin:
    functions: Mapping[str, Function]  # by name in lower case
    keys: Keys
    invoker: Invoker
    work: asyncio.TaskGroup

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/admin/host/status", self.show_status),
            web.get("/admin/functions", self.list_functions),
            web.post("/admin/functions/{name}", self.start_function),
        ]

    async def show_status(self, request: web.Request) -> web.Response:
        if not self.keys.open_admin(request):
            return web.Response(status=401)
        return web.json_response({"id": "local", "state": "Running"})

    async def list_functions(self, request: web.Request) -> web.Response:
        if not self.keys.open_admin(request):
            return web.Response(status=401)
        return web.json_response(
            [_describe(function, str(request.url.origin())) for function in self.functions.values()]
        )

    async def start_function(self, request: web.Request) -> web.Response:
        """Answers before the function has run, as Azure does."""
        if not self.keys.open_admin(request):
            return web.Response(status=401)
        function = self.functions.get(request.match_info["name"].lower())
        if function is None:
            return web.Response(status=404)
        try:
            given = msgspec.json.decode(await request.read() or b"{}", type=_Input).input
        except msgspec.DecodeError:
            return web.Response(status=400)
        self.work.create_task(self._run(function, _call(function, given, request)))
        return web.Response(status=202)

    async def _run(self, function: Function, call: Call) -> None:
        with suppress(FunctionFailed):  # logged where it was called
            await self.invoker.run(function, call)


def _call(function: Function, given: str, request: web.Request) -> Call:
    match function.trigger:
        case EventGridTrigger():
            return Call(Datum(given, "json"))
        case ServiceBusTrigger():
            return Call(Datum(given, "string"), {"UserProperties": Datum("{}", "json")})
        case TimerTrigger():
            return Call(timer_datum())
        case HttpTrigger():
            return Call(request_datum(request, given.encode()))


def _describe(function: Function, origin: str) -> dict[str, Any]:
    return {
        "name": function.name,
        "href": f"{origin}/admin/functions/{function.name}",
        "config": {"bindings": [msgspec.json.decode(raw) for raw in function.raw_bindings]},
        "isDisabled": False,
        "language": "python",
    }
