"""What functions meet: facts on the wire, output queues, the owners' HTTP API, a mail server."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any
from uuid import UUID

import azure.functions as func
from aiohttp import web
from aiosmtpd.smtp import SMTP, Envelope, Session
from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError
from azure.functions.meta import Datum

from libs.common.messages import CloudEvent, Fact, encode_fact
from libs.common.messages.orders import OrderedLine, OrderPlaced

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
ORDER, ADA, LAMP, DESK = UUID(int=1), UUID(int=2), UUID(int=3), UUID(int=4)
SHOP = "https://shop.example"
KEY = "shared with the payment provider"
TRACE_ID = "1" * 32
TRACEPARENT = f"00-{TRACE_ID}-{'2' * 16}-01"
PROFILE: dict[str, Any] = {
    "id": str(ADA),
    "name": "Ada Müller",
    "email": "ada@example.org",
    "language": "de",
    "address": {"street": "Weg 1", "city": "Köln", "postal_code": "50667", "country": "DE"},
    "addresses": [
        {
            "street": "Weg 1",
            "city": "Köln",
            "postal_code": "50667",
            "country": "DE",
            "name": "Hof",
            "phone": "+49 221 1",
        },
        {"street": "Gasse 2", "city": "Bonn", "postal_code": "53111", "country": "DE", "name": "Büro", "phone": ""},
    ],
    "delivery_address": "Hof",
    "billing_address": "Büro",
    "preferences": {"back_in_stock": True, "marketing": False},
    "status": "active",
    "version": 3,
}
LINES = [
    OrderedLine(product_id=LAMP, sku="LAMP", name="Lamp", price=4900, quantity=2, tax_rate=1900, tax=1565),
    OrderedLine(product_id=DESK, sku="DESK", name="Desk", price=25000, quantity=1, tax_rate=700, tax=1636),
]


def placed(lines: list[OrderedLine] = LINES, total: int = 34800) -> OrderPlaced:
    return OrderPlaced(order_id=ORDER, customer_id=ADA, currency="EUR", total=total, lines=lines, version=1, at=NOON)


def arrived(fact: Fact) -> func.CloudEvent:
    """The fact as a function gets it: through the wire and azure-functions' own converter."""
    return arrived_bytes(encode_fact(fact, TRACEPARENT))


def arrived_bytes(body: bytes) -> func.CloudEvent:
    converter: Any = func.get_binding_registry().get("eventGridTrigger")  # type: ignore[no-untyped-call]
    event = converter.decode(Datum(body.decode(), "json"), trigger_metadata={})
    assert isinstance(event, func.CloudEvent)
    return event


class Queue(func.Out[str]):
    """An output binding: the host sends what was set."""

    def __init__(self) -> None:
        self.sent: list[CloudEvent] = []

    def set(self, val: str) -> None:
        self.sent.append(CloudEvent.decode(val.encode()))

    def get(self) -> str:
        raise NotImplementedError


class Credential:
    """Gives a token, until told to fail."""

    def __init__(self, token: str = "ours") -> None:
        self.token, self.away, self.scopes = token, False, list[str]()

    async def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        self.scopes += scopes
        if self.away:
            raise ClientAuthenticationError("the identity endpoint does not answer")
        return AccessToken(self.token, 2**31)

    async def close(self) -> None: ...

    async def __aenter__(self) -> "Credential":
        return self

    async def __aexit__(self, *_: object) -> None: ...


Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(slots=True)
class Owners:
    """Stands for the services customers, orders and catalog; a test says what they answer."""

    customer: Answer = field(default_factory=lambda: answers(PROFILE))
    orders: Answer = field(default_factory=lambda: answers({"items": [], "next": None}))
    timeline: Answer = field(default_factory=lambda: answers({"items": [], "next": None}))
    waiting: Answer = field(default_factory=lambda: answers({"items": []}))
    asked: list[web.Request] = field(default_factory=list)

    def app(self) -> web.Application:
        def asked(what: str) -> Answer:
            async def answer(request: web.Request) -> web.StreamResponse:
                self.asked.append(request)
                said: Answer = getattr(self, what)
                return await said(request)

            return answer

        app = web.Application()
        app.add_routes([web.get("/api/customers/{id}", asked("customer")), web.get("/api/orders", asked("orders"))])
        app.add_routes([web.get("/api/orders/{id}/timeline", asked("timeline"))])
        app.add_routes([web.get("/api/waiting", asked("waiting"))])
        return app


def answers(body: Any, status: int = 200) -> Answer:
    async def answer(_: web.Request) -> web.Response:
        return web.json_response(body, status=status)

    return answer


def refuses(status: int) -> Answer:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=json.dumps({"status": status}), status=status, content_type="application/problem+json")

    return answer


def says(text: str, status: int, content_type: str = "text/html") -> Answer:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(text=text, status=status, content_type=content_type)

    return answer


async def hangs_up(request: web.Request) -> web.Response:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def is_silent(_: web.Request) -> web.Response:
    await asyncio.Event().wait()
    return web.Response()


TRANSIENT: dict[str, Answer] = {
    "500": refuses(500),
    "503": refuses(503),
    "429": refuses(429),
    "401": refuses(401),
    "403": refuses(403),
    "a gateway's own 404": says("Container App is stopped", 404),
    "a redirect": says("", 302),
    "no JSON": says("<html>", 200),
    "another shape": answers({"id": 1}),
    "a status that is not known": answers(PROFILE | {"status": "frozen"}),
    "a body without end": says("x" * (9 * 1024 * 1024), 200),
    "hanging up": hangs_up,
}


@dataclass  # no slots: see localcloud.mail.Postbox
class Mailbox:
    """A mail server that keeps what it takes."""

    letters: list[EmailMessage] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)
    reply: str = "250 OK"
    refused: dict[str, str] = field(default_factory=dict)  # recipients, and what is said of them
    port: int = 0

    async def handle_RCPT(self, _: SMTP, __: Session, envelope: Envelope, address: str, ___: list[str]) -> str:
        if address in self.refused:
            return self.refused[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _: SMTP, __: Session, envelope: Envelope) -> str:
        if self.reply.startswith("250"):
            assert isinstance(envelope.content, bytes)
            letter = message_from_bytes(envelope.content, policy=policy.default)
            assert isinstance(letter, EmailMessage)
            self.letters.append(letter)
            self.recipients += envelope.rcpt_tos
        return self.reply

    async def open(self) -> asyncio.Server:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: SMTP(self, hostname="localhost", loop=loop), "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        return server
