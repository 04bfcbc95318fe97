"""Stock in: anyone reads the counts, staff correct them."""

from uuid import UUID

from aiohttp import web
from msgspec import Struct

from libs.common.auth import Role
from libs.common.clock import now
from libs.common.http import if_match, path_id, read, reply
from libs.common.operations import Operation, allow
from services.catalog.routes.bodies import Pieces, Reason
from services.catalog.routes.keys import STORE
from services.catalog.stock import BelowReserved, Stock

routes = web.RouteTableDef()


class Recount(Struct, frozen=True, forbid_unknown_fields=True):
    count: Pieces
    reason: Reason


class StockBody(Struct, frozen=True):
    product_id: UUID
    on_hand: int
    reserved: int
    sold: int
    received: int
    count: int
    version: int


@routes.get("/api/products/{id}/stock")
@allow()
@Operation(answers={200: StockBody})
async def read_stock(request: web.Request) -> web.Response:
    stock = await request.app[STORE].stock(path_id(request))
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


def stock_body(stock: Stock) -> StockBody:
    return StockBody(
        product_id=stock.product_id,
        on_hand=stock.on_hand,
        reserved=stock.reserved,
        sold=stock.sold,
        received=stock.received,
        count=stock.count,
        version=stock.version,
    )
