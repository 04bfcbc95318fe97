"""How letters go out.

A connection for each letter: mail servers close idle ones, and letters are few.
"""

import asyncio
from email.message import EmailMessage
from socket import gethostname

import aiosmtplib

from functions.connections import Connections
from libs.common.errors import Unavailable

POST_SECONDS = 15


async def post(letter: EmailMessage, to: Connections) -> None:
    """Raises Unavailable, also where the mail server refuses for good: such a letter is a dead letter in the end."""
    try:
        async with asyncio.timeout(POST_SECONDS):
            await aiosmtplib.send(
                letter,
                hostname=to.settings.smtp_host,
                port=to.settings.smtp_port,
                local_hostname=gethostname(),  # else DNS is asked for it, for each letter
            )
    except (aiosmtplib.SMTPException, OSError) as error:
        # Not `from error`: it quotes the recipient's address, and the host logs what a function fails with.
        raise Unavailable(f"the letter can't be posted now: {type(error).__name__}") from None
