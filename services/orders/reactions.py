"""Messages in: what orders do when they hear something."""

from libs.common.clock import now
from libs.common.inbox import Reactions
from libs.common.messages.catalog import ProductCreated, ProductDeleted, ProductUpdated, StockRefused, StockReserved
from libs.common.messages.customers import CustomerErased, CustomerRegistered, CustomerUpdated
from libs.common.messages.orders import RejectOrder
from libs.common.messages.views import uses
from services.orders.domain import Price
from services.orders.store import Store


@uses("order_id")
async def confirm(store: Store, event: StockReserved, cause: str) -> None:
    await store.change(event.order_id, lambda order: order.confirm(now()), cause=cause)


@uses("order_id", "reason")
async def reject(store: Store, message: StockRefused | RejectOrder, cause: str) -> None:
    await store.change(message.order_id, lambda order: order.reject(message.reason, now()), cause=cause)


@uses("product_id", "sku", "name", "price", "currency", "version")
async def list_price(store: Store, event: ProductCreated | ProductUpdated, cause: str) -> None:
    await store.list_price(
        Price(event.product_id, event.sku, event.name, event.price, event.currency, version=event.version)
    )


@uses("product_id", "version")
async def delist(store: Store, event: ProductDeleted, cause: str) -> None:
    await store.delist(event.product_id, event.version)


@uses("customer_id", "status", "version")
async def know_customer(store: Store, event: CustomerRegistered | CustomerUpdated, cause: str) -> None:
    await store.know_customer(event.customer_id, event.status, event.version)


@uses("customer_id", "version", "at")
async def forget_customer(store: Store, event: CustomerErased, cause: str) -> None:
    await store.forget_customer(event.customer_id, event.version, event.at)


REACTIONS: Reactions[Store] = {
    StockReserved: confirm,
    StockRefused: reject,
    RejectOrder: reject,
    ProductCreated: list_price,
    ProductUpdated: list_price,
    ProductDeleted: delist,
    CustomerRegistered: know_customer,
    CustomerUpdated: know_customer,
    CustomerErased: forget_customer,
}
