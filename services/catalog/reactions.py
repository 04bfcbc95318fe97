"""Messages in: what the catalogue does when it hears something."""

import structlog

from libs.common.clock import now
from libs.common.errors import NotFound
from libs.common.inbox import Reactions
from libs.common.messages.catalog import AddMediaVariant, OpenStock, ReserveStock
from libs.common.messages.orders import OrderCancelled, OrderConfirmed, OrderRejected
from services.catalog.domain import Variant
from services.catalog.stock import Reservation
from services.catalog.store import Store

log = structlog.get_logger()


async def reserve(store: Store, command: ReserveStock, cause: str) -> None:
    await store.change_reservation(
        command.order_id,
        lambda reservation, shelves: reservation.hold(command.lines, shelves, now()),
        products=[line.product_id for line in command.lines],
        cause=cause,
    )


async def sell(store: Store, event: OrderConfirmed, cause: str) -> None:
    await store.change_reservation(event.order_id, Reservation.sell, cause=cause)


async def release(store: Store, event: OrderRejected | OrderCancelled, cause: str) -> None:
    await store.change_reservation(event.order_id, Reservation.release, cause=cause)


async def open_stock(store: Store, command: OpenStock, cause: str) -> None:
    try:
        await store.change_stock(command.product_id, lambda stock: stock.open(command.quantity, now()), cause=cause)
    except NotFound:  # deleted meanwhile
        log.warning("stock.not_opened", product_id=str(command.product_id))


async def add_variant(store: Store, command: AddMediaVariant, cause: str) -> None:
    """It needs no mark of its cause: the same variant again is nothing new, and of what is gone nothing is shown."""
    variant = Variant(command.size, command.url, command.width, command.height)
    try:
        await store.change(command.product_id, lambda product: product.vary(command.media_id, variant, now()))
    except NotFound:
        log.info("variant.not_shown", product_id=str(command.product_id), cause=cause)


REACTIONS: Reactions[Store] = {
    ReserveStock: reserve,
    OpenStock: open_stock,
    AddMediaVariant: add_variant,
    OrderConfirmed: sell,
    OrderRejected: release,
    OrderCancelled: release,
}
