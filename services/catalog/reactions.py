"""Messages in: what the catalogue does when it hears something."""

from collections.abc import Callable, Sequence
from datetime import datetime
from uuid import UUID

import structlog

from libs.common.clock import now
from libs.common.errors import NotFound
from libs.common.inbox import Reactions
from libs.common.messages import Fact
from libs.common.messages.catalog import AddMediaVariant, OpenStock, ProductDeleted, ReserveStock, StockReplenished
from libs.common.messages.customers import CustomerErased
from libs.common.messages.orders import OrderCancelled, OrderConfirmed, OrderRejected, OrderReturned
from libs.common.messages.views import uses
from services.catalog.domain import Variant
from services.catalog.reservations import Reservation
from services.catalog.stock import Shelves
from services.catalog.store import Store

log = structlog.get_logger()

Settled = OrderConfirmed | OrderRejected | OrderCancelled | OrderReturned
Settle = Callable[[Reservation, Shelves, datetime], Sequence[Fact]]


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
    await _settle(store, Reservation.sell, event, cause)


@uses("order_id")
async def release(store: Store, event: OrderRejected | OrderCancelled, cause: str) -> None:
    await _settle(store, Reservation.release, event, cause)


@uses("order_id")
async def take_back(store: Store, event: OrderReturned, cause: str) -> None:
    await _settle(store, Reservation.take_back, event, cause)


async def _settle(store: Store, settle: Settle, event: Settled, cause: str) -> None:
    await store.change_reservation(
        event.order_id, lambda reservation, shelves: settle(reservation, shelves, now()), cause=cause
    )


@uses("product_id", "quantity")
async def open_stock(store: Store, command: OpenStock, cause: str) -> None:
    """It comes after each edit of a product. So those who have waited while it was not for sale are called now."""
    try:
        stock = await store.change_stock(
            command.product_id, lambda stock: stock.open(command.quantity, now()), cause=cause
        )
    except NotFound:  # deleted meanwhile
        log.warning("stock.not_opened", product_id=str(command.product_id))
        return
    if stock.waiting and stock.may_call:
        await _call_all(store, command.product_id)


@uses("product_id", "media_id", "size", "url", "width", "height")
async def add_variant(store: Store, command: AddMediaVariant, cause: str) -> None:
    """It needs no mark of its cause: the same variant again is nothing new, and of what is gone nothing is shown."""
    variant = Variant(command.size, command.url, command.width, command.height)
    try:
        await store.change(command.product_id, lambda product: product.vary(command.media_id, variant))
    except NotFound:
        log.info("variant.not_shown", product_id=str(command.product_id), cause=cause)


@uses("product_id")
async def call_waiting(store: Store, event: StockReplenished | ProductDeleted, cause: str) -> None:
    await _call_all(store, event.product_id)


async def _call_all(store: Store, product_id: UUID) -> None:
    """Step by step. However often it is heard, and where it was interrupted: who is told is no longer on the list."""
    while await store.call_waiting(product_id, now()):
        continue


@uses("customer_id")
async def forget_customer(store: Store, event: CustomerErased, cause: str) -> None:
    await store.forget_customer(event.customer_id)


REACTIONS: Reactions[Store] = {
    ReserveStock: reserve,
    OpenStock: open_stock,
    AddMediaVariant: add_variant,
    OrderConfirmed: sell,
    OrderRejected: release,
    OrderCancelled: release,
    OrderReturned: take_back,
    StockReplenished: call_waiting,
    ProductDeleted: call_waiting,
    CustomerErased: forget_customer,
}
