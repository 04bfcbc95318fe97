"""An order is settled: its customer gets a letter.

A connection for each letter: mail servers close idle ones, and letters are few.
"""

import asyncio
from collections.abc import Sequence
from email.message import EmailMessage
from socket import gethostname

import aiosmtplib
import azure.functions as func
import structlog

from functions import api, events, letters
from functions.connections import Connections
from functions.letters import Settled
from libs.common.errors import NotFound, Unavailable
from libs.common.messages.orders import OrderCancelled, OrderConfirmed, OrderRejected

log = structlog.get_logger()

HEARD: Sequence[type[Settled]] = (OrderConfirmed, OrderRejected, OrderCancelled)
POST_SECONDS = 15


async def notify_customer(event: func.CloudEvent, to: Connections) -> None:
    """At least once, under one Message-ID: a letter whose acceptance was not heard of is posted again."""
    with events.trace(event, "notify_customer") as traceparent:
        fact = events.read(event, HEARD)
        try:
            customer = await api.customer(to, fact.customer_id, await api.our_authorization(to))
        except NotFound:
            log.info("letter.dropped", order_id=str(fact.order_id), reason="the customer is erased")
            return
        letter = letters.write(fact, customer, sender=to.settings.mail_from, traceparent=traceparent)
        await _post(letter, customer.email, to)
        log.info("letter.posted", order_id=str(fact.order_id), message_id=letter["Message-ID"])


async def _post(letter: EmailMessage, recipient: str, to: Connections) -> None:
    """Raises Unavailable, also where the mail server refuses for good: such a letter is a dead letter in the end."""
    try:
        async with asyncio.timeout(POST_SECONDS):
            await aiosmtplib.send(
                letter,
                recipients=[recipient],
                hostname=to.settings.smtp_host,
                port=to.settings.smtp_port,
                local_hostname=gethostname(),  # else DNS is asked for it, for each letter
            )
    except (aiosmtplib.SMTPException, OSError) as error:
        # Not `from error`: it quotes the recipient's address, and the host logs what a function fails with.
        raise Unavailable(f"the letter can't be posted now: {type(error).__name__}") from None
