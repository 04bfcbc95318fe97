"""Messages in: what the catalogue does when it hears something."""

import structlog

from libs.common.clock import now
from libs.common.errors import NotFound
from libs.common.inbox import Reactions
from libs.common.messages.catalog import OpenStock, ReserveStock
from libs.common.messages.orders import OrderCancelled, OrderConfirmed, OrderRejected
from libs.common.messages.views import uses
from services.catalog.stock import Reservation
from services.catalog.store import Store

log = structlog.get_logger()


@uses("order_id", "lines")
async def reserve(store: Store, command: ReserveStock, cause: str) -> None:
    await store.change_reservation(
        command.order_id,
        lambda reservation, shelves: reservation.hold(command.lines, shelves, now()),
        products=[line.product_id for line in command.lines],
        cause=cause,
    )


@uses("order_id")
async def sell(store: Store, event: OrderConfirmed, cause: str) -> None:
    await store.change_reservation(event.order_id, Reservation.sell, cause=cause)


@uses("order_id")
async def release(store: Store, event: OrderRejected | OrderCancelled, cause: str) -> None:
    await store.change_reservation(event.order_id, Reservation.release, cause=cause)


@uses("product_id", "quantity")
async def open_stock(store: Store, command: OpenStock, cause: str) -> None:
    try:
        await store.change_stock(command.product_id, lambda stock: stock.open(command.quantity, now()), cause=cause)
    except NotFound:  # deleted meanwhile
        log.warning("stock.not_opened", product_id=str(command.product_id))


REACTIONS: Reactions[Store] = {
    ReserveStock: reserve,
    OpenStock: open_stock,
    OrderConfirmed: sell,
    OrderRejected: release,
    OrderCancelled: release,
}
