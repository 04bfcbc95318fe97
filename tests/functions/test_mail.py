"""Letters on their way out: by SMTP as relays want it, and by the unmodified SDK of Azure Communication Services."""

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from aiohttp import web
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from azure.core.credentials import AccessToken

from functions.api import Customer
from functions.connections import Connections
from functions.letters import write
from functions.mail import Mail, Relay, open_mail
from functions.mail.azure import AzureMail
from functions.notify_customer import notify_customer
from functions.settings import Settings
from libs.common.errors import Unavailable
from libs.common.messages.orders import OrderConfirmed
from libs.common.settings import Incomplete, read
from localcloud import certificates
from localcloud.access import Issuer
from localcloud.certificates import Certificates
from localcloud.communication import RESOURCE, MailService
from localcloud.mail import Letters
from tests.functions.surroundings import ADA, LINES, NOON, ORDER, TRACEPARENT, Queue, arrived

pytestmark = pytest.mark.real

CONFIRMED = OrderConfirmed(
    order_id=ORDER, customer_id=ADA, currency="EUR", total=34800, lines=LINES, version=2, at=NOON
)
PASSWORD = "s3cret-of-the-relay"


def letter(name: str = "Ada Müller") -> EmailMessage:
    customer = Customer(id=ADA, name=name, email="ada@example.org", language="de", status="active")
    return write(CONFIRMED, customer, sender="Store <store@example.org>", traceparent=TRACEPARENT)


@pytest.fixture
def trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Certificates:
    files = certificates.ensure(tmp_path / "certificates", datetime.now(UTC))
    monkeypatch.setenv("SSL_CERT_FILE", str(files.bundle))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(files.bundle))
    return files


@dataclass
class RelayServer:
    """As a provider's: whoever is not known, or not encrypted, posts nothing."""

    letters: list[bytes] = field(default_factory=list)
    encrypted: list[bool] = field(default_factory=list)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        self.encrypted.append(session.ssl is not None)
        self.letters.append(envelope.original_content or b"")
        return "250 OK"

    def known(self, *arguments: Any) -> AuthResult:
        shown = arguments[4]
        assert isinstance(shown, LoginPassword)
        return AuthResult(success=(shown.login, shown.password) == (b"store", PASSWORD.encode()), handled=False)

    @asynccontextmanager
    async def listen(self, tls: ssl.SSLContext | None, *, at_once: bool = False) -> AsyncIterator[int]:
        loop = asyncio.get_running_loop()
        options: dict[str, Any] = {"hostname": "relay", "loop": loop}
        if tls and not at_once:
            options |= {"tls_context": tls}
        if tls:
            options |= {"authenticator": self.known, "auth_required": not at_once, "auth_require_tls": not at_once}
        server = await loop.create_server(lambda: SMTP(self, **options), "127.0.0.1", 0, ssl=tls if at_once else None)
        async with server:
            yield server.sockets[0].getsockname()[1]


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
async def test_a_relay_that_wants_to_know_who_posts_is_told_over_tls(trusted: Certificates, scheme: str) -> None:
    relay = RelayServer()
    async with relay.listen(trusted.server_context(), at_once=scheme == "smtps") as port:
        await open_mail(f"{scheme}://store@127.0.0.1:{port}", PASSWORD, Nobody()).post(letter())
        with pytest.raises(Unavailable) as refusal:
            await open_mail(f"{scheme}://store@127.0.0.1:{port}", "wrong", Nobody()).post(letter())

    assert len(relay.letters) == 1
    assert relay.encrypted == [scheme == "smtp"]  # of TLS from the first byte, the server's protocol does not know
    assert "SMTPAuthenticationError" in str(refusal.value)
    assert "wrong" not in str(refusal.value)


@pytest.mark.parametrize("url", ["smtp://store@{}", "smtp://{}?starttls=required"])
async def test_a_relay_without_tls_gets_neither_password_nor_letter_where_tls_is_required(url: str) -> None:
    relay = RelayServer()
    async with relay.listen(None) as port:
        with pytest.raises(Unavailable):
            await open_mail(url.format(f"127.0.0.1:{port}"), PASSWORD, Nobody()).post(letter())

    assert relay.letters == []


async def test_a_relay_that_nobody_vouches_for_gets_nothing(tmp_path: Path) -> None:
    stranger = certificates.ensure(tmp_path, datetime.now(UTC))
    relay = RelayServer()
    async with relay.listen(stranger.server_context(), at_once=True) as port:
        with pytest.raises(Unavailable):
            await open_mail(f"smtps://127.0.0.1:{port}", "", Nobody()).post(letter())

    assert relay.letters == []


@pytest.mark.parametrize(
    ("url", "relay"),
    [
        ("smtp://mail", Relay("mail", 587, "", "offered")),
        ("smtp://mail:25?starttls=required", Relay("mail", 25, "", "required")),
        ("smtp://ada%40example.org@mail:2525", Relay("mail", 2525, "ada@example.org", "required")),
        ("smtps://store@mail", Relay("mail", 465, "store", "implicit")),
    ],
)
def test_an_address_says_how_the_relay_is_talked_to(url: str, relay: Relay) -> None:
    assert Relay.of(url) == relay


