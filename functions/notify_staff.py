"""Little is left of a product: the staff get a letter."""

import azure.functions as func
import structlog

from functions import events, stock_letters
from functions.connections import Connections
from libs.common.messages.catalog import StockLow

log = structlog.get_logger()


async def notify_staff(event: func.CloudEvent, to: Connections) -> None:
    """At least once, under one Message-ID."""
    with events.trace(event, "notify_staff") as traceparent:
        fact, told = events.read(event, [StockLow]), to.settings
        recipient = told.staff_mail or told.mail_from
        letter = stock_letters.stock_low(
            fact, recipient=recipient, sender=told.mail_from, language=told.staff_language, traceparent=traceparent
        )
        await to.mail.post(letter)
        log.info("letter.posted", product_id=str(fact.product_id), message_id=letter["Message-ID"])
