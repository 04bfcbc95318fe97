"""A product is new: its stock shall be counted from now on, beginning with the quantity that it came with.

`ProductUpdated` says the same quantity as `ProductCreated`, and the catalogue opens a stock once. So it does not
matter which of them is heard first, how often, or whether the other ever is.
"""

from collections.abc import Sequence

import azure.functions as func
import structlog

from functions import events
from functions.events import Queues
from libs.common.messages.catalog import OpenStock, ProductCreated, ProductUpdated
from libs.common.messages.views import view

log = structlog.get_logger()

HEARD: Sequence[type[ProductCreated | ProductUpdated]] = (
    view(ProductCreated, "product_id", "opening_stock", "at"),
    view(ProductUpdated, "product_id", "opening_stock", "at"),
)


async def update_inventory(event: func.CloudEvent, queues: Queues) -> None:
    with events.trace(event, "update_inventory"):
        product = events.read(event, HEARD)
        command = OpenStock(product_id=product.product_id, quantity=product.opening_stock)
        events.send(command, queues, sender="update_inventory", because=event, fact=product)
        log.info("opening.requested", product_id=str(product.product_id))