@pytest.mark.parametrize(
    "url",
    ["", "mail", "http://mail", "smtp://", "smtp://a:b@mail", "smtp://a@mail?starttls=offered", "smtp://m?starttls=no"],
)
def test_with_a_wrong_address_the_functions_do_not_start_and_no_password_is_shown(url: str) -> None:
    told = {
        "CUSTOMERS_URL": "c",
        "ORDERS_URL": "o",
        "CATALOG_URL": "p",
        "BLOB_ENDPOINT": "b",
        "MEDIA_URL": "m",
        "PAYMENTS_URL": "q",
        "PAYMENTS_KEY": "secret",
        "MAIL_FROM": "a@b.c",
        "MAIL_URL": url,
        "MAIL_PASSWORD": PASSWORD,
    }

    with pytest.raises(Incomplete, match="MAIL_URL") as refusal:
        read(Settings, told)

    assert PASSWORD not in str(refusal.value)
    assert PASSWORD not in repr(read(Settings, told | {"MAIL_URL": "smtp://store@mail"}))


# --- Azure Communication Services ------------------------------------------------------------------------------------


class Nobody:
    """Whose tokens nobody asks for, or who has none that is good."""

    token = "none"

    async def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        return AccessToken(self.token, 2**31)

    async def close(self) -> None: ...

    async def __aenter__(self) -> "Nobody":
        return self

    async def __aexit__(self, *_: object) -> None: ...


class Somebody(Nobody):
    def __init__(self, issuer: Issuer) -> None:
        self.token = issuer.token(RESOURCE, datetime.now(UTC))


@pytest.fixture
def issuer(tmp_path: Path) -> Issuer:
    return Issuer.open(tmp_path / "identity", "https://issuer/v2.0", UUID(int=1))


@dataclass
class Service:
    letters: Letters
    mail: Mail
    url: str
    asked: list[str] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)  # instead of its own, one after the other
    lost: int = 0  # of so many answers to letters nobody hears


@pytest.fixture
async def service(tmp_path: Path, trusted: Certificates, issuer: Issuer) -> AsyncIterator[Service]:
    async with Letters.open(tmp_path / "mail.sqlite") as letters, AsyncExitStack() as stack:
        found = Service(letters, AzureMail.open("https://nowhere", Nobody()), "")

        @web.middleware
        async def noted(request: web.Request, handler: Any) -> web.StreamResponse:
            found.asked.append(request.method)
            if found.answers:
                said = {"error": {"code": "No", "message": "ada@example.org is not welcome"}}
                return web.json_response(said, status=found.answers.pop(0))
            response: web.StreamResponse = await handler(request)
            if request.method == "POST" and found.lost:
                found.lost -= 1
                assert request.transport
                request.transport.abort()
            return response

        app = MailService(issuer, letters).app()
        app.middlewares.insert(0, noted)
        runner = web.AppRunner(app)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=trusted.server_context())
        await site.start()
        found.url = f"https://127.0.0.1:{runner.addresses[0][1]}"
        found.mail = mail = AzureMail.open(found.url, Somebody(issuer), connection_verify=str(trusted.ca))
        stack.push_async_callback(mail.client.close)
        yield found


async def test_the_service_takes_the_whole_letter(service: Service) -> None:
    await service.mail.post(letter())

    (kept,) = await service.letters.newest(10)
    assert (kept.message_id, kept.from_, kept.to) == (
        f"<confirmed-{ORDER}@store>",
        "store@example.org",
        ["ada@example.org"],
    )
    assert kept.subject == "Ihre Bestellung ist bestätigt"
    found = await service.letters.find(kept.id)
    assert found
    assert "Summe: 348,00 EUR" in str(found.text)


async def test_a_repeat_asks_first_and_is_not_sent_again(service: Service) -> None:
    for _ in range(3):
        await service.mail.post(letter())

    assert service.asked == ["GET", "POST", "GET", "GET"]
    assert [each.repeats for each in await service.letters.newest(10)] == [0]


async def test_a_letter_whose_answer_was_lost_is_one_letter(service: Service) -> None:
    service.lost = 5
    with pytest.raises(Unavailable):
        await service.mail.post(letter())

    await service.mail.post(letter())

    assert len(await service.letters.newest(10)) == 1


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 429, 500, 503])
async def test_a_refusal_is_tried_again_later_and_names_nobody(
    service: Service, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    service.answers = [404, *[status] * 5]

    with pytest.raises(Unavailable) as failure:
        await service.mail.post(letter())

    assert str(status) in str(failure.value)
    assert failure.value.__cause__ is None
    assert not any(secret in str(failure.value) + caplog.text for secret in ("ada@", "Müller", "welcome"))


async def test_where_the_service_does_not_say_whether_it_knows_the_letter_none_is_sent(service: Service) -> None:
    service.answers = [503] * 5

    with pytest.raises(Unavailable):
        await service.mail.post(letter())

    assert "POST" not in service.asked


async def test_a_token_is_needed(service: Service, trusted: Certificates) -> None:
    stranger = AzureMail.open(service.url, Nobody(), connection_verify=str(trusted.ca))
    async with stranger.client:
        with pytest.raises(Unavailable, match="401"):
            await stranger.post(letter())

    assert await service.letters.newest(10) == []


async def test_a_function_posts_by_the_service_as_it_is_told(service: Service, to: Connections) -> None:
    queues = {"orders": Queue()}

    await notify_customer(arrived(CONFIRMED), queues, replace(to, mail=service.mail))

    (kept,) = await service.letters.newest(10)
    assert kept.message_id == f"<confirmed-{ORDER}@store>"
    assert len(queues["orders"].sent) == 1
