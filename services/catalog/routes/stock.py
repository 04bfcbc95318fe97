"""Stock in: anyone reads the counts; staff correct them, take deliveries in, and read how it all came to be."""

from typing import Annotated
from uuid import UUID

import msgspec
from aiohttp import web
from msgspec import Meta, Struct

from libs.common.auth import Role
from libs.common.clock import now
from libs.common.errors import Invalid, KeyReused, Malformed, NotFound
from libs.common.http import bears, fingerprint, idempotency_key, if_match, path_id, read, reply
from libs.common.messages.catalog import MOST_PIECES
from libs.common.operations import Operation, allow
from libs.common.queries import next_page, query
from services.catalog.routes.bodies import Pieces, Reason
from services.catalog.routes.keys import CURSORS, STORE
from services.catalog.stock import BelowReserved, Movement, NotCounted, Stock, TooMuchStock
from services.catalog.store import Delivery

routes = web.RouteTableDef()

NEWEST = 10**12  # no stock has moved so often


class Recount(Struct, frozen=True, forbid_unknown_fields=True):
    count: Pieces
    reason: Reason


class Receipt(Struct, frozen=True, forbid_unknown_fields=True):
    quantity: Annotated[int, Meta(ge=1, le=MOST_PIECES)]
    reason: Reason


class ReorderLevel(Struct, frozen=True, forbid_unknown_fields=True):
    level: Pieces | None


class StockBody(Struct, frozen=True):
    product_id: UUID
    on_hand: int
    reserved: int
    sold: int
    received: int
    count: int
    reorder_level: int | None
    version: int


class Ledger(Struct, frozen=True, forbid_unknown_fields=True):
    limit: Annotated[int, Meta(ge=1, le=100)] = 20
    cursor: str | None = None


class LedgerPosition(Struct, frozen=True):
    """Where a page of a product's movements ended."""

    product_id: UUID
    version: int


class LedgerPage(Struct, frozen=True):
    items: list[Movement]
    next: str | None


@routes.get("/api/products/{id}/stock")
@allow()
@Operation(answers={200: StockBody})
async def read_stock(request: web.Request) -> web.Response:
    """Of a product that is not published, for staff only."""
    stock = await request.app[STORE].stock(path_id(request))
    if not stock.published and not await bears(request, Role.ADMIN):
        raise NotFound
    return reply(stock_body(stock), version=stock.version)


@routes.put("/api/products/{id}/stock")
@allow(Role.ADMIN)
@Operation(body=Recount, headers=["If-Match"], answers={200: StockBody}, refuses=[BelowReserved])
async def recount_stock(request: web.Request) -> web.Response:
    version, wanted, at = if_match(request), await read(request, Recount), now()
    stock = await request.app[STORE].change_stock(
        path_id(request), lambda stock: stock.recount(wanted.count, wanted.reason, at), version=version
    )
    return reply(stock_body(stock), version=stock.version)


@routes.post("/api/products/{id}/stock/receipts")
@allow(Role.ADMIN)
@Operation(
    body=Receipt,
    headers=["Idempotency-Key"],
    answers={200: StockBody},
    refuses=[KeyReused, NotCounted, TooMuchStock, Malformed],
)
async def receive_stock(request: web.Request) -> web.Response:
    """Adds a delivery once, however often it is sent with the same Idempotency-Key: a repeat gets the first answer,
    whatever has moved since.
    """
    product_id, key, wanted, at = path_id(request), idempotency_key(request), await read(request, Receipt), now()
    body = await request.app[STORE].receive(
        Delivery(product_id, key, fingerprint(wanted)),
        lambda stock: stock.receive(wanted.quantity, wanted.reason, at),
        lambda stock: msgspec.json.encode(stock_body(stock)),
    )
    return reply(body, version=msgspec.json.decode(body, type=StockBody).version)


@routes.put("/api/products/{id}/stock/reorder-level")
@allow(Role.ADMIN)
@Operation(body=ReorderLevel, headers=["If-Match"], answers={200: StockBody}, refuses=[NotCounted])
async def set_reorder_level(request: web.Request) -> web.Response:
    """Staff get a letter when no more than this is on hand. `null`: they get none."""
    version, wanted, at = if_match(request), await read(request, ReorderLevel), now()
    stock = await request.app[STORE].change_stock(
        path_id(request), lambda stock: stock.reorder_at(wanted.level, at), version=version
    )
    return reply(stock_body(stock), version=stock.version)


@routes.get("/api/products/{id}/stock/ledger")
@allow(Role.ADMIN)
@Operation(query=Ledger, answers={200: LedgerPage})
async def read_ledger(request: web.Request) -> web.Response:
    """Every movement, the newest first, also of what is no longer sold. Their sums are the counts."""
    asked, cursors, product_id = query(request, Ledger), request.app[CURSORS], path_id(request)
    after = await cursors.open(asked.cursor, LedgerPosition) if asked.cursor else LedgerPosition(product_id, NEWEST)
    if after.product_id != product_id:
        raise Invalid("cursor", "the cursor is of another product's ledger")
    movements = await request.app[STORE].movements(product_id, after.version, asked.limit)
    full = len(movements) == asked.limit
    following = cursors.seal(LedgerPosition(product_id, movements[-1].version)) if full else None
    return reply(LedgerPage(movements, following), headers=next_page(request, following))


def stock_body(stock: Stock) -> StockBody:
    return StockBody(
        product_id=stock.product_id,
        on_hand=stock.on_hand,
        reserved=stock.reserved,
        sold=stock.sold,
        received=stock.received,
        count=stock.count,
        reorder_level=stock.reorder_level,
        version=stock.version,
    )
