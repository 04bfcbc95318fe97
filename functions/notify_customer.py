"""An order is settled: its customer gets a letter."""

from collections.abc import Sequence

import azure.functions as func
import structlog

from functions import api, events, letters
from functions.connections import Connections
from functions.letters import Settled
from functions.post import post
from libs.common.errors import NotFound
from libs.common.messages.orders import OrderCancelled, OrderConfirmed, OrderRejected

log = structlog.get_logger()

HEARD: Sequence[type[Settled]] = (OrderConfirmed, OrderRejected, OrderCancelled)


async def notify_customer(event: func.CloudEvent, to: Connections) -> None:
    """At least once, under one Message-ID: a letter whose acceptance was not heard of is posted again."""
    with events.trace(event) as traceparent:
        fact = events.read(event, HEARD)
        try:
            customer = await api.customer(to, fact.customer_id, await api.our_authorization(to))
        except NotFound:
            log.info("letter.dropped", order_id=str(fact.order_id), reason="the customer is erased")
            return
        letter = letters.write(fact, customer, sender=to.settings.mail_from, traceparent=traceparent)
        await post(letter, to)
        log.info("letter.posted", order_id=str(fact.order_id), message_id=letter["Message-ID"])
