"""The provider over HTTP: the port's calls (docs/payments.md), and for people what it has in its books."""

import asyncio
import hmac
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from html import escape
from pathlib import Path
from string import Template
from time import monotonic
from typing import Any
from uuid import UUID

import msgspec
import structlog
from aiohttp import web
from msgspec import Struct

from localcloud.journal import Full
from localcloud.payments.book import Entry, Payment, Refused, Scenario, Status, Sum, scenario_of
from localcloud.payments.till import Shown, Till

MOST_BODY_BYTES = 16 * 1024
MOST_ON_PAGE = 100
MOST_IN_LIST = 1_000
SILENT_SECONDS = 20.0
LONGEST_DOWN_SECONDS = 3600.0

PAGE = Template(Path(__file__).with_name("payments.html").read_text())
ROW = Template("<tr><td>$order</td><td>$status</td><td>$amount</td><td>$movements</td></tr>")

log = structlog.get_logger()

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
ID = r"{id:[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}}"


class Down(Struct, frozen=True, forbid_unknown_fields=True):
    seconds: float


class Settled(Struct, frozen=True, forbid_unknown_fields=True):
    status: Status


@dataclass(slots=True)
class Provider:
    till: Till
    key: str = field(repr=False)
    _down_until: float = 0.0

    def app(self) -> web.Application:
        """The port wants the key; the rest is for whoever sits at this machine, as the mail box is."""
        app = web.Application(middlewares=[self._answer], client_max_size=MOST_BODY_BYTES)
        for verb in ("authorise", "capture", "void", "refund"):
            app.router.add_post(f"/payments/{ID}/{verb}", partial(self._change, verb))
        app.router.add_get(f"/payments/{ID}", self._read)
        app.router.add_get("/", self._page)
        app.router.add_get("/book", self._book)
        app.router.add_put(f"/book/{ID}", self._settle)
        app.router.add_put("/down", self._be_down)
        return app

    # --- the port -----------------------------------------------------------------------------------------------------

    async def _change(self, verb: str, request: web.Request) -> web.StreamResponse:
        order_id, content = UUID(request.match_info["id"]), await request.read()
        if request.headers.get("Idempotency-Key") != f"{verb}-{order_id}":
            return _problem(422, f"Send Idempotency-Key: {verb}-{order_id}")
        payment, is_new = await self.till.change(order_id, _act(verb, content), request.headers.get("traceparent", ""))
        log.info("payment.asked", verb=verb, order_id=str(order_id), status=payment.status, new=is_new)
        if verb == "authorise" and is_new and scenario_of(payment.amount) is Scenario.SILENT:
            await asyncio.sleep(SILENT_SECONDS)  # the caller has long hung up
        return _json(payment, 202 if payment.status is Status.PENDING else 200)

    async def _read(self, request: web.Request) -> web.Response:
        payment = await self.till.find(UUID(request.match_info["id"]))
        return _json(payment) if payment else _problem(404, "There is no payment for this order.")

    # --- for people ---------------------------------------------------------------------------------------------------

    async def _page(self, _: web.Request) -> web.Response:
        newest = await self.till.newest(MOST_ON_PAGE)
        text = PAGE.substitute(shown=len(newest), rows="\n".join(map(_row, newest)))
        policy = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}
        return web.Response(text=text, content_type="text/html", headers=policy)

    async def _book(self, request: web.Request) -> web.Response:
        return _json(await self.till.newest(MOST_IN_LIST, request.query.get("order", "")))

    async def _settle(self, request: web.Request) -> web.Response:
        """What was pending is now so; a call-back tells the store."""
        status = msgspec.json.decode(await request.read(), type=Settled).status
        payment, _ = await self.till.change(UUID(request.match_info["id"]), lambda entry: entry.settle(status))
        return _json(payment)

    async def _be_down(self, request: web.Request) -> web.Response:
        seconds = msgspec.json.decode(await request.read(), type=Down).seconds
        self._down_until = monotonic() + min(seconds, LONGEST_DOWN_SECONDS)
        log.info("provider.down", seconds=seconds)
        return web.Response(status=204)

    @web.middleware
    async def _answer(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            if request.path.startswith("/payments/"):
                if not self._knows(request.headers.get("Authorization", "")):
                    return _problem(401, "The key is wrong.", {"WWW-Authenticate": "Bearer"})
                if monotonic() < self._down_until:
                    return _problem(503, "Not now.", {"Retry-After": "1"})
            return await handler(request)
        except Refused as refused:
            return _problem(409, str(refused))
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            return _problem(422, str(error))
        except Full:
            return _problem(503, "Too much is waiting to be written.", {"Retry-After": "1"})

    def _knows(self, authorization: str) -> bool:
        return hmac.compare_digest(authorization.encode(errors="replace"), f"Bearer {self.key}".encode())


def _act(verb: str, content: bytes) -> Callable[[Entry], Payment]:
    """Raises msgspec.MsgspecError."""
    if verb == "void":
        return Entry.void
    asked = msgspec.json.decode(content, type=Sum)
    match verb:
        case "authorise":
            return lambda entry: entry.authorise(asked)
        case "capture":
            return lambda entry: entry.capture(asked)
        case _:
            return lambda entry: entry.refund(asked)


def _json(content: object, status: int = 200) -> web.Response:
    return web.Response(body=msgspec.json.encode(content), status=status, content_type="application/json")


def _problem(status: int, detail: str, headers: dict[str, str] | None = None) -> web.Response:
    body: dict[str, Any] = {"type": "about:blank", "status": status, "detail": detail}
    content = msgspec.json.encode(body)
    return web.Response(body=content, status=status, content_type="application/problem+json", headers=headers)


def _row(shown: Shown) -> str:
    return ROW.substitute(
        order=shown.order_id,
        status=escape(f"{shown.status} {shown.reason}".strip()),
        amount=f"{shown.amount} {escape(shown.currency)}",
        movements="<br>".join(map(escape, shown.movements)),
    )
