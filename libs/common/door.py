"""Where every request comes in and its answer goes out: traced, named, admitted, in time, counted and logged."""

import asyncio
from collections.abc import Set
from dataclasses import dataclass, field
from time import perf_counter

import structlog
from aiohttp import web

from libs.common import bodies, cors, manners, problems, telemetry
from libs.common.auth import Caller, Role, Verifier
from libs.common.deadlines import Deadlines, Overdue
from libs.common.entrance import Entrance
from libs.common.errors import Forbidden, Malformed, StoreError, TookTooLong, Unauthorized
from libs.common.measures import Measures
from libs.common.operations import Handler, method_of, operation_of, policy_of, route_of
from libs.common.telemetry import Kind

log = structlog.get_logger()

CALLER = web.RequestKey("caller", Caller)

UNTRACED = ("/health/", "/metrics")


@dataclass(slots=True)
class Door:
    """One of a service. It is one middleware, for each costs three calls for every request."""

    verifier: Verifier
    measures: Measures
    entrance: Entrance
    draining: asyncio.Event = field(default_factory=asyncio.Event)
    deadlines: Deadlines = field(default_factory=Deadlines)

    @web.middleware
    async def pass_through(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        started, method, route = perf_counter(), method_of(request), route_of(request)
        named = "" if route.startswith(UNTRACED) else f"{method} {route}"
        about = {"http.request.method": method, "http.route": route}
        with telemetry.trace(request.headers.get("traceparent"), named, Kind.SERVER, about) as traceparent:
            name = manners.name_of(request, traceparent)
            telemetry.name_request(name)
            response = cors.preflight(request, self.entrance.origins) or await self._answer(request, handler)
            response = manners.unless_known(request, response)
            manners.dress(request, response, self.entrance, name=name, traceparent=traceparent)
            if self.draining.is_set():
                response.force_close()  # so that nobody sends the next request into a connection that is about to end
            seconds = perf_counter() - started
            self.measures.requests.record(seconds, method, route, str(response.status))
            if response.status >= 500:
                telemetry.fail(str(response.status))
            telemetry.note("http.response.status_code", response.status)
            if named:
                log.info(
                    "request.answered",
                    method=request.method,
                    path=request.path,
                    status=response.status,
                    milliseconds=round(seconds * 1000, 1),
                )
            return response

    async def _answer(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Whatever rises is told as a problem."""
        try:
            return await self.deadlines.within(operation_of(request).limit, self._admit, request, handler)
        except StoreError as error:
            return problems.response(error)
        except Overdue:
            return problems.response(TookTooLong())
        except (web.RequestPayloadError, ConnectionResetError):  # badly encoded, or the caller hung up
            return problems.response(Malformed("the body can't be read to its end"))
        except web.HTTPException as error:
            return problems.response_of(error)
        except Exception:  # the last door: whatever else rises is a defect, and the caller learns no more than that
            log.exception("request.failed", method=request.method, path=request.path)
            return problems.response(StoreError())

    async def _admit(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        self.entrance.enter(request)
        try:
            if policy := policy_of(request):
                request[CALLER] = await self._caller(request, policy)
            else:
                self.entrance.count(request, None)
            bodies.check_type(request)
            return await handler(request)
        finally:
            self.entrance.leave(request)

    async def _caller(self, request: web.Request, policy: Set[Role]) -> Caller:
        """Raises Unauthorized, Forbidden or TooManyRequests: who may not come in is counted too."""
        try:
            caller = await self.verifier.caller(request.headers.get("Authorization", ""))
        except Unauthorized:
            self.entrance.count(request, None)
            raise
        self.entrance.count(request, caller)
        if not policy & caller.roles:
            raise Forbidden
        return caller
