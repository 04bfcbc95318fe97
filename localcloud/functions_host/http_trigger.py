"""HTTP functions: route, key, request in, response out."""

import re
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from azure.functions.meta import Datum

from localcloud.functions_host.bindings import HttpTrigger
from localcloud.functions_host.host_json import Http
from localcloud.functions_host.indexing import Function, Refused
from localcloud.functions_host.invocation import Call, FunctionFailed, Invoker
from localcloud.functions_host.keys import Keys

_PARAMETER = re.compile(r"\{([^{}]*)\}")
_CONSTRAINTS = {
    "": "[^/]+",
    "int": "-?[0-9]+",
    "alpha": "[A-Za-z]+",
    "guid": "[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}",
}


def path(prefix: str, route: str) -> str:
    """A route template of ASP.NET as one of aiohttp. Raises Refused for a constraint that is not known here."""

    def parameter(found: re.Match[str]) -> str:
        name, _, constraint = found[1].partition(":")
        if not name.isidentifier() or constraint not in _CONSTRAINTS:
            raise Refused(f"the route {route} holds {found[0]}, which is not understood here")
        return f"{{{name}:{_CONSTRAINTS[constraint]}}}"

    return "/" + "/".join(part.strip("/") for part in (prefix, _PARAMETER.sub(parameter, route)) if part)


@dataclass(frozen=True, slots=True)
class HttpFunction:
    function: Function
    trigger: HttpTrigger
    keys: Keys
    invoker: Invoker

    def mount(self, app: web.Application, options: Http) -> None:
        """Raises Refused."""
        for method in self.trigger.methods or ["*"]:
            app.router.add_route(method, path(options.route_prefix, self.trigger.route), self.answer)

    async def answer(self, request: web.Request) -> web.Response:
        if not self._is_open_to(request):
            return web.Response(status=401)
        call = Call(request_datum(request, await request.read()), traceparent=request.headers.get("traceparent", ""))
        try:
            return _response(await self.invoker.run(self.function, call))
        except FunctionFailed:
            return web.Response(status=500)

    def _is_open_to(self, request: web.Request) -> bool:
        match self.trigger.auth_level:
            case "ANONYMOUS":
                return True
            case "FUNCTION":
                return self.keys.open_function(request)
            case "ADMIN":
                return self.keys.open_admin(request)


def request_datum(request: web.Request, body: bytes) -> Datum:
    """Header names arrive in lower case, repeated values joined, empty query values not at all."""
    headers = {name.lower(): ",".join(request.headers.getall(name)) for name in request.headers}
    query = {name: ",".join(request.query.getall(name)) for name in request.query}
    return Datum(
        {
            "method": _string(request.method),
            "url": _string(str(request.url)),
            "headers": {name: _string(value) for name, value in headers.items()},
            "query": {name: _string(value) for name, value in query.items() if value},
            "params": {name: _string(value) for name, value in request.match_info.items()},
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
