"""Each service as it is, on a real socket and on PostgreSQL, with something in it to find."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

from aiohttp import web
from azure.storage.blob.aio import BlobServiceClient

from libs.common import http
from libs.common.auth import Verifier
from libs.common.cursors import Cursors
from libs.common.pages import with_pages
from libs.common.pictures import Studio
from libs.common.postgres import Postgres
from services.catalog import routes as catalog
from services.catalog import store as catalog_store
from services.catalog.gallery import Gallery
from services.customers import routes as customers
from services.customers import store as customers_store
from services.orders import routes as orders
from services.orders import store as orders_store
from services.orders.domain import Price

CALLER = UUID(int=1)
LAMP, DESK = UUID(int=0x1A), UUID(int=0xDE)


@dataclass(frozen=True, slots=True)
class Surroundings:
    database: Postgres
    verifier: Verifier
    blobs: BlobServiceClient


@asynccontextmanager
async def catalog_app(here: Surroundings) -> AsyncIterator[web.Application]:
    await catalog_store.migrate(here.database)
    app = http.application(with_pages("catalog", catalog.routes), here.verifier, here.database.ping)
    app[catalog.STORE], app[catalog.CURSORS] = await catalog_store.open_store(here.database), Cursors(b"key")
    app[catalog.GALLERY] = Gallery(here.blobs, "https://media.example/media", Studio(seconds=40))
    yield app


@asynccontextmanager
async def orders_app(here: Surroundings) -> AsyncIterator[web.Application]:
    await orders_store.migrate(here.database)
    store = await orders_store.open_store(here.database)
    for product_id, sku in ((LAMP, "LAMP"), (DESK, "DESK")):
        await store.list_price(Price(product_id, sku, sku.title(), 4900, "EUR", version=1))
    await store.know_customer(CALLER, "active", 1)
    app = http.application(with_pages("orders", orders.routes), here.verifier, here.database.ping)
    app[orders.STORE], app[orders.CURSORS] = store, Cursors(b"key")
    yield app


@asynccontextmanager
async def customers_app(here: Surroundings) -> AsyncIterator[web.Application]:
    await customers_store.migrate(here.database)
    app = http.application(with_pages("customers", customers.routes), here.verifier, here.database.ping)
    app[customers.STORE], app[customers.CURSORS] = await customers_store.open_store(here.database), Cursors(b"key")
    yield app


SERVED: dict[str, Callable[[Surroundings], AbstractAsyncContextManager[web.Application]]] = {
    "catalog": catalog_app,
    "orders": orders_app,
    "customers": customers_app,
}
