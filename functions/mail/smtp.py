"""Letters by SMTP: a connection for each, since mail servers close idle ones, and letters are few."""

import asyncio
from dataclasses import dataclass, field
from email.message import EmailMessage
from socket import gethostname

import aiosmtplib

from functions.mail import POST_SECONDS, Relay
from libs.common.errors import Unavailable

START_TLS = {"implicit": False, "required": True, "offered": None}


@dataclass(frozen=True, slots=True)
class SmtpMail:
    relay: Relay
    password: str = field(repr=False)

    async def post(self, letter: EmailMessage) -> None:
        relay = self.relay
        try:
            async with asyncio.timeout(POST_SECONDS):
                await aiosmtplib.send(
                    letter,
                    hostname=relay.host,
                    port=relay.port,
                    username=relay.user or None,
                    password=self.password if relay.user else None,
                    use_tls=relay.tls == "implicit",
                    start_tls=START_TLS[relay.tls],
                    local_hostname=gethostname(),  # else DNS is asked for it, for each letter
                )
        except (aiosmtplib.SMTPException, OSError) as error:
            # Not `from error`: it quotes the recipient's address, and the host logs what a function fails with.
            raise Unavailable(f"the letter can't be posted now: {type(error).__name__}") from None
