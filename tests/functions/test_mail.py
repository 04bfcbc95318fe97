"""Letters on their way out by SMTP, as relays want it."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from functions.mail import Relay, open_mail
from functions.settings import Settings
from libs.common.errors import Unavailable
from libs.common.settings import Incomplete, read
from localcloud import certificates
from localcloud.certificates import Certificates
from tests.functions.posting import Nobody, letter

pytestmark = pytest.mark.real

PASSWORD = "s3cret-of-the-relay"


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
