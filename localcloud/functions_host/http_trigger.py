"""HTTP functions: route, key, request in, response out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from azure.functions.meta import Datum

from localcloud.functions_host.bindings import HttpTrigger
from localcloud.functions_host.host_json import Http
from localcloud.functions_host.indexing import Function
from localcloud.functions_host.invocation import Call, FunctionFailed, Invoker
from localcloud.functions_host.keys import Keys
from localcloud.functions_host.routes import Template


@dataclass(frozen=True, slots=True)
class Endpoint:
    function: Function
    trigger: HttpTrigger
    template: Template

    def match(self, request: web.Request) -> dict[str, str] | None:
        if self.trigger.methods and request.method not in self.trigger.methods:
            return None
        return self.template.match(request.rel_url.path_safe)


class HttpFunctions:
    """The first whose route and methods fit answers. Another method is a 404: methods are part of a route in Azure."""

    def __init__(self, functions: Sequence[Function], options: Http, keys: Keys, invoker: Invoker) -> None:
        self._keys, self._invoker, self._options = keys, invoker, options
        self._under_way = 0
        self._endpoints = [
            Endpoint(each, each.trigger, Template.parse(f"{options.route_prefix}/{each.trigger.route.lstrip('/')}"))
            for each in functions
            if isinstance(each.trigger, HttpTrigger)
        ]

    async def answer(self, request: web.Request) -> web.Response:
        for endpoint in self._endpoints:
            if (parameters := endpoint.match(request)) is not None:
                return await self._bounded(endpoint, request, parameters)
        return web.Response(status=404)

    async def _bounded(self, endpoint: Endpoint, request: web.Request, parameters: dict[str, str]) -> web.Response:
        """host.json's `maxOutstandingRequests`; who comes beyond it is refused, and not kept waiting."""
        most = self._options.max_outstanding_requests
        if 0 <= most <= self._under_way:
            return web.Response(status=429)
        self._under_way += 1
        try:
            return await self._call(endpoint, request, parameters)
        finally:
            self._under_way -= 1

    async def _call(self, endpoint: Endpoint, request: web.Request, parameters: dict[str, str]) -> web.Response:
        if not self._is_open(endpoint, request):
            return web.Response(status=401)
        datum = request_datum(request, await request.read(), parameters)
        call = Call(datum, traceparent=request.headers.get("traceparent", ""))
        try:
            return _response(await self._invoker.run(endpoint.function, call))
        except FunctionFailed:
            return web.Response(status=500)

    def _is_open(self, endpoint: Endpoint, request: web.Request) -> bool:
        match endpoint.trigger.auth_level:
            case "ANONYMOUS":
                return True
            case "FUNCTION":
                return self._keys.open_function(request, endpoint.function.name)
            case "ADMIN":
                return self._keys.open_admin(request)


def request_datum(request: web.Request, body: bytes, parameters: Mapping[str, str]) -> Datum:
    """Header names arrive in lower case, repeated values joined, empty query values not at all."""
    headers = {name.lower(): ",".join(request.headers.getall(name)) for name in request.headers}
    query = {name: ",".join(request.query.getall(name)) for name in request.query}
    return Datum(
        {
            "method": _string(request.method),
            "url": _string(str(request.url)),
            "headers": {name: _string(value) for name, value in headers.items()},
            "query": {name: _string(value) for name, value in query.items() if value},
            "params": {name: _string(value) for name, value in parameters.items()},
            "body": Datum(body, "bytes"),
        },
        "http",
    )


def _string(value: str) -> Datum:
    return Datum(value, "string")


def _response(answer: Datum | None) -> web.Response:
    if answer is None:  # the function has no HTTP output
        return web.Response(status=204)
    if answer.type == "string":
        return web.Response(text=answer.value)
    value: dict[str, Any] = answer.value
    headers = {name: each.value for name, each in value["headers"].items()}
    response = web.Response(status=int(value["status_code"].value), headers=headers, body=value["body"].value)
    for cookies in value["cookies"] or ():
        for cookie in cookies.values():
            response.headers.add("Set-Cookie", cookie.OutputString())
    return response
