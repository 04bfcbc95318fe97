"""There is news of an order: its customer gets a letter, and orders hear that it was posted."""

from collections.abc import Sequence

import azure.functions as func
import structlog

from functions import api, events, letters
from functions.connections import Connections
from functions.events import Queues
from functions.languages import Told
from functions.mail import Undeliverable
from libs.common.errors import NotFound
from libs.common.messages.orders import (
    OrderCancelled,
    OrderConfirmed,
    OrderRejected,
    OrderReturned,
    OrderShipped,
    RecordLetter,
)

log = structlog.get_logger()

HEARD: Sequence[type[Told]] = (OrderConfirmed, OrderRejected, OrderCancelled, OrderShipped, OrderReturned)


async def notify_customer(event: func.CloudEvent, queues: Queues, to: Connections) -> None:
    """At least once, under one Message-ID: a letter whose acceptance was not heard of is posted again. Where only the
    command after it could not be sent, it is not.
    """
    with events.trace(event, "notify_customer") as traceparent:
        fact = events.read(event, HEARD)
        try:
            customer = await api.customer(to, fact.customer_id, await api.our_authorization(to))
        except NotFound:
            log.info("letter.dropped", order_id=str(fact.order_id), reason="the customer is erased")
            return
        about = {"order_id": str(fact.order_id), "because": events.name(fact)}
        letter = letters.write(fact, customer, sender=to.settings.mail_from, traceparent=traceparent)
        try:
            await to.mail.post(letter)
        except Undeliverable as error:
            log.warning("letter.dropped", **about, reason=error.detail)
            return
        posted = RecordLetter(order_id=fact.order_id, letter=letters.name_of(fact))
        events.send(posted, queues, sender="notify_customer", because=event, fact=fact)
        log.info("letter.posted", **about, message_id=letter["Message-ID"])
