"""Letters by SMTP: a connection for each, since mail servers close idle ones, and letters are few."""

import asyncio
from dataclasses import dataclass, field
from email.message import EmailMessage
from socket import gethostname

import aiosmtplib

from functions.mail import POST_SECONDS, Relay, Undeliverable
from libs.common.errors import Unavailable

START_TLS = {"implicit": False, "required": True, "offered": None}

# RFC 5321, 4.2.3, and RFC 7504: of a recipient, for good. Others that begin with 5 are about us (554: we may not
# relay), or pass (552: the box is full); and what RFC 3463 calls a matter of policy is the relay's, under any code.
NO_SUCH_BOX = (550, 551, 553, 556)
POLICY = "5.7."


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
            if isinstance(error, aiosmtplib.SMTPRecipientsRefused) and all(map(_has_no_box, error.recipients)):
                raise Undeliverable from None
            raise Unavailable(f"the letter can't be posted now: {type(error).__name__}") from None


def _has_no_box(refused: aiosmtplib.SMTPRecipientRefused) -> bool:
    return refused.code in NO_SUCH_BOX and not refused.message.startswith(POLICY)
