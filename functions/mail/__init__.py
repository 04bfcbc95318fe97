"""How letters go out: by SMTP or by Azure Communication Services, as the setting MAIL_URL says."""

from dataclasses import dataclass
from email.message import EmailMessage
from typing import Literal, Protocol
from urllib.parse import parse_qs, unquote, urlsplit

from azure.core.credentials_async import AsyncTokenCredential

from libs.common.errors import StoreError

# Of the 30 s that Event Grid waits for a function: a token and a customer take 5 each, the command that tells of the
# letter 2 x 5 (host.json).
POST_SECONDS = 9
STARTTLS = ("offered", "required")
PORTS = {"smtp": 587, "smtps": 465}

Tls = Literal["implicit", "required", "offered"]


class Undeliverable(StoreError):
    """The mail server says that there is no such mail box, and will not say otherwise."""


class Mail(Protocol):
    async def post(self, letter: EmailMessage) -> None:
        """At least once: who gets the same Message-ID again can tell that it is a repeat.

        Raises Undeliverable; and Unavailable for whatever else is refused, also for good: that is a dead letter in the
        end. What is raised names nobody.
        """


@dataclass(frozen=True, slots=True)
class Relay:
    """An SMTP server, and how it is talked to."""

    host: str
    port: int
    user: str
    tls: Tls

    @classmethod
    def of(cls, url: str) -> "Relay":
        """Raises ValueError. A password never goes over a connection that is not encrypted."""
        parts = urlsplit(url)
        asked = parse_qs(parts.query).get("starttls", ["required" if parts.username else "offered"])[0]
        if parts.scheme not in PORTS or not parts.hostname or parts.password or asked not in STARTTLS:
            raise ValueError(
                "MAIL_URL is no smtp://user@host:port, smtps://… or https://… (the password: MAIL_PASSWORD)"
            )
        if parts.username and asked == "offered":
            raise ValueError("MAIL_URL names a user, so ?starttls=offered would show the password")
        tls: Tls = "implicit" if parts.scheme == "smtps" else "required" if asked == "required" else "offered"
        return cls(parts.hostname, parts.port or PORTS[parts.scheme], unquote(parts.username or ""), tls)


def check(url: str) -> None:
    """Raises ValueError."""
    if urlsplit(url).scheme != "https":
        Relay.of(url)


def open_mail(url: str, password: str, credential: AsyncTokenCredential) -> Mail:
    """Raises ValueError. Only the chosen way's library is imported."""
    if urlsplit(url).scheme == "https":
        from functions.mail.azure import AzureMail

        return AzureMail.open(url, credential)
    from functions.mail.smtp import SmtpMail

    return SmtpMail(Relay.of(url), password)
