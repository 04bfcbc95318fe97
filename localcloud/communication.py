"""Azure Communication Services, as far as it sends mail: what it takes lands in the same mail box as letters by SMTP.

A token of the local issuer is needed; the role of its bearer is not looked at.
"""

import re
import sqlite3
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from typing import Annotated
from uuid import UUID, uuid4

import msgspec
import structlog
from aiohttp import web
from msgspec import Meta, Struct, field

from localcloud.access import Issuer, Unauthorized
from localcloud.journal import Full
from localcloud.mail import LARGEST_LETTER, Letters

RESOURCE = "https://communication.azure.com"
RETRY = {"Retry-After": "1"}
TOKEN = re.compile(r"Bearer\s+(\S+)", re.IGNORECASE)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

log = structlog.get_logger()


class Party(Struct, frozen=True):
    address: str
    display_name: str = field(default="", name="displayName")


class Recipients(Struct, frozen=True):
    to: Annotated[list[Party], Meta(min_length=1, max_length=50)]


class Content(Struct, frozen=True, rename="camel"):
    subject: str
    plain_text: str = ""
    html: str = ""


class Message(Struct, frozen=True, rename="camel"):
    sender_address: str
    recipients: Recipients
    content: Content
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MailService:
    issuer: Issuer
    letters: Letters

    def app(self) -> web.Application:
        app = web.Application(middlewares=[self._admit], client_max_size=LARGEST_LETTER)
        app.router.add_post("/emails:send", self._send)
        app.router.add_get("/emails/operations/{id}", self._show)
        return app

    @web.middleware
    async def _admit(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        token = TOKEN.fullmatch(request.headers.get("Authorization", ""))
        try:
            self.issuer.verify(token[1] if token else "", RESOURCE, datetime.now(UTC))
        except Unauthorized:
            return _refused(401, "Denied", "Denied by the resource provider.")
        if not request.query.get("api-version"):
            return _refused(400, "MissingApiVersionParameter", "The api-version query parameter is required.")
        return await handler(request)

    async def _send(self, request: web.Request) -> web.Response:
        at, operation = datetime.now(UTC), request.headers.get("Operation-Id", str(uuid4()))
        try:
            message, operation = msgspec.json.decode(await request.read(), type=Message), str(UUID(operation))
            letter = _letter(message, operation, at)
        except (msgspec.MsgspecError, MessageError, UnicodeDecodeError, ValueError, IndexError):
            return _refused(400, "BadRequest", "The request body or its Operation-Id is invalid.")
        recipients = [party.address for party in message.recipients.to]
        try:
            await self.letters.keep(letter, message.sender_address, recipients, at, operation=operation)
        except (Full, sqlite3.Error):
            return _refused(503, "ServiceUnavailable", "Not now, try again.", RETRY)
        log.info("letter.accepted", operation=operation, bytes=len(letter))
        where = str(request.url.with_path(f"/emails/operations/{operation}").with_query(request.query))
        return _operation(202, operation, "Running", {"Operation-Location": where, **RETRY})

    async def _show(self, request: web.Request) -> web.Response:
        operation = request.match_info["id"].lower()
        if not await self.letters.knows(operation):
            return _refused(404, "NotFound", "The operation was not found.")
        return _operation(200, operation, "Succeeded", {})


def _letter(message: Message, operation: str, at: datetime) -> bytes:
    """Raises ValueError, IndexError or MessageError where it can't be written."""
    letter, said = EmailMessage(policy=SMTP), {name.lower(): value for name, value in message.headers.items()}
    letter["Message-ID"] = said.pop("x-letter-id", f"<{operation}@communication>")
    letter["Date"] = said.pop("x-letter-date", at)
    letter["From"] = Address(addr_spec=message.sender_address)
    letter["To"] = [Address(party.display_name, addr_spec=party.address) for party in message.recipients.to]
    letter["Subject"] = message.content.subject
    for name, value in said.items():
        letter[name] = value
    if not (message.content.plain_text or message.content.html):
        raise ValueError("a letter says something")
    letter.set_content(message.content.plain_text)
    if message.content.html:
        letter.add_alternative(message.content.html, subtype="html")
    return letter.as_bytes()


def _operation(status: int, operation: str, state: str, headers: dict[str, str]) -> web.Response:
    return web.json_response({"id": operation, "status": state}, status=status, headers=headers)


def _refused(status: int, code: str, message: str, headers: dict[str, str] | None = None) -> web.Response:
    return web.json_response({"error": {"code": code, "message": message}}, status=status, headers=headers)
