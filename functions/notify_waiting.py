"""There is some of a product again: each customer who has waited gets a letter."""

import asyncio
from uuid import UUID

import azure.functions as func
import structlog

from functions import api, events, stock_letters
from functions.connections import Connections
from functions.mail import Undeliverable
from libs.common.errors import Malformed, NotFound, StoreError, Unavailable
from libs.common.messages.catalog import BackInStock

log = structlog.get_logger()

AT_ONCE = 8
PATIENCE_SECONDS = 25  # of the 30 that Event Grid waits for a function


async def notify_waiting(event: func.CloudEvent, to: Connections) -> None:
    """A fact names one customer. The version before names many in one: each is tried, and where one letter could not
    be posted the function fails and is called again for all of them, under the same Message-IDs.
    """
    with events.trace(event, "notify_waiting") as traceparent:
        fact = events.read(event, [BackInStock])
        authorization, few = await api.our_authorization(to), asyncio.Semaphore(AT_ONCE)

        async def notify(customer_id: UUID) -> bool:
            async with few:
                return await _notify(fact, customer_id, to, authorization=authorization, traceparent=traceparent)

        try:
            async with asyncio.timeout(PATIENCE_SECONDS), asyncio.TaskGroup() as group:
                letters = [group.create_task(notify(each)) for each in dict.fromkeys(fact.customers)]
        except TimeoutError:
            raise Unavailable("there was no time for all letters") from None
        posted = [letter.result() for letter in letters]
        log.info("letters.posted", product_id=str(fact.product_id), count=posted.count(True))
        if not all(posted):
            raise Unavailable(f"{posted.count(False)} of {len(posted)} letters can't be posted now")


async def _notify(
    fact: BackInStock, customer_id: UUID, to: Connections, *, authorization: str, traceparent: str
) -> bool:
    """False where it is to be tried again."""
    try:
        customer = await api.customer(to, customer_id, authorization)
        if not customer.preferences.back_in_stock:
            log.info("letter.dropped", customer_id=str(customer_id), reason="they want none of this kind")
            return True
        letter = stock_letters.back_in_stock(fact, customer, sender=to.settings.mail_from, traceparent=traceparent)
        await to.mail.post(letter)
    except (NotFound, Malformed, Undeliverable) as error:  # erased, or no letter will ever reach them
        log.info("letter.dropped", customer_id=str(customer_id), reason=type(error).__name__)
    except StoreError as error:
        log.warning("letter.postponed", customer_id=str(customer_id), reason=type(error).__name__)
        return False
    return True
